//! Why a request gets no further than the server: each cause, without a word of what the client is told.

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
