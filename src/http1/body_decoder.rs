//! A request's content, freed of its framing as the bytes come (RFC 9112 §6, §7.1).

use crate::http1::chunk_line::{ChunkLine, Taken};
use crate::http1::field_line;
use crate::http1::framing::Framing;
use crate::http1::message::{Headers, is_token};
use crate::http1::message_limits::{MAX_BODY_LENGTH, MAX_EXTENSIONS, MAX_TRAILERS};

/// Why content cannot be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It is not framed as it must be.
    Malformed(&'static str),
    /// It is longer than it may be.
    TooLarge,
}

const NO_FIELD: DecodeError = DecodeError::Malformed("a line of the trailer section is no field");

/// Reads content of which some may be here, and the rest comes later.
#[derive(Debug)]
pub struct BodyDecoder {
    step: Step,
    limits: BodyLimits,
    /// Bytes of content so far.
    length: u64,
    /// Bytes of extensions so far.
    extensions: usize,
    /// The line of the trailer section that is being read.
    line: Vec<u8>,
    /// Bytes of the trailer section so far.
    trailers: usize,
    fields: Headers,
}

/// What content may have.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Most bytes of the content itself.
    pub content: u64,
    /// Most bytes of its trailer section.
    pub trailers: usize,
    /// Whether the fields of the trailer section are kept, see [`BodyDecoder::trailers`].
    pub keeps_trailers: bool,
}

impl Default for BodyLimits {
    /// Those of a client's request: [`MAX_BODY_LENGTH`] and [`MAX_TRAILERS`]. Trailer fields are not kept.
    fn default() -> BodyLimits {
        BodyLimits {
            content: MAX_BODY_LENGTH,
            trailers: MAX_TRAILERS,
            keeps_trailers: false,
        }
    }
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Content whose length was told.
    Sized {
        left: u64,
    },
    Line(ChunkLine),
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
    /// A decoder for the content of a client's request that is framed like that.
    ///
    /// # Errors
    /// It is too large already by what is told of it.
    pub fn new(framing: Framing) -> Result<BodyDecoder, DecodeError> {
        BodyDecoder::with_limits(framing, BodyLimits::default())
    }

    /// As [`BodyDecoder::new`], with other limits.
    ///
    /// # Errors
    /// It is too large already by what is told of it.
    pub fn with_limits(framing: Framing, limits: BodyLimits) -> Result<BodyDecoder, DecodeError> {
        let step = match framing {
            Framing::Length(0) => Step::Done,
            Framing::Length(length) if length > limits.content => return Err(DecodeError::TooLarge),
            Framing::Length(left) => Step::Sized { left },
            Framing::Chunked => Step::Line(ChunkLine::of_request()),
        };
        Ok(BodyDecoder {
            step,
            limits,
            length: 0,
            extensions: 0,
            line: Vec::new(),
            trailers: 0,
            fields: Headers::new(),
        })
    }

    /// The fields of the trailer section that have come, if they are kept.
    pub fn trailers(&self) -> &Headers {
        &self.fields
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
            (Step::Line(line), _) => self.after_line(line, byte),
            (Step::ChunkCr, b'\r') => Ok(Step::ChunkLf),
            (Step::ChunkLf, b'\n') => Ok(Step::Line(ChunkLine::of_request())),
            (Step::Trailer, _) => self.after_trailer(byte),
            (Step::TrailerEnd, b'\n') => self.end_trailer(),
            _ => Err(DecodeError::Malformed("a chunk is not framed by CR LF")),
        }
    }

    fn after_line(&mut self, mut line: ChunkLine, byte: u8) -> Result<Step, DecodeError> {
        match line.take(byte).map_err(DecodeError::Malformed)? {
            Taken::Needed => {}
            Taken::Dropped => {
                self.extensions += 1;
                if self.extensions > MAX_EXTENSIONS {
                    return Err(DecodeError::Malformed("the chunks' extensions are too long"));
                }
            }
            Taken::End(0) => return Ok(Step::Trailer),
            Taken::End(size) => return self.begin_chunk(size),
        }
        Ok(Step::Line(line))
    }

    fn begin_chunk(&mut self, size: u64) -> Result<Step, DecodeError> {
        self.length = self.length.saturating_add(size);
        if self.length > self.limits.content {
            return Err(DecodeError::TooLarge);
        }
        Ok(Step::Chunk { left: size })
    }

    fn after_trailer(&mut self, byte: u8) -> Result<Step, DecodeError> {
        self.trailers += 1;
        if self.trailers > self.limits.trailers {
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
        let (name, value) = field_line::parse(&self.line).map_err(|_| NO_FIELD)?;
        if self.limits.keeps_trailers {
            self.fields.append(name, value).map_err(|_| NO_FIELD)?;
        } else if !is_token(name.as_bytes()) {
            return Err(NO_FIELD);
        }
        self.line.clear();
        Ok(Step::Trailer)
    }
}

/// At most `length` bytes, and what is behind them.
fn split(bytes: &[u8], length: u64) -> (&[u8], &[u8]) {
    let at = usize::try_from(length).unwrap_or(usize::MAX).min(bytes.len());
    bytes.split_at_checked(at).unwrap_or((bytes, &[]))
}

#[cfg(test)]
mod tests;
