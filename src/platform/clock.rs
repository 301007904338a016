//! The time, and the ids that are made from chance; both fixed in tests.

use std::cell::RefCell;
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
        // AWS's eight digits hold the time until 2106.
        let seconds = seconds.to_be_bytes();
        let mut id = String::with_capacity("Root=1-".len() + 8 + "-".len() + 24);
        id.push_str("Root=1-");
        push_hex(&mut id, seconds.get(4..).unwrap_or_default());
        id.push('-');
        push_hex(&mut id, &self.bytes::<12>());
        id
    }

    /// A request id of Lambda's shape, a UUID of version 4.
    pub fn uuid(&self) -> String {
        let bits = u128::from_be_bytes(self.bytes::<16>());
        let version = (bits & !(0xf << 76 | 0x3 << 62)) | (0x4 << 76 | 0x2 << 62);
        let digits = format!("{version:032x}");
        let mut uuid = String::with_capacity(36);
        for (place, digit) in digits.chars().enumerate() {
            if [8, 12, 16, 20].contains(&place) {
                uuid.push('-');
            }
            uuid.push(digit);
        }
        uuid
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

/// A time as the Common Log Format has it, in UTC: `10/Jul/2026:19:19:05 +0000`. It is worked out once a second in each
/// thread.
pub fn common_log_time(time: SystemTime) -> String {
    thread_local! {
        static LAST: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let second = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    LAST.with_borrow_mut(|(formatted, text)| {
        if *formatted != second {
            // `Fri, 10 Jul 2026 19:19:05 GMT` (RFC 9110 §5.6.7) has the same parts.
            let date = httpdate::fmt_http_date(time);
            let part = |from, to| date.get(from..to).unwrap_or_default();
            *text = format!("{}/{}/{}:{} +0000", part(5, 7), part(8, 11), part(12, 16), part(17, 25));
            *formatted = second;
        }
        text.clone()
    })
}

/// A time to the second as ISO 8601 has it, in UTC: `2026-07-10T19:19:05Z`.
///
/// # Example
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let time = UNIX_EPOCH + Duration::from_secs(1_783_711_145);
/// assert_eq!(apigateway::platform::clock::iso_8601(time), "2026-07-10T19:19:05Z");
/// ```
pub fn iso_8601(time: SystemTime) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    // `Fri, 10 Jul 2026 19:19:05 GMT` (RFC 9110 §5.6.7) has the same parts.
    let date = httpdate::fmt_http_date(time);
    let part = |from, to| date.get(from..to).unwrap_or_default();
    let month = MONTHS.iter().position(|name| *name == part(8, 11)).unwrap_or_default() + 1;
    format!("{}-{month:02}-{}T{}Z", part(12, 16), part(5, 7), part(17, 25))
}

/// As [`iso_8601`], to the millisecond: `2026-07-10T19:19:05.120Z`.
pub fn iso_8601_millis(time: SystemTime) -> String {
    let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().subsec_millis();
    let seconds = iso_8601(time);
    format!("{}.{millis:03}Z", seconds.trim_end_matches('Z'))
}

/// The system's time in seconds since 1970, for what a certificate says.
pub fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. A year is taken to begin in March, so that its leap day
/// is its last.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Two digits for each byte. A request makes them in its trace id, and formatting them one by one is slow.
fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
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
        assert_eq!(clock.uuid(), "00010203-0405-4607-8809-0a0b0c0d0e0f");
    }

    #[test]
    fn times_are_written_as_logs_have_them() {
        let time = UNIX_EPOCH + Duration::from_secs(1_783_711_145);
        assert_eq!(common_log_time(time), "10/Jul/2026:19:19:05 +0000");
    }
}
