//! Why a call of Valkey has no answer.

use std::fmt;
use std::io;

/// Most characters that are told of what a server says.
const MAX_TOLD: usize = 120;

/// Why a call has no answer.
#[derive(Debug)]
pub enum CallError {
    /// Time was up.
    Timeout,
    /// The connection cannot be made, or broke.
    Io(io::Error),
    /// The server refuses.
    Refused(String),
    /// What comes is no reply, or is larger than any that is asked for.
    Garbage(&'static str),
    /// The password cannot be had.
    Password(String),
}

impl CallError {
    /// Whether time was up.
    pub fn is_timeout(&self) -> bool {
        matches!(self, CallError::Timeout)
    }

    /// Of an error reply; what the server says of a password is not repeated.
    pub(super) fn refused(text: &str, is_of_password: bool) -> CallError {
        let (code, _) = text.split_once(' ').unwrap_or((text, ""));
        // Where in a script it happened says nothing to a reader.
        let sentence = text.split(" script: ").next().unwrap_or(text).trim_end_matches('.');
        let told = if is_of_password { code } else { sentence };
        let mut told: String = told.chars().filter(|c| !c.is_control()).take(MAX_TOLD).collect();
        if matches!(code, "MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT") {
            told.push_str(": redirects of a cluster are not followed, put a proxy in front of it");
        }
        CallError::Refused(told)
    }
}

impl From<io::Error> for CallError {
    fn from(error: io::Error) -> CallError {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => CallError::Timeout,
            _ => CallError::Io(error),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Timeout => f.write_str("no answer in time"),
            CallError::Io(error) => error.fmt(f),
            CallError::Refused(text) => write!(f, "the server refuses: {text}"),
            CallError::Garbage(what) => f.write_str(what),
            CallError::Password(reason) => write!(f, "the file of the password {reason}"),
        }
    }
}

impl std::error::Error for CallError {}
