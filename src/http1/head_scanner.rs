//! Where a head ends, of a request or of a response, and its lines (RFC 9112 §2.1).

use crate::http1::error::HeadError;
use crate::http1::field_line;
use crate::http1::message::Headers;
use crate::http1::message_limits::MAX_REQUEST_HEAD_LENGTH;
use crate::http1::search;

/// Looks for the end of a head in bytes that come bit by bit.
#[derive(Clone, Copy, Debug)]
pub struct HeadScanner {
    /// Most bytes that the head may have.
    most: usize,
    /// Where to go on.
    at: usize,
    /// Where the line begins that is being looked at.
    line: usize,
}

impl Default for HeadScanner {
    /// For the head of a client's request, see [`MAX_REQUEST_HEAD_LENGTH`].
    fn default() -> HeadScanner {
        HeadScanner::with_limit(MAX_REQUEST_HEAD_LENGTH)
    }
}

impl HeadScanner {
    /// For a head of at most so many bytes.
    pub fn with_limit(most: usize) -> HeadScanner {
        HeadScanner { most, at: 0, line: 0 }
    }

    /// The length of the head, with its empty line, once it is whole. The bytes are those of before, and more.
    ///
    /// # Errors
    /// It cannot become a head any more, however it goes on.
    pub fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        let end = self.find_empty_line(bytes)?;
        let length = end.unwrap_or(bytes.len());
        if length > self.most {
            return Err(HeadError::TooLarge);
        }
        Ok(end)
    }

    fn find_empty_line(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some(offset) = search::position(rest, is_control) else {
                self.at = bytes.len();
                return Ok(None);
            };
            let at = self.at + offset;
            match (bytes.get(at), bytes.get(at + 1)) {
                (Some(b'\r'), None) => {
                    self.at = at;
                    return Ok(None);
                }
                (Some(b'\r'), Some(b'\n')) => {
                    let is_empty = at == self.line;
                    self.at = at + 2;
                    self.line = self.at;
                    if is_empty {
                        return Ok(Some(self.at));
                    }
                }
                _ => {
                    return Err(HeadError::Malformed(
                        "the head has a control byte, or a line end that is not CR LF",
                    ));
                }
            }
        }
    }
}

/// Whether a byte can stand nowhere in a head but in a line end.
fn is_control(byte: u8) -> bool {
    ((byte < b' ') & (byte != b'\t')) | (byte == 0x7f)
}

/// The lines of a whole head without their line ends: the first one, and those of the fields.
pub(super) fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(head.strip_suffix(b"\r\n\r\n").unwrap_or(head));
    std::iter::from_fn(move || {
        let text = rest?;
        let (line, others) = match search::position(text, |byte| byte == b'\n') {
            Some(end) => (text.get(..end), text.get(end + 1..)),
            None => (Some(text), None),
        };
        rest = others;
        line.map(|line| line.strip_suffix(b"\r").unwrap_or(line))
    })
}

/// Reads the lines of the fields, so many at most.
///
/// # Errors
/// A line is no field, or there are more.
pub(super) fn read_fields<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    headers: &mut Headers,
    most: usize,
) -> Result<(), HeadError> {
    for (number, line) in lines.enumerate() {
        if number == most {
            return Err(HeadError::TooManyFields);
        }
        let (name, value) = field_line::parse(line).map_err(HeadError::Malformed)?;
        headers
            .append(name, value)
            .map_err(|_| HeadError::Malformed("a line of the head is no field"))?;
    }
    Ok(())
}
