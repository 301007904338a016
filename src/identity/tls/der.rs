//! The distinguished encoding of what stands in certificates (X.690), value by value.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const NUMERIC_STRING: u8 = 0x12;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const TELETEX_STRING: u8 = 0x14;
pub(super) const IA5_STRING: u8 = 0x16;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const UNIVERSAL_STRING: u8 = 0x1c;
pub(super) const BMP_STRING: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Values one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Der<'a>(pub(super) &'a [u8]);

impl<'a> Der<'a> {
    /// Whether there is none left.
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next one.
    pub(super) fn tag(self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Tag and value of the next one.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
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
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, value) = self.next()?;
        (found == tag).then_some(value)
    }

    /// The values in the next one, which must have that tag.
    pub(super) fn within(&mut self, tag: u8) -> Option<Der<'a>> {
        self.expect(tag).map(Der)
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
}
