//! A request's content on its way to an integration.

use std::io::{self, Read};

use crate::message::{Body, Headers, MAX_BODY_LENGTH, Stream};
use crate::upstream::UpstreamError;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Content of an unknown length is read this far, to see whether that is all.
const READ_AHEAD: usize = 64 * 1024;

/// The request's content, ready for ureq, with the field that frames it.
pub(super) struct Outgoing {
    headers: HeaderMap,
    content: Content,
}

/// Content that can be sent again, or only once.
pub(super) enum Content {
    Whole(Vec<u8>),
    Stream(Box<dyn Read + Send>),
}

impl Outgoing {
    /// Takes the fields of a request and its content, and sets exactly one framing field.
    ///
    /// # Errors
    /// The content breaks off, or is too large, before anything was sent.
    pub(super) fn new(fields: &Headers, body: Body) -> Result<Outgoing, UpstreamError> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields.iter() {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        }
        let (content, length) = match body {
            Body::Empty => (Content::Whole(Vec::new()), Some(0)),
            Body::Bytes(bytes) => {
                let length = bytes.len() as u64;
                (Content::Whole(bytes), Some(length))
            }
            Body::Stream(Stream {
                length: Some(length),
                reader,
            }) => (
                Content::Stream(Box::new(Guarded::new(reader, Some(length)))),
                Some(length),
            ),
            Body::Stream(Stream { length: None, reader }) => read_ahead(reader)?,
        };
        match length {
            Some(length) => headers.insert(CONTENT_LENGTH, HeaderValue::from(length)),
            None => headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked")),
        };
        Ok(Outgoing { headers, content })
    }

    pub(super) fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    /// Whether there is no content.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.content, Content::Whole(bytes) if bytes.is_empty())
    }

    /// The content; a stream can be sent once only.
    pub(super) fn content(&mut self) -> &mut Content {
        &mut self.content
    }
}

/// Reads the beginning of content whose length nobody told: where that is all, its length is known.
fn read_ahead(reader: Box<dyn Read + Send>) -> Result<(Content, Option<u64>), UpstreamError> {
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
        let length = beginning.len() as u64;
        return Ok((Content::Whole(beginning), Some(length)));
    }
    let whole = io::Cursor::new(beginning).chain(guarded);
    Ok((Content::Stream(Box::new(whole)), None))
}

/// The client's content, held to its length and to the limit.
///
/// An early end must be an error: ureq would wait for the rest for ever, or a cut upload would look whole.
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
