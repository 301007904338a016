//! An answer as bytes: the status line, the fields, the framing (RFC 9112).

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::http1::message::{Body, Headers, Response, Version};
use crate::http1::message_limits::PIECE_LENGTH;
use crate::http1::remaining_body::{Framing, RemainingBody};

/// Leave for a client to send the content that it holds back (RFC 9110 §10.1.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Bytes of a head besides the fields of the response: the status line, and what the connection adds.
const OWN_LENGTH: usize = 192;

/// What the connection adds to an answer.
#[derive(Clone, Copy, Debug)]
pub struct ResponseWriter {
    /// The request was HEAD: the head says what it would say, and nothing follows.
    pub head_only: bool,
    /// The version of the request.
    pub version: Version,
    /// The connection ends after this answer.
    pub close: bool,
    /// When it is sent.
    pub date: SystemTime,
}

/// An answer, ready to be sent.
pub struct Answer {
    /// The head, and content that is here whole.
    pub bytes: Vec<u8>,
    /// Content that is still to come.
    pub rest: Option<RemainingBody>,
    /// The connection ends after this answer.
    pub close: bool,
}

/// Why an answer is not whole. The connection must be cut then, so that the client sees it.
#[derive(Debug)]
pub enum SendError {
    /// The client does not take it.
    Client(io::Error),
    /// What came from the integration broke off.
    Integration(io::Error),
}

impl SendError {
    /// Whether the client was gone, and not only slow.
    pub fn is_abandonment(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        matches!(self, SendError::Client(error) if [BrokenPipe, ConnectionAborted, ConnectionReset].contains(&error.kind()))
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Client(error) => write!(f, "the client does not take it: {error}"),
            SendError::Integration(error) => {
                write!(f, "the integration's answer broke off: {error}")
            }
        }
    }
}

impl ResponseWriter {
    /// Makes an answer of a response.
    pub fn answer(mut self, response: Response) -> Answer {
        let framing = self.framing(&response);
        self.close |= framing == Framing::Close;
        let content = response.body.whole_length().unwrap_or_default();
        let mut bytes = self.head(response.status, &response.headers, framing, content);
        let has_content = !self.head_only && framing != Framing::None && !matches!(response.status, 205 | 304);
        let mut rest = None;
        match response.body {
            Body::Bytes(content) if has_content => bytes.extend_from_slice(&content),
            Body::Stream(stream) if has_content => {
                let is_event_stream = response.headers.announce_event_stream();
                rest = Some(RemainingBody::of(stream, framing, is_event_stream));
            }
            _ => {}
        }
        Answer {
            bytes,
            rest,
            close: self.close,
        }
    }

