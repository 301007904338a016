//! The content of a message, here whole or still on its way.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use crate::http1::error::RequestError;
use crate::http1::headers::Headers;
use crate::platform::concurrency::ConcurrencyPermit;

/// A message's content.
pub enum Body {
    /// No content at all.
    Empty,
    /// Content that is here whole.
    Bytes(Vec<u8>),
    /// Content that is still on its way.
    Stream(Stream),
}

/// Content that is read part by part, and never held whole.
pub struct Stream {
    /// Bytes that will come, when the sender said so.
    pub length: Option<u64>,
    /// Where they come from. The end (`Ok(0)`) means that the content is complete, an error that it is not.
    pub reader: Box<dyn Read + Send>,
    /// Who is told how much of it is sent, if anybody is.
    pub completion: Option<Box<dyn CompletionHook>>,
    /// What a worker that waits for it holds, if there is a bound for those. It is of no use once the end was read.
    pub slot: Option<ConcurrencyPermit>,
    /// What bounds the time that it may take, if anything does.
    pub deadline: Option<Arc<dyn Deadline>>,
    /// Who takes over the client, so that no worker waits for content that comes now and then. A front that cannot give
    /// clients away reads the content instead.
    pub handover: Option<Handover>,
}

/// Takes over a client, and what is to be sent to it before all else.
pub type Handover = Box<dyn FnOnce(Box<dyn LongClient>, Vec<u8>) + Send>;

/// A client that was given away by the front. Its connection ends when this is dropped.
pub trait LongClient: Send {
    /// Content in the form in which it is sent.
    fn framed(&mut self, content: &[u8]) -> Vec<u8>;

    /// Sends as much as the client takes at once; tells how many bytes that were.
    ///
    /// # Errors
    /// It is gone.
    fn send_now(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Whether it is gone. It takes a system call.
    fn is_gone(&self) -> bool;
}

/// A bound of the time that content may take to come.
pub trait Deadline: Send + Sync {
    /// How long no reader waited for it.
    fn put_off(&self, time: Duration);
}

/// What is sent in place of an answer of which nothing can be sent.
#[derive(Debug)]
pub struct Replacement {
    /// The status code.
    pub status: u16,
    /// End-to-end fields.
    pub headers: Headers,
    /// The content.
    pub content: Vec<u8>,
}

/// Is told how much of an answer's content is sent. When it is dropped, it knows all.
pub trait CompletionHook: Send {
    /// So many bytes more were sent.
    fn sent(&mut self, bytes: u64);

    /// So many of them were not after all, since the client did not take them.
    fn undelivered(&mut self, bytes: u64);

    /// What came of the content broke off.
    fn broke_off(&mut self, error: &io::Error);

    /// None of it can be sent. Gives the answer that is sent in its place, which tells of the request.
    fn replaced(&mut self, error: RequestError) -> Option<Replacement>;

    /// The client was gone before it had all of it.
    fn abandoned(&mut self);
}

impl Body {
    /// Bytes of content, as far as it is known beforehand.
    pub fn length(&self) -> Option<u64> {
        match self {
            Body::Empty => Some(0),
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::Stream(stream) => stream.length,
        }
    }

    /// Bytes of content that is here whole.
    pub fn whole_length(&self) -> Option<u64> {
        match self {
            Body::Empty => Some(0),
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::Stream(_) => None,
        }
    }
}

impl Body {
    /// The first bytes of the content, `limit` at most. They stay part of it.
    ///
    /// # Errors
    /// The content breaks off; what is left of it is of no use then.
    pub fn peek(&mut self, limit: usize) -> io::Result<Cow<'_, [u8]>> {
        if let Body::Stream(stream) = self {
            let first = stream.peek(limit)?;
            return Ok(Cow::Owned(first));
        }
        Ok(Cow::Borrowed(match self {
            Body::Bytes(bytes) => bytes.get(..limit).unwrap_or(bytes),
            Body::Empty | Body::Stream(_) => &[],
        }))
    }
}

/// Why content cannot be held whole.
#[derive(Debug)]
pub enum BodyError {
    /// It has more bytes than that.
    TooLarge,
    /// It broke off.
    Io(io::Error),
}

impl Body {
    /// The whole content.
    ///
    /// # Errors
    /// It has more than `limit` bytes, or breaks off.
    pub fn into_bytes(self, limit: usize) -> Result<Vec<u8>, BodyError> {
        let bytes = match self {
            Body::Empty => Vec::new(),
            Body::Bytes(bytes) => bytes,
            Body::Stream(Stream { length, .. }) if length.is_some_and(|length| length > limit as u64) => {
                return Err(BodyError::TooLarge);
            }
            Body::Stream(Stream { length, reader, .. }) => {
                let mut bytes = Vec::new();
                reader
                    .take(limit as u64 + 1)
                    .read_to_end(&mut bytes)
                    .map_err(BodyError::Io)?;
                if length.is_some_and(|length| (bytes.len() as u64) < length) {
                    return Err(BodyError::Io(io::ErrorKind::UnexpectedEof.into()));
                }
                bytes
            }
        };
        if bytes.len() > limit {
            Err(BodyError::TooLarge)
        } else {
            Ok(bytes)
        }
    }
}

impl Stream {
    /// Content whose progress is told to no observer.
    pub fn new(length: Option<u64>, reader: impl Read + Send + 'static) -> Stream {
        Stream {
            length,
            reader: Box::new(reader),
            completion: None,
            slot: None,
            deadline: None,
            handover: None,
        }
    }

    fn peek(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        let mut first = Vec::new();
        (&mut self.reader).take(limit as u64).read_to_end(&mut first)?;
        let is_cut = self.length.is_some_and(|length| (first.len() as u64) < length);
        if first.len() < limit && is_cut {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let rest = std::mem::replace(&mut self.reader, Box::new(io::empty()));
        self.reader = Box::new(io::Cursor::new(first.clone()).chain(rest));
        Ok(first)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Empty => f.write_str("Empty"),
            Body::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Body::Stream(stream) => write!(f, "Stream({:?})", stream.length),
        }
    }
}
