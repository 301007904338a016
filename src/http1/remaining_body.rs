//! Content of an answer that is still on its way, framed as it is read (RFC 9112 §6, §7.1).

use std::fmt;
use std::io;
use std::time::Duration;

use crate::http1::message::{CompletionHook, Handover, Stream};
use crate::platform::concurrency::ConcurrencyPermit;

/// Bytes that the size of a chunk takes at most, with its line ends and those behind its content.
const CHUNK_FRAME: usize = 20;

/// Bytes kept free for the size of a chunk, which is known when its content is read: as many as it takes mostly.
const CHUNK_HEAD: usize = 6;

/// Content that is still to come, in the form in which it is sent.
pub struct RemainingBody {
    stream: Stream,
    framing: Framing,
    sent: u64,
    is_done: bool,
    /// It may have no end, and each part must reach the client when it comes.
    pub is_event_stream: bool,
}

/// How the end of the content is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is no content by definition, and no length.
    None,
    /// By `Content-Length`.
    Length(u64),
    /// By chunks.
    Chunked,
    /// By the end of the connection: all that HTTP/1.0 has.
    Close,
}

impl RemainingBody {
    pub(super) fn of(stream: Stream, framing: Framing, is_event_stream: bool) -> RemainingBody {
        RemainingBody {
            stream,
            framing,
            sent: 0,
            is_done: false,
            is_event_stream,
        }
    }

    /// Bytes of the content that have not been read, if its length was told.
    pub fn left(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(length) => Some(length.saturating_sub(self.sent)),
            _ => None,
        }
    }

    /// Who is told how much of it is sent. From now on, that is for the caller to do.
    pub fn take_receipt(&mut self) -> Option<Box<dyn CompletionHook>> {
        self.stream.completion.take()
    }

    /// What a worker that waits for it holds, if there is a bound for those.
    pub fn slot(&mut self) -> Option<&mut ConcurrencyPermit> {
        self.stream.slot.as_mut()
    }

    /// For so long, the integration was not waited for, so that it does not count in its timeout.
    pub fn put_off_deadline(&self, time: Duration) {
        if let Some(deadline) = self.stream.deadline.as_ref().filter(|_| !time.is_zero()) {
            deadline.put_off(time);
        }
    }

    /// Who takes over the client, if anybody does.
    pub fn take_handover(&mut self) -> Option<Handover> {
        self.stream.handover.take()
    }

    /// Content of which more follows, in the form in which it is sent.
    pub fn framed(&self, content: &[u8]) -> Vec<u8> {
        match self.framing {
            Framing::Chunked if !content.is_empty() => {
                let mut framed = format!("{:x}\r\n", content.len()).into_bytes();
                framed.extend_from_slice(content);
                framed.extend_from_slice(b"\r\n");
                framed
            }
            _ => content.to_vec(),
        }
    }

    /// Whether all of it has been read.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Waits for the next part and adds it, framed, to what is to be sent: as much as there is capacity for. Tells how
    /// many bytes of content that was.
    ///
    /// # Errors
    /// The integration's answer broke off, or is longer than it said. Where its reader never waits, nothing has come
    /// ([`io::ErrorKind::WouldBlock`]).
    pub fn read_into(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let read = self.read(bytes);
        if let Some(completion) = &mut self.stream.completion {
            match &read {
                Ok(count) => completion.sent(*count as u64),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => completion.broke_off(error),
            }
        }
        read
    }

    fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let head = match self.framing {
            Framing::Chunked => CHUNK_HEAD,
            _ => 0,
        };
        let start = bytes.len();
        let room = (bytes.capacity() - start).saturating_sub(CHUNK_FRAME).max(1);
        // One more than there should be, to see that there is not.
        let most = self.left().map_or(room, |left| {
            usize::try_from(left).map_or(room, |left| room.min(left.saturating_add(1)))
        });
        bytes.resize(start + head + most, 0);
        let part = bytes.get_mut(start + head..).unwrap_or_default();
        let count = match self.stream.reader.read(part) {
            Ok(count) => count.min(most),
            Err(error) => {
                bytes.truncate(start);
                return Err(error);
            }
        };
        bytes.truncate(start + head + count);
        self.sent += count as u64;
        if let Framing::Length(length) = self.framing
            && (self.sent > length || (count == 0 && self.sent < length))
        {
            bytes.truncate(start);
            let text = format!("{} bytes came where {length} were announced", self.sent);
            return Err(io::Error::other(text));
        }
        self.is_done = count == 0;
        if self.is_done {
            // Nobody waits for it any more, whatever the client does.
            self.stream.slot = None;
        }
        if self.framing == Framing::Chunked {
            // The empty chunk ends the content.
            let size = format!("{count:x}\r\n");
            bytes.splice(start..start + head, size.into_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        Ok(count)
    }
}

impl fmt::Debug for RemainingBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemainingBody({:?} after {})", self.framing, self.sent)
    }
}
