//! A line of a head or of a trailer section: a field (RFC 9112 §5).

/// Name and value of a field line, without its line end. A folded line begins with a blank, which no name does.
///
/// # Errors
/// It has no colon, or a name that is no text. Whether the name is a token is for [`Headers::append`] to say.
///
/// [`Headers::append`]: crate::http1::message::Headers::append
pub fn parse(line: &[u8]) -> Result<(&str, &[u8]), &'static str> {
    let colon = line.iter().position(|byte| *byte == b':');
    let (name, value) = colon
        .and_then(|at| line.split_at_checked(at))
        .ok_or("a line of the head has no colon")?;
    let name = str::from_utf8(name).map_err(|_| "a field's name is not ASCII")?;
    Ok((name, trimmed(value.get(1..).unwrap_or_default())))
}

/// Without the blanks round it; other white space belongs to a value, or is refused in it.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
