//! An answer as bytes: the status line, the fields, the framing (RFC 9112).

use std::fmt;
use std::io::{self, Read, Write};
use std::time::SystemTime;

use crate::message::{Body, Response, Stream, Version};

/// Bytes of a streamed body that are read and written at once.
const PART: usize = 16 * 1024;

/// Content up to this length is written together with its head.
const ONE_WRITE: usize = 64 * 1024;

/// What the connection adds to an answer.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// The request was HEAD: the head says what it would say, and nothing follows.
    pub head_only: bool,
    /// The version of the request.
    pub version: Version,
    /// The connection ends after this answer.
    pub close: bool,
    /// When it is sent.
    pub date: SystemTime,
}

/// Why an answer is not whole. The connection must be cut then, so that the client sees it.
#[derive(Debug)]
pub enum Incomplete {
    /// The client does not take it.
    Client(io::Error),
    /// What came from the integration broke off.
    Integration(io::Error),
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incomplete::Client(error) => write!(f, "the client went away: {error}"),
            Incomplete::Integration(error) => {
                write!(f, "the integration's answer broke off: {error}")
            }
        }
    }
}

/// How the end of the content is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// There is no content by definition, and no length.
    None,
    /// By `Content-Length`.
    Length(u64),
    /// By chunks.
    Chunked,
    /// By the end of the connection: all that HTTP/1.0 has.
    Close,
}

impl Reply {
    /// Writes an answer; tells whether the connection can take another request.
    ///
    /// # Errors
    /// See [`Incomplete`].
    pub fn write(mut self, mut to: impl Write, response: Response) -> Result<bool, Incomplete> {
        let framing = self.framing(&response);
        self.close |= framing == Framing::Close;
        let mut head = self.head(&response, framing);
        let has_content = !self.head_only && framing != Framing::None && response.status != 304;
        match response.body {
            Body::Bytes(bytes) if has_content && bytes.len() <= ONE_WRITE => {
                head.extend_from_slice(&bytes);
                to.write_all(&head).map_err(Incomplete::Client)?;
            }
            Body::Bytes(bytes) if has_content => {
                to.write_all(&head).map_err(Incomplete::Client)?;
                to.write_all(&bytes).map_err(Incomplete::Client)?;
            }
            Body::Stream(stream) if has_content => stream_content(&mut to, head, stream, framing)?,
            _ => to.write_all(&head).map_err(Incomplete::Client)?,
        }
        to.flush().map_err(Incomplete::Client)?;
        Ok(!self.close)
    }

    fn framing(&self, response: &Response) -> Framing {
        let told = || {
            let text = str::from_utf8(response.headers.get("content-length")?).ok()?;
            text.parse().ok()
        };
        match response.status {
            100..=199 | 204 => Framing::None,
            304 => told().map_or(Framing::None, Framing::Length),
            _ if self.head_only => match told().or(response.body.length()) {
                // An answer to HEAD that tells no length must not tell a wrong one.
                Some(0) if matches!(response.body, Body::Empty) && told().is_none() => Framing::None,
                Some(length) => Framing::Length(length),
                None => Framing::None,
            },
            _ => match response.body.length() {
                Some(length) => Framing::Length(length),
                None if self.version == Version::Http11 => Framing::Chunked,
                None => Framing::Close,
            },
        }
    }

