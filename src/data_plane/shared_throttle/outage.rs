//! The time in which nothing is shared: when the next try is, and what is told of it (`F9`).

use std::time::{Duration, Instant};

use crate::deployment::shared_bucket::CHANCE;

/// After how long the first try is, and the longest time between two.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How often it is told that it lasts.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// When nothing is shared, and since when.
#[derive(Debug)]
pub(super) struct Outage {
    since: Instant,
    pub(super) next_try: Instant,
    cause: String,
    told_at: Option<Instant>,
}

/// How long the next outage waits for its tries: longer and longer until limits were shared for a while.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) fn new() -> Backoff {
        Backoff(WAITS.0)
    }

    /// The wait before the next try; `chance` is from 0 to 1.
    fn next(&mut self, chance: f64) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(WAITS.1);
        wait.mul_f64(1.0 + CHANCE * chance)
    }

    /// Limits were shared for so long.
    pub(super) fn note_shared(&mut self, lasted: Duration) {
        if lasted > WAITS.1 {
            self.0 = WAITS.0;
        }
    }
}

impl Outage {
    /// Before the first try, of which nothing is told if it succeeds.
    pub(super) fn before_the_first_try(now: Instant) -> Outage {
        Outage {
            since: now,
            next_try: now,
            cause: String::new(),
            told_at: None,
        }
    }

    /// It begins.
    pub(super) fn new(cause: String, now: Instant, backoff: &mut Backoff, chance: f64) -> Outage {
        Outage {
            since: now,
            next_try: now + backoff.next(chance),
            cause,
            told_at: None,
        }
    }

    /// A try has failed.
    pub(super) fn go_on(&mut self, cause: String, now: Instant, backoff: &mut Backoff, chance: f64) {
        self.cause = cause;
        self.next_try = now + backoff.next(chance);
    }

    /// Tells of it, at its beginning and once a minute.
    pub(super) fn tell(&mut self, gateways: u64, now: Instant) {
        let is_due = |told: Instant| now.saturating_duration_since(told) >= TOLD_EVERY;
        if self.told_at.is_none_or(is_due) {
            self.told_at = Some(now);
            log::warn!(
                "valkey: {}; limits of this process alone, 1/{gateways} each",
                self.cause
            );
        }
    }

    /// Tells of its end.
    pub(super) fn tell_end(&self, now: Instant) {
        if self.told_at.is_some() {
            let lasted = now.saturating_duration_since(self.since).as_secs_f64();
            log::info!("valkey: limits are shared again after {lasted:.1} s");
        }
    }
}
