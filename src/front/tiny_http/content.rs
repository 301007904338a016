//! The content of a request that tiny_http has read, and the bytes of its answer.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http1::message::Headers;
use crate::http1::message_limits::MAX_BODY_LENGTH;

/// A request that is being answered, between the reader of its content and the writer of its answer.
#[derive(Default)]
pub(super) struct Slot {
    request: Mutex<Option<tiny_http::Request>>,
    /// The content ended badly; tiny_http forgets that, and would read the rest as the next request.
    pub(super) is_broken: AtomicBool,
}

impl Slot {
    /// The request; none once it is answered.
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<tiny_http::Request>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The content of a request that is being answered.
pub(super) struct Content(pub(super) Arc<Slot>);

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut request = self.0.lock();
        let Some(request) = request.as_mut() else {
            return Err(io::Error::other("the request has been answered"));
        };
        request
            .as_reader()
            .read(buffer)
            .inspect_err(|_| self.0.is_broken.store(true, Ordering::SeqCst))
    }
}

/// Whether tiny_http takes all that follows on the connection for the request's content.
pub(super) fn asks_for_upgrade(headers: &Headers) -> bool {
    let connection = headers.get("connection").unwrap_or_default();
    connection
        .to_ascii_lowercase()
        .windows(7)
        .any(|window| window == b"upgrade")
}

/// Reads what is left of a body, or else it would be read as the next request. Reading also answers
/// `Expect: 100-continue`, without which some clients send nothing.
pub(super) fn discard(body: &mut dyn Read) -> bool {
    let discarded = io::copy(&mut body.take(MAX_BODY_LENGTH + 1), &mut io::sink());
    discarded.is_ok_and(|count| count <= MAX_BODY_LENGTH)
}

/// Sends bytes to a client, and tells how long it was waited for.
pub(super) fn sending(to: &mut impl Write) -> impl FnMut(&[u8]) -> io::Result<Duration> {
    |bytes| {
        let start = Instant::now();
        to.write_all(bytes).and_then(|()| to.flush())?;
        Ok(start.elapsed())
    }
}
