//! Destinations: scheme, host and port. What holds for all clients of one is known here.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::http1::target::Scheme;
use crate::outbound::upstream::error::UpstreamError;
use crate::platform::concurrency::{ConcurrencyLimit, ConcurrencyPermit};

/// Most destinations that are known though no request uses them. They come from files only; this bounds what many
/// reloads could leave behind.
const MAX_UNUSED: usize = 1024;

/// How long no connection is kept after bytes behind a complete answer. They could be taken for the answer to the next
/// request, and a server that sends them once may do so again.
const NOT_KEPT_TIME: Duration = Duration::from_secs(60);

/// All destinations that are in use, and some that were.
#[derive(Debug)]
pub(super) struct Destinations {
    /// Most workers that one holds.
    share: NonZeroUsize,
    /// Most exchanges on loops that one has.
    share_on_loops: NonZeroUsize,
    by_key: HashMap<Key, Arc<Destination>>,
}

/// The host is in lower case, and the port is there even where it is the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    scheme: Scheme,
    host: String,
    port: u16,
}

/// One destination, for all its clients.
#[derive(Debug)]
pub(super) struct Destination {
    key: Key,
    slots: Arc<ConcurrencyLimit>,
    /// What exchanges on loops hold.
    on_loops: Arc<ConcurrencyLimit>,
    began: Instant,
    /// Until when no connection is kept, in milliseconds after it began; 0 where all are.
    not_kept_until: AtomicU64,
}

impl Destinations {
    pub(super) fn new(share: NonZeroUsize, share_on_loops: NonZeroUsize) -> Destinations {
        Destinations {
            share,
            share_on_loops,
            by_key: HashMap::new(),
        }
    }

    /// The destination of a URL with that scheme and authority.
    pub(super) fn find(&mut self, scheme: Scheme, authority: &str) -> Arc<Destination> {
        let key = Key::of(scheme, authority);
        if let Some(destination) = self.by_key.get(&key) {
            return Arc::clone(destination);
        }
        if self.by_key.len() >= MAX_UNUSED {
            self.by_key.retain(|_, destination| destination.is_in_use());
        }
        let destination = Arc::new(Destination {
            key: key.clone(),
            slots: ConcurrencyLimit::new(self.share),
            on_loops: ConcurrencyLimit::new(self.share_on_loops),
            began: Instant::now(),
            not_kept_until: AtomicU64::new(0),
        });
        self.by_key.insert(key, Arc::clone(&destination));
        destination
    }
}

impl Key {
    fn of(scheme: Scheme, authority: &str) -> Key {
        let default_port = match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        // An IPv6 address has colons too, but a bracket behind them.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap_or(default_port)),
            _ => (authority, default_port),
        };
        Key {
            scheme,
            host: host.to_ascii_lowercase(),
            port,
        }
    }
}

impl Destination {
    /// Takes one of its slots.
    ///
    /// # Errors
    /// As many workers wait for it as may.
    pub(super) fn take_slot(&self) -> Result<ConcurrencyPermit, UpstreamError> {
        self.slots.take().ok_or_else(|| UpstreamError::Overloaded {
            destination: self.name(),
            most: self.slots.most(),
        })
    }

    /// Takes a slot for an exchange on a loop.
    ///
    /// # Errors
    /// There are as many as may be.
    pub(super) fn take_slot_on_loops(&self) -> Result<ConcurrencyPermit, UpstreamError> {
        self.on_loops.take().ok_or_else(|| UpstreamError::TooMany {
            destination: self.name(),
            most: self.on_loops.most(),
        })
    }

    /// What workers that wait for it hold.
    pub(super) fn slots(&self) -> &Arc<ConcurrencyLimit> {
        &self.slots
    }

    /// The host, as it stands in a URL.
    pub(super) fn host(&self) -> &str {
        &self.key.host
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.key.port
    }

    fn name(&self) -> String {
        let Key { scheme, host, port } = &self.key;
        format!("{}://{host}:{port}", scheme.as_str())
    }

    /// It has sent bytes behind a complete answer.
    pub(super) fn note_surplus(&self) {
        if self.keep_none_from(Instant::now()) {
            let (name, seconds) = (self.name(), NOT_KEPT_TIME.as_secs());
            log::warn!("{name} sends bytes behind a complete answer: for {seconds} s no connection to it is kept");
        }
    }

    /// Whether its connections are kept after an answer, and used again.
    pub(super) fn keeps_connections(&self) -> bool {
        self.keeps_connections_at(Instant::now)
    }

    /// Keeps no connection for a while; whether any was kept before.
    fn keep_none_from(&self, now: Instant) -> bool {
        let now = self.millis_at(now);
        let until = now.saturating_add(u64::try_from(NOT_KEPT_TIME.as_millis()).unwrap_or(u64::MAX));
        self.not_kept_until.fetch_max(until, Ordering::Relaxed) <= now
    }

