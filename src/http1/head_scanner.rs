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
            let Some(offset) = search::find_control(rest) else {
                self.at = bytes.len();
                return Ok(None);
            };
            let at = self.at + offset;
            match (bytes.get(at), bytes.get(at + 1)) {
                (Some(b'\t'), _) => self.at = at + 1,
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

/// The first line of a whole head without its line end, and the lines of its fields.
pub(super) fn split_first_line(head: &[u8]) -> (&[u8], &[u8]) {
    let Some(end) = search::find_byte(head, b'\n') else {
        return (head, &[]);
    };
    let line = head.get(..end).unwrap_or_default();
    let fields = head.get(end + 1..).unwrap_or_default();
    (line.strip_suffix(b"\r").unwrap_or(line), fields)
}

/// Reads the lines of the fields up to the empty line, so many at most.
///
/// # Errors
/// A line is no field, or there are more.
pub(super) fn read_fields(lines: &[u8], most: usize) -> Result<Headers, HeadError> {
    const NO_FIELD: HeadError = HeadError::Malformed("a line of the head is no field");
    // All is text but for values in Latin-1.
    let text = str::from_utf8(lines).ok();
    let mut headers = match text {
        Some(text) => Headers::of_lines(text),
        None => Headers::with_capacity(lines.len()),
    };
    let mut start = 0;
    for number in 0.. {
        let end = line_end(lines, start).ok_or(NO_FIELD)?;
        let line = lines.get(start..end).unwrap_or_default();
        if line.is_empty() {
            break;
        }
        if number == most {
            return Err(HeadError::TooManyFields);
        }
        let (colon, value) = field_line::places(line).ok_or(HeadError::Malformed(field_line::NO_COLON))?;
        let added = match text {
            Some(_) => headers.add_line(start, colon, value),
            None => {
                let name = line.get(..colon).and_then(|name| str::from_utf8(name).ok());
                let name = name.ok_or(HeadError::Malformed(field_line::NOT_ASCII))?;
                headers.append(name, line.get(value).unwrap_or_default())
            }
        };
        added.map_err(|_| NO_FIELD)?;
        start = end + b"\r\n".len();
    }
    Ok(headers)
}

/// Where the line ends that begins there, before its CR LF; none where another control byte but tab stands in it.
fn line_end(lines: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let rest = lines.get(at..).unwrap_or_default();
        let Some(offset) = search::find_control(rest) else {
            return Some(lines.len());
        };
        at += offset;
        match (lines.get(at), lines.get(at + 1)) {
            (Some(b'\t'), _) => at += 1,
            (Some(b'\r'), Some(b'\n')) => return Some(at),
            _ => return None,
        }
    }
}
