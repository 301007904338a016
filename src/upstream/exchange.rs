//! What one request and its answer share with the transport below ureq: the deadline, and what happened.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::upstream::UpstreamError;

/// The exchange that is going on; one at a time for each client.
#[derive(Debug)]
pub(super) struct Exchange(Mutex<State>);

#[derive(Debug)]
struct State {
    timeout: Duration,
    limit: Limit,
    connected: bool,
    answered: bool,
    failure: Option<UpstreamError>,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    /// The exchange ends at a moment.
    Until(Instant),
    /// Each wait may take the timeout: the exchange is an event stream, which has no end.
    EachWait,
}

impl Exchange {
    pub(super) fn new() -> Exchange {
        Exchange(Mutex::new(State {
            timeout: Duration::ZERO,
            limit: Limit::EachWait,
            connected: false,
            answered: false,
            failure: None,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the clock of a new exchange.
    pub(super) fn begin(&self, timeout: Duration) {
        *self.state() = State {
            timeout,
            limit: Limit::Until(Instant::now() + timeout),
            connected: false,
            answered: false,
            failure: None,
        };
    }

    /// Forgets a first attempt, but not its deadline.
    pub(super) fn begin_again(&self) {
        let mut state = self.state();
        state.connected = false;
        state.failure = None;
    }

    /// From now on the timeout bounds each wait instead of the whole.
    pub(super) fn bound_each_wait(&self) {
        self.state().limit = Limit::EachWait;
    }

    /// How long the next wait may take.
    ///
    /// # Errors
    /// No time is left.
    pub(super) fn next_wait(&self) -> Result<Duration, UpstreamError> {
        let state = self.state();
        let wait = match state.limit {
            Limit::Until(end) => end.saturating_duration_since(Instant::now()),
            Limit::EachWait => state.timeout,
        };
        if wait.is_zero() {
            return Err(UpstreamError::TimedOut(state.timeout));
        }
        Ok(wait)
    }

    /// The error of a wait that took as long as it might.
    pub(super) fn timed_out(&self) -> UpstreamError {
        UpstreamError::TimedOut(self.state().timeout)
    }

    /// A connection was made for this exchange, so none was reused.
    pub(super) fn note_connected(&self) {
        self.state().connected = true;
    }

    /// The upstream has sent something.
    pub(super) fn note_answered(&self) {
        self.state().answered = true;
    }

    /// Keeps what failed, since ureq's own errors say less. The first failure is the cause of all others.
    pub(super) fn note_failure(&self, failure: UpstreamError) {
        self.state().failure.get_or_insert(failure);
    }

    pub(super) fn take_failure(&self) -> Option<UpstreamError> {
        self.state().failure.take()
    }

    /// Whether the request went out on a kept connection that never answered.
    pub(super) fn reused_connection_in_vain(&self) -> bool {
        let state = self.state();
        !state.connected && !state.answered
    }
}
