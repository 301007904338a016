//! Why a message cannot be read: each cause, without a word of what the client is told.

use std::borrow::Cow;
use std::fmt;

use crate::http1::message_limits::{MAX_RESPONSE_FIELDS, MAX_RESPONSE_HEAD_LENGTH};

/// What is wrong with a request, or with the server, before a handler has it. The handler makes the response of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The bytes are no request, or could be read as two different ones. The text is for the log.
    Malformed(String),
    /// The request line and the fields are longer, or more, than [`limits`](crate::http1::message_limits) allow.
    HeadTooLarge,
    /// The content is longer than [`limits`](crate::http1::message_limits) allow.
    BodyTooLarge,
    /// The head or the content did not come in time.
    Timeout,
    /// The client is gone. Nobody gets the response.
    ClientGone,
    /// The server has as much to do as it may. The text is for the log.
    Overloaded(&'static str),
    /// It came in plain text to a listener that speaks TLS.
    PlainHttp,
    /// The handler panicked.
    Panicked,
}

/// Why bytes are no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// They could be read in two ways, or in none.
    Malformed(&'static str),
    /// They are more than the limit, and the head has not ended.
    TooLarge,
    /// There are more fields than the limit.
    TooManyFields,
}

impl From<HeadError> for RequestError {
    fn from(error: HeadError) -> RequestError {
        match error {
            HeadError::Malformed(reason) => RequestError::Malformed(reason.to_owned()),
            HeadError::TooLarge | HeadError::TooManyFields => RequestError::HeadTooLarge,
        }
    }
}

/// Why bytes are no response that HTTP/1.1 allows: a sentence for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseError(Cow<'static, str>);

impl ResponseError {
    /// The response is malformed for that reason.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> ResponseError {
        ResponseError(reason.into())
    }
}

impl From<HeadError> for ResponseError {
    fn from(error: HeadError) -> ResponseError {
        match error {
            HeadError::Malformed(reason) => ResponseError::new(reason),
            HeadError::TooLarge => {
                ResponseError::new(format!("its head has more than {MAX_RESPONSE_HEAD_LENGTH} bytes"))
            }
            HeadError::TooManyFields => ResponseError::new(format!("it has more than {MAX_RESPONSE_FIELDS} fields")),
        }
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ResponseError {}
