//! One invocation: the event, the client that waits for the answer, and the process that gives it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::http1::message::{CLIENT_CHECK_INTERVAL, Client};
use crate::outbound::function::error::FunctionError;

/// One event for a function.
#[derive(Clone, Debug)]
pub struct Invocation<'a> {
    /// The event, as JSON.
    pub event: Vec<u8>,
    /// How long the answer is waited for: what is left of `TimeoutInMillis`.
    pub timeout: Duration,
    /// The value of `X-Amzn-Trace-Id`; left out where it is empty or cannot be a field's.
    pub trace_id: &'a str,
    /// The ARN that was invoked.
    pub function_arn: &'a str,
    /// The client that waits for the answer. When it does so no more, an event that waits for a process is not given to
    /// one; a function that has begun goes on.
    pub client: Option<Client>,
}

/// What a function answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What its handler returned, whatever that is.
    Payload(Vec<u8>),
    /// It failed: reported an error, ended, took longer than its timeout, or answered more than is allowed.
    Failed {
        /// For the operator; names the function and the cause.
        message: String,
        /// What it reported itself, as its runtime sends it; empty where it did not.
        report: Vec<u8>,
    },
}

/// How an invocation ends.
pub(super) type Outcome = Result<Answer, FunctionError>;

/// An event that a process is to work on.
#[derive(Debug)]
pub(super) struct PendingInvocation {
    /// The request id that the runtime sees, a UUID.
    pub(super) id: String,
    pub(super) event: Vec<u8>,
    pub(super) trace_id: String,
    pub(super) function_arn: String,
    /// Whether it was taken from a process that did not read it.
    was_returned: AtomicBool,
    /// When a process took it after it had waited for one.
    begun: OnceLock<Instant>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
enum State {
    Waiting,
    Ended(Outcome),
    /// Nobody waits any more.
    Abandoned,
}

impl PendingInvocation {
    pub(super) fn new(id: String, event: Vec<u8>, trace_id: String, function_arn: String) -> PendingInvocation {
        PendingInvocation {
            id,
            event,
            trace_id,
            function_arn,
            was_returned: AtomicBool::new(false),
            begun: OnceLock::new(),
            state: Mutex::new(State::Waiting),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may be given to another process; once.
    pub(super) fn may_return(&self) -> bool {
        !self.was_returned.swap(true, Ordering::Relaxed)
    }

    /// A process takes it out of the queue.
    pub(super) fn begin(&self, now: Instant) {
        let _ = self.begun.set(now);
    }

    /// When a process took it out of the queue.
    pub(super) fn begun(&self) -> Option<Instant> {
        self.begun.get().copied()
    }

    /// Waits for the outcome, until a moment, and as long as the client does.
    ///
    /// # Errors
    /// The moment has come, or the client is gone. Nobody waits then.
    pub(super) fn wait(&self, until: Instant, client: Option<&Client>) -> Result<Outcome, FunctionError> {
        let mut state = self.state();
        loop {
            if !matches!(*state, State::Waiting) {
                return match std::mem::replace(&mut *state, State::Abandoned) {
                    State::Ended(outcome) => Ok(outcome),
                    State::Waiting | State::Abandoned => Err(FunctionError::TimedOut),
                };
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                *state = State::Abandoned;
                return Err(FunctionError::TimedOut);
            }
            let waited = self.changed.wait_timeout(state, left.min(CLIENT_CHECK_INTERVAL));
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if timeout.timed_out() && matches!(*state, State::Waiting) && client.is_some_and(Client::is_gone) {
                *state = State::Abandoned;
                return Err(FunctionError::ClientGone);
            }
        }
    }

    /// Tells the outcome to the worker that waits; where none does, what would have been an error goes to the log.
    pub(super) fn end(&self, outcome: Outcome) {
        let mut state = self.state();
        match &*state {
            State::Waiting => {
                *state = State::Ended(outcome);
                drop(state);
                self.changed.notify_one();
            }
            State::Abandoned => match outcome {
                Ok(Answer::Payload(_)) => {}
                Ok(Answer::Failed { message, .. }) => log::warn!("{message} (nobody waited for its answer any more)"),
                Err(error) => log::debug!("{error}"),
            },
            State::Ended(_) => {}
        }
    }
}
