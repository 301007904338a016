//! An answer's content on its way back.

use std::io::{self, Read};
use std::sync::Arc;

use crate::http1::message::{Body, Deadline, Stream};
use crate::outbound::upstream::clients::Lease;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::exchange::Exchange;

/// Content of at most this many bytes is held whole: one write to the client, and a break inside it is still a 503.
const SMALL: usize = 64 * 1024;

/// Bytes that are read before the head of a streamed answer is passed on.
const FIRST_PART: usize = 16 * 1024;

/// Takes over an answer's content: small content whole, all else as it comes. An event stream has all the time that it
/// wants, as long as there is no long wait in it.
///
/// # Errors
/// It breaks off before anything could be passed on.
pub(super) fn receive(body: ureq::Body, is_event_stream: bool, mut client: Lease) -> Result<Body, UpstreamError> {
    let length = body.content_length();
    let mut reader = body.into_reader();
    if is_event_stream {
        client.exchange.bound_each_wait();
        let (slot, reader) = (client.slot.take(), Some(reader));
        let stream = Stream::new(length, Incoming { reader, client });
        return Ok(Body::Stream(Stream { slot, ..stream }));
    }
    if let Some(length) = length.filter(|length| *length <= SMALL as u64) {
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        reader.read_to_end(&mut bytes).map_err(|error| client.cause_of(error))?;
        client.note_end();
        return Ok(Body::Bytes(bytes));
    }
    let mut first = vec![0; FIRST_PART];
    let count = reader.read(&mut first).map_err(|error| client.cause_of(error))?;
    first.truncate(count);
    if count == 0 {
        client.note_end();
        return Ok(Body::Bytes(first));
    }
    let slot = client.slot.take();
    let deadline: Arc<dyn Deadline> = Arc::<Exchange>::clone(&client.exchange);
    let rest = Incoming {
        reader: Some(reader),
        client,
    };
    let stream = Stream::new(length, io::Cursor::new(first).chain(rest));
    Ok(Body::Stream(Stream {
        slot,
        deadline: Some(deadline),
        ..stream
    }))
}

/// Content that is read while it is passed on.
struct Incoming {
    /// None after an error: the first one is final, and the connection is closed.
    reader: Option<ureq::BodyReader<'static>>,
    client: Lease,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(reader) = &mut self.reader else {
            return Err(io::Error::other("the answer broke off before"));
        };
        let read = reader.read(buffer).map_err(|error| {
            self.reader = None;
            io::Error::other(self.client.cause_of(error))
        });
        if matches!(read, Ok(0)) && !buffer.is_empty() {
            self.client.note_end();
        }
        read
    }
}
