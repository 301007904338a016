//! Names of fields are kept in lower case; which of their letters were capitals is kept beside.

use std::borrow::Cow;

/// Letters whose case is kept. Longer names come back in lower case behind these.
const KEPT: usize = 64;

/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;

/// Which of a name's first 64 letters are capitals, the first one in the lowest bit. It takes eight letters at once.
///
/// # Example
/// ```
/// use apigateway::http1::capitals::{capitals, restored};
/// assert_eq!(restored("x-request-id", capitals(b"X-Request-ID")), "X-Request-ID");
/// ```
pub fn capitals(name: &[u8]) -> u64 {
    let (words, rest) = name.as_chunks();
    let mut capitals = 0;
    for (number, letters) in words.iter().take(KEPT / 8).enumerate() {
        capitals |= of_word(u64::from_le_bytes(*letters)) << (8 * number);
    }
    if words.len() < KEPT / 8 {
        let word = rest.iter().rev().fold(0, |word, letter| word << 8 | u64::from(*letter));
        capitals |= of_word(word) << (8 * words.len());
    }
    capitals
}

/// Which of eight letters are capitals, the first one in the lowest byte and in the lowest bit.
fn of_word(word: u64) -> u64 {
    let low = word & (ONES * 0x7f);
    // The highest bit of each byte tells: from A on, and behind Z.
    let from_a = low + ONES * (0x80 - 0x41);
    let behind_z = low + ONES * (0x80 - 0x5b);
    let found = from_a & !behind_z & !word & (ONES * 0x80);
    // The eight bits side by side.
    (found >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
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

/// Appends a name with its capitals.
pub fn append_restored(to: &mut Vec<u8>, name: &str, mut capitals: u64) {
    let start = to.len();
    to.extend_from_slice(name.as_bytes());
    let name = to.get_mut(start..).unwrap_or_default();
    while capitals != 0 {
        let at = usize::try_from(capitals.trailing_zeros()).unwrap_or_default();
        if let Some(letter) = name.get_mut(at) {
            letter.make_ascii_uppercase();
        }
        // Without the lowest bit.
        capitals &= capitals - 1;
    }
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
            assert_eq!(restored(&name.to_ascii_lowercase(), capitals(name.as_bytes())), name);
            let mut appended = b"before ".to_vec();
            append_restored(&mut appended, &name.to_ascii_lowercase(), capitals(name.as_bytes()));
            assert_eq!(appended, format!("before {name}").into_bytes());
        }
        let long = "A".repeat(70);
        let restored = restored(&"a".repeat(70), capitals(long.as_bytes())).into_owned();
        assert_eq!(restored, format!("{}aaaaaa", "A".repeat(64)));
        // Letters beyond ASCII have no case here.
        assert_eq!(capitals("\u{c1}A\u{80}".as_bytes()), 0b100);
    }
}
