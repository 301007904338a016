//! The time at which a request was signed, in the one form that a signature covers.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::platform::clock::days_from_civil;

const SECONDS_A_DAY: i64 = 86_400;

/// A moment to the second, with its text: `20150830T123600Z`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Timestamp {
    text: String,
    seconds: i64,
}

impl Timestamp {
    /// Reads ISO 8601's basic format in UTC, to the second; nothing else counts as `X-Amz-Date`.
    pub(super) fn parse(text: &str) -> Option<Timestamp> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        if date.len() != 8 || time.len() != 6 {
            return None;
        }
        let number = |text: &str, from: usize, to: usize| {
            let digits = text.get(from..to)?;
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<i64>().ok().filter(|_| is_number)
        };
        let days = days_from_civil(number(date, 0, 4)?, number(date, 4, 6)?, number(date, 6, 8)?);
        let of_day = (number(time, 0, 2)? * 60 + number(time, 2, 4)?) * 60 + number(time, 4, 6)?;
        let parsed = Timestamp::at(days * SECONDS_A_DAY + of_day);
        // Whatever is out of its range, such as a 13th month, is written in another way.
        (parsed.text == text).then_some(parsed)
    }

    /// Reads a `Date` field, which may have the form above or HTTP's own (RFC 9110 §5.6.7). botocore writes the zone
    /// as mail does: `-0000`.
    pub(super) fn parse_date_field(text: &str) -> Option<Timestamp> {
        let parse_http = || {
            let text = match text.strip_suffix(" -0000").or_else(|| text.strip_suffix(" +0000")) {
                Some(time) => Cow::Owned(format!("{time} GMT")),
                None => Cow::Borrowed(text),
            };
            let time = httpdate::parse_http_date(&text).ok()?;
            Some(Timestamp::at(seconds_of(time)))
        };
        Timestamp::parse(text).or_else(parse_http)
    }

    /// A moment of the clock.
    pub(super) fn of(time: SystemTime) -> Timestamp {
        Timestamp::at(seconds_of(time))
    }

    fn at(seconds: i64) -> Timestamp {
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_A_DAY));
        let of_day = seconds.rem_euclid(SECONDS_A_DAY);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        Timestamp {
            text: format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z"),
            seconds,
        }
    }

    /// As a signature covers it.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Its day, as a credential's scope names it: `20150830`.
    pub(super) fn day(&self) -> &str {
        self.text.get(..8).unwrap_or_default()
    }

    /// Seconds from then to now; negative where it is ahead of the clock.
    pub(super) fn age(&self, now: SystemTime) -> i64 {
        seconds_of(now).saturating_sub(self.seconds)
    }
}

/// Seconds since 1970; a clock that stands before that has not been set.
fn seconds_of(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Year, month and day of so many days since 1970-01-01: [`days_from_civil`] the way back.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_day_has_one_text() {
        let mut text = String::new();
        for day in 0..60_000_u64 {
            let time = UNIX_EPOCH + Duration::from_secs(day * 86_400 + day % 86_400);
            let http = httpdate::fmt_http_date(time);
            let stamp = Timestamp::parse_date_field(&http).unwrap();
            assert!(stamp.as_str() > text.as_str(), "{http}: {stamp:?}");
            assert_eq!(Timestamp::parse(stamp.as_str()), Some(stamp.clone()), "{http}");
            assert_eq!(stamp.age(time), 0);
            // "Sun, 30 Aug 2015 12:36:00 GMT"
            assert_eq!(
                (stamp.day().get(..4), stamp.day().get(6..)),
                (http.get(12..16), http.get(5..7))
            );
            text = stamp.as_str().to_owned();
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "20150830T123600",
            "20150830T123600z",
            "20150830 123600Z",
            "2015-08-30T12:36:00Z",
            "20150830T123600.000Z",
            "20150830T12360Z",
            "20151330T123600Z",
            "20150229T123600Z",
            "20150830T243600Z",
            "20150830T126000Z",
            "20150830T123660Z",
            "20150800T123600Z",
            "20150030T123600Z",
            "+2150830T123600Z",
            "2015083\u{661}T12360Z",
            "-0010830T123600Z",
            "20150830T123600Z ",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text:?}");
        }
        let leap = Timestamp::parse("20160229T235959Z").unwrap();
        assert_eq!((leap.seconds, leap.day()), (1_456_790_399, "20160229"));
        assert_eq!(leap.age(UNIX_EPOCH), -1_456_790_399);
        assert_eq!(Timestamp::parse("00000101T000000Z").unwrap().seconds, -62_167_219_200);
        assert_eq!(Timestamp::parse_date_field("yesterday"), None);
        let iso = Timestamp::parse_date_field("20150830T123600Z");
        for zone in ["GMT", "-0000", "+0000"] {
            let text = format!("Sun, 30 Aug 2015 12:36:00 {zone}");
            assert_eq!(Timestamp::parse_date_field(&text), iso, "{text}");
        }
        assert_eq!(Timestamp::parse_date_field("Sun, 30 Aug 2015 12:36:00 +0100"), None);
        assert!(iso.is_some());
    }
}