    fn head(&self, response: &Response, framing: Framing) -> Vec<u8> {
        let reason = http::StatusCode::from_u16(response.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default();
        let mut head = Vec::with_capacity(1024);
        head.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", response.status).as_bytes());
        for (name, value) in response.headers.iter().filter(|(name, _)| *name != "content-length") {
            field(&mut head, name, value);
        }
        field(&mut head, "date", httpdate::fmt_http_date(self.date).as_bytes());
        let connection = if self.close { "close" } else { "keep-alive" };
        field(&mut head, "connection", connection.as_bytes());
        match framing {
            Framing::Length(length) => field(&mut head, "content-length", length.to_string().as_bytes()),
            Framing::Chunked => field(&mut head, "transfer-encoding", b"chunked"),
            Framing::None | Framing::Close => {}
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

fn field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

/// Passes content on as it comes. The head goes out with the first part; for an event stream, whose first part may
/// be long in coming, reading it is not waited for.
fn stream_content(to: &mut impl Write, head: Vec<u8>, mut stream: Stream, framing: Framing) -> Result<(), Incomplete> {
    to.write_all(&head).map_err(Incomplete::Client)?;
    to.flush().map_err(Incomplete::Client)?;
    let mut buffer = vec![0; PART];
    let mut sent: u64 = 0;
    loop {
        let count = stream.reader.read(&mut buffer).map_err(Incomplete::Integration)?;
        let part = buffer.get(..count).unwrap_or_default();
        sent += count as u64;
        if let Framing::Length(length) = framing
            && (sent > length || (count == 0 && sent < length))
        {
            let text = format!("{sent} bytes came where {length} were announced");
            return Err(Incomplete::Integration(io::Error::other(text)));
        }
        if framing == Framing::Chunked {
            write_chunk(to, part)?;
        } else {
            to.write_all(part).map_err(Incomplete::Client)?;
        }
        if count == 0 {
            return Ok(());
        }
        to.flush().map_err(Incomplete::Client)?;
    }
}

/// One chunk in one write; the empty one ends the content.
fn write_chunk(to: &mut impl Write, part: &[u8]) -> Result<(), Incomplete> {
    let mut chunk = Vec::with_capacity(part.len() + 16);
    chunk.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
    chunk.extend_from_slice(part);
    chunk.extend_from_slice(b"\r\n");
    to.write_all(&chunk).map_err(Incomplete::Client)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Headers;
    use std::time::UNIX_EPOCH;

    fn reply(head_only: bool, version: Version) -> Reply {
        Reply {
            head_only,
            version,
            close: false,
            date: UNIX_EPOCH,
        }
    }

    fn response(status: u16, body: Body) -> Response {
        Response {
            status,
            headers: Headers::new(),
            body,
        }
    }

    fn stream(length: Option<u64>, content: &'static [u8]) -> Body {
        Body::Stream(Stream {
            length,
            reader: Box::new(content),
        })
    }

    #[test]
    fn the_end_of_an_answer_is_always_told() {
        use Version::{Http10, Http11};
        let common = "\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\nconnection: ";
        for (what, reply, response, expected) in [
            (
                "bytes",
                reply(false, Http11),
                response(200, Body::Bytes(b"hi".into())),
                format!("HTTP/1.1 200 OK{common}keep-alive\r\ncontent-length: 2\r\n\r\nhi"),
            ),
            (
                "nothing",
                reply(false, Http11),
                response(200, Body::Empty),
                format!("HTTP/1.1 200 OK{common}keep-alive\r\ncontent-length: 0\r\n\r\n"),
            ),
            (
                "204",
                reply(false, Http11),
                response(204, Body::Bytes(b"hi".into())),
                format!("HTTP/1.1 204 No Content{common}keep-alive\r\n\r\n"),
            ),
            (
                "304",
                reply(false, Http11),
                response(304, Body::Empty),
                format!("HTTP/1.1 304 Not Modified{common}keep-alive\r\n\r\n"),
            ),
            (
                "an unknown status",
                reply(false, Http11),
                response(799, Body::Empty),
                format!("HTTP/1.1 799 {common}keep-alive\r\ncontent-length: 0\r\n\r\n"),
            ),
            (
                "HEAD of bytes",
                reply(true, Http11),
                response(404, Body::Bytes(b"hi".into())),
                format!("HTTP/1.1 404 Not Found{common}keep-alive\r\ncontent-length: 2\r\n\r\n"),
            ),
            (
                "HEAD that tells no length",
                reply(true, Http11),
                response(200, Body::Empty),
                format!("HTTP/1.1 200 OK{common}keep-alive\r\n\r\n"),
            ),
            (
                "chunks",
                reply(false, Http11),
                response(200, stream(None, b"hello")),
                format!(
                    "HTTP/1.1 200 OK{common}keep-alive\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                ),
            ),
            (
                "1.0",
                reply(false, Http10),
                response(200, stream(None, b"hello")),
                format!("HTTP/1.1 200 OK{common}close\r\n\r\nhello"),
            ),
            (
                "a stream with a length",
                reply(false, Http10),
                response(200, stream(Some(5), b"hello")),
                format!("HTTP/1.1 200 OK{common}keep-alive\r\ncontent-length: 5\r\n\r\nhello"),
            ),
        ] {
            let mut sent = Vec::new();
            reply.write(&mut sent, response).expect(what);
            assert_eq!(String::from_utf8(sent).unwrap(), expected, "{what}");
        }
    }

    #[test]
    fn a_stream_of_another_length_is_incomplete() {
        for (length, content) in [(6, &b"hello"[..]), (4, b"hello")] {
            let answer = response(200, stream(Some(length), content));
            let result = reply(false, Version::Http11).write(io::sink(), answer);
            assert!(matches!(result, Err(Incomplete::Integration(_))), "{length}");
        }
    }

    #[test]
    fn the_length_of_head_is_the_upstreams() {
        let mut answer = response(200, Body::Empty);
        answer.headers.put("content-length", "12345");
        let mut sent = Vec::new();
        reply(true, Version::Http11).write(&mut sent, answer).unwrap();
        assert!(
            String::from_utf8(sent)
                .unwrap()
                .ends_with("content-length: 12345\r\n\r\n")
        );
    }
}
