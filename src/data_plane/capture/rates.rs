//! How many requests there were in each of the last seconds, and how long they took.

use std::time::Duration;

/// Seconds that are kept.
pub const SECONDS: usize = 300;

/// APIs that are counted apart in one second; the others count together.
const MAX_APIS: usize = 32;

/// Buckets of a distribution: eight for each power of two of microseconds.
const BUCKETS: usize = 256;

/// How long something took, to an eighth.
#[derive(Clone)]
struct Distribution {
    counts: Box<[u32; BUCKETS]>,
    total: u64,
}

impl Distribution {
    fn new() -> Distribution {
        Distribution {
            counts: Box::new([0; BUCKETS]),
            total: 0,
        }
    }

    fn add(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(micros)) {
            *count = count.saturating_add(1);
            self.total += 1;
        }
    }

    fn merge(&mut self, other: &Distribution) {
        for (count, more) in self.counts.iter_mut().zip(other.counts.iter()) {
            *count = count.saturating_add(*more);
        }
        self.total += other.total;
    }

    /// So many of a hundred took that long or less, in microseconds.
    fn percentile(&self, percent: u64) -> Option<u64> {
        let wanted = (self.total * percent).div_ceil(100).max(1);
        let mut count = 0;
        for (at, of_bucket) in self.counts.iter().enumerate() {
            count += u64::from(*of_bucket);
            if count >= wanted {
                return Some(upper_bound(at));
            }
        }
        None
    }
}

/// The bucket of a number of microseconds.
fn bucket(micros: u64) -> usize {
    if micros < 8 {
        return usize::try_from(micros).unwrap_or_default();
    }
    let power = micros.ilog2();
    let eighth = (micros >> (power - 3)) & 7;
    let at = u64::from(power - 2) * 8 + eighth;
    usize::try_from(at).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The largest number of microseconds in a bucket.
fn upper_bound(at: usize) -> u64 {
    let at = u64::try_from(at).unwrap_or_default();
    if at < 8 {
        return at;
    }
    let (power, eighth) = (at / 8 + 2, at % 8);
    ((8 + eighth + 1) << (power - 3)) - 1
}

/// What is counted of an API in one second.
#[derive(Clone)]
struct Count {
    api: String,
    requests: u64,
    status_4xx: u64,
    status_5xx: u64,
    latency: Distribution,
    integration: Distribution,
}

impl Count {
    fn new(api: &str) -> Count {
        Count {
            api: api.to_owned(),
            requests: 0,
            status_4xx: 0,
            status_5xx: 0,
            latency: Distribution::new(),
            integration: Distribution::new(),
        }
    }

    fn merge(&mut self, other: &Count) {
        self.requests += other.requests;
        self.status_4xx += other.status_4xx;
        self.status_5xx += other.status_5xx;
        self.latency.merge(&other.latency);
        self.integration.merge(&other.integration);
    }

    fn point(&self) -> Point {
        Point {
            requests: self.requests,
            status_4xx: self.status_4xx,
            status_5xx: self.status_5xx,
            latency_p50: self.latency.percentile(50),
            latency_p99: self.latency.percentile(99),
            integration_p50: self.integration.percentile(50),
        }
    }
}

/// The numbers of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// Requests that ended.
    pub requests: u64,
    /// Of these, those with such a status.
    pub status_4xx: u64,
    /// Likewise.
    pub status_5xx: u64,
    /// Half of them took so many microseconds or less.
    pub latency_p50: Option<u64>,
    /// 99 of a hundred did.
    pub latency_p99: Option<u64>,
    /// Half of their integrations did.
    pub integration_p50: Option<u64>,
}

/// The last seconds.
#[derive(Default)]
pub struct Rates {
    /// By the second modulo their number.
    seconds: Vec<(u64, Vec<Count>)>,
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rates({})", self.seconds.len())
    }
}

