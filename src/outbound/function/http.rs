//! Requests to a Runtime API, read as strictly as RFC 9112 asks and within bounds.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use httparse::{EMPTY_HEADER, Header, Status};

use crate::http1::chunk_line::{ChunkLine, Taken};

/// Most bytes of a request line and its fields, and of the trailer fields.
const MAX_HEAD_LENGTH: usize = 16 * 1024;

/// Most fields of a head.
const MAX_FIELDS: usize = 64;

/// Most bytes of a body that are read after it has turned out to be too large, so that the client sees the answer.
const MAX_SWALLOWED: u64 = 64 * 1024 * 1024;

/// Bytes read at once.
const READ_LENGTH: usize = 16 * 1024;

/// The field, or trailer field, that says of what type a function's error is.
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";

/// Why a connection is of no more use.
#[derive(Debug)]
pub(super) enum HttpError {
    /// What was read is no request.
    Malformed(&'static str),
    /// The connection ended inside a request, or broke.
    Broken,
}

impl From<io::Error> for HttpError {
    fn from(_: io::Error) -> HttpError {
        HttpError::Broken
    }
}

/// What a request's head says.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) framing: Framing,
    pub(super) expects_continue: bool,
    pub(super) keeps_alive: bool,
    pub(super) error_type: Option<String>,
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

/// A request's content.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    /// There was more than the limit; `bytes` are its beginning.
    pub(super) is_too_large: bool,
    /// The type of the error that broke off a streamed answer.
    pub(super) error_type: Option<String>,
}

