//! Searches in bytes, eight at a time.

/// A word of eight bytes, each 1, and each with its highest bit alone.
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHEST_BITS: u64 = 0x8080_8080_8080_8080;

/// Where a byte stands first.
///
/// # Example
/// ```
/// use apigateway::http1::search::find_byte;
/// assert_eq!(find_byte(b"a long field value\r\n", b'\r'), Some(18));
/// assert_eq!(find_byte(b"short", b'\r'), None);
/// ```
pub fn find_byte(bytes: &[u8], wanted: u8) -> Option<usize> {
    let all = u64::from(wanted) * ONES;
    find(bytes, |word| zeros(word ^ all), |byte| byte == wanted)
}

/// Where a control byte stands first: one below the blank, or DEL. Tab is one.
///
/// # Example
/// ```
/// use apigateway::http1::search::find_control;
/// assert_eq!(find_control(b"Host: caf\xe9.test\x7f"), Some(15));
/// ```
pub fn find_control(bytes: &[u8]) -> Option<usize> {
    let in_word = |word: u64| {
        let below_blank = word.wrapping_sub(u64::from(b' ') * ONES) & !word & HIGHEST_BITS;
        below_blank | zeros(word ^ (0x7f * ONES))
    };
    find(bytes, in_word, |byte| byte < b' ' || byte == 0x7f)
}

/// The highest bit of the first byte that is zero. Bits of later bytes may be set wrongly, by the borrow.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHEST_BITS
}

/// Where the first byte is that is wanted. In a word of eight bytes, the lowest bit that is found tells it.
fn find(bytes: &[u8], in_word: impl Fn(u64) -> u64, is_wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (words, rest) = bytes.as_chunks();
    for (number, word) in words.iter().enumerate() {
        let found = in_word(u64::from_le_bytes(*word));
        if found != 0 {
            let place = usize::try_from(found.trailing_zeros() / u8::BITS).unwrap_or_default();
            return Some(number * size_of::<u64>() + place);
        }
    }
    let at = rest.iter().position(|byte| is_wanted(*byte))?;
    Some(bytes.len() - rest.len() + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_found_wherever_it_stands() {
        for byte in 0..=255 {
            let is_control = byte < b' ' || byte == 0x7f;
            for other in [b'a', b' ', b'~', 0x80, 0xff, byte.wrapping_add(1).max(b' ') | 0x80] {
                for length in [1, 7, 8, 9, 16, 30] {
                    for at in 0..length {
                        let mut bytes = vec![other; length];
                        bytes[at] = byte;
                        // What stands behind it makes no difference.
                        bytes[at + 1..].fill(byte.wrapping_add(1));
                        let first = bytes.iter().position(|one| *one == byte);
                        assert_eq!(find_byte(&bytes, byte), first, "{byte} in {bytes:?}");
                        let control = bytes.iter().position(|one| *one < b' ' || *one == 0x7f);
                        assert_eq!(find_control(&bytes), control, "{bytes:?}");
                        assert!(!is_control || control == Some(at), "{bytes:?}");
                    }
                }
            }
        }
        assert_eq!((find_byte(b"", b'a'), find_control(b"")), (None, None));
    }
}
