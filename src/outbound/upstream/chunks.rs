//! The chunks of an answer, made as plain as ureq reads them (RFC 9112 §7.1).
//!
//! ureq takes a size with what is round it to have 20 bytes at most, and reads it as Rust reads numbers: with a sign, and
//! within any blanks. So it gets digits and nothing else. Extensions and the trailer section are dropped, as a client gets
//! chunks of our own.

use crate::http1::chunk_line::{ChunkLine, Taken};
use crate::http1::message_limits::MAX_RESPONSE_HEAD_LENGTH;

/// Where the chunks of an answer have got to.
#[derive(Debug)]
pub(super) struct Chunks {
    step: Step,
    /// Bytes of the trailer section so far.
    trailers: usize,
}

/// What comes next.
#[derive(Debug)]
enum Step {
    Line(ChunkLine),
    Chunk {
        left: u64,
    },
    ChunkCr,
    ChunkLf,
    Trailer {
        is_in_line: bool,
    },
    TrailerLf {
        is_last: bool,
    },
    /// What follows is no part of the answer.
    Done,
}

impl Chunks {
    pub(super) fn begin() -> Chunks {
        Chunks {
            step: Step::Line(ChunkLine::of_response()),
            trailers: 0,
        }
    }

    /// Leaves what is needed of the next bytes at their begin, and tells how many those are.
    ///
    /// # Errors
    /// They are no chunks.
    pub(super) fn take(&mut self, bytes: &mut [u8]) -> Result<usize, &'static str> {
        let (mut read, mut kept) = (0, 0);
        while let Some(byte) = bytes.get(read).copied() {
            let here = bytes.len() - read;
            let count = match &mut self.step {
                Step::Done => here,
                Step::Chunk { left } => {
                    let count = usize::try_from(*left).map_or(here, |left| left.min(here));
                    *left -= count as u64;
                    if *left == 0 {
                        self.step = Step::ChunkCr;
                    }
                    count
                }
                _ => {
                    read += 1;
                    if self.is_needed(byte)? {
                        if let Some(to) = bytes.get_mut(kept) {
                            *to = byte;
                        }
                        kept += 1;
                    }
                    continue;
                }
            };
            if kept < read {
                bytes.copy_within(read..read + count, kept);
            }
            read += count;
            kept += count;
        }
        Ok(kept)
    }

    /// Whether an end of the connection is one in the midst of a trailer field. ureq, which sees none of it, would take it
    /// for the end of the answer.
    pub(super) fn is_in_trailer(&self) -> bool {
        matches!(
            self.step,
            Step::Trailer { is_in_line: true } | Step::TrailerLf { is_last: false }
        )
    }

    /// Goes on by a byte that is no content; whether ureq needs it.
    fn is_needed(&mut self, byte: u8) -> Result<bool, &'static str> {
        let (step, is_needed) = match (&mut self.step, byte) {
            (Step::Line(line), _) => match line.take(byte)? {
                Taken::Needed => return Ok(true),
                Taken::Dropped => return Ok(false),
                Taken::End(0) => (Step::Trailer { is_in_line: false }, true),
                Taken::End(left) => (Step::Chunk { left }, true),
            },
            (Step::ChunkCr, b'\r') => (Step::ChunkLf, true),
            (Step::ChunkLf, b'\n') => (Step::Line(ChunkLine::of_response()), true),
            (Step::Trailer { is_in_line }, b'\r') => {
                let is_last = !*is_in_line;
                (Step::TrailerLf { is_last }, is_last)
            }
            (Step::Trailer { .. }, b'\t' | b' '..=b'~' | 0x80..) => {
                self.trailers += 1;
                if self.trailers > MAX_RESPONSE_HEAD_LENGTH {
                    return Err("its trailer section is too long");
                }
                (Step::Trailer { is_in_line: true }, false)
            }
            (Step::Trailer { .. }, _) => return Err("its trailer section has a control byte"),
            (Step::TrailerLf { is_last: true }, b'\n') => (Step::Done, true),
            (Step::TrailerLf { is_last: false }, b'\n') => (Step::Trailer { is_in_line: false }, false),
            _ => return Err("a chunk is not framed by CR LF"),
        };
        self.step = step;
        Ok(is_needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of bytes that come in parts of that length.
    fn taken(bytes: &str, part: usize) -> Result<String, &'static str> {
        let mut chunks = Chunks::begin();
        let mut left = Vec::new();
        for part in bytes.as_bytes().chunks(part) {
            let mut part = part.to_vec();
            let count = chunks.take(&mut part)?;
            left.extend_from_slice(&part[..count]);
        }
        Ok(String::from_utf8(left).unwrap())
    }

    #[test]
    fn what_ureq_needs_is_left_wherever_the_bytes_are_cut() {
        for (bytes, left) in [
            ("5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n"),
            ("0005;a=\"b\"\r\nhello\r\n000;c\r\n\r\n", "05\r\nhello\r\n0\r\n\r\n"),
            ("a \r\n0123456789\r\n0\r\n\r\n", "a\r\n0123456789\r\n0\r\n\r\n"),
            ("1\r\n5\r\n0\r\nA: b\r\nC: d\r\n\r\n", "1\r\n5\r\n0\r\n\r\n"),
            // What follows is left as it is, to be seen.
            ("0;x\r\n\r\n5;y\r\n\n", "0\r\n\r\n5;y\r\n\n"),
        ] {
            for part in [1, 2, 3, 7, 1_000] {
                assert_eq!(taken(bytes, part).as_deref(), Ok(left), "{bytes:?} by {part}");
            }
        }
    }

    #[test]
    fn what_is_not_framed_is_refused() {
        let trailers = format!("0\r\n{}", "A: b\r\n".repeat(MAX_RESPONSE_HEAD_LENGTH / 4 + 1));
        for bytes in [
            "+2\r\nok\r\n0\r\n\r\n",
            "2\r\nok0\r\n\r\n",
            "2\r\nok\n0\r\n\r\n",
            "2\r\nok\r\r\n0\r\n\r\n",
            "2\nok\r\n",
            "0\r\nA: b\n\r\n",
            "0\r\nA: b\r\r\n",
            "0\r\nA: \0\r\n\r\n",
            "0\r\n\n",
            &trailers,
        ] {
            for part in [1, 3, 1_000] {
                assert!(taken(bytes, part).is_err(), "{bytes:?} by {part}");
            }
        }
    }
}