impl Rates {
    /// Counts a request that ended in that second.
    pub fn count(&mut self, second: u64, api: &str, status: u16, latency: Duration, integration: Option<Duration>) {
        if self.seconds.is_empty() {
            self.seconds = (0..SECONDS).map(|_| (u64::MAX, Vec::new())).collect();
        }
        let Some((of, counts)) = self.seconds.get_mut(place(second)) else {
            return;
        };
        if *of != second {
            *of = second;
            counts.clear();
        }
        let at = counts.iter().position(|count| count.api == api);
        let at = at.unwrap_or_else(|| {
            if counts.len() < MAX_APIS {
                counts.push(Count::new(api));
            } else if let Some(last) = counts.last_mut() {
                // It is for all that have none of their own.
                OTHERS.clone_into(&mut last.api);
            }
            counts.len() - 1
        });
        let Some(count) = counts.get_mut(at) else { return };
        count.requests += 1;
        count.status_4xx += u64::from((400..500).contains(&status));
        count.status_5xx += u64::from(status >= 500);
        count.latency.add(latency);
        if let Some(integration) = integration {
            count.integration.add(integration);
        }
    }

    /// The seconds up to that one, the oldest first: all requests, and those of each API.
    pub fn points(&self, now: u64) -> Series {
        let mut series = Series {
            all: Vec::with_capacity(SECONDS),
            apis: Vec::new(),
        };
        let first = now.saturating_sub(SECONDS as u64 - 1);
        for (at, second) in (first..=now).enumerate() {
            let counts = self.seconds.get(place(second)).filter(|(of, _)| *of == second);
            let mut all = Count::new("");
            for count in counts.into_iter().flat_map(|(_, counts)| counts) {
                all.merge(count);
                let known = series.apis.iter().position(|(api, _)| *api == count.api);
                let known = known.unwrap_or_else(|| {
                    series.apis.push((count.api.clone(), vec![Point::default(); SECONDS]));
                    series.apis.len() - 1
                });
                let point = series.apis.get_mut(known).and_then(|(_, points)| points.get_mut(at));
                if let Some(point) = point {
                    *point = count.point();
                }
            }
            series.all.push(all.point());
        }
        series.apis.sort_by(|one, other| one.0.cmp(&other.0));
        series
    }
}

/// The name of those that have no count of their own.
pub const OTHERS: &str = "*";

/// Points of the last seconds, the oldest first.
#[derive(Debug)]
pub struct Series {
    /// Of all requests.
    pub all: Vec<Point>,
    /// Of each API that had a request, by its id.
    pub apis: Vec<(String, Vec<Point>)>,
}

fn place(second: u64) -> usize {
    usize::try_from(second % SECONDS as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_as_wide_as_an_eighth() {
        for micros in [0, 1, 7, 8, 9, 15, 16, 17, 1000, 1023, 1024, 29_000_000, 4_000_000_000] {
            let bound = upper_bound(bucket(micros));
            assert!(bound >= micros, "{micros}: {bound}");
            assert!(bound - micros <= micros / 8, "{micros}: {bound}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn seconds_come_and_go() {
        let mut rates = Rates::default();
        let ms = Duration::from_millis;
        for at in 1..=100 {
            rates.count(1000, "a", 200, ms(at), Some(ms(at / 2)));
        }
        rates.count(1000, "b", 404, ms(1), None);
        rates.count(1001, "b", 503, ms(1), None);
        let series = rates.points(1001);
        assert_eq!(series.all.len(), SECONDS);
        let (before, last) = (series.all[SECONDS - 2], series.all[SECONDS - 1]);
        assert_eq!((before.requests, before.status_4xx, before.status_5xx), (101, 1, 0));
        assert_eq!((last.requests, last.status_4xx, last.status_5xx), (1, 0, 1));
        let p50 = before.latency_p50.unwrap();
        assert!((50_000..58_000).contains(&p50), "{p50}");
        assert!(last.integration_p50.is_none());
        assert_eq!(series.apis.len(), 2);
        assert_eq!(series.apis[0].1[SECONDS - 2].requests, 100);
        let later = rates.points(1001 + SECONDS as u64);
        assert!(later.all.iter().all(|point| point.requests == 0));
        rates.count(1000 + SECONDS as u64, "a", 200, ms(1), None);
        assert_eq!(rates.points(1000 + SECONDS as u64).all[SECONDS - 1].requests, 1);
    }

    #[test]
    fn many_apis_count_together() {
        let mut rates = Rates::default();
        for api in 0..100 {
            rates.count(5, &api.to_string(), 200, Duration::ZERO, None);
        }
        let series = rates.points(5);
        assert_eq!(series.apis.len(), MAX_APIS);
        assert_eq!(series.all[5].requests, 100);
        let others = series.apis.iter().find(|(api, _)| api == OTHERS).unwrap();
        assert_eq!(others.1[5].requests, 69);
    }
}
