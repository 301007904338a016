//! One thread that wakes at the earliest of many deadlines.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// Where deadlines are handed in. A deadline that is not earlier than the next one wakes no thread.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: Option<Instant>,
    is_running: bool,
    has_ended: bool,
}

impl Alarm {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings at that moment, or before it.
    pub(super) fn set(&self, moment: Instant) {
        let mut state = self.state();
        if state.next.is_none_or(|next| moment < next) {
            state.next = Some(moment);
            self.changed.notify_one();
        }
    }

    /// Starts a thread, unless there is one, that calls `ring` at each moment and is told the next.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(super) fn start(&self, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut state = self.state();
        if !state.is_running {
            thread::Builder::new().name("functions".to_owned()).spawn(run)?;
            state.is_running = true;
        }
        Ok(())
    }

    /// Waits for the next moment; false when the alarm has ended.
    pub(super) fn wait(&self) -> bool {
        let mut state = self.state();
        loop {
            if state.has_ended {
                return false;
            }
            let now = Instant::now();
            let left = state.next.map(|next| next.saturating_duration_since(now));
            state = match left {
                Some(left) if left.is_zero() => {
                    state.next = None;
                    return true;
                }
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Ends the thread.
    pub(super) fn end(&self) {
        self.state().has_ended = true;
        self.changed.notify_all();
    }
}
