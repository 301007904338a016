//! The content of a request on its way to an integration: here whole, or read from its sender part by part.

use std::io::{self, Read};

use crate::http1::framing::Framing;
use crate::http1::message::{Body, Stream};
use crate::http1::message_limits::MAX_BODY_LENGTH;
use crate::outbound::upstream::error::UpstreamError;

/// Content of an unknown length is read this far, to see whether that is all.
const READ_AHEAD: usize = 64 * 1024;

/// Content that can be sent again, or only once.
pub(super) enum Outgoing {
    Whole(Vec<u8>),
    Stream(Box<dyn Read + Send>, Framing),
}

impl Outgoing {
    /// Takes the content of a request.
    ///
    /// # Errors
    /// The content breaks off, or is too large, before anything was sent.
    pub(super) fn new(body: Body) -> Result<Outgoing, UpstreamError> {
        match body {
            Body::Empty => Ok(Outgoing::Whole(Vec::new())),
            Body::Bytes(bytes) => Ok(Outgoing::Whole(bytes)),
            Body::Stream(Stream {
                length: Some(length),
                reader,
                ..
            }) => {
                let guarded = Box::new(Guarded::new(reader, Some(length)));
                Ok(Outgoing::Stream(guarded, Framing::Length(length)))
            }
            Body::Stream(Stream { reader, .. }) => read_ahead(reader),
        }
    }

    /// How its end is told.
    pub(super) fn framing(&self) -> Framing {
        match self {
            Outgoing::Whole(bytes) => Framing::Length(bytes.len() as u64),
            Outgoing::Stream(_, framing) => *framing,
        }
    }

    /// Whether there is no content.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Outgoing::Whole(bytes) if bytes.is_empty())
    }
}

/// How the end of content is told whose length was unknown before it was read, once so much of it has been read.
pub fn framing_of_unknown(read: u64) -> Framing {
    match read < READ_AHEAD as u64 {
        true => Framing::Length(read),
        false => Framing::Chunked,
    }
}

/// Reads the beginning of content of unknown length: where that is all, its length is known.
fn read_ahead(reader: Box<dyn Read + Send>) -> Result<Outgoing, UpstreamError> {
    let mut guarded = Guarded::new(reader, None);
    let mut beginning = Vec::new();
    (&mut guarded)
        .take(READ_AHEAD as u64)
        .read_to_end(&mut beginning)
        .map_err(|error| match error.downcast::<UpstreamError>() {
            Ok(failure) => failure,
            Err(error) => UpstreamError::BodyCut(error.to_string()),
        })?;
    if beginning.len() < READ_AHEAD {
        return Ok(Outgoing::Whole(beginning));
    }
    let whole = io::Cursor::new(beginning).chain(guarded);
    Ok(Outgoing::Stream(Box::new(whole), Framing::Chunked))
}

/// The client's content, held to its length and to the limit.
///
/// An early end must be an error, so that a cut upload never looks whole.
struct Guarded {
    reader: Box<dyn Read + Send>,
    length: Option<u64>,
    seen: u64,
}

impl Guarded {
    fn new(reader: Box<dyn Read + Send>, length: Option<u64>) -> Guarded {
        Guarded {
            reader,
            length,
            seen: 0,
        }
    }
}

impl Read for Guarded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let cut = |reason: String| io::Error::other(UpstreamError::BodyCut(reason));
        let count = self.reader.read(buffer).map_err(|error| cut(error.to_string()))?;
        self.seen += count as u64;
        if self.seen > MAX_BODY_LENGTH {
            return Err(io::Error::other(UpstreamError::BodyTooLarge));
        }
        match self.length {
            Some(length) if count == 0 && !buffer.is_empty() && self.seen < length => {
                Err(cut(format!("{} of {length} bytes came", self.seen)))
            }
            _ => Ok(count),
        }
    }
}
