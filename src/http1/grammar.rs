//! Which bytes a token and a field value may have (RFC 9110 §5.5, §5.6.2).

use crate::http1::search;

/// Whether the text is a token (RFC 9110 §5.6.2), as a method or a field name must be.
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .iter()
            .all(|byte| IS_TOKEN_BYTE.get(usize::from(*byte)) == Some(&true))
}

/// Which bytes a token may have, to be looked up for every byte of every name.
const IS_TOKEN_BYTE: [bool; 256] =
    table_of(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

/// A table of all bytes, in which these are true.
#[expect(
    clippy::indexing_slicing,
    reason = "it is const, so that what is out of bounds does not compile"
)]
pub(super) const fn table_of(bytes: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
}

/// Whether each byte may stand in a field value.
pub(super) fn is_field_value(value: &[u8]) -> bool {
    let mut rest = value;
    while let Some(at) = search::find_control(rest) {
        match rest.get(at..) {
            Some([b'\t', behind @ ..]) => rest = behind,
            _ => return false,
        }
    }
    true
}

/// Whether a byte may stand in a field value: tab, visible, or obs-text (RFC 9110 §5.5).
pub(super) fn is_field_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_made_of_the_characters_of_the_rfc() {
        for byte in 0..=255 {
            let is_allowed = u8::is_ascii_alphanumeric(&byte) || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is_token(&[b'a', byte]), is_allowed, "{byte}");
        }
        assert!(!is_token(b""));
    }
}
