//! What a certificate that is trusted by a file says of itself, as far as webpki does not tell (RFC 5280 §4.1).

use rustls::pki_types::UnixTime;

use crate::platform::der::{
    BOOLEAN, Der, IA5_STRING, OBJECT_IDENTIFIER, OCTET_STRING, PRINTABLE_STRING, SEQUENCE, SET, Time, UTF8_STRING,
};

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
        let mut fields = Der(der).within(SEQUENCE)?.within(SEQUENCE)?;
        let (first, _) = fields.next()?;
        let has_version = first == VERSION;
        if has_version {
            fields.next()?;
        }
        let (_algorithm, _issuer) = (fields.expect(SEQUENCE)?, fields.expect(SEQUENCE)?);
        let mut validity = fields.within(SEQUENCE)?;
        let validity = (Time::read(&mut validity)?.unix(), Time::read(&mut validity)?.unix());
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
        while !extensions.is_empty() {
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
    while !names.is_empty() {
        let mut parts = Der(names.expect(SET)?);
        while !parts.is_empty() {
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
