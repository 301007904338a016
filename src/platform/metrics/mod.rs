//! Counters of what goes on. On a request's path there are atomic numbers and no locks.
//!
//! Names follow AWS's, see <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html>.

pub mod exposition;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Upper bounds of a histogram's buckets, in microseconds: 1 ms to 30 s, the longest that an integration may take.
pub const BOUNDS: [u64; 14] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 30_000_000,
];

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add_one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The number.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// One more.
    pub fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub fn fall(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// So many.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Keeps a gauge higher by one for as long as it lives.
#[derive(Debug)]
pub struct InFlightGuard<'a>(&'a Gauge);

impl InFlightGuard<'_> {
    /// From now on.
    pub fn new(gauge: &Gauge) -> InFlightGuard<'_> {
        gauge.rise();
        InFlightGuard(gauge)
    }
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.0.fall();
    }
}

/// How often something took how long.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Not cumulative; the last one is for what is above all bounds.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    /// Microseconds.
    sum: AtomicU64,
}

/// A histogram's numbers at one moment, as Prometheus wants them.
#[derive(Debug, PartialEq, Eq)]
pub struct Distribution {
    /// For each bound, how many took that long or less.
    pub cumulative: [u64; BOUNDS.len()],
    /// How many there were.
    pub count: u64,
    /// How long all of them took.
    pub sum: Duration,
}

impl Histogram {
    /// Something took that long.
    pub fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(micros, Ordering::Relaxed);
    }

    /// The numbers now.
    pub fn distribution(&self) -> Distribution {
        let mut cumulative = [0; BOUNDS.len()];
        let mut count = 0;
        let mut buckets = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        for (up_to, bucket) in cumulative.iter_mut().zip(&mut buckets) {
            count += bucket;
            *up_to = count;
        }
        Distribution {
            cumulative,
            count: count + buckets.sum::<u64>(),
            sum: Duration::from_micros(self.sum.load(Ordering::Relaxed)),
        }
    }
}

/// The longest of all times in the last minute or two.
#[derive(Debug)]
pub struct Longest {
    began: Instant,
    /// The present minute since the beginning, and the longest time in it and in the one before, in microseconds.
    minute: AtomicU64,
    present: AtomicU64,
    before: AtomicU64,
}

impl Default for Longest {
    fn default() -> Longest {
        Longest {
            began: Instant::now(),
            minute: AtomicU64::new(0),
            present: AtomicU64::new(0),
            before: AtomicU64::new(0),
        }
    }
}

impl Longest {
    /// Something that is over now took that long.
    pub fn note(&self, now: Instant, time: Duration) {
        self.note_in(now.saturating_duration_since(self.began).as_secs() / 60, time);
    }

    fn note_in(&self, minute: u64, time: Duration) {
        let known = self.minute.load(Ordering::Relaxed);
        if minute > known && self.minute.swap(minute, Ordering::Relaxed) < minute {
            let last = self.present.swap(0, Ordering::Relaxed);
            let before = if minute == known + 1 { last } else { 0 };
            self.before.store(before, Ordering::Relaxed);
        }
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        // To write it each time would take it from the other processors.
        if self.present.load(Ordering::Relaxed) < micros {
            self.present.fetch_max(micros, Ordering::Relaxed);
        }
    }

    /// The longest.
    pub fn value(&self) -> Duration {
        let times = [&self.present, &self.before].map(|time| time.load(Ordering::Relaxed));
        Duration::from_micros(times.into_iter().max().unwrap_or_default())
    }
}

/// What AWS counts of the requests of a route.
#[derive(Debug, Default)]
pub struct RouteMetrics {
    /// `Count`: requests.
    pub count: Counter,
    /// `4xx`: answers with such a status, the integration's too.
    pub client_errors: Counter,
    /// `5xx`: answers with such a status, the integration's too.
    pub server_errors: Counter,
    /// `Latency`: from a request's coming to its answer's end.
    pub latency: Histogram,
    /// `IntegrationLatency`: from a request's sending to the head of the integration's answer, or its failure.
    pub integration_latency: Histogram,
    /// `DataProcessed`: bytes of content, both ways.
    pub data_processed: Counter,
    /// Requests that the throttle refused. They count as requests and 4xx too.
    pub throttled: Counter,
}

