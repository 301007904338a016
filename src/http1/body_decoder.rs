//! A request's content, freed of its framing as the bytes come (RFC 9112 §6, §7.1).

use crate::http1::framing::Framing;
use crate::http1::limits::{MAX_BODY_LENGTH, MAX_EXTENSIONS, MAX_TRAILERS};
use crate::http1::message::is_token;

/// Most digits of a chunk's size: enough for any size with leading zeros, and no number that does not fit.
const MAX_DIGITS: u32 = 16;

/// Why content cannot be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It is not framed as it must be.
    Malformed(&'static str),
    /// It has more than 10 MB.
    TooLarge,
}

/// Reads content of which some may be here, and the rest comes later.
#[derive(Debug)]
pub struct BodyDecoder {
    step: Step,
    /// Bytes of content so far.
    length: u64,
    /// Bytes of extensions so far.
    extensions: usize,
    /// The line of the trailer section that is being read.
    line: Vec<u8>,
    /// Bytes of the trailer section so far.
    trailers: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Content whose length was told.
    Sized {
        left: u64,
    },
    Size {
        digits: u32,
        size: u64,
    },
    /// Blanks behind a size, which only an extension may follow.
    Blank {
        size: u64,
    },
    Extension {
        size: u64,
        is_quoted: bool,
        is_escaped: bool,
    },
    SizeEnd {
        size: u64,
    },
    Chunk {
        left: u64,
    },
    ChunkCr,
    ChunkLf,
    Trailer,
    TrailerEnd,
    Done,
}

impl BodyDecoder {
    /// A decoder for content that is framed like that.
    ///
    /// # Errors
    /// It is too large already by what is told of it.
    pub fn new(framing: Framing) -> Result<BodyDecoder, DecodeError> {
        let step = match framing {
            Framing::Length(0) => Step::Done,
            Framing::Length(length) if length > MAX_BODY_LENGTH => return Err(DecodeError::TooLarge),
            Framing::Length(left) => Step::Sized { left },
            Framing::Chunked => Step::Size { digits: 0, size: 0 },
        };
        Ok(BodyDecoder {
            step,
            length: 0,
            extensions: 0,
            line: Vec::new(),
            trailers: 0,
        })
    }

