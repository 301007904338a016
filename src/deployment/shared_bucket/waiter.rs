//! A request that waits for a decision.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{self, Thread};
use std::time::Instant;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It has a token that was held.
    Held,
    /// The answer was yes.
    Passed,
    /// The answer was no.
    Denied,
    /// A no is remembered.
    DeniedHere,
    /// Nothing is shared.
    Local,
}

/// A request that waits.
#[derive(Debug)]
pub struct Waiter {
    outcome: AtomicU8,
    thread: Thread,
}

const WAITING: u8 = 0;
const GONE: u8 = 1;
const FIRST_DECISION: u8 = 2;
const DECISIONS: [Decision; 5] = [
    Decision::Held,
    Decision::Passed,
    Decision::Denied,
    Decision::DeniedHere,
    Decision::Local,
];

impl Waiter {
    /// Of the thread that calls it.
    pub(super) fn new() -> Arc<Waiter> {
        Arc::new(Waiter {
            outcome: AtomicU8::new(WAITING),
            thread: thread::current(),
        })
    }

    /// Waits for the decision, in the thread that made it; none where it does not come in time.
    pub fn wait(&self, until: Instant) -> Option<Decision> {
        loop {
            let outcome = self.outcome.load(Ordering::Acquire);
            if outcome != WAITING {
                return DECISIONS
                    .get(usize::from(outcome.wrapping_sub(FIRST_DECISION)))
                    .copied();
            }
            let left = until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                thread::park_timeout(left);
            } else if self.set(GONE) {
                return None;
            }
        }
    }

    /// Decides; tells whether the request was still waiting.
    pub(super) fn decide(&self, decision: Decision) -> bool {
        let at = DECISIONS.iter().position(|known| *known == decision);
        let outcome = at.and_then(|at| u8::try_from(at).ok()).unwrap_or(0) + FIRST_DECISION;
        let is_decided = self.set(outcome);
        if is_decided {
            self.thread.unpark();
        }
        is_decided
    }

    fn set(&self, outcome: u8) -> bool {
        let changed = self
            .outcome
            .compare_exchange(WAITING, outcome, Ordering::AcqRel, Ordering::Acquire);
        changed.is_ok()
    }
}
