//! Requests to a runtime API, read off a connection as strictly as those of clients, within limits of their own.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};

use crate::http1::body_decoder::{BodyDecoder, BodyLimits, DecodeError};
use crate::http1::error::RequestError;
use crate::http1::framing::Framing;
use crate::http1::head_scanner::HeadScanner;
use crate::http1::message::Headers;
use crate::http1::message_limits::{MAX_EMPTY_LINES, MAX_EXTENSIONS};
use crate::http1::request_head::{self, Head};
use crate::http1::response_writer::CONTINUE;

/// Most bytes of a request line and its fields, and of the trailer fields.
const MAX_HEAD_LENGTH: usize = 16 * 1024;

/// Most fields of a head, and of a trailer section.
const MAX_FIELDS: usize = 64;

/// Most bytes of a body that are read after it has turned out to be too large, so that the client sees the answer.
const MAX_SWALLOWED: u64 = 64 * 1024 * 1024;

/// Bytes read at once.
const READ_LENGTH: usize = 16 * 1024;

const TOO_MANY_FIELDS: &str = "it has too many fields";

/// The field, or trailer field, that says of what type a function's error is.
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";

/// Nobody asks at which address a request came.
const ANY: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));

/// Why a connection is of no more use.
#[derive(Debug)]
pub(super) enum HttpError {
    /// What was read is no request.
    Malformed(String),
    /// The connection ended inside a request, or broke.
    Broken,
}

impl HttpError {
    fn malformed(reason: &str) -> HttpError {
        HttpError::Malformed(reason.to_owned())
    }

    /// What is wrong with a head, and what it means that it has too much of something.
    fn of_head(error: RequestError, too_large: &str) -> HttpError {
        match error {
            RequestError::Malformed(reason) => HttpError::Malformed(reason),
            _ => HttpError::malformed(too_large),
        }
    }
}

impl From<DecodeError> for HttpError {
    fn from(error: DecodeError) -> HttpError {
        match error {
            DecodeError::Malformed(reason) => HttpError::malformed(reason),
            DecodeError::TooLarge => HttpError::malformed("its body has no end"),
        }
    }
}

impl From<io::Error> for HttpError {
    fn from(_: io::Error) -> HttpError {
        HttpError::Broken
    }
}

