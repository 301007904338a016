//! The content of a message, freed of its framing as the bytes come (RFC 9112 §6, §7.1): one decoder for both roles.

use crate::http1::chunk_line::{ChunkLine, Taken};
use crate::http1::field_line;
use crate::http1::framing::{Framing, ResponseFraming};
use crate::http1::message::{Headers, is_token};
use crate::http1::message_limits::{MAX_BODY_LENGTH, MAX_EXTENSIONS, MAX_RESPONSE_TRAILERS, MAX_TRAILERS};

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
    /// The line before a chunk, of which nothing has come.
    chunk_line: ChunkLine,
    limits: BodyLimits,
    /// Bytes of content so far.
    length: u64,
    /// Bytes of extensions so far. Those of a response are bounded for each chunk, by [`ChunkLine`].
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
    /// Most bytes of the extensions of all chunks.
    pub extensions: usize,
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
            extensions: MAX_EXTENSIONS,
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
    /// Content that ends with the connection.
    UntilEnd,
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
        Ok(BodyDecoder::begin(step, ChunkLine::of_request(), limits))
    }

    /// A decoder for the content of a response. The content has no limit; the trailer section, which is dropped, has
    /// [`MAX_RESPONSE_TRAILERS`], and the line of each chunk has that of [`ChunkLine::of_response`].
    pub fn of_response(framing: ResponseFraming) -> BodyDecoder {
        let step = match framing {
            ResponseFraming::Length(0) => Step::Done,
            ResponseFraming::Length(left) => Step::Sized { left },
            ResponseFraming::Chunked => Step::Line(ChunkLine::of_response()),
            ResponseFraming::UntilEnd => Step::UntilEnd,
        };
        let limits = BodyLimits {
            content: u64::MAX,
            extensions: usize::MAX,
            trailers: MAX_RESPONSE_TRAILERS,
            keeps_trailers: false,
        };
        BodyDecoder::begin(step, ChunkLine::of_response(), limits)
    }

    fn begin(step: Step, chunk_line: ChunkLine, limits: BodyLimits) -> BodyDecoder {
        BodyDecoder {
            step,
            chunk_line,
            limits,
            length: 0,
            extensions: 0,
            line: Vec::new(),
            trailers: 0,
            fields: Headers::new(),
        }
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
        while !rest.is_empty() && !self.is_done() {
            rest = self.take_framing(rest)?;
            let (part, behind) = split(rest, self.content_ahead());
            content.extend_from_slice(part);
            self.pass(part.len());
            rest = behind;
        }
        Ok(bytes.len() - rest.len())
    }

    /// As [`BodyDecoder::decode`], into a buffer: tells how many bytes it took, and how many of them are content. It stops
    /// where the buffer is full, but takes the framing behind that content.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode_to(&mut self, bytes: &[u8], buffer: &mut [u8]) -> Result<(usize, usize), DecodeError> {
        let (mut rest, mut filled) = (bytes, 0);
        while !rest.is_empty() && !self.is_done() {
            rest = self.take_framing(rest)?;
            let (part, _) = split(rest, self.content_ahead());
            let room = buffer.get_mut(filled..).unwrap_or_default();
            let count = part.len().min(room.len());
            if let (Some(to), Some(from)) = (room.get_mut(..count), part.get(..count)) {
                to.copy_from_slice(from);
            }
            self.pass(count);
            filled += count;
            rest = rest.get(count..).unwrap_or_default();
            if count < part.len() {
                break;
            }
        }
        Ok((bytes.len() - rest.len(), filled))
    }

    /// Bytes of content that come next with nothing between them. They may be read elsewhere, see [`BodyDecoder::pass`].
    pub fn content_ahead(&self) -> u64 {
        match self.step {
            Step::Sized { left } | Step::Chunk { left } => left,
            Step::UntilEnd => u64::MAX,
            _ => 0,
        }
    }

    /// So many bytes of the content ahead were taken.
    pub fn pass(&mut self, count: usize) {
        let count = count as u64;
        match &mut self.step {
            Step::Sized { left } if *left <= count => self.step = Step::Done,
            Step::Chunk { left } if *left <= count => self.step = Step::ChunkCr,
            Step::Sized { left } | Step::Chunk { left } => *left -= count,
            _ => {}
        }
    }

    /// The connection has ended in order: whether that is the end of the content.
    pub fn end(&mut self) -> bool {
        if self.step == Step::UntilEnd {
            self.step = Step::Done;
        }
        self.is_done()
    }

    /// Takes what stands before the next content; the rest begins with content, or with what is none of it.
    fn take_framing<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            if matches!(
                self.step,
                Step::Sized { .. } | Step::Chunk { .. } | Step::UntilEnd | Step::Done
            ) {
                break;
            }
            self.step = self.after(*first)?;
            rest = behind;
        }
        Ok(rest)
    }

    /// The step after a byte that is no content.
    fn after(&mut self, byte: u8) -> Result<Step, DecodeError> {
        match (self.step, byte) {
            (Step::Line(line), _) => self.after_line(line, byte),
            (Step::ChunkCr, b'\r') => Ok(Step::ChunkLf),
            (Step::ChunkLf, b'\n') => Ok(Step::Line(self.chunk_line)),
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
                if self.extensions > self.limits.extensions {
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
