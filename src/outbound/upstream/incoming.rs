//! An answer's content on its way back.

use std::io::{self, Read};

use crate::http1::message::{Body, Stream};
use crate::outbound::upstream::blocking::Call;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::response::IntegrationResponse;
use crate::platform::metrics::UpstreamConnections;

/// Content of at most this many bytes is held whole: one write to the client, and a break inside it is still a 503.
pub(super) const SMALL: u64 = 64 * 1024;

/// Bytes that are read before the head of a streamed answer is passed on.
const FIRST_PART: usize = 16 * 1024;

/// The answer of an exchange whose head is here.
///
/// # Errors
/// It breaks off before anything could be passed on.
pub(super) fn answer(
    mut call: Call,
    connections: &UpstreamConnections,
    is_to_head: bool,
    may_stream: bool,
) -> Result<IntegrationResponse, UpstreamError> {
    match call.has_connected() {
        true => connections.new.add_one(),
        false => connections.reused.add_one(),
    }
    let head = call.exchange().take_head();
    let (status, headers) = head.ok_or_else(|| UpstreamError::Malformed("it has no head".to_owned()))?;
    let body = if is_to_head || matches!(status, 204 | 304) {
        // There is none, whatever came.
        call.finish();
        Body::Empty
    } else {
        let is_event_stream = may_stream && headers.announce_event_stream();
        receive(call, is_event_stream)?
    };
    Ok(IntegrationResponse { status, headers, body })
}

/// Takes over an answer's content: small content whole, all else as it comes. An event stream has all the time that it
/// wants, as long as there is no long wait in it.
///
/// # Errors
/// It breaks off before anything could be passed on.
fn receive(mut call: Call, is_event_stream: bool) -> Result<Body, UpstreamError> {
    let length = call.exchange().length();
    if is_event_stream {
        call.waits.bound_each_wait();
        let slot = call.lease.slot.take();
        let rest = Incoming { call, is_broken: false };
        let stream = Stream::new(length, rest);
        return Ok(Body::Stream(Stream { slot, ..stream }));
    }
    if let Some(length) = length.filter(|length| *length <= SMALL) {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        let mut filled = 0;
        while let Some(rest @ [_, ..]) = bytes.get_mut(filled..) {
            match call.read(rest)? {
                0 => break,
                count => filled += count,
            }
        }
        bytes.truncate(filled);
        call.finish();
        return Ok(Body::Bytes(bytes));
    }
    let mut first = vec![0; FIRST_PART];
    let count = call.read(&mut first)?;
    first.truncate(count);
    if count == 0 {
        return Ok(Body::Bytes(first));
    }
    let slot = call.lease.slot.take();
    let deadline = call.waits.extension();
    let rest = Incoming { call, is_broken: false };
    let stream = Stream::new(length, io::Cursor::new(first).chain(rest));
    Ok(Body::Stream(Stream {
        slot,
        deadline: Some(deadline),
        ..stream
    }))
}

/// Content that is read while it is passed on.
struct Incoming {
    call: Call,
    /// The first error is final, and the connection is closed.
    is_broken: bool,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_broken {
            return Err(io::Error::other("the answer broke off before"));
        }
        self.call.read(buffer).map_err(|error| {
            self.is_broken = true;
            io::Error::other(error)
        })
    }
}
