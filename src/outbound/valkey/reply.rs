//! Reads one reply after another, each bounded (`F12`), before the package redis sees it.

use std::io::Read;

use redis::Value;

use crate::outbound::valkey::error::CallError;

/// Most bytes of a reply.
const MAX_LENGTH: usize = 64 * 1024;

/// Most elements of a reply, with those inside others.
const MAX_ELEMENTS: usize = 1024;

/// How far elements may stand in one another.
const MAX_DEPTH: usize = 4;

/// How much is read at once.
const PIECE: usize = 4096;

/// What has come and is no whole reply yet.
#[derive(Default)]
pub(super) struct Incoming(Vec<u8>);

impl Incoming {
    /// The next reply.
    pub(super) fn next(&mut self, socket: &mut impl Read) -> Result<Value, CallError> {
        loop {
            if let Some(length) = length_of(&self.0)? {
                let rest = self.0.split_off(length);
                let reply = std::mem::replace(&mut self.0, rest);
                return redis::parse_redis_value(&reply).map_err(|_| CallError::Garbage("a reply cannot be read"));
            }
            if self.0.len() > MAX_LENGTH {
                return Err(TOO_LARGE);
            }
            let mut piece = [0; PIECE];
            let count = match socket.read(&mut piece) {
                Ok(0) => return Err(CallError::Garbage("the server has closed the connection")),
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            self.0.extend_from_slice(piece.get(..count).unwrap_or_default());
        }
    }

    /// Whether nothing has come that was not asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

const TOO_LARGE: CallError = CallError::Garbage("a reply is larger than any that is asked for");
const MALFORMED: CallError = CallError::Garbage("what the server sends is no reply of Valkey or Redis");

/// The length of the first reply in RESP2, where all of it is there.
fn length_of(bytes: &[u8]) -> Result<Option<usize>, CallError> {
    let mut scan = Scan {
        bytes,
        at: 0,
        elements: 0,
    };
    let is_whole = scan.element(0)?;
    if scan.at > MAX_LENGTH {
        return Err(TOO_LARGE);
    }
    Ok(is_whole.then_some(scan.at))
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    elements: usize,
}

impl Scan<'_> {
    /// Goes behind an element; tells whether all of it is there.
    fn element(&mut self, depth: usize) -> Result<bool, CallError> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS || depth > MAX_DEPTH {
            return Err(TOO_LARGE);
        }
        let Some(kind) = self.bytes.get(self.at) else {
            return Ok(false);
        };
        if !b"+-:$*".contains(kind) {
            return Err(MALFORMED);
        }
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
            return Ok(false);
        };
        let line = rest.get(..end).unwrap_or_default();
        self.at += 1 + end + 2;
        match kind {
            b':' => number(line).map(|_| true),
            b'$' => match usize::try_from(number(line)?) {
                // Nothing.
                Err(_) => Ok(true),
                Ok(length) if length > MAX_LENGTH => Err(TOO_LARGE),
                Ok(length) => {
                    self.at += length + 2;
                    let end = self.bytes.get(self.at - 2..self.at);
                    if end.is_some_and(|end| end != b"\r\n") {
                        return Err(MALFORMED);
                    }
                    Ok(end.is_some())
                }
            },
            b'*' => {
                let count = usize::try_from(number(line)?).unwrap_or(0);
                if count > MAX_ELEMENTS {
                    return Err(TOO_LARGE);
                }
                for _ in 0..count {
                    if !self.element(depth + 1)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(true),
        }
    }
}

/// A whole number, -1 or more where it is a length.
fn number(line: &[u8]) -> Result<i64, CallError> {
    let text = std::str::from_utf8(line).map_err(|_| MALFORMED)?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MALFORMED);
    }
    text.parse().map_err(|_| MALFORMED)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives out a byte at a time.
    struct Dripping<'a>(&'a [u8]);

    impl Read for Dripping<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else {
                return Ok(0);
            };
            buffer[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn replies_are_taken_one_by_one_however_they_come() {
        let bytes = b"+OK\r\n*3\r\n:1\r\n:-2\r\n$2\r\n\r\n\r\n$-1\r\n*-1\r\n*0\r\n-ERR x\r\n";
        for is_whole in [true, false] {
            let mut incoming = Incoming::default();
            let (mut whole, mut dripping) = (&bytes[..], Dripping(bytes));
            let mut next = || match is_whole {
                true => incoming.next(&mut whole),
                false => incoming.next(&mut dripping),
            };
            assert_eq!(next().unwrap(), Value::Okay);
            let elements = vec![Value::Int(1), Value::Int(-2), Value::BulkString(b"\r\n".to_vec())];
            assert_eq!(next().unwrap(), Value::Array(elements));
            assert_eq!(next().unwrap(), Value::Nil);
            assert_eq!(next().unwrap(), Value::Nil);
            assert_eq!(next().unwrap(), Value::Array(Vec::new()));
            assert!(matches!(next().unwrap(), Value::ServerError(_)));
            assert!(next().is_err(), "the end");
        }
    }

    #[test]
    fn hostile_replies_are_refused_before_they_are_held() {
        // F12.
        let nested = "*1\r\n".repeat(100_000);
        let long_line = format!("+{}", "x".repeat(MAX_LENGTH + 1));
        let many = format!("*1024\r\n{}", ":1\r\n".repeat(1024));
        let wide = format!("*1000\r\n{}", format!("*1\r\n{}", ":1\r\n").repeat(1000));
        for hostile in [
            "$65537\r\n",
            "$9223372036854775807\r\n",
            "$92233720368547758080\r\n",
            "*1025\r\n",
            "*9223372036854775807\r\n",
            "$+1\r\n",
            "$ 1\r\n",
            "$\r\n",
            "$1\r\nxyz",
            ":1.5\r\n",
            ":x\r\n",
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "%1\r\n+a\r\n+b\r\n",
            "_\r\n",
            "\0",
            &nested,
            &long_line,
            &many,
            &wide,
        ] {
            let outcome = Incoming::default().next(&mut hostile.as_bytes());
            assert!(outcome.is_err(), "{:.40}: {outcome:?}", hostile);
        }
    }
}
