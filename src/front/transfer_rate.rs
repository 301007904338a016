//! Whether a client goes on as fast as it must while memory or workers are scarce.

use std::time::Instant;

use crate::front::listener_limits::{RATE_LENGTH, RATE_TIME};

/// What a client has sent or taken lately.
#[derive(Clone, Copy, Debug)]
pub struct TransferRate {
    /// Since when.
    since: Instant,
    /// Bytes since then, fewer than [`RATE_LENGTH`].
    bytes: usize,
}

impl TransferRate {
    /// From now on.
    pub fn begin() -> TransferRate {
        TransferRate {
            since: Instant::now(),
            bytes: 0,
        }
    }

    /// So many bytes came or went.
    pub fn note(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= RATE_LENGTH {
            *self = TransferRate::begin();
        }
    }

    /// Whether it was too slow of late.
    pub fn is_slow(&self) -> bool {
        self.since.elapsed() >= RATE_TIME
    }

    /// When to look at it next.
    pub fn next_look(&self) -> Instant {
        let now = Instant::now();
        let due = self.since + RATE_TIME;
        if due > now { due } else { now + RATE_TIME }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_slow_when_less_than_the_length_came_in_the_time() {
        let before = |rate: &mut TransferRate, time| rate.since = rate.since.checked_sub(time).unwrap();
        let mut rate = TransferRate::begin();
        assert!(!rate.is_slow());
        rate.note(RATE_LENGTH - 1);
        before(&mut rate, RATE_TIME);
        assert!(rate.is_slow());
        assert!(rate.next_look() > Instant::now());
        rate.note(1);
        assert!(!rate.is_slow());
        // Much at once is no credit for later.
        rate.note(100 * RATE_LENGTH);
        before(&mut rate, RATE_TIME);
        assert!(rate.is_slow());
    }
}