/// Reads requests off a connection.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    stream: &'a TcpStream,
    buffer: Vec<u8>,
    /// What is before it in the buffer is used up.
    start: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(stream: &'a TcpStream) -> Reader<'a> {
        Reader {
            stream,
            buffer: Vec::new(),
            start: 0,
        }
    }

    /// The next request's head; none at the end of the connection.
    pub(super) fn head(&mut self) -> Result<Option<Head>, HttpError> {
        loop {
            if !self.buffered().is_empty()
                && let Some((length, head)) = parse_head(self.buffered())?
            {
                self.consume(length);
                return Ok(Some(head));
            }
            if self.buffered().len() > MAX_HEAD_LENGTH {
                return Err(HttpError::Malformed("its head is too large"));
            }
            if self.fill()? == 0 {
                return if self.buffered().is_empty() {
                    Ok(None)
                } else {
                    Err(HttpError::Broken)
                };
            }
        }
    }

    /// The content that belongs to the head that was read last; at most `limit` bytes of it are kept.
    pub(super) fn body(&mut self, head: &Head, limit: usize) -> Result<Body, HttpError> {
        if head.framing == Framing::Length(0) {
            return Ok(Body::default());
        }
        if head.expects_continue && self.buffered().is_empty() {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut body = Body::default();
        match head.framing {
            Framing::Length(length) => self.take(length, limit, &mut body)?,
            Framing::Chunked => {
                let mut total: u64 = 0;
                loop {
                    let size = self.chunk_size()?;
                    total = total.saturating_add(size);
                    if total > MAX_SWALLOWED {
                        return Err(HttpError::Malformed("its body has no end"));
                    }
                    if size == 0 {
                        break;
                    }
                    self.take(size, limit, &mut body)?;
                    self.line_end()?;
                }
                body.error_type = self.trailer()?;
            }
        }
        Ok(body)
    }

    /// Moves bytes of the content to `body`, or away.
    fn take(&mut self, length: u64, limit: usize, body: &mut Body) -> Result<(), HttpError> {
        if length > MAX_SWALLOWED {
            return Err(HttpError::Malformed("its body has no end"));
        }
        let room = (limit.saturating_sub(body.bytes.len())) as u64;
        let kept = length.min(room);
        body.is_too_large |= length > room;
        let buffered = self.buffered();
        let part = buffered
            .get(..usize::try_from(kept).unwrap_or(usize::MAX))
            .unwrap_or(buffered);
        let taken = part.len();
        body.bytes.extend_from_slice(part);
        self.consume(taken);
        let mut left = kept - taken as u64;
        if left > 0 {
            body.bytes.reserve_exact(usize::try_from(left).unwrap_or_default());
            left -= self.stream.take(left).read_to_end(&mut body.bytes)? as u64;
        }
        let mut beyond = length - kept;
        while left == 0 && beyond > 0 {
            if self.buffered().is_empty() && self.fill()? == 0 {
                return Err(HttpError::Broken);
            }
            let step = self.buffered().len().min(usize::try_from(beyond).unwrap_or(usize::MAX));
            self.consume(step);
            beyond -= step as u64;
        }
        if left > 0 { Err(HttpError::Broken) } else { Ok(()) }
    }

    fn chunk_size(&mut self) -> Result<u64, HttpError> {
        let mut line = ChunkLine::begin();
        loop {
            if self.buffered().is_empty() && self.fill()? == 0 {
                return Err(HttpError::Broken);
            }
            let byte = self.buffered().first().copied().unwrap_or_default();
            self.consume(1);
            if let Taken::End(size) = line.take(byte).map_err(HttpError::Malformed)? {
                return Ok(size);
            }
        }
    }

    fn line_end(&mut self) -> Result<(), HttpError> {
        while self.buffered().len() < 2 {
            if self.fill()? == 0 {
                return Err(HttpError::Broken);
            }
        }
        if !self.buffered().starts_with(b"\r\n") {
            return Err(HttpError::Malformed("a chunk is longer than its size"));
        }
        self.consume(2);
        Ok(())
    }

    /// Reads the trailer fields; tells the error's type that is among them.
    fn trailer(&mut self) -> Result<Option<String>, HttpError> {
        loop {
            let mut fields = [EMPTY_HEADER; MAX_FIELDS];
            match httparse::parse_headers(self.buffered(), &mut fields) {
                Ok(Status::Complete((length, fields))) => {
                    let error_type = value(fields, ERROR_TYPE)?.map(text);
                    self.consume(length);
                    return Ok(error_type);
                }
                Ok(Status::Partial) if self.buffered().len() <= MAX_HEAD_LENGTH => {
                    if self.fill()? == 0 {
                        return Err(HttpError::Broken);
                    }
                }
                _ => return Err(HttpError::Malformed("its trailer is none")),
            }
        }
    }

    fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn consume(&mut self, length: usize) {
        self.start += length;
        if self.start >= self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
    }

    /// Waits for more; 0 at the end.
    fn fill(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let length = self.buffer.len();
        self.buffer.resize(length + READ_LENGTH, 0);
        let read = loop {
            match self.stream.read(self.buffer.get_mut(length..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(length + *read.as_ref().unwrap_or(&0));
        read
    }
}

/// The length of a head and what it says; none where it is not whole.
fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Head)>, HttpError> {
    let mut fields = [EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(bytes).map_err(|error| {
        HttpError::Malformed(match error {
            httparse::Error::TooManyHeaders => "it has too many fields",
            _ => "it is not HTTP/1.1",
        })
    })?;
    let Status::Complete(length) = parsed else {
        return Ok(None);
    };
    if length > MAX_HEAD_LENGTH {
        return Err(HttpError::Malformed("its head is too large"));
    }
    let is_http_1_1 = request.version == Some(1);
    let fields = &*request.headers;
    let connection = value(fields, "connection")?.map(text).unwrap_or_default();
    let says = |option: &str| connection.split(',').any(|one| one.trim().eq_ignore_ascii_case(option));
    let expects_continue =
        value(fields, "expect")?.is_some_and(|expected| expected.eq_ignore_ascii_case(b"100-continue"));
    Ok(Some((
        length,
        Head {
            method: request.method.unwrap_or_default().to_owned(),
            target: request.path.unwrap_or_default().to_owned(),
            framing: framing(fields, is_http_1_1)?,
            expects_continue: expects_continue && is_http_1_1,
            keeps_alive: if is_http_1_1 {
                !says("close")
            } else {
                says("keep-alive")
            },
            error_type: value(fields, ERROR_TYPE)?.map(text),
        },
    )))
}

fn framing(fields: &[Header<'_>], is_http_1_1: bool) -> Result<Framing, HttpError> {
    match (value(fields, "transfer-encoding")?, value(fields, "content-length")?) {
        (None, None) => Ok(Framing::Length(0)),
        (None, Some(length)) => {
            // `str::parse` alone would take a sign.
            let digits = str::from_utf8(length)
                .ok()
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let length = digits.filter(|text| !text.is_empty());
            let length = length.ok_or(HttpError::Malformed("Content-Length is not a number"))?;
            // What no number holds is surely too large.
            Ok(Framing::Length(length.parse().unwrap_or(u64::MAX)))
        }
        (Some(coding), None) if is_http_1_1 && coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        (Some(_), None) => Err(HttpError::Malformed("Transfer-Encoding is not exactly chunked")),
        (Some(_), Some(_)) => Err(HttpError::Malformed("it has both Content-Length and Transfer-Encoding")),
    }
}

/// The value of a field of which there may be one at most.
fn value<'a>(fields: &[Header<'a>], name: &str) -> Result<Option<&'a [u8]>, HttpError> {
    let mut values = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
    let first = values.next().map(|field| field.value);
    if values.next().is_some() {
        return Err(HttpError::Malformed("it has a field twice that may be there once"));
    }
    Ok(first)
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// What is read of these bytes, with a limit of 10: each request's target, content, and whether that was too large.
    fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>, bool)>, HttpError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.write_all(bytes).unwrap();
        drop(client);
        let mut reader = Reader::new(&server);
        let mut requests = Vec::new();
        while let Some(head) = reader.head()? {
            let body = reader.body(&head, 10)?;
            requests.push((head.target, body.bytes, body.is_too_large));
        }
        Ok(requests)
    }

    #[test]
    fn one_request_after_another_is_read() {
        let requests = read(
            b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\
              POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000002\r\nab\r\nA ;x=y\r\n0123456789\r\n0\r\nA: b\r\n\r\n\
              POST /c HTTP/1.1\r\nContent-Length: 12\r\n\r\n0123456789abGET /d HTTP/1.1\r\n\r\n",
        );
        let expected = [
            ("/a", &b"abc"[..], false),
            ("/b", b"ab01234567", true),
            ("/c", b"0123456789", true),
            ("/d", b"", false),
        ];
        let expected = expected.map(|(target, body, large)| (target.to_owned(), body.to_vec(), large));
        assert_eq!(requests.unwrap(), expected);
    }

    #[test]
    fn what_is_not_a_request_is_told_from_what_is_cut() {
        let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(MAX_HEAD_LENGTH));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(MAX_FIELDS + 1));
        for malformed in [
            "\u{16}\u{3}\u{1} hello\r\n\r\n",
            "GET /\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na",
            "POST / HTTP/1.1\r\nContent-Length: \r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
            "POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\na",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;\n\r\na\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
            &long,
            &many,
        ] {
            assert!(
                matches!(read(malformed.as_bytes()), Err(HttpError::Malformed(_))),
                "{malformed}"
            );
        }
        for cut in [
            "GET / HT",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\na",
            "POST / HTTP/1.1\r\nContent-Length: 20\r\n\r\n0123456789a",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        ] {
            assert!(matches!(read(cut.as_bytes()), Err(HttpError::Broken)), "{cut}");
        }
    }
}