impl RouteMetrics {
    /// Counts a request that is over.
    pub fn count(&self, status: u16, latency: Duration, integration: Option<Duration>, bytes: u64) {
        self.count.add_one();
        match status {
            400..=499 => self.client_errors.add_one(),
            500.. => self.server_errors.add_one(),
            _ => {}
        }
        self.latency.observe(latency);
        if let Some(integration) = integration {
            self.integration_latency.observe(integration);
        }
        if bytes > 0 {
            self.data_processed.add(bytes);
        }
    }
}

/// What a front counts. It makes them, and others read them.
#[derive(Debug, Default)]
pub struct FrontMetrics {
    /// None where the front cannot tell.
    pub connections: Option<ConnectionMetrics>,
    /// None where the front speaks plain text.
    pub handshakes: Option<HandshakeMetrics>,
    /// How long the loops took at most for all that was ready at once. None where there are no loops.
    pub longest_batch: Option<Longest>,
    /// Requests that wait for a worker.
    pub queue_depth: Gauge,
    /// Workers that answer a request.
    pub workers_busy: Gauge,
    /// Requests that were refused for want of room: in the queue, in memory, among streams or connections; or of a
    /// worker in time.
    pub requests_refused: Counter,
}

/// What a front counts of its clients' connections.
#[derive(Debug, Default)]
pub struct ConnectionMetrics {
    /// Connections that are open.
    pub open: Gauge,
    /// Connections that were taken.
    pub accepted: Counter,
    /// Connections without a request that were closed for new ones, since there were too many.
    pub evicted: Counter,
    /// Connections that were refused since there were too many.
    pub refused: Counter,
}

/// TLS handshakes, by what became of them.
#[derive(Debug, Default)]
pub struct HandshakeMetrics {
    /// They were whole, and nothing was known before.
    pub ok: Counter,
    /// They were whole, and went on with what an earlier one had agreed.
    pub resumed: Counter,
    /// They broke off.
    pub failed: Counter,
    /// They were not whole in time.
    pub timeout: Counter,
    /// There was none: the client spoke plain HTTP.
    pub plain_http: Counter,
}

/// Requests that integrations answered, by the connection that they took.
#[derive(Debug, Default)]
pub struct UpstreamConnections {
    /// One that was made for the request.
    pub new: Counter,
    /// One that was there.
    pub reused: Counter,
}

/// How often something was remembered when it was wanted.
#[derive(Debug, Default)]
pub struct CacheMetrics {
    /// It was.
    pub hits: Counter,
    /// It was not, or no longer.
    pub misses: Counter,
}

impl CacheMetrics {
    /// Something was wanted, and remembered or not.
    pub fn count(&self, is_remembered: bool) {
        if is_remembered {
            self.hits.add_one();
        } else {
            self.misses.add_one();
        }
    }
}

/// What a gateway counts besides its routes.
#[derive(Debug, Default)]
pub struct GatewayMetrics {
    /// Requests that are being answered.
    pub in_flight: Gauge,
    /// Requests that were refused since as many workers waited for a destination as may.
    pub destination_overloads: Counter,
    /// Reloads that were deployed.
    pub reloads: Counter,
    /// Reloads of files with errors.
    pub failed_reloads: Counter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_time_is_forgotten_after_a_minute_or_two() {
        let longest = Longest::default();
        let noted = [(0, 5), (0, 9), (0, 7), (1, 3), (2, 4), (5, 1)].map(|(minute, millis)| {
            longest.note_in(minute, Duration::from_millis(millis));
            longest.value().as_millis()
        });
        assert_eq!(noted, [5, 9, 9, 9, 4, 1]);
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::default();
        for micros in [0, 1_000, 1_001, 30_000_000, 30_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let distribution = histogram.distribution();
        assert_eq!(distribution.cumulative[..2], [2, 3]);
        assert_eq!(distribution.cumulative[BOUNDS.len() - 1], 4);
        assert_eq!(distribution.count, 5);
        assert_eq!(distribution.sum, Duration::from_micros(60_002_002));
    }
}
