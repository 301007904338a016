//! The distinguished encoding of what stands in certificates (X.690), value by value, and their times (RFC 5280 §4.1.2.5).

use std::fmt;

use crate::platform::clock::days_from_civil;

/// Yes or no.
pub const BOOLEAN: u8 = 0x01;
/// A whole number.
pub const INTEGER: u8 = 0x02;
/// Bytes.
pub const OCTET_STRING: u8 = 0x04;
/// A name of a kind of values.
pub const OBJECT_IDENTIFIER: u8 = 0x06;
/// A text in UTF-8.
pub const UTF8_STRING: u8 = 0x0c;
/// Digits and spaces.
pub const NUMERIC_STRING: u8 = 0x12;
/// A few ASCII characters.
pub const PRINTABLE_STRING: u8 = 0x13;
/// A text in T.61.
pub const TELETEX_STRING: u8 = 0x14;
/// A text in ASCII.
pub const IA5_STRING: u8 = 0x16;
/// A time whose year has two digits.
pub const UTC_TIME: u8 = 0x17;
/// A time whose year has four digits.
pub const GENERALIZED_TIME: u8 = 0x18;
/// A text in UTF-32.
pub const UNIVERSAL_STRING: u8 = 0x1c;
/// A text in UCS-2.
pub const BMP_STRING: u8 = 0x1e;
/// Values in their order.
pub const SEQUENCE: u8 = 0x30;
/// Values in no order.
pub const SET: u8 = 0x31;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Values one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Der<'a>(pub(crate) &'a [u8]);

impl<'a> Der<'a> {
    /// Whether there is none left.
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next one.
    pub(crate) fn tag(self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Tag and value of the next one.
    pub(crate) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk::<2>()?;
        let length = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x84 => {
                let (digits, behind) = rest.split_at_checked(usize::from(first & 0x7f))?;
                rest = behind;
                let number = |length: u64, digit: &u8| (length << 8) | u64::from(*digit);
                usize::try_from(digits.iter().fold(0, number)).ok()?
            }
            _ => return None,
        };
        let (value, behind) = rest.split_at_checked(length)?;
        self.0 = behind;
        Some((tag, value))
    }

    /// The value of the next one, which must have that tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, value) = self.next()?;
        (found == tag).then_some(value)
    }

    /// The values in the next one, which must have that tag.
    pub(crate) fn within(&mut self, tag: u8) -> Option<Der<'a>> {
        self.expect(tag).map(Der)
    }
}

/// A moment to the second, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Time {
    /// The next value, which must be a time as certificates have it: to the second, in UTC.
    pub(crate) fn read(der: &mut Der<'_>) -> Option<Time> {
        let (tag, text) = der.next()?;
        let text = str::from_utf8(text).ok()?.strip_suffix('Z')?;
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (year, rest) = match (tag, text.len()) {
            (UTC_TIME, 12) => {
                let (year, rest) = text.split_at_checked(2)?;
                let year: i64 = year.parse().ok()?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            (GENERALIZED_TIME, 14) => {
                let (year, rest) = text.split_at_checked(4)?;
                (year.parse().ok()?, rest)
            }
            _ => return None,
        };
        let part = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
        let time = Time {
            year,
            month: part(0)?,
            day: part(2)?,
            hour: part(4)?,
            minute: part(6)?,
            second: part(8)?,
        };
        let is_real = (1..=12).contains(&time.month)
            && (1..=31).contains(&time.day)
            && (0..24).contains(&time.hour)
            && (0..60).contains(&time.minute)
            && (0..=60).contains(&time.second);
        is_real.then_some(time)
    }

    /// Seconds since 1970.
    pub fn unix(&self) -> i64 {
        let days = days_from_civil(self.year, self.month, self.day);
        ((days * 24 + self.hour) * 60 + self.minute) * 60 + self.second
    }
}

/// As OpenSSL and AWS write it: `Aug  5 09:36:04 2021 GMT`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let month = usize::try_from(self.month - 1).ok().and_then(|at| MONTHS.get(at));
        let month = month.copied().unwrap_or_default();
        write!(
            f,
            "{month} {:>2} {:02}:{:02}:{:02} {} GMT",
            self.day, self.hour, self.minute, self.second, self.year
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_they_say() {
        let mut der = Der(&[0x02, 1, 7, 0x30, 0x81, 2, 0x05, 0]);
        assert_eq!(der.expect(INTEGER), Some(&[7][..]));
        let mut inner = der.within(SEQUENCE).unwrap();
        assert!(der.is_empty());
        assert_eq!((inner.tag(), inner.next()), (Some(5), Some((5, &[][..]))));
        for broken in [
            &[2][..],
            &[2, 1],
            &[2, 0x80],
            &[2, 0x82, 1],
            &[2, 0x85, 0, 0, 0, 0, 1, 9],
            &[],
        ] {
            assert_eq!(Der(broken).next(), None, "{broken:?}");
        }
    }

    #[test]
    fn times_are_written_as_aws_writes_them() {
        for (tag, text, shown, unix) in [
            (UTC_TIME, "190528123002Z", "May 28 12:30:02 2019 GMT", 1_559_046_602),
            (UTC_TIME, "210805093604Z", "Aug  5 09:36:04 2021 GMT", 1_628_156_164),
            (UTC_TIME, "500101000000Z", "Jan  1 00:00:00 1950 GMT", -631_152_000),
            (
                GENERALIZED_TIME,
                "20500101000000Z",
                "Jan  1 00:00:00 2050 GMT",
                2_524_608_000,
            ),
            (
                GENERALIZED_TIME,
                "99991231235959Z",
                "Dec 31 23:59:59 9999 GMT",
                253_402_300_799,
            ),
        ] {
            let mut der = vec![tag, u8::try_from(text.len()).unwrap()];
            der.extend_from_slice(text.as_bytes());
            let time = Time::read(&mut Der(&der)).unwrap();
            assert_eq!((time.to_string().as_str(), time.unix()), (shown, unix));
        }
        for (tag, text) in [
            (UTC_TIME, "1905281230Z"),
            (UTC_TIME, "190528123002+"),
            (UTC_TIME, "191328123002Z"),
            (GENERALIZED_TIME, "190528123002Z"),
            (UTC_TIME, "19052812300-Z"),
        ] {
            let mut der = vec![tag, u8::try_from(text.len()).unwrap()];
            der.extend_from_slice(text.as_bytes());
            assert_eq!(Time::read(&mut Der(&der)), None, "{text}");
        }
    }
}
