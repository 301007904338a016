//! Moments: RFC 3339, or seconds or milliseconds since 1970.
//!
//! # Example
//! ```
//! use apigateway::definition::notation::moment::parse;
//!
//! assert_eq!(parse("2026-07-10T19:19:05.5Z"), Some(1_783_711_145_500));
//! assert_eq!(parse("1783711145500"), Some(1_783_711_145_500));
//! assert_eq!(parse("1783711145"), Some(1_783_711_145_000));
//! assert_eq!(parse("yesterday"), None);
//! ```

use crate::platform::clock::days_from_civil;

/// From so many digits on, a number is milliseconds: `$context.requestTimeEpoch` has thirteen.
const DIGITS_OF_MILLISECONDS: usize = 12;

/// The last millisecond of the year 9999, the last that RFC 3339 can write.
const LAST: i64 = 253_402_300_799_999;

const SECONDS_A_DAY: i64 = 86_400;

/// Milliseconds since 1970; none where the text is no moment.
pub fn parse(text: &str) -> Option<i64> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits || text.is_empty() {
        return rfc_3339(text);
    }
    let number: i64 = text.parse().ok()?;
    let millis = match text.len() {
        DIGITS_OF_MILLISECONDS.. => number,
        _ => number.checked_mul(1000)?,
    };
    (millis <= LAST).then_some(millis)
}

/// `2026-07-10T19:19:05.250+02:00`. Digits behind the milliseconds are dropped.
fn rfc_3339(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't'])?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (clock, offset) = match rest.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0),
        None => {
            let at = rest.rfind(['+', '-'])?;
            let (clock, zone) = rest.split_at_checked(at)?;
            let [hours, minutes] = numbers(zone.get(1..)?, ':', [2, 2])?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = (hours * 60 + minutes) * 60;
            (clock, if zone.starts_with('-') { -seconds } else { seconds })
        }
    };
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, millis_of(fraction)?),
        None => (clock, 0),
    };
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    // A leap second is the first of the next minute.
    if hour > 23 || minute > 59 || second > 60 || !is_date(year, month, day) {
        return None;
    }
    let days = days_from_civil(year, month, day);
    let seconds = days * SECONDS_A_DAY + (hour * 60 + minute) * 60 + second - offset;
    Some(seconds * 1000 + fraction)
}

/// Numbers of so many digits each, with a separator between them.
fn numbers<const N: usize>(text: &str, separator: char, lengths: [usize; N]) -> Option<[i64; N]> {
    let mut values = [0; N];
    let mut parts = text.split(separator);
    for (value, length) in values.iter_mut().zip(lengths) {
        let part = parts.next()?;
        let is_number = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        *value = is_number.then(|| part.parse().ok()).flatten()?;
    }
    parts.next().is_none().then_some(values)
}

fn millis_of(fraction: &str) -> Option<i64> {
    let is_number = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let digits: String = fraction.chars().chain("00".chars()).take(3).collect();
    is_number.then(|| digits.parse().ok()).flatten()
}

/// Whether a month has such a day.
fn is_date(year: i64, month: i64, day: i64) -> bool {
    if !(1..=12).contains(&month) {
        return false;
    }
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let length = days_from_civil(next_year, next_month, 1) - days_from_civil(year, month, 1);
    (1..=length).contains(&day)
}
