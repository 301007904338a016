//! Token buckets: how many requests a route takes (spec §9).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html>
//!
//! A bucket is one number, the moment at which it will be full again (the generic cell rate algorithm), so that taking
//! a token is one compare-and-swap and no lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Nanoseconds of a second.
const SECOND: f64 = 1e9;

/// Furthest that a bucket can be from full, in ns: 146 years, and far from the end of the numbers.
const MAX_DEBT: u64 = 1 << 62;

/// How many requests pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nanoseconds until a token comes back; 0 where they come faster than anybody could ask.
    interval: u64,
    /// Tokens of a full bucket; 0 lets nothing pass.
    burst: u64,
}

impl Limits {
    /// `rate` requests a second, and `burst` at once; with either at 0 nothing passes (`R9.6`).
    pub fn new(rate: f64, burst: u64) -> Limits {
        if burst == 0 || rate.is_nan() || rate <= 0.0 {
            return Limits { interval: 0, burst: 0 };
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is positive, and the cast stops at the largest number"
        )]
        let interval = (SECOND / rate).round() as u64;
        Limits {
            interval: interval.min(MAX_DEBT / burst),
            burst,
        }
    }

    /// Requests a second.
    pub fn rate(self) -> f64 {
        match (self.burst, self.interval) {
            (0, _) => 0.0,
            (_, 0) => f64::INFINITY,
            #[expect(clippy::cast_precision_loss, reason = "a rate is for people to read")]
            (_, interval) => SECOND / interval as f64,
        }
    }

    /// Microseconds until a token comes back; 0 where they come faster than anybody could ask.
    pub fn step_micros(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "what is lost is less than a nanosecond")]
        let nanoseconds = self.interval as f64;
        nanoseconds / 1e3
    }

    /// Requests at once.
    pub fn burst(self) -> u64 {
        self.burst
    }
}

/// The tokens of one route. It begins full.
#[derive(Debug)]
pub struct Bucket {
    began: Instant,
    /// When it will be full, in ns after it began.
    full_at: AtomicU64,
}

impl Bucket {
    /// A full bucket.
    pub fn new() -> Bucket {
        Bucket {
            began: Instant::now(),
            full_at: AtomicU64::new(0),
        }
    }

    /// Takes a token, if there is one; `now` is not before the bucket's beginning.
    pub fn take(&self, limits: Limits, now: Instant) -> bool {
        if limits.burst == 0 {
            return false;
        }
        let now = self.since_beginning(now);
        let most = limits.interval.saturating_mul(limits.burst);
        let taken = self
            .full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
                let debt = full_at.saturating_sub(now).saturating_add(limits.interval);
                (debt <= most).then(|| now.saturating_add(debt))
            });
        taken.is_ok()
    }

    /// Keeps the number of tokens that are missing where the limits change: time is worth another number of them then.
    pub fn change(&self, before: Limits, after: Limits, now: Instant) {
        if before == after || before.interval == 0 || after.burst == 0 {
            return;
        }
        let most = after.interval.saturating_mul(after.burst);
        let now = self.since_beginning(now);
        let _ = self
            .full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
                let debt =
                    u128::from(full_at.saturating_sub(now)) * u128::from(after.interval) / u128::from(before.interval);
                let debt = u64::try_from(debt).unwrap_or(most).min(most);
                Some(now.saturating_add(debt))
            });
    }

    fn since_beginning(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.began).as_nanos();
        u64::try_from(since).unwrap_or(MAX_DEBT)
    }
}

impl Default for Bucket {
    fn default() -> Bucket {
        Bucket::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// How many of these requests pass, one at each of these milliseconds.
    fn passed(limits: Limits, millis: impl IntoIterator<Item = u64>) -> usize {
        let bucket = Bucket::new();
        let at = |millis| bucket.began + Duration::from_millis(millis);
        millis
            .into_iter()
            .filter(|at_millis| bucket.take(limits, at(*at_millis)))
            .count()
    }

    #[test]
    fn a_burst_at_once_and_then_the_rate() {
        // R9.1's worked example: rate 1, burst 2.
        let limits = Limits::new(1.0, 2);
        assert_eq!(passed(limits, [0, 0, 0]), 2);
        assert_eq!(passed(limits, [0, 0, 0, 999, 1000, 1000]), 3);
        assert_eq!(
            passed(limits, [0, 0, 5000, 5000, 5000]),
            4,
            "no more than the burst is saved up"
        );
        // 1,000 a second for ten seconds, asked for ten times as often.
        let many = (0..10_000).flat_map(|millis| [millis; 10]);
        let count = passed(Limits::new(1000.0, 100), many);
        assert!((10_000..=10_100).contains(&count), "{count}");
    }

    #[test]
    fn zero_lets_nothing_pass_and_odd_numbers_do_no_harm() {
        for (rate, burst) in [(0.0, 5), (5.0, 0), (0.0, 0), (-1.0, 5), (f64::NAN, 5)] {
            assert_eq!(passed(Limits::new(rate, burst), [0, 0, 100_000]), 0, "{rate} {burst}");
        }
        assert_eq!(passed(Limits::new(1e300, 1), [0; 100]), 100);
        assert_eq!(passed(Limits::new(1e-300, 1), [0, 0, 1_000_000_000]), 1);
        assert_eq!(passed(Limits::new(1e-300, 3), [0, 0, 0, 0, 1_000_000_000]), 3);
        assert_eq!(passed(Limits::new(1.0, u64::MAX), [0; 100]), 100);
        assert_eq!(passed(Limits::new(f64::INFINITY, 1), [0; 100]), 100);
    }

    #[test]
    fn a_change_keeps_the_tokens_that_are_missing() {
        let (slow, fast) = (Limits::new(1.0, 10), Limits::new(1000.0, 10));
        for (before, after) in [(slow, fast), (fast, slow)] {
            let bucket = Bucket::new();
            let now = bucket.began;
            let taken = (0..6).filter(|_| bucket.take(before, now)).count();
            assert_eq!(taken, 6);
            bucket.change(before, after, now);
            let left = (0..10).filter(|_| bucket.take(after, now)).count();
            assert_eq!(left, 4);
        }
    }

    #[test]
    fn threads_share_a_bucket_without_losing_a_token() {
        let bucket = Bucket::new();
        let limits = Limits::new(0.001, 1000);
        let now = bucket.began;
        let taken: usize = std::thread::scope(|scope| {
            let run = || (0..500).filter(|_| bucket.take(limits, now)).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 1000);
    }
}
