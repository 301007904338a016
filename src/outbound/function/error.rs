//! Why a function gives no answer.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::outbound::function::limits::MAX_PAYLOAD_LENGTH;

/// Why there is no answer of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionError {
    /// The invocation's timeout was reached. The function goes on until its own.
    TimedOut,
    /// The invocation's timeout was reached, and all processes were busy when the event came.
    Busy {
        /// How many that are: as many as there may be.
        processes: NonZeroUsize,
        /// After how long one took the event; none did where this is absent.
        begun_after: Option<Duration>,
    },
    /// The invocation's timeout was reached before a process that was starting asked for an event.
    NotReady,
    /// The event is larger than [`MAX_PAYLOAD_LENGTH`].
    TooLarge,
    /// All processes are busy, and too many invocations wait already.
    Throttled {
        /// How many processes there may be.
        processes: NonZeroUsize,
        /// How many invocations wait.
        waiting: usize,
    },
    /// So many workers wait for the function, and no more may.
    Overloaded(NonZeroUsize),
    /// No process came so far as to ask for an event; the text names the function and the cause.
    NotStarted(String),
    /// The gateway is stopping.
    Stopped,
    /// Nobody waits for the answer any more.
    ClientGone,
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FunctionError::TimedOut => f.write_str("the function has not answered in time"),
            FunctionError::Busy { processes, .. } => write!(f, "the function was busy with {processes} events"),
            FunctionError::NotReady => f.write_str("none of its processes has asked for the event"),
            FunctionError::TooLarge => write!(f, "the event is larger than {MAX_PAYLOAD_LENGTH} bytes"),
            FunctionError::Throttled { waiting, .. } => {
                write!(f, "{waiting} invocations wait for the function already")
            }
            FunctionError::Overloaded(most) => {
                write!(f, "the function holds {most} workers, as many as one may")
            }
            FunctionError::NotStarted(reason) => f.write_str(reason),
            FunctionError::Stopped => f.write_str("the functions are stopped"),
            FunctionError::ClientGone => f.write_str("the client is gone"),
        }
    }
}

impl std::error::Error for FunctionError {}