    fn keeps_connections_at(&self, now: impl FnOnce() -> Instant) -> bool {
        match self.not_kept_until.load(Ordering::Relaxed) {
            0 => true,
            until => self.millis_at(now()) >= until,
        }
    }

    fn millis_at(&self, moment: Instant) -> u64 {
        let passed = moment.saturating_duration_since(self.began).as_millis();
        u64::try_from(passed).unwrap_or(u64::MAX)
    }

    /// Whether anybody but the list knows it, or there is something to know of it.
    fn is_in_use(self: &Arc<Destination>) -> bool {
        Arc::strong_count(self) > 1
            || Arc::strong_count(&self.slots) > 1
            || Arc::strong_count(&self.on_loops) > 1
            || !self.keeps_connections()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destinations() -> Destinations {
        Destinations::new(NonZeroUsize::new(2).unwrap(), NonZeroUsize::new(3).unwrap())
    }

    #[test]
    fn a_destination_is_one_however_it_is_written() {
        let mut destinations = destinations();
        for (scheme, one, other, is_same) in [
            (Scheme::Http, "h", "h:80", true),
            (Scheme::Http, "h", "H", true),
            (Scheme::Https, "h", "h:443", true),
            (Scheme::Http, "[::1]", "[::1]:80", true),
            (Scheme::Http, "h:0080", "h", true),
            (Scheme::Http, "h", "h:443", false),
            (Scheme::Https, "h", "h:80", false),
            (Scheme::Http, "h", "h.", false),
            (Scheme::Http, "[::1]", "[::2]", false),
            (Scheme::Http, "[::1]:8080", "[::1]", false),
            (Scheme::Http, "127.0.0.1:8080", "127.0.0.1:8081", false),
        ] {
            let (one, other) = (destinations.find(scheme, one), destinations.find(scheme, other));
            assert_eq!(
                Arc::ptr_eq(&one, &other),
                is_same,
                "{} and {}",
                one.name(),
                other.name()
            );
        }
        let (plain, over_tls) = (
            destinations.find(Scheme::Http, "h:9"),
            destinations.find(Scheme::Https, "h:9"),
        );
        assert!(!Arc::ptr_eq(&plain, &over_tls));
    }

    #[test]
    fn a_share_is_held_by_as_many_as_may_and_by_each_destination_for_itself() {
        let mut destinations = destinations();
        let (one, other) = (
            destinations.find(Scheme::Http, "h"),
            destinations.find(Scheme::Http, "i"),
        );
        let held = (one.take_slot().unwrap(), one.take_slot().unwrap());
        let refused = one.take_slot().unwrap_err();
        assert!(refused.to_string().contains("http://h:80"), "{refused}");
        assert!(other.take_slot().is_ok());
        drop(held);
        assert!(one.take_slot().is_ok());
    }

    #[test]
    fn after_bytes_behind_an_answer_no_connection_is_kept_for_a_minute() {
        let mut destinations = destinations();
        let (bad, good) = (
            destinations.find(Scheme::Http, "bad"),
            destinations.find(Scheme::Http, "good"),
        );
        let at = |millis| bad.began + Duration::from_millis(millis);
        let keeps = |millis| bad.keeps_connections_at(|| at(millis));
        assert!(keeps(0));
        assert!(bad.keep_none_from(at(0)), "it is told once");
        assert_eq!(
            [0, 1, 59_999, 60_000, 80_000].map(keeps),
            [false, false, false, true, true]
        );
        // It lasts from the last time.
        assert!(bad.keep_none_from(at(100_000)) && !bad.keep_none_from(at(130_000)));
        assert_eq!([130_000, 189_999, 190_000].map(keeps), [false, false, true]);
        assert!(good.keeps_connections());
    }

    #[test]
    fn destinations_that_nobody_uses_are_forgotten() {
        let mut destinations = destinations();
        destinations.find(Scheme::Http, "bad").note_surplus();
        let used = destinations.find(Scheme::Http, "used");
        let slot = destinations.find(Scheme::Http, "held").take_slot().unwrap();
        for number in 0..3 * MAX_UNUSED {
            destinations.find(Scheme::Http, &format!("h{number}"));
            assert!(destinations.by_key.len() <= MAX_UNUSED);
        }
        assert!(Arc::ptr_eq(&used, &destinations.find(Scheme::Http, "used")));
        assert!(!destinations.find(Scheme::Http, "bad").keeps_connections());
        let held = destinations.find(Scheme::Http, "held");
        assert!(Arc::ptr_eq(slot.slots(), &held.slots));
    }
}