/// A request of a runtime.
#[derive(Debug)]
pub(super) struct RuntimeRequest {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) keeps_connection: bool,
    /// The type of the error that it reports.
    pub(super) error_type: Option<String>,
    pub(super) body: Body,
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

    /// The next request, with at most `limit` bytes of its content; none at the end of the connection.
    pub(super) fn next(&mut self, limit: usize) -> Result<Option<RuntimeRequest>, HttpError> {
        let Some(head) = self.head()? else {
            return Ok(None);
        };
        let error_type = error_type(&head.request.headers)?;
        let body = self.body(&head, limit)?;
        Ok(Some(RuntimeRequest {
            keeps_connection: head.keeps_connection(),
            method: head.request.method,
            path: head.request.path,
            error_type,
            body,
        }))
    }

    fn head(&mut self) -> Result<Option<Head>, HttpError> {
        let mut scanner = HeadScanner::with_limit(MAX_HEAD_LENGTH);
        let mut empty_lines = 0;
        loop {
            let found = scanner.find_end(self.buffered());
            match found.map_err(|error| HttpError::of_head(error.into(), "its head is too large"))? {
                Some(length) if length == 2 && empty_lines < MAX_EMPTY_LINES => {
                    empty_lines += 1;
                    self.consume(length);
                    scanner = HeadScanner::with_limit(MAX_HEAD_LENGTH);
                }
                Some(length) => {
                    let bytes = self.buffered().get(..length).unwrap_or_default();
                    let head = request_head::parse(bytes, ANY, ANY);
                    let head = head.map_err(|error| HttpError::of_head(error, TOO_MANY_FIELDS))?;
                    self.consume(length);
                    return Ok(Some(head));
                }
                None if self.fill()? > 0 => {}
                None if self.buffered().is_empty() => return Ok(None),
                None => return Err(HttpError::Broken),
            }
        }
    }

    /// The content that belongs to the head that was read last.
    fn body(&mut self, head: &Head, limit: usize) -> Result<Body, HttpError> {
        let limits = BodyLimits {
            content: MAX_SWALLOWED,
            extensions: MAX_EXTENSIONS,
            trailers: MAX_HEAD_LENGTH,
            keeps_trailers: true,
        };
        let mut decoder = BodyDecoder::with_limits(head.framing, limits)?;
        let mut body = Body::default();
        if decoder.is_done() {
            return Ok(body);
        }
        if head.expects_continue() && self.buffered().is_empty() {
            self.stream.write_all(CONTINUE)?;
        }
        if let Framing::Length(length) = head.framing {
            let most = limit + READ_LENGTH;
            body.bytes
                .reserve_exact(usize::try_from(length).map_or(most, |length| length.min(most)));
        }
        loop {
            let taken = decoder.decode(self.buffered(), &mut body.bytes)?;
            self.consume(taken);
            if body.bytes.len() > limit {
                body.bytes.truncate(limit);
                body.is_too_large = true;
            }
            if decoder.is_done() {
                break;
            }
            if self.fill()? == 0 {
                return Err(HttpError::Broken);
            }
        }
        body.error_type = error_type(decoder.trailers())?;
        Ok(body)
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

/// The type of an error that a function reports, where it does.
fn error_type(fields: &Headers) -> Result<Option<String>, HttpError> {
    if fields.iter().count() > MAX_FIELDS {
        return Err(HttpError::malformed(TOO_MANY_FIELDS));
    }
    let mut values = fields.get_all(ERROR_TYPE);
    let first = values.next().map(|value| String::from_utf8_lossy(value).into_owned());
    match values.next() {
        Some(_) => Err(HttpError::malformed("it has a field twice that may be there once")),
        None => Ok(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// What is read of these bytes, with that limit.
    fn requests(bytes: &[u8], limit: usize) -> Result<Vec<RuntimeRequest>, HttpError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.write_all(bytes).unwrap();
        drop(client);
        let mut reader = Reader::new(&server);
        let mut requests = Vec::new();
        while let Some(request) = reader.next(limit)? {
            requests.push(request);
        }
        Ok(requests)
    }

    /// With a limit of 10: each request's path, content, and whether that was too large.
    fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>, bool)>, HttpError> {
        let request = |request: RuntimeRequest| (request.path, request.body.bytes, request.body.is_too_large);
        Ok(requests(bytes, 10)?.into_iter().map(request).collect())
    }

    #[test]
    fn one_request_after_another_is_read() {
        let requests = read(
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\
              POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0000000000000002\r\nab\r\nA ;x=y\r\n0123456789\r\n0\r\nA: b\r\n\r\n\
              POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n0123456789abGET /d HTTP/1.1\r\nHost: x\r\n\r\n",
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
    fn the_type_of_an_error_is_read_from_head_and_trailer() {
        let error = |kind: &str| format!("Lambda-Runtime-Function-Error-Type: {kind}\r\n");
        let body = format!("Lambda-Runtime-Function-Error-Body: {}\r\n", "a".repeat(15 * 1024));
        let request = |head: &str, trailer: &str| {
            format!(
                "POST / HTTP/1.1\r\nHost: x\r\n{head}Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n{trailer}\r\n"
            )
        };
        let types = |request: String| {
            let requests = requests(request.as_bytes(), 10)?;
            let types = |request: &RuntimeRequest| (request.error_type.clone(), request.body.error_type.clone());
            Ok::<_, HttpError>(requests.iter().map(types).next().unwrap())
        };
        let some = |kind: &str| Some(kind.to_owned());
        assert_eq!(types(request("", "")).unwrap(), (None, None));
        assert_eq!(types(request(&error("a"), "")).unwrap(), (some("a"), None));
        assert_eq!(types(request("", &(body + &error("b")))).unwrap(), (None, some("b")));
        assert!(types(request("", &error("b").repeat(2))).is_err());
        assert!(types(request(&error("a").repeat(2), "")).is_err());
    }

    #[test]
    fn what_is_not_a_request_is_told_from_what_is_cut() {
        let long = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n",
            "a".repeat(MAX_HEAD_LENGTH)
        );
        let no_end = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            MAX_SWALLOWED + 1
        );
        let long_trailer = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: {}\r\n\r\n",
            "a".repeat(MAX_HEAD_LENGTH)
        );
        let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(MAX_FIELDS + 1));
        for malformed in [
            "\u{16}\u{3}\u{1} hello\r\n\r\n",
            "GET /\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551616\r\n\r\na",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\nHost: x\n\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000002\r\nab\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;\n\r\na\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n",
            &long,
            &many,
            &no_end,
            &long_trailer,
        ] {
            assert!(
                matches!(read(malformed.as_bytes()), Err(HttpError::Malformed(_))),
                "{malformed}"
            );
        }
        for cut in [
            "GET / HT",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n0123456789a",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        ] {
            assert!(matches!(read(cut.as_bytes()), Err(HttpError::Broken)), "{cut}");
        }
    }
}
