//! What a certificate says of itself, as far as the verification of chains does not tell (RFC 5280 §4.1).

use crate::platform::der::{Der, INTEGER, SEQUENCE, Time};

/// `[0]`, the version; where it is left out, that is the first.
const VERSION: u8 = 0xa0;

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
