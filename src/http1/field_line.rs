//! A line of a head or of a trailer section: a field (RFC 9112 §5).

use std::ops::Range;

use crate::http1::search;

/// Why a line is no field.
pub(super) const NO_COLON: &str = "a line of the head has no colon";
/// Why a line is no field.
pub(super) const NOT_ASCII: &str = "a field's name is not ASCII";

/// Name and value of a field line, without its line end. A folded line begins with a blank, which no name does.
///
/// # Errors
/// It has no colon, or a name that is no text. Whether the name is a token is for [`Headers::append`] to say.
///
/// [`Headers::append`]: crate::http1::message::Headers::append
pub fn parse(line: &[u8]) -> Result<(&str, &[u8]), &'static str> {
    let (name, value) = split(line).ok_or(NO_COLON)?;
    let name = str::from_utf8(name).map_err(|_| NOT_ASCII)?;
    Ok((name, value))
}

/// What stands before the first colon, and behind it without the blanks round it.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (colon, value) = places(line)?;
    Some((line.get(..colon)?, line.get(value)?))
}

/// Where the first colon stands, and what is behind it without the blanks round it. Other white space belongs to a value, or
/// is refused in it.
pub(super) fn places(line: &[u8]) -> Option<(usize, Range<usize>)> {
    let is_blank = |at: usize| matches!(line.get(at), Some(b' ' | b'\t'));
    let colon = search::find_byte(line, b':')?;
    let (mut start, mut end) = (colon + 1, line.len());
    while start < end && is_blank(start) {
        start += 1;
    }
    while start < end && is_blank(end - 1) {
        end -= 1;
    }
    Some((colon, start..end))
}
