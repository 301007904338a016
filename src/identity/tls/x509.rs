//! What a certificate says of itself, as far as the verification of chains does not tell (RFC 5280 §4.1).

use std::fmt;

use crate::identity::tls::der::{Der, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME};
use crate::platform::clock::days_from_civil;

/// `[0]`, the version; where it is left out, that is the first.
const VERSION: u8 = 0xa0;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A certificate's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// 1 to 3.
    pub version: u8,
    /// The serial number's bytes.
    pub serial_number: &'a [u8],
    /// Who signed it, encoded.
    pub issuer: &'a [u8],
    /// Whose it is, encoded.
    pub subject: &'a [u8],
    /// The first moment in which it is valid.
    pub not_before: Time,
    /// The last one.
    pub not_after: Time,
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

impl<'a> Certificate<'a> {
    /// Reads a certificate; none where it is malformed.
    pub fn parse(der: &'a [u8]) -> Option<Certificate<'a>> {
        let mut fields = Der(der).within(SEQUENCE)?.within(SEQUENCE)?;
        let version = match fields.tag()? {
            VERSION => match fields.within(VERSION)?.expect(INTEGER)? {
                [version @ 0..=2] => version + 1,
                _ => return None,
            },
            _ => 1,
        };
        let serial_number = fields.expect(INTEGER).filter(|bytes| !bytes.is_empty())?;
        let _algorithm = fields.expect(SEQUENCE)?;
        let issuer = fields.expect(SEQUENCE)?;
        let mut validity = fields.within(SEQUENCE)?;
        Some(Certificate {
            version,
            serial_number,
            issuer,
            not_before: Time::read(&mut validity)?,
            not_after: Time::read(&mut validity)?,
            subject: fields.expect(SEQUENCE)?,
        })
    }

    /// Seconds since 1970 of the first and the last moment in which it is valid.
    pub fn validity(&self) -> (i64, i64) {
        (self.not_before.unix(), self.not_after.unix())
    }
}

impl Time {
    /// A certificate has it to the second in UTC (RFC 5280 §4.1.2.5).
    fn read(der: &mut Der<'_>) -> Option<Time> {
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
