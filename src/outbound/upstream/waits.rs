//! How long an exchange may wait, and for which client: one deadline for the whole, or a bound for each wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::http1::message::{Client, Deadline};
use crate::outbound::upstream::error::UpstreamError;

/// What bounds the waits of one exchange.
#[derive(Debug)]
pub(super) struct Waits {
    timeout: Duration,
    limit: Limit,
    /// The client that waits for the answer.
    client: Option<Client>,
    /// The exchange goes on without the client once the request is sent.
    runs_on: bool,
    is_sent: bool,
}

#[derive(Debug)]
enum Limit {
    /// The exchange ends at a moment, or so much later.
    Until(Instant, Option<Arc<Extension>>),
    /// Each wait may take the timeout: the exchange is an event stream, which has no end.
    EachWait,
}

/// Time by which a deadline is put off, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Extension(AtomicU64);

impl Waits {
    /// Starts the clock of an exchange, for a client or for the gateway itself.
    pub(super) fn begin(timeout: Duration, client: Option<Client>, runs_on: bool) -> Waits {
        Waits::begin_at(Instant::now(), timeout, client, runs_on)
    }

    /// As [`Waits::begin`], at that moment.
    pub(super) fn begin_at(now: Instant, timeout: Duration, client: Option<Client>, runs_on: bool) -> Waits {
        Waits {
            timeout,
            limit: Limit::Until(now + timeout, None),
            client,
            runs_on,
            is_sent: false,
        }
    }

    /// From now on the timeout bounds each wait instead of the whole.
    pub(super) fn bound_each_wait(&mut self) {
        self.limit = Limit::EachWait;
    }

    /// What puts the deadline off while the answer is passed on.
    pub(super) fn extension(&mut self) -> Arc<Extension> {
        match &mut self.limit {
            Limit::Until(_, extension) => Arc::clone(extension.get_or_insert_default()),
            Limit::EachWait => Arc::default(),
        }
    }

    /// Whether the upstream may have begun to work on the request.
    pub(super) fn set_sent(&mut self, is_sent: bool) {
        self.is_sent = is_sent;
    }

    /// When the exchange is over; nothing where each wait has its own time.
    fn end(&self) -> Option<Instant> {
        let Limit::Until(end, extension) = &self.limit else {
            return None;
        };
        let put_off = extension
            .as_ref()
            .map_or(0, |extension| extension.0.load(Ordering::Relaxed));
        Some(*end + Duration::from_nanos(put_off))
    }

    fn left(&self, now: Instant) -> Option<Duration> {
        let end = self.end()?;
        Some(end.saturating_duration_since(now))
    }

    /// When a wait is over that began at that moment, unless that is put off.
    pub(super) fn until_after(&self, since: Instant) -> Instant {
        self.end().unwrap_or_else(|| since + self.timeout)
    }

    /// How long the next wait may take.
    ///
    /// # Errors
    /// No time is left.
    pub(super) fn next_wait(&self) -> Result<Duration, UpstreamError> {
        self.next_wait_at(Instant::now())
    }

    /// As [`Waits::next_wait`], at that moment.
    ///
    /// # Errors
    /// No time is left.
    pub(super) fn next_wait_at(&self, now: Instant) -> Result<Duration, UpstreamError> {
        match self.left(now).unwrap_or(self.timeout) {
            Duration::ZERO => Err(self.timed_out()),
            wait => Ok(wait),
        }
    }

    /// The error of an exchange that is over by then, where it is.
    pub(super) fn lateness(&self, now: Instant) -> Option<UpstreamError> {
        match &self.limit {
            // Which is less than to tell how much is left.
            Limit::Until(end, None) if now < *end => None,
            _ => self.next_wait_at(now).err(),
        }
    }

    /// What is left of a wait of which so much has passed in vain.
    ///
    /// # Errors
    /// Nothing is left, or no client waits for the answer any more.
    pub(super) fn wait_on(&self, wait: Duration, passed: Duration) -> Result<Duration, UpstreamError> {
        let left = self.left(Instant::now()).unwrap_or(wait.saturating_sub(passed));
        if left.is_zero() {
            return Err(self.timed_out());
        }
        let counts = !(self.runs_on && self.is_sent);
        match &self.client {
            Some(client) if counts && client.is_gone() => Err(UpstreamError::ClientGone),
            _ => Ok(left),
        }
    }

    /// The error of a wait that took as long as it might.
    pub(super) fn timed_out(&self) -> UpstreamError {
        UpstreamError::TimedOut(self.timeout)
    }
}

impl Deadline for Extension {
    fn put_off(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanos, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_one_until_it_is_put_off_or_bounds_each_wait() {
        let hour = Duration::from_secs(3600);
        let mut waits = Waits::begin(hour, None, false);
        let extension = waits.extension();
        assert!(waits.next_wait().unwrap() <= hour);
        extension.put_off(hour);
        assert!(waits.next_wait().unwrap() > hour);
        assert!(waits.until_after(Instant::now()) > Instant::now() + hour);
        waits.bound_each_wait();
        assert_eq!(waits.next_wait(), Ok(hour));
        let now = Instant::now();
        assert_eq!(waits.until_after(now), now + hour);
        assert_eq!(waits.wait_on(hour, hour / 4), Ok(hour * 3 / 4));
        assert_eq!(waits.wait_on(hour, hour), Err(UpstreamError::TimedOut(hour)));
        let none = Waits::begin(Duration::ZERO, None, false);
        assert_eq!(none.next_wait(), Err(UpstreamError::TimedOut(Duration::ZERO)));
        assert_eq!(none.wait_on(hour, hour), Err(UpstreamError::TimedOut(Duration::ZERO)));
    }
}
