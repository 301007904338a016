//! A request on its way to an integration: its head as bytes, and its content.
//!
//! ureq is given a request that says no more than it must know: whether there is content and how long it is, and
//! whether the answer has any. The head that is sent is made here, and put in the place of ureq's by the transport. So
//! fields are sent as they stand, in their order, and are not copied into other types and back.

use std::io::{self, Read, Write as _};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue};

use crate::http1::message::{Body, Method, RequestParts, Stream};
use crate::http1::message_limits::MAX_BODY_LENGTH;
use crate::outbound::upstream::error::UpstreamError;

/// Content of an unknown length is read this far, to see whether that is all.
const READ_AHEAD: usize = 64 * 1024;

/// The request's content, ready for ureq, and what there is to know of the request.
pub(super) struct Outgoing {
    content: Content,
    /// Bytes of the content, where that is known.
    length: Option<u64>,
    method: Method,
}

/// Content that can be sent again, or only once.
pub(super) enum Content {
    Whole(Vec<u8>),
    Stream(Box<dyn Read + Send>),
}

impl Outgoing {
    /// Takes the content of a request.
    ///
    /// # Errors
    /// The content breaks off, or is too large, before anything was sent.
    pub(super) fn new(method: Method, body: Body) -> Result<Outgoing, UpstreamError> {
        let (content, length) = match body {
            Body::Empty => (Content::Whole(Vec::new()), Some(0)),
            Body::Bytes(bytes) => {
                let length = bytes.len() as u64;
                (Content::Whole(bytes), Some(length))
            }
            Body::Stream(Stream {
                length: Some(length),
                reader,
                ..
            }) => (
                Content::Stream(Box::new(Guarded::new(reader, Some(length)))),
                Some(length),
            ),
            Body::Stream(Stream { reader, .. }) => read_ahead(reader)?,
        };
        Ok(Outgoing {
            content,
            length,
            method,
        })
    }

    /// The head of the request, with exactly one field that frames its content.
    ///
    /// # Errors
    /// The target is none that could be sent.
    pub(super) fn head(&self, parts: &RequestParts) -> Result<Vec<u8>, UpstreamError> {
        let mut target = parts.path.clone();
        if let Some(query) = &parts.query {
            target.push('?');
            target.push_str(query);
        }
        let target = PathAndQuery::try_from(target).map_err(|error| UpstreamError::Unsendable(error.to_string()))?;
        let mut head = Vec::with_capacity(parts.headers.length() + target.as_str().len() + 64);
        for part in [
            self.method.as_str().as_bytes(),
            b" ",
            target.as_str().as_bytes(),
            b" HTTP/1.1\r\n",
        ] {
            head.extend_from_slice(part);
        }
        parts.headers.write_to(&mut head, |_| false);
        match self.length {
            // Writing to a Vec cannot fail.
            Some(length) => drop(write!(head, "content-length: {length}\r\n\r\n")),
            None => head.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n"),
        }
        Ok(head)
    }

    /// A method that has content if and only if there is some, and to which the same answers have content.
    pub(super) fn method_for_ureq(&self) -> http::Method {
        match self.method {
            _ if !self.is_empty() => http::Method::POST,
            Method::Head => http::Method::HEAD,
            _ => http::Method::GET,
        }
    }

    /// The field from which ureq knows how to frame the content.
    pub(super) fn framing_for_ureq(&self) -> Option<(HeaderName, HeaderValue)> {
        match self.length {
            Some(0) => None,
            Some(length) => Some((CONTENT_LENGTH, HeaderValue::from(length))),
            None => Some((TRANSFER_ENCODING, HeaderValue::from_static("chunked"))),
        }
    }

    /// Whether there is no content.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.content, Content::Whole(bytes) if bytes.is_empty())
    }

    /// Whether the content can be sent again.
    pub(super) fn is_whole(&self) -> bool {
        matches!(&self.content, Content::Whole(_))
    }

    /// The content; a stream can be sent once only.
    pub(super) fn content(&mut self) -> &mut Content {
        &mut self.content
    }
}

/// Reads the beginning of content of unknown length: where that is all, its length is known.
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
