//! Names of fields are kept in lower case; which of their letters were capitals is kept beside.

use std::borrow::Cow;

/// Letters whose case is kept. Longer names come back in lower case behind these.
const KEPT: usize = 64;

/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;

/// Makes a name lower case; which of its first 64 letters were capitals. It takes eight letters at once.
///
/// # Example
/// ```
/// use apigateway::http1::capitals::{lower, restored};
///
/// let mut name = *b"X-Request-ID";
/// let capitals = lower(&mut name);
/// assert_eq!(&name, b"x-request-id");
/// assert_eq!(restored("x-request-id", capitals), "X-Request-ID");
/// ```
pub fn lower(name: &mut [u8]) -> u64 {
    let mut capitals = 0;
    for (number, letters) in name.chunks_mut(8).enumerate() {
        let mut bytes = [0; 8];
        for (byte, letter) in bytes.iter_mut().zip(&*letters) {
            *byte = *letter;
        }
        let word = u64::from_le_bytes(bytes);
        let low = word & (ONES * 0x7f);
        // The highest bit of each byte tells: from A on, and behind Z.
        let from_a = low + ONES * (0x80 - 0x41);
        let behind_z = low + ONES * (0x80 - 0x5b);
        let found = from_a & !behind_z & !word & (ONES * 0x80);
        if found == 0 {
            continue;
        }
        let lowered = (word | (found >> 2)).to_le_bytes();
        for (letter, byte) in letters.iter_mut().zip(lowered) {
            *letter = byte;
        }
        // The eight bits side by side, that of the first letter lowest.
        let together = (found >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        if number < KEPT / 8 {
            capitals |= together << (8 * number);
        }
    }
    capitals
}

/// A name with its capitals.
pub fn restored(name: &str, capitals: u64) -> Cow<'_, str> {
    if capitals == 0 {
        return Cow::Borrowed(name);
    }
    let letter = |(number, letter): (usize, char)| match number < KEPT && capitals >> number & 1 == 1 {
        true => letter.to_ascii_uppercase(),
        false => letter,
    };
    Cow::Owned(name.chars().enumerate().map(letter).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_were() {
        for name in [
            "",
            "a",
            "A",
            "Host",
            "x-b",
            "X-Amz-Security-Token",
            "@AZ[`az{",
            "aBcDeFgHiJkLmNoP-Q",
        ] {
            let mut bytes = name.as_bytes().to_vec();
            let capitals = lower(&mut bytes);
            let lowered = String::from_utf8(bytes).unwrap();
            assert_eq!(lowered, name.to_ascii_lowercase());
            assert_eq!(restored(&lowered, capitals), name);
        }
        let long = "A".repeat(70);
        let mut bytes = long.clone().into_bytes();
        let capitals = lower(&mut bytes);
        assert_eq!(bytes, "a".repeat(70).into_bytes());
        let restored = restored(&"a".repeat(70), capitals).into_owned();
        assert_eq!(restored, format!("{}aaaaaa", "A".repeat(64)));
        let mut odd = [0xc1, b'A', 0x80, 0xff];
        assert_eq!(lower(&mut odd), 0b10);
        assert_eq!(odd, [0xc1, b'a', 0x80, 0xff]);
    }
}
