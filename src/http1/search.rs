//! Searches in bytes, many at a time.

/// Bytes that are looked at together. Compilers make one comparison of them.
const WIDTH: usize = 16;

/// Where the first byte stands that is wanted.
///
/// # Example
/// ```
/// use apigateway::http1::search::position;
/// assert_eq!(position(b"a long field value\r\n", |byte| byte == b'\r'), Some(18));
/// assert_eq!(position(b"short", |byte| byte == b'\r'), None);
/// ```
pub fn position(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let is_there = |part: &&[u8]| part.iter().fold(false, |found, byte| found | wanted(*byte));
    let passed = bytes.chunks_exact(WIDTH).take_while(|part| !is_there(part)).count() * WIDTH;
    let rest = bytes.get(passed..).unwrap_or_default();
    rest.iter().position(|byte| wanted(*byte)).map(|at| passed + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_wherever_it_stands() {
        for length in 0..70 {
            let mut bytes = vec![b'a'; length];
            assert_eq!(position(&bytes, |byte| byte == b'x'), None, "{length}");
            for at in (0..length).rev() {
                bytes[at] = b'x';
                assert_eq!(position(&bytes, |byte| byte == b'x'), Some(at), "{at} of {length}");
            }
        }
    }
}
