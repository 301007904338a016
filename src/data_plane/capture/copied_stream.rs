//! Content that is still on its way, of which the beginning is copied as it passes.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Instant;

use crate::data_plane::capture::Capture;
use crate::data_plane::capture::entry::{CapturedBody, Detail, MAX_BODY};
use crate::http1::message::Stream;

/// Whose content it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// A reader that copies what it reads.
pub(super) struct CopiedStream {
    inner: Box<dyn Read + Send>,
    capture: Arc<Capture>,
    number: u64,
    side: Side,
    began: Instant,
    /// Bytes that were read.
    length: u64,
    is_over: bool,
}

impl CopiedStream {
    /// Copies what is read of a stream from now on.
    pub(super) fn insert(stream: &mut Stream, capture: &Arc<Capture>, number: u64, side: Side, began: Instant) {
        let inner = std::mem::replace(&mut stream.reader, Box::new(io::empty()));
        stream.reader = Box::new(CopiedStream {
            inner,
            capture: Arc::clone(capture),
            number,
            side,
            began,
            length: 0,
            is_over: false,
        });
    }

    fn change(&self, change: impl FnOnce(&mut CapturedBody)) {
        self.capture.state().ring.change(self.number, |entry| {
            if let Some(body) = entry.detail.as_deref_mut().and_then(|detail| self.body(detail)) {
                change(body);
            }
        });
    }

    fn body<'d>(&self, detail: &'d mut Detail) -> Option<&'d mut CapturedBody> {
        match self.side {
            Side::Request => Some(&mut detail.request_body),
            Side::Response => detail.outcome.as_deref_mut().map(|outcome| &mut outcome.response_body),
        }
    }

    /// No more is read: the other side has ended it, or we have.
    fn end(&mut self, is_ended_there: bool) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let length = self.length;
        let now = self.began.elapsed();
        self.capture.state().ring.change(self.number, |entry| {
            let Some(detail) = entry.detail.as_deref_mut() else {
                return;
            };
            if let Some(body) = self.body(detail) {
                body.length = length;
                body.cut |= length > body.bytes.len() as u64;
            }
            if is_ended_there
                && self.side == Side::Response
                && let Some(outcome) = &mut detail.outcome
            {
                outcome.timing.integration_end = Some(now);
            }
        });
    }
}

impl Read for CopiedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.inner.read(buffer) {
            Ok(count) => count,
            Err(error) => {
                if !matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) {
                    self.end(true);
                }
                return Err(error);
            }
        };
        let is_kept = self.length < MAX_BODY as u64;
        self.length += count as u64;
        if count == 0 && !buffer.is_empty() {
            self.end(true);
        } else if is_kept {
            let part = buffer.get(..count).unwrap_or_default();
            self.change(|body| body.add(part));
        }
        Ok(count)
    }
}

impl Drop for CopiedStream {
    fn drop(&mut self) {
        self.end(false);
    }
}
