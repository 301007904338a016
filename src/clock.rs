//! The time, and the ids that are made from chance; both fixed in tests.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

/// Where the gateway takes the time and its ids from.
#[derive(Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Debug)]
enum Source {
    System { seed: u64, count: AtomicU64 },
    Fixed(SystemTime),
}

/// The `$context.requestId` of every request under a fixed clock.
pub const FIXED_REQUEST_ID: &str = "AAECAwQFBgcICQo=";

impl Clock {
    /// The machine's clock, and ids that differ from request to request and from process to process.
    pub fn system() -> Clock {
        Clock {
            source: Source::System {
                seed: RandomState::new().build_hasher().finish(),
                count: AtomicU64::new(0),
            },
        }
    }

    /// A clock that stands still, for tests that compare to the letter.
    pub fn fixed(at: SystemTime) -> Clock {
        Clock {
            source: Source::Fixed(at),
        }
    }

    /// The time of day.
    pub fn now(&self) -> SystemTime {
        match &self.source {
            Source::System { .. } => SystemTime::now(),
            Source::Fixed(at) => *at,
        }
    }

    /// A request id of AWS's shape: 16 characters of URL-safe base64 that end in `=` (`R3.13`).
    pub fn request_id(&self) -> String {
        URL_SAFE.encode(self.bytes::<11>())
    }

    /// A new `X-Amzn-Trace-Id`: `Root=1-<seconds, 8 hex digits>-<24 hex digits>` (spec §3.3).
    pub fn trace_id(&self) -> String {
        let seconds = self
            .now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_secs();
        let unique: String = self.bytes::<12>().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("Root=1-{:08x}-{unique}", seconds & 0xffff_ffff)
    }

    /// Bytes that are unique, not secret: a counter and a seed of this process, mixed.
    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.source {
            Source::System { seed, count } => {
                let count = count.fetch_add(1, Ordering::Relaxed);
                let words = [mix(seed ^ mix(count)), mix(seed.wrapping_add(mix(!count)))];
                let words = words.iter().flat_map(|word| word.to_le_bytes());
                for (byte, random) in bytes.iter_mut().zip(words) {
                    *byte = random;
                }
            }
            Source::Fixed(_) => {
                for (byte, number) in bytes.iter_mut().zip(0..) {
                    *byte = number;
                }
            }
        }
        bytes
    }
}

/// The finalizer of SplitMix64: a bijection that spreads every bit over all others.
fn mix(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn request_ids_have_the_shape_of_aws_and_differ() {
        let clock = Clock::system();
        let ids: HashSet<String> = (0..10_000).map(|_| clock.request_id()).collect();
        assert_eq!(ids.len(), 10_000);
        for id in ids {
            assert_eq!(id.len(), 16, "{id}");
            assert!(id.ends_with('=') && !id.ends_with("=="), "{id}");
        }
    }

    #[test]
    fn two_processes_do_not_share_ids() {
        assert_ne!(Clock::system().request_id(), Clock::system().request_id());
    }

    #[test]
    fn a_fixed_clock_is_literal() {
        let clock = Clock::fixed(UNIX_EPOCH + Duration::from_secs(0x6a51_45a9));
        assert_eq!(clock.request_id(), FIXED_REQUEST_ID);
        assert_eq!(clock.trace_id(), "Root=1-6a5145a9-000102030405060708090a0b");
    }
}
