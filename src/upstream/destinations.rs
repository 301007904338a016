//! Destinations: scheme, host and port. What holds for all clients of one is known here.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::notation::uri::Scheme;
use crate::slots::{Slot, Slots};
use crate::upstream::UpstreamError;

/// Most destinations that are known though nobody uses them. They come from files only; this bounds what many reloads
/// could leave behind.
const MAX_UNUSED: usize = 1024;

/// All destinations that are in use, and some that were.
#[derive(Debug)]
pub(super) struct Destinations {
    /// Most workers that one holds.
    share: NonZeroUsize,
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
    slots: Arc<Slots>,
}

impl Destinations {
    pub(super) fn new(share: NonZeroUsize) -> Destinations {
        Destinations {
            share,
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
            slots: Slots::new(self.share),
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
    pub(super) fn take_slot(&self) -> Result<Slot, UpstreamError> {
        self.slots.take().ok_or_else(|| UpstreamError::Overloaded {
            destination: self.name(),
            most: self.slots.most(),
        })
    }

    /// What workers that wait for it hold.
    pub(super) fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    fn name(&self) -> String {
        let Key { scheme, host, port } = &self.key;
        format!("{}://{host}:{port}", scheme.as_str())
    }

    /// Whether anybody but the list knows it.
    fn is_in_use(self: &Arc<Destination>) -> bool {
        Arc::strong_count(self) > 1 || Arc::strong_count(&self.slots) > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destinations() -> Destinations {
        Destinations::new(NonZeroUsize::new(2).unwrap())
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
    fn destinations_that_nobody_uses_are_forgotten() {
        let mut destinations = destinations();
        let used = destinations.find(Scheme::Http, "used");
        let slot = destinations.find(Scheme::Http, "held").take_slot().unwrap();
        for number in 0..3 * MAX_UNUSED {
            destinations.find(Scheme::Http, &format!("h{number}"));
            assert!(destinations.by_key.len() <= MAX_UNUSED);
        }
        assert!(Arc::ptr_eq(&used, &destinations.find(Scheme::Http, "used")));
        let held = destinations.find(Scheme::Http, "held");
        assert!(Arc::ptr_eq(slot.slots(), &held.slots));
    }
}