    /// Whether the end has been reached.
    pub fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    /// Takes bytes as far as they belong to the content, and adds the content to the other; tells how many it took.
    ///
    /// # Errors
    /// See [`DecodeError`]; nothing can be read from the connection then.
    pub fn decode(&mut self, bytes: &[u8], content: &mut Vec<u8>) -> Result<usize, DecodeError> {
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            rest = match self.step {
                Step::Done => break,
                Step::Sized { left } => {
                    let (part, behind) = split(rest, left);
                    content.extend_from_slice(part);
                    let left = left - part.len() as u64;
                    self.step = if left == 0 { Step::Done } else { Step::Sized { left } };
                    behind
                }
                Step::Chunk { left } => {
                    let (part, behind) = split(rest, left);
                    content.extend_from_slice(part);
                    let left = left - part.len() as u64;
                    self.step = if left == 0 { Step::ChunkCr } else { Step::Chunk { left } };
                    behind
                }
                _ => {
                    self.step = self.after(*first)?;
                    behind
                }
            };
        }
        Ok(bytes.len() - rest.len())
    }

    /// The step after a byte that is no content.
    fn after(&mut self, byte: u8) -> Result<Step, DecodeError> {
        match (self.step, byte) {
            (Step::Size { digits, size }, _) => self.after_size(digits, size, byte),
            (Step::Blank { size }, b' ' | b'\t') => self.extend(Step::Blank { size }),
            (Step::Blank { size }, b';') => self.extend(extension(size)),
            (Step::Extension { .. }, _) => self.after_extension(byte),
            (Step::SizeEnd { size: 0 }, b'\n') => Ok(Step::Trailer),
            (Step::SizeEnd { size }, b'\n') => self.begin_chunk(size),
            (Step::ChunkCr, b'\r') => Ok(Step::ChunkLf),
            (Step::ChunkLf, b'\n') => Ok(Step::Size { digits: 0, size: 0 }),
            (Step::Trailer, _) => self.after_trailer(byte),
            (Step::TrailerEnd, b'\n') => self.end_trailer(),
            _ => Err(DecodeError::Malformed("a chunk is not framed by CR LF")),
        }
    }

    fn after_size(&mut self, digits: u32, size: u64, byte: u8) -> Result<Step, DecodeError> {
        let Some(digit) = char::from(byte).to_digit(16) else {
            return match byte {
                _ if digits == 0 => Err(DecodeError::Malformed("a chunk has no size")),
                b'\r' => Ok(Step::SizeEnd { size }),
                b';' => self.extend(extension(size)),
                b' ' | b'\t' => self.extend(Step::Blank { size }),
                _ => Err(DecodeError::Malformed("a chunk's size is not a number")),
            };
        };
        if digits == MAX_DIGITS {
            return Err(DecodeError::Malformed("a chunk's size has too many digits"));
        }
        Ok(Step::Size {
            digits: digits + 1,
            size: (size << 4) | u64::from(digit),
        })
    }

    fn after_extension(&mut self, byte: u8) -> Result<Step, DecodeError> {
        let Step::Extension {
            size,
            is_quoted,
            is_escaped,
        } = self.step
        else {
            return Ok(self.step);
        };
        let step = match byte {
            b'\r' if is_quoted => return Err(DecodeError::Malformed("a chunk's extension leaves a quote open")),
            b'\r' => return Ok(Step::SizeEnd { size }),
            b'\t' | b' '..=b'~' | 0x80.. => Step::Extension {
                size,
                is_quoted: is_quoted != (byte == b'"' && !is_escaped),
                is_escaped: is_quoted && byte == b'\\' && !is_escaped,
            },
            _ => return Err(DecodeError::Malformed("a chunk's extension has a control byte")),
        };
        self.extend(step)
    }

    /// Counts a byte of an extension.
    fn extend(&mut self, step: Step) -> Result<Step, DecodeError> {
        self.extensions += 1;
        if self.extensions > MAX_EXTENSIONS {
            return Err(DecodeError::Malformed("the chunks' extensions are too long"));
        }
        Ok(step)
    }

    fn begin_chunk(&mut self, size: u64) -> Result<Step, DecodeError> {
        self.length = self.length.saturating_add(size);
        if self.length > MAX_BODY_LENGTH {
            return Err(DecodeError::TooLarge);
        }
        Ok(Step::Chunk { left: size })
    }

    fn after_trailer(&mut self, byte: u8) -> Result<Step, DecodeError> {
        self.trailers += 1;
        if self.trailers > MAX_TRAILERS {
            return Err(DecodeError::Malformed("the trailer section is too long"));
        }
        match byte {
            b'\r' => return Ok(Step::TrailerEnd),
            b'\t' | b' '..=b'~' | 0x80.. => self.line.push(byte),
            _ => return Err(DecodeError::Malformed("the trailer section has a control byte")),
        }
        Ok(Step::Trailer)
    }

    /// Ends a line of the trailer section; the empty one is the last.
    fn end_trailer(&mut self) -> Result<Step, DecodeError> {
        if self.line.is_empty() {
            return Ok(Step::Done);
        }
        let name = self.line.split(|byte| *byte == b':').next().unwrap_or_default();
        if !is_token(name) || name.len() == self.line.len() {
            return Err(DecodeError::Malformed("a line of the trailer section is no field"));
        }
        self.line.clear();
        Ok(Step::Trailer)
    }
}

fn extension(size: u64) -> Step {
    Step::Extension {
        size,
        is_quoted: false,
        is_escaped: false,
    }
}

/// At most `length` bytes, and what is behind them.
fn split(bytes: &[u8], length: u64) -> (&[u8], &[u8]) {
    let at = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
    bytes.split_at_checked(at).unwrap_or((bytes, &[]))
}

#[cfg(test)]
mod tests;
