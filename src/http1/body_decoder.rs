//! A request's content, freed of its framing as the bytes come (RFC 9112 §6, §7.1).

use crate::http1::chunk_line::{ChunkLine, Taken};
use crate::http1::field_line;
use crate::http1::framing::Framing;
use crate::http1::limits::{MAX_BODY_LENGTH, MAX_EXTENSIONS, MAX_TRAILERS};
use crate::http1::message::{Headers, is_token};

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
mod tests {
    use super::*;

    /// Decodes in parts of that many bytes; the content and what is left, or the error.
    fn decode(framing: Framing, bytes: &[u8], part: usize) -> Result<(Vec<u8>, Option<Vec<u8>>), DecodeError> {
        let mut decoder = BodyDecoder::new(framing)?;
        let mut content = Vec::new();
        let mut at = 0;
        while at < bytes.len() && !decoder.is_done() {
            let end = bytes.len().min(at + part);
            at += decoder.decode(&bytes[at..end], &mut content)?;
        }
        Ok((content, decoder.is_done().then(|| bytes[at..].to_vec())))
    }

    #[test]
    fn content_ends_where_it_was_told() {
        for (framing, bytes, content, rest) in [
            (Framing::Length(5), "hello", "hello", Some("")),
            (Framing::Length(5), "helloGET /", "hello", Some("GET /")),
            (Framing::Length(5), "hell", "hell", None),
            (Framing::Length(0), "GET /", "", Some("GET /")),
            (Framing::Chunked, "5\r\nhello\r\n0\r\n\r\nGET /", "hello", Some("GET /")),
            (Framing::Chunked, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello", Some("")),
            (
                Framing::Chunked,
                "00A\r\n0123456789\r\n000\r\n\r\n",
                "0123456789",
                Some(""),
            ),
            (
                Framing::Chunked,
                "5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n",
                "hello",
                Some(""),
            ),
            (Framing::Chunked, "5 ;a\r\nhello\r\n0\r\n\r\n", "hello", Some("")),
            (
                Framing::Chunked,
                "5;a=\"\\\"\"\r\nhello\r\n0\r\n\r\n",
                "hello",
                Some(""),
            ),
            (Framing::Chunked, "0\r\nX-T: 1\r\nY:\r\n\r\nGET /", "", Some("GET /")),
            (Framing::Chunked, "5\r\nhello\r\n0\r\n", "hello", None),
            (Framing::Chunked, "5\r\nhello\r\n", "hello", None),
            (Framing::Chunked, "5\r\nhel", "hel", None),
        ] {
            for part in [1, 2, 3, 1_000] {
                let expected = (content.as_bytes().to_vec(), rest.map(|rest| rest.as_bytes().to_vec()));
                assert_eq!(
                    decode(framing, bytes.as_bytes(), part),
                    Ok(expected),
                    "{bytes:?} by {part}"
                );
            }
        }
    }

    #[test]
    fn chunks_out_of_grammar_are_refused() {
        for bytes in [
            "xyz\r\n",
            "-5\r\nhello\r\n",
            "+5\r\nhello\r\n",
            "0x5\r\nhello\r\n",
            " 5\r\nhello\r\n",
            "5 \r\nhello\r\n",
            "5 5\r\nhello\r\n",
            "5\t\r\nhello\r\n",
            "\r\nhello\r\n",
            ";a\r\n",
            "5\nhello\r\n",
            "5\rhello\r\n",
            "5;a\nhello\r\n",
            "5;a\rb\r\nhello",
            "5;a=\"b\r\nhello",
            "5;\0\r\nhello",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhelloXX",
            "3\r\nhello\r\n",
            "6\r\nhello\r\n0\r\n\r\n",
            "00000000000000005\r\nhello",
            "0\r\nno field\r\n\r\n",
            "0\r\n folded\r\n\r\n",
            "0\r\nX : 1\r\n\r\n",
            "0\r\n: 1\r\n\r\n",
            "0\r\nX: 1\n\r\n",
            "0\r\nX: \0\r\n\r\n",
            "0\r\nX: 1\rY: 2\r\n\r\n",
            "0\n\r\n",
        ] {
            for part in [1, 1_000] {
                let got = decode(Framing::Chunked, bytes.as_bytes(), part);
                assert!(
                    matches!(got, Err(DecodeError::Malformed(_))),
                    "{bytes:?} by {part}: {got:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_content_has_a_bound() {
        let malformed = |bytes: String| {
            let got = decode(Framing::Chunked, bytes.as_bytes(), 1_000);
            matches!(got, Err(DecodeError::Malformed(_)))
        };
        assert!(malformed(format!("5;{}\r\nhello\r\n", "x".repeat(MAX_EXTENSIONS))));
        assert!(malformed("1;ext\r\nx\r\n".repeat(MAX_EXTENSIONS / 4 + 1)));
        assert!(malformed(format!("0\r\nX: {}\r\n\r\n", "x".repeat(MAX_TRAILERS))));
        assert!(malformed(format!(
            "0\r\n{}\r\n",
            "X: 1\r\n".repeat(MAX_TRAILERS / 5 + 1)
        )));
    }

    #[test]
    fn more_than_10_mb_is_refused_as_soon_as_it_is_told() {
        assert_eq!(
            BodyDecoder::new(Framing::Length(MAX_BODY_LENGTH + 1)).err(),
            Some(DecodeError::TooLarge)
        );
        assert!(BodyDecoder::new(Framing::Length(MAX_BODY_LENGTH)).is_ok());
        for (bytes, is_too_large) in [
            ("a00000\r\n", false),
            ("a00001\r\n", true),
            ("ffffffffffffffff\r\n", true),
        ] {
            let got = decode(Framing::Chunked, bytes.as_bytes(), 1_000);
            assert_eq!(got.err() == Some(DecodeError::TooLarge), is_too_large, "{bytes:?}");
        }
        let two = [&b"a00000\r\n"[..], &vec![b'x'; 0xa0_0000], b"\r\n1\r\n"].concat();
        assert_eq!(decode(Framing::Chunked, &two, 100_000), Err(DecodeError::TooLarge));
    }

    #[test]
    fn it_does_not_matter_where_the_bytes_are_cut() {
        let pieces: [&[u8]; 12] = [
            b"5\r\nhello\r\n",
            b"0\r\n",
            b"\r\n",
            b"\r",
            b"\n",
            b"a",
            b"1",
            b";x=\"y\"",
            b" ",
            b"X: y\r\n",
            b"\0",
            b"1\r\nz\r\n",
        ];
        let mut state = 0x9e37_79b9_u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below
        };
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..1 + next(8)).flat_map(|_| pieces[next(12)].to_vec()).collect();
            let whole = decode(Framing::Chunked, &bytes, bytes.len());
            for part in 1..4 {
                assert_eq!(decode(Framing::Chunked, &bytes, part), whole, "{bytes:?} by {part}");
            }
        }
    }
}