    /// Writes an answer by `send`, which tells how long the client was waited for; tells whether the connection can take
    /// another request.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn write(
        self,
        mut send: impl FnMut(&[u8]) -> io::Result<Duration>,
        response: Response,
    ) -> Result<bool, SendError> {
        let Answer { mut bytes, rest, close } = self.answer(response);
        send(&bytes).map_err(SendError::Client)?;
        if let Some(mut rest) = rest {
            bytes = Vec::with_capacity(PIECE_LENGTH);
            while !rest.is_done() {
                bytes.clear();
                rest.read_into(&mut bytes).map_err(SendError::Integration)?;
                let waited = send(&bytes).map_err(SendError::Client)?;
                rest.put_off_deadline(waited);
            }
        }
        Ok(!close)
    }

    fn framing(&self, response: &Response) -> Framing {
        let told = || {
            let text = str::from_utf8(response.headers.get("content-length")?).ok()?;
            text.parse().ok()
        };
        match response.status {
            100..=199 | 204 => Framing::None,
            // It tells the client to take back its form, with nothing behind it (RFC 9110 §15.3.6).
            205 => Framing::Length(0),
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

    /// The head, with room for so many bytes of content behind it.
    fn head(&self, status: u16, headers: &Headers, framing: Framing, content: u64) -> Vec<u8> {
        let content = usize::try_from(content).unwrap_or_default();
        let mut head = Vec::with_capacity(headers.length() + OWN_LENGTH + content);
        write_status_line(&mut head, status);
        headers.write_to(&mut head, |name| name == b"content-length");
        if headers.get("date").is_none() {
            append_date(&mut head, self.date);
        }
        let connection = if self.close { "close" } else { "keep-alive" };
        field(&mut head, "connection", connection.as_bytes());
        match framing {
            Framing::Length(length) => {
                head.extend_from_slice(b"content-length: ");
                push_decimal(&mut head, length);
                head.extend_from_slice(b"\r\n");
            }
            Framing::Chunked => field(&mut head, "transfer-encoding", b"chunked"),
            Framing::None | Framing::Close => {}
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// Writes the line with that status, and the reason that goes with it.
fn write_status_line(head: &mut Vec<u8>, status: u16) {
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    head.extend_from_slice(b"HTTP/1.1 ");
    push_decimal(head, status.into());
    head.push(b' ');
    head.extend_from_slice(reason.as_bytes());
    head.extend_from_slice(b"\r\n");
}

/// Adds a number in decimal digits. Each response has two, and the standard library's way is slow.
fn push_decimal(text: &mut Vec<u8>, mut number: u64) {
    /// The digits of the largest number.
    const MOST: usize = 20;
    let mut digits = [b'0'; MOST];
    let mut length = 1;
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            break;
        }
        length += 1;
    }
    text.extend_from_slice(digits.get(MOST - length..).unwrap_or_default());
}

/// A whole response to a client of the gateway's own, whose connection goes on: the fields as they are written, and the
/// length of the content. A value with a byte that could end its line is left out with its field.
///
/// # Example
/// ```
/// use apigateway::http1::response_writer::message;
/// let bytes = message(202, &[("X-Id", "1"), ("X-Text", "a\r\nb: c")], b"ok");
/// assert_eq!(bytes, b"HTTP/1.1 202 Accepted\r\nX-Id: 1\r\nContent-Length: 2\r\n\r\nok");
/// ```
pub fn message(status: u16, fields: &[(&str, &str)], content: &[u8]) -> Vec<u8> {
    let length: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let mut message = Vec::with_capacity(length + OWN_LENGTH + content.len());
    write_status_line(&mut message, status);
    for (name, value) in fields {
        if value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            field(&mut message, name, value.as_bytes());
        }
    }
    message.extend_from_slice(b"Content-Length: ");
    push_decimal(&mut message, content.len().try_into().unwrap_or(u64::MAX));
    message.extend_from_slice(b"\r\n\r\n");
    message.extend_from_slice(content);
    message
}

fn field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

/// Adds `date`, which is worked out once a second in each thread.
fn append_date(head: &mut Vec<u8>, now: SystemTime) {
    thread_local! {
        static LAST: RefCell<(u64, Vec<u8>)> = const { RefCell::new((u64::MAX, Vec::new())) };
    }
    let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    LAST.with_borrow_mut(|(formatted, line)| {
        if *formatted != second {
            line.clear();
            field(line, "date", httpdate::fmt_http_date(now).as_bytes());
            *formatted = second;
        }
        head.extend_from_slice(line);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::message::Stream;
    use std::time::UNIX_EPOCH;

    /// A client that takes everything at once.
    fn into(sent: &mut Vec<u8>) -> impl FnMut(&[u8]) -> io::Result<Duration> {
        |bytes| {
            sent.extend_from_slice(bytes);
            Ok(Duration::ZERO)
        }
    }

    fn reply(head_only: bool, version: Version) -> ResponseWriter {
        ResponseWriter {
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
        Body::Stream(Stream::new(length, content))
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        for number in [0, 1, 9, 10, 99, 100, 204, 1_000_000, u64::MAX - 1, u64::MAX] {
            let mut text = Vec::new();
            push_decimal(&mut text, number);
            assert_eq!(text, number.to_string().as_bytes());
        }
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
                "205",
                reply(false, Http11),
                response(205, stream(None, b"hi")),
                format!("HTTP/1.1 205 Reset Content{common}keep-alive\r\ncontent-length: 0\r\n\r\n"),
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
            reply.write(into(&mut sent), response).expect(what);
            assert_eq!(String::from_utf8(sent).unwrap(), expected, "{what}");
        }
    }

    #[test]
    fn a_date_among_the_fields_is_the_only_one() {
        let mut answer = response(200, Body::Empty);
        answer.headers.put("date", "yesterday");
        let sent = reply(false, Version::Http11).answer(answer).bytes;
        let text = String::from_utf8(sent).unwrap();
        assert_eq!(text.matches("date: ").count(), 1, "{text}");
        assert!(text.contains("\r\ndate: yesterday\r\n"), "{text}");
    }

    #[test]
    fn a_stream_of_another_length_is_incomplete() {
        for (length, content) in [(6, &b"hello"[..]), (4, b"hello")] {
            let answer = response(200, stream(Some(length), content));
            let result = reply(false, Version::Http11).write(into(&mut Vec::new()), answer);
            assert!(matches!(result, Err(SendError::Integration(_))), "{length}");
        }
    }

    #[test]
    fn the_length_of_head_is_the_upstreams() {
        let mut answer = response(200, Body::Empty);
        answer.headers.put("content-length", "12345");
        let mut sent = Vec::new();
        reply(true, Version::Http11).write(into(&mut sent), answer).unwrap();
        assert!(
            String::from_utf8(sent)
                .unwrap()
                .ends_with("content-length: 12345\r\n\r\n")
        );
    }
}
