//! Lines that clients can cause, told now and then: no client may fill a disk with the log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long nothing is told after a line: a day of them is under 20 MB.
const QUIET: Duration = Duration::from_secs(1);

/// When a line was told last, and how many were not.
#[derive(Debug)]
pub struct RateLimit {
    began: Instant,
    /// Nanoseconds after the beginning until which nothing is told.
    quiet_until: AtomicU64,
    left_out: AtomicU64,
}

impl RateLimit {
    /// Whether a line may be told now, and how many were not since the last one that was.
    pub fn suppressed_since(&self) -> Option<u64> {
        let now = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let quiet = u64::try_from(QUIET.as_nanos()).unwrap_or(u64::MAX);
        let next = |until: u64| (now >= until).then(|| now.saturating_add(quiet));
        let taken = self
            .quiet_until
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        if taken.is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

impl Default for RateLimit {
    fn default() -> RateLimit {
        RateLimit {
            began: Instant::now(),
            quiet_until: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_told_and_the_others_are_counted() {
        let lines = RateLimit::default();
        assert_eq!(lines.suppressed_since(), Some(0));
        for _ in 0..5 {
            assert_eq!(lines.suppressed_since(), None);
        }
        lines.quiet_until.store(0, Ordering::Relaxed);
        assert_eq!(lines.suppressed_since(), Some(5));
    }
}
