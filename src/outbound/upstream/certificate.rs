//! What a certificate that is trusted by a file says of itself, as far as webpki does not tell (RFC 5280 §4.1).

use rustls::pki_types::UnixTime;

use crate::platform::clock::days_from_civil;

const BOOLEAN: u8 = 0x01;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0]`, the version; where it is left out, that is the first.
const VERSION: u8 = 0xa0;
/// `[3]`.
const EXTENSIONS: u8 = 0xa3;

/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// 2.5.29.19
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];

/// A certificate's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Seconds since 1970 of the first and the last in which it is valid.
    pub(super) validity: (i64, i64),
    /// It may sign others. One of the first version cannot say so, and may.
    pub(super) is_authority: bool,
    /// The last common name of its subject.
    pub(super) common_name: Option<String>,
    /// It has names for which it is, so that the common name is none (RFC 6125 §6.4.4).
    pub(super) has_alternative_names: bool,
}

impl Certificate {
    /// Reads a certificate; none where it is malformed.
    pub(super) fn parse(der: &[u8]) -> Option<Certificate> {
        let mut certificate = Der(Der(der).expect(SEQUENCE)?);
        let mut fields = Der(certificate.expect(SEQUENCE)?);
        let (first, _) = fields.next()?;
        let has_version = first == VERSION;
        if has_version {
            fields.next()?;
        }
        let (_algorithm, _issuer) = (fields.expect(SEQUENCE)?, fields.expect(SEQUENCE)?);
        let mut validity = Der(fields.expect(SEQUENCE)?);
        let validity = (validity.time()?, validity.time()?);
        let common_name = common_name(fields.expect(SEQUENCE)?)?;
        let mut parsed = Certificate {
            validity,
            is_authority: !has_version,
            common_name,
            has_alternative_names: false,
        };
        while let Some((tag, value)) = fields.next() {
            if tag == EXTENSIONS {
                parsed.read_extensions(Der(value).expect(SEQUENCE)?)?;
            }
        }
        Some(parsed)
    }

    fn read_extensions(&mut self, extensions: &[u8]) -> Option<()> {
        let mut extensions = Der(extensions);
        while !extensions.0.is_empty() {
            let mut extension = Der(extensions.expect(SEQUENCE)?);
            let name = extension.expect(OBJECT_IDENTIFIER)?;
            let value = match extension.next()? {
                (BOOLEAN, _) => extension.expect(OCTET_STRING)?,
                (OCTET_STRING, value) => value,
                _ => return None,
            };
            match name {
                SUBJECT_ALT_NAME => self.has_alternative_names = true,
                BASIC_CONSTRAINTS => {
                    let first = Der(Der(value).expect(SEQUENCE)?).next();
                    self.is_authority = matches!(first, Some((BOOLEAN, [byte])) if *byte != 0);
                }
                _ => {}
            }
        }
        Some(())
    }

    /// Whether it is valid at that time.
    pub(super) fn is_valid_at(&self, now: UnixTime) -> Result<(), rustls::CertificateError> {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        match self.validity {
            (from, _) if now < from => Err(rustls::CertificateError::NotValidYet),
            (_, until) if now > until => Err(rustls::CertificateError::Expired),
            _ => Ok(()),
        }
    }
}

/// The last common name; none where the names are malformed.
fn common_name(names: &[u8]) -> Option<Option<String>> {
    let mut names = Der(names);
    let mut common_name = None;
    while !names.0.is_empty() {
        let mut parts = Der(names.expect(SET)?);
        while !parts.0.is_empty() {
            let mut part = Der(parts.expect(SEQUENCE)?);
            if part.expect(OBJECT_IDENTIFIER)? == COMMON_NAME
                && let (UTF8_STRING | PRINTABLE_STRING | IA5_STRING, text) = part.next()?
            {
                common_name = str::from_utf8(text).ok().map(str::to_owned);
            }
        }
    }
    Some(common_name)
}

/// Values one after the other, in the distinguished encoding (X.690).
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Tag and value of the next one.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
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
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, value) = self.next()?;
        (found == tag).then_some(value)
    }

    /// A time to the second in UTC, which is how a certificate has it (RFC 5280 §4.1.2.5).
    fn time(&mut self) -> Option<i64> {
        let (tag, text) = self.next()?;
        let text = str::from_utf8(text).ok()?.strip_suffix('Z')?;
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number = |text: &str| text.parse::<i64>().ok();
        let (year, rest) = match (tag, text.len()) {
            (UTC_TIME, 12) => {
                let (year, rest) = text.split_at_checked(2)?;
                let year = number(year)?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            (GENERALIZED_TIME, 14) => {
                let (year, rest) = text.split_at_checked(4)?;
                (number(year)?, rest)
            }
            _ => return None,
        };
        let part = |at: usize| rest.get(at..at + 2).and_then(number);
        let (month, day) = (part(0)?, part(2)?);
        let (hour, minute, second) = (part(4)?, part(6)?, part(8)?);
        let is_real = (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..=60).contains(&second);
        is_real.then(|| days_from_civil(year, month, day) * 86_400 + (hour * 60 + minute) * 60 + second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

    fn der(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new([]).unwrap();
        params.not_before = rcgen::date_time_ymd(1970, 1, 2);
        params.not_after = rcgen::date_time_ymd(2100, 3, 1);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_what_it_is() {
        let plain = Certificate::parse(&der(|_| ())).unwrap();
        assert_eq!(plain.validity, (86_400, 4_107_542_400));
        assert!(!plain.is_authority && !plain.has_alternative_names);
        for (constraints, is_authority) in [
            (IsCa::NoCa, false),
            (IsCa::ExplicitNoCa, false),
            (IsCa::Ca(BasicConstraints::Unconstrained), true),
            (IsCa::Ca(BasicConstraints::Constrained(0)), true),
        ] {
            let parsed = Certificate::parse(&der(|params| params.is_ca = constraints)).unwrap();
            assert_eq!(parsed.is_authority, is_authority, "{constraints:?}");
        }
        let named = Certificate::parse(&der(|params| {
            params.distinguished_name.push(DnType::OrganizationName, "b.test");
            params.distinguished_name.push(DnType::CommonName, "a.test");
        }));
        assert_eq!(named.unwrap().common_name.as_deref(), Some("a.test"));
        let named = CertificateParams::new(["a.test".to_owned()]).unwrap();
        assert!(
            Certificate::parse(&der(|params| *params = named))
                .unwrap()
                .has_alternative_names
        );
    }

    #[test]
    fn its_time_counts_to_the_second() {
        let certificate = Certificate {
            validity: (10, 20),
            is_authority: false,
            common_name: None,
            has_alternative_names: false,
        };
        for (now, is_valid) in [(9, false), (10, true), (20, true), (21, false)] {
            let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
            assert_eq!(certificate.is_valid_at(now).is_ok(), is_valid, "{now:?}");
        }
    }

    #[test]
    fn what_is_cut_or_changed_makes_no_panic() {
        let whole = der(|params| params.distinguished_name.push(DnType::CommonName, "a.test"));
        for length in 0..whole.len() {
            assert_eq!(Certificate::parse(&whole[..length]), None, "{length}");
        }
        for at in 0..whole.len() {
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                let _ = Certificate::parse(&changed);
            }
        }
    }
}
