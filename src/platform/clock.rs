//! The time, and the ids that are made from chance; both fixed in tests.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment, for durations and as the time of day. Who takes many steps at once reads both clocks once for all of them.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// For durations.
    pub instant: Instant,
    /// The machine's time of day.
    pub time: SystemTime,
}

impl Moment {
    /// The present one.
    pub fn now() -> Moment {
        Moment {
            instant: Instant::now(),
            time: SystemTime::now(),
        }
    }
}

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

    /// The time of day at a moment.
    pub fn time_at(&self, moment: Moment) -> SystemTime {
        match &self.source {
            Source::System { .. } => moment.time,
            Source::Fixed(at) => *at,
        }
    }

    /// A request id of AWS's shape: 16 characters of URL-safe base64 that end in `=` (`R3.13`).
    pub fn request_id(&self) -> String {
        let mut bits = self
            .bytes::<11>()
            .iter()
            .fold(0, |bits, byte| bits << 8 | u128::from(*byte))
            << 40;
        // Six bits are a digit, from the highest on. A request makes one id, and `base64` takes longer for it.
        let mut id = [b'='; 16];
        for digit in id.iter_mut().take(15) {
            let place = usize::try_from(bits >> 122).unwrap_or_default();
            *digit = URL_SAFE_DIGITS.get(place).copied().unwrap_or_default();
            bits <<= 6;
        }
        text(&id)
    }

    /// A new `X-Amzn-Trace-Id`: `Root=1-<seconds, 8 hex digits>-<24 hex digits>` (spec §3.3).
    pub fn trace_id(&self, now: SystemTime) -> String {
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let mut id = *b"Root=1-########-########################";
        // AWS's eight digits hold the time until 2106.
        let (seconds, random) = (seconds.to_be_bytes(), self.bytes::<12>());
        let words = seconds.as_chunks().0.iter().skip(1).chain(random.as_chunks().0);
        let places = [7..15, 16..24, 24..32, 32..40];
        for (place, word) in places.into_iter().zip(words) {
            if let Some(digits) = id.get_mut(place) {
                digits.copy_from_slice(&hex_digits(u32::from_be_bytes(*word)));
            }
        }
        text(&id)
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
                let words = words.map(u64::to_le_bytes);
                for (byte, random) in bytes.iter_mut().zip(words.as_flattened()) {
                    *byte = *random;
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

/// The digits of base64 for URLs (RFC 4648 §5).
const URL_SAFE_DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The eight hexadecimal digits of a word, the highest first, in lower case. A request makes four words of them in its
/// trace id, and one by one they take longer.
fn hex_digits(word: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Each half of a byte gets a byte of its own.
    let mut digits = u64::from(word);
    digits = (digits << 16 | digits) & 0x0000_ffff_0000_ffff;
    digits = (digits << 8 | digits) & 0x00ff_00ff_00ff_00ff;
    digits = (digits << 4 | digits) & 0x0f0f_0f0f_0f0f_0f0f;
    // From ten on, adding six carries into the upper half of the byte.
    let from_ten = (digits + 6 * ONES) >> 4 & ONES;
    let letters = from_ten * u64::from(b'a' - b'0' - 10);
    (digits + u64::from(b'0') * ONES + letters).to_be_bytes()
}

/// What was made of ASCII.
fn text(ascii: &[u8]) -> String {
    str::from_utf8(ascii).unwrap_or_default().to_owned()
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
    fn digits_are_those_of_the_standard() {
        use base64::Engine;
        use base64::engine::general_purpose::URL_SAFE;
        for word in [0, 1, 0x0123_4567, 0x89ab_cdef, 0xfedc_ba98, 0x9a9a_9a9a, u32::MAX] {
            assert_eq!(text(&hex_digits(word)), format!("{word:08x}"));
        }
        let clock = Clock::system();
        for _ in 0..1_000 {
            let id = clock.request_id();
            assert_eq!(URL_SAFE.encode(URL_SAFE.decode(&id).unwrap()), id);
        }
        assert_eq!(
            URL_SAFE_DIGITS.len(),
            URL_SAFE_DIGITS.iter().collect::<HashSet<_>>().len()
        );
    }

    #[test]
    fn two_processes_do_not_share_ids() {
        assert_ne!(Clock::system().request_id(), Clock::system().request_id());
    }

    #[test]
    fn a_fixed_clock_is_literal() {
        let clock = Clock::fixed(UNIX_EPOCH + Duration::from_secs(0x6a51_45a9));
        assert_eq!(clock.request_id(), FIXED_REQUEST_ID);
        assert_eq!(clock.trace_id(clock.now()), "Root=1-6a5145a9-000102030405060708090a0b");
        assert_eq!(clock.uuid(), "00010203-0405-4607-8809-0a0b0c0d0e0f");
    }

    #[test]
    fn times_are_written_as_logs_have_them() {
        let time = UNIX_EPOCH + Duration::from_secs(1_783_711_145);
        assert_eq!(common_log_time(time), "10/Jul/2026:19:19:05 +0000");
    }
}
