//! The line before a chunk: its size, and extensions, which are ignored (RFC 9112 §7.1).
//!
//! Servers fill sizes up with zeros and blanks, so a response may have them. A request may not.

/// Most bytes of the extensions of a response's line. As many zeros and blanks may stand round its size.
pub const MAX_EXTENSION_LENGTH: usize = 4 * 1024;

/// Most digits of the size in a request: enough for any size with leading zeros, and no number that does not fit.
const MAX_REQUEST_DIGITS: u32 = 16;

/// Reads the line before a chunk byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkLine {
    of: MessageKind,
    step: Step,
    size: u64,
    digits: u32,
    /// Bytes that say nothing, since the begin or since the extensions began.
    dropped: usize,
}

/// What the chunk is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MessageKind {
    Request,
    Response,
}

/// What has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing but blanks.
    Begin,
    /// Digits.
    Size,
    /// Blanks behind the digits.
    Blank,
    Extension {
        is_quoted: bool,
        is_escaped: bool,
    },
    /// CR.
    End,
}

/// What a byte is of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It stands also in the shortest line that says the same.
    Needed,
    /// It says nothing.
    Dropped,
    /// The line ends with it. It is needed, and the chunk has so many bytes.
    End(u64),
}

impl ChunkLine {
    /// The line of a response's chunk, of which nothing has come.
    ///
    /// Its size may have any number of zeros before it that [`MAX_EXTENSION_LENGTH`] allows, and blanks round it.
    pub fn of_response() -> ChunkLine {
        ChunkLine::of(MessageKind::Response)
    }

    /// The line of a request's chunk, of which nothing has come.
    ///
    /// Its size has 16 digits at most, and blanks behind it only where an extension follows. Zeros are
    /// [needed](Taken::Needed). The caller bounds what is [dropped](Taken::Dropped), over all chunks of the request.
    pub fn of_request() -> ChunkLine {
        ChunkLine::of(MessageKind::Request)
    }

    fn of(of: MessageKind) -> ChunkLine {
        ChunkLine {
            of,
            step: Step::Begin,
            size: 0,
            digits: 0,
            dropped: 0,
        }
    }

    fn is_of_request(self) -> bool {
        self.of == MessageKind::Request
    }

