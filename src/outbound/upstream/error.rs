//! Why an exchange with an integration failed.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

/// What went wrong with an exchange, in words for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamError {
    /// The timeout was reached.
    TimedOut(Duration),
    /// The host has no address.
    NotResolved {
        /// The host.
        host: String,
        /// What the resolver says.
        reason: String,
    },
    /// No connection: refused, unreachable, reset.
    NotConnected {
        /// Host and port.
        host: String,
        /// What the operating system says.
        reason: String,
    },
    /// A connection, but no TLS on it that could be trusted.
    Tls {
        /// Host and port.
        host: String,
        /// What the TLS library says.
        reason: String,
    },
    /// The connection ended before an answer, or inside one of which nothing was passed on.
    Broken(String),
    /// The answer is none that HTTP/1.1 allows.
    Malformed(String),
    /// The request cannot be written as HTTP/1.1.
    Unsendable(String),
    /// As many workers wait for the destination as may, so nothing was sent.
    Overloaded {
        /// Scheme, host and port.
        destination: String,
        /// How many that is.
        most: NonZeroUsize,
    },
    /// As many exchanges with the destination are under way on loops as may be, so nothing was sent.
    TooMany {
        /// Scheme, host and port.
        destination: String,
        /// How many that is.
        most: NonZeroUsize,
    },
    /// There is no memory for what has come of the answer.
    NoMemory,
    /// No worker was free in time to go on with the answer.
    NoWorker,
    /// The client's body is larger than 10 MB.
    BodyTooLarge,
    /// The client's body ended early.
    BodyCut(String),
    /// Nobody waits for the answer any more.
    ClientGone,
}

impl UpstreamError {
    /// What an error of a connection means: the failure that it carries, or that the connection broke.
    pub fn of_io(error: io::Error) -> UpstreamError {
        error
            .downcast()
            .unwrap_or_else(|error| UpstreamError::Broken(error.to_string()))
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpstreamError::TimedOut(timeout) => {
                write!(f, "no whole answer within {} ms", timeout.as_millis())
            }
            UpstreamError::NotResolved { host, reason } => {
                write!(f, "{host} was not resolved: {reason}")
            }
            UpstreamError::NotConnected { host, reason } => {
                write!(f, "no connection to {host}: {reason}")
            }
            UpstreamError::Tls { host, reason } => write!(f, "no TLS with {host}: {reason}"),
            UpstreamError::Broken(reason) => write!(f, "the connection broke: {reason}"),
            UpstreamError::Malformed(reason) => write!(f, "the answer is malformed: {reason}"),
            UpstreamError::Unsendable(reason) => write!(f, "the request cannot be sent: {reason}"),
            UpstreamError::Overloaded { destination, most } => {
                write!(f, "{destination} holds {most} workers, as many as one destination may")
            }
            UpstreamError::TooMany { destination, most } => {
                write!(f, "{destination} has {most} requests, as many as one destination may")
            }
            UpstreamError::NoMemory => f.write_str("there is no memory for the answer"),
            UpstreamError::NoWorker => f.write_str("no worker is free for the answer"),
            UpstreamError::BodyTooLarge => f.write_str("the request's body is too large"),
            UpstreamError::BodyCut(reason) => write!(f, "the request's body ended early: {reason}"),
            UpstreamError::ClientGone => f.write_str("the client is gone"),
        }
    }
}

impl std::error::Error for UpstreamError {}