    /// Takes the next byte.
    ///
    /// Blanks are SP and HTAB. A sign, a prefix, another blank, a line
    /// end that is not CR LF and a quote that is left open are refused: readers differ on them.
    ///
    /// # Errors
    /// It is no such line.
    pub fn take(&mut self, byte: u8) -> Result<Taken, &'static str> {
        use Step::{Begin, Blank, End, Extension, Size};
        match (self.step, byte) {
            (Begin, b' ' | b'\t') if !self.is_of_request() => self.drop_one(),
            (Begin | Size, _) if byte.is_ascii_hexdigit() => self.take_digit(byte),
            (Begin, _) => Err("a chunk has no size"),
            (Size | Blank, b' ' | b'\t') => {
                self.step = Blank;
                self.drop_one()
            }
            (Size | Blank, b';') => {
                self.step = Extension {
                    is_quoted: false,
                    is_escaped: false,
                };
                self.dropped = 0;
                self.drop_one()
            }
            (Blank, _) if self.is_of_request() => Err("a chunk is not framed by CR LF"),
            (Extension { is_quoted: true, .. }, b'\r') => Err("a chunk's extension leaves a quote open"),
            (Size | Blank | Extension { .. }, b'\r') => {
                self.step = End;
                Ok(Taken::Needed)
            }
            (Size | Blank, _) => Err("a chunk's size is not a number"),
            (Extension { is_quoted, is_escaped }, b'\t' | b' '..=b'~' | 0x80..) => {
                self.step = Extension {
                    is_quoted: is_quoted != (byte == b'"' && !is_escaped),
                    is_escaped: is_quoted && byte == b'\\' && !is_escaped,
                };
                self.drop_one()
            }
            (Extension { .. }, _) => Err("a chunk's extension has a control byte"),
            (End, b'\n') => Ok(Taken::End(self.size)),
            (End, _) => Err("a chunk is not framed by CR LF"),
        }
    }

    fn take_digit(&mut self, byte: u8) -> Result<Taken, &'static str> {
        let digit = char::from(byte).to_digit(16).unwrap_or_default();
        // The first digit is needed, be it a zero: there must be one.
        let is_surplus = self.step == Step::Size && self.size == 0 && digit == 0;
        self.step = Step::Size;
        if self.is_of_request() {
            self.digits += 1;
            if self.digits > MAX_REQUEST_DIGITS {
                return Err("a chunk's size has too many digits");
            }
        }
        if is_surplus && !self.is_of_request() {
            return self.drop_one();
        }
        if self.size >> 60 != 0 {
            return Err("a chunk's size is beyond any number");
        }
        self.size = (self.size << 4) | u64::from(digit);
        Ok(Taken::Needed)
    }

    fn drop_one(&mut self) -> Result<Taken, &'static str> {
        self.dropped += 1;
        if self.dropped > MAX_EXTENSION_LENGTH && !self.is_of_request() {
            return Err("the line before a chunk is too long");
        }
        Ok(Taken::Dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size, and the shortest line that says the same.
    fn read(line: &str) -> Result<(u64, String), &'static str> {
        let mut reader = ChunkLine::of_response();
        let mut needed = String::new();
        for byte in line.bytes() {
            match reader.take(byte)? {
                Taken::Dropped => {}
                Taken::Needed => needed.push(char::from(byte)),
                Taken::End(size) => return Ok((size, needed)),
            }
        }
        Err("it has no end")
    }

    #[test]
    fn a_line_says_a_size() {
        let zeros = |count: usize| format!("{}5\r\n", "0".repeat(count));
        let extended = |length: usize| format!("5;{}\r\n", "x".repeat(length - 1));
        for (line, size, needed) in [
            ("5\r\n", 5, "5\r"),
            ("0\r\n", 0, "0\r"),
            ("000\r\n", 0, "0\r"),
            ("aBc\r\n", 0xabc, "aBc\r"),
            ("ffffffffffffffff\r\n", u64::MAX, "ffffffffffffffff\r"),
            ("00000ffffffffffffffff\r\n", u64::MAX, "0ffffffffffffffff\r"),
            ("0050\r\n", 0x50, "050\r"),
            (" \t5 \t\r\n", 5, "5\r"),
            ("5 ; a = \"b;\\\"\" ;c\r\n", 5, "5\r"),
            ("5;\r\n", 5, "5\r"),
            ("5;\u{e9}\r\n", 5, "5\r"),
            (&zeros(1 + MAX_EXTENSION_LENGTH), 5, "05\r"),
            (&extended(MAX_EXTENSION_LENGTH), 5, "5\r"),
        ] {
            assert_eq!(read(line), Ok((size, needed.to_owned())), "{line:?}");
        }
        for line in [
            "\r\n",
            ";a\r\n",
            "+2\r\n",
            "-2\r\n",
            "0x2\r\n",
            "2_0\r\n",
            "g\r\n",
            "\u{b}2\r\n",
            "2\u{c}\r\n",
            "\u{a0}2\r\n",
            "2\u{2003}\r\n",
            "2 2\r\n",
            "2\n",
            "2\r\r\n",
            "2;a\n",
            "2;a\rb\r\n",
            "2;\0\r\n",
            "2;a=\"b\r\n",
            "2;a=\"\\\"\r\n",
            "10000000000000000\r\n",
            &zeros(2 + MAX_EXTENSION_LENGTH),
            &extended(MAX_EXTENSION_LENGTH + 1),
        ] {
            assert!(read(line).is_err(), "{line:?}");
        }
    }
}
