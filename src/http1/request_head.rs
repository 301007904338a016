//! What a request's head means, read as strictly as RFC 9112 asks: what two readers could understand in two ways is
//! refused, since one of them may be the integration.

use std::net::SocketAddr;

use crate::http1::error::RequestError;
use crate::http1::framing::{Framing, framing};
use crate::http1::head_scanner;
use crate::http1::message::{Body, Headers, Request, Version, is_token};
use crate::http1::message_limits::{MAX_FIELDS, MAX_REQUEST_HEAD_LENGTH};
use crate::http1::search;
use crate::http1::target::{authority, check_host, is_without_path, split_target};

/// A request's head, understood.
#[derive(Debug)]
pub struct Head {
    /// The request, as yet without content. It goes through many hands.
    pub request: Box<Request>,
    /// How its content is framed.
    pub framing: Framing,
}

impl Head {
    /// Bytes of memory that it takes, about: its text twice, and the target once more.
    pub fn memory(&self) -> usize {
        let Request {
            path,
            query,
            head_length,
            ..
        } = &*self.request;
        2 * head_length + path.len() + query.as_ref().map_or(0, String::len)
    }

    /// Whether the client wants to go on with the connection (RFC 9112 §9.3).
    pub fn keeps_connection(&self) -> bool {
        let headers = &self.request.headers;
        match self.request.version {
            _ if headers.has_token("connection", "close") => false,
            Version::Http11 => true,
            Version::Http10 => headers.has_token("connection", "keep-alive"),
        }
    }

    /// Whether the client waits for leave to send its content (RFC 9110 §10.1.1). Another expectation is not heeded.
    pub fn expects_continue(&self) -> bool {
        self.request.version == Version::Http11 && self.request.headers.has_token("expect", "100-continue")
    }
}

fn bad(reason: &str) -> RequestError {
    RequestError::Malformed(reason.to_owned())
}

/// Reads a whole head, from the request line to the empty line, with its line ends.
///
/// # Errors
/// The answer; the connection must be closed with it.
pub fn parse(head: &[u8], peer: SocketAddr, local: SocketAddr) -> Result<Head, RequestError> {
    let (line, fields) = head_scanner::split_first_line(head);
    let (method, target, version) = parse_request_line(line).map_err(bad)?;
    let mut headers = head_scanner::read_fields(fields, MAX_FIELDS)?;
    check_host(&headers, version).map_err(bad)?;
    let framing = framing(&headers, version).map_err(bad)?;
    let (path, query) = match (method, target) {
        ("OPTIONS", "*") => ("*".to_owned(), None),
        ("OPTIONS", _) if is_without_path(target) => ("*".to_owned(), None),
        ("CONNECT", _) => return Err(bad("CONNECT is for proxies")),
        _ => split_target(target).map_err(bad)?,
    };
    if let Some(authority) = authority(target) {
        take_host(&mut headers, authority).map_err(bad)?;
    }
    let request = Box::new(Request {
        client: None,
        tls: None,
        first_byte: None,
        method: method.to_owned(),
        path,
        query,
        version,
        headers,
        body: Body::Empty,
        head_length: head.len(),
        peer,
        local,
    });
    Ok(Head { request, framing })
}

/// Whether a head with that request line would be read, where all else is in order. An empty host is none that is looked
/// at.
///
/// # Errors
/// As [`parse`].
pub fn check(method: &str, host: &str, target: &str) -> Result<(), RequestError> {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    if head.len() + "Host: \r\n\r\n".len() + host.len() > MAX_REQUEST_HEAD_LENGTH {
        return Err(RequestError::HeadTooLarge);
    }
    if method.contains(['\r', '\n']) || host.contains(['\r', '\n']) {
        return Err(bad("a line ends within the method or the host"));
    }
    if target.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(bad("the target has a character that must be percent-encoded"));
    }
    head.push_str("Host: ");
    head.push_str(if host.is_empty() { "localhost" } else { host });
    head.push_str("\r\n\r\n");
    let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
    parse(head.as_bytes(), nobody, nobody).map(drop)
}

fn parse_request_line(line: &[u8]) -> Result<(&str, &str, Version), &'static str> {
    let line = str::from_utf8(line).map_err(|_| "the request line is not ASCII")?;
    const THREE_PARTS: &str = "the request line does not have three parts";
    let (method, rest) = split_at_blank(line).ok_or(THREE_PARTS)?;
    let (target, version) = split_at_blank(rest).ok_or(THREE_PARTS)?;
    if version.contains(' ') {
        return Err(THREE_PARTS);
    }
    if !is_token(method.as_bytes()) {
        return Err("the method is not a token");
    }
    let version = match version {
        "HTTP/1.1" => Version::Http11,
        "HTTP/1.0" => Version::Http10,
        _ => return Err("the version is neither HTTP/1.1 nor HTTP/1.0"),
    };
    Ok((method, target, version))
}

/// What stands before the first blank and behind it. `str::split_once` takes longer for texts as short as these.
fn split_at_blank(text: &str) -> Option<(&str, &str)> {
    let at = search::find_byte(text.as_bytes(), b' ')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// The host of a target in absolute form counts, and not the field (RFC 9112 §3.2.2).
fn take_host(headers: &mut Headers, authority: &str) -> Result<(), &'static str> {
    if authority.is_empty() {
        return Err("the target has no host");
    }
    headers.put("host", authority);
    check_host(headers, Version::Http11)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::head_scanner::HeadScanner;
    use crate::http1::message_limits::MAX_REQUEST_HEAD_LENGTH;

    fn status(error: &RequestError) -> u16 {
        match error {
            RequestError::Malformed(_) => 400,
            RequestError::HeadTooLarge => 431,
            other => panic!("{other:?}"),
        }
    }

    fn read(text: &str) -> Result<Option<Head>, u16> {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
        let mut scanner = HeadScanner::default();
        // The end is found wherever the bytes are cut.
        for end in 0..bytes.len() {
            let found = scanner.find_end(&bytes[..end]).map_err(|error| status(&error.into()))?;
            assert_eq!(found, None, "{text:?} at {end}");
        }
        let end = scanner.find_end(&bytes).map_err(|error| status(&error.into()))?;
        let head = end.map(|end| parse(&bytes[..end], address, address)).transpose();
        head.map_err(|error| status(&error))
    }

    #[test]
    fn a_head_is_read_to_the_letter() {
        let text = "GET /a?b HTTP/1.1\r\nHost:h\r\nX-A: \t v \t w \t\r\nx-b: caf\u{e9}\r\nX-C:\r\n\r\n";
        let head = read(text).unwrap().unwrap();
        let fields: Vec<_> = head.request.headers.iter().collect();
        assert_eq!(
            fields,
            [
                ("host", &b"h"[..]),
                ("x-a", b"v \t w"),
                ("x-b", b"caf\xe9"),
                ("x-c", b"")
            ]
        );
        assert_eq!(
            (head.request.method.as_str(), head.request.path.as_str()),
            ("GET", "/a")
        );
        assert_eq!(head.request.head_length, text.chars().count());
        assert!(head.keeps_connection() && !head.expects_continue());
        let absolute = read("GET http://a.test:1/x HTTP/1.1\r\nHost: b\r\n\r\n")
            .unwrap()
            .unwrap();
        assert_eq!(absolute.request.headers.get("host"), Some(&b"a.test:1"[..]));
        let options = read("OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n").unwrap().unwrap();
        assert_eq!(options.request.path, "*");
        // RFC 9112 §3.2.4.
        for (line, path) in [
            ("OPTIONS http://a", "*"),
            ("OPTIONS HTTP://a:80", "*"),
            ("OPTIONS http://a/", "/"),
            ("OPTIONS http://a?b", "/"),
            ("GET http://a", "/"),
        ] {
            let request = read(&format!("{line} HTTP/1.1\r\nHost: b\r\n\r\n")).unwrap().unwrap();
            assert_eq!(request.request.path, path, "{line}");
        }
        assert!(read("OPTIONS ftp://a HTTP/1.1\r\nHost: b\r\n\r\n").is_err());
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_refused() {
        for text in [
            "GET /\r\n\r\n",
            "GET / HTTP/1.1\nHost: h\n\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\nY: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\rY: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\u{0}\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX\t: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\r\n X: a\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\n: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\n\"X\": a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nX-\u{e9}: a\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / x HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n",
            " GET / HTTP/1.1\r\nHost: h\r\n\r\n",
            "G(T / HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.10\r\nHost: h\r\n\r\n",
            "GET / http/1.1\r\nHost: h\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
            "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET http://u@h/x HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "\u{16}\u{3}\u{1}",
        ] {
            assert_eq!(read(text).err(), Some(400), "{text:?}");
        }
    }

    #[test]
    fn a_head_has_a_bound() {
        let with = |fields: String| read(&format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n"));
        assert!(with("a: b\r\n".repeat(MAX_FIELDS - 1)).is_ok());
        assert_eq!(with("a: b\r\n".repeat(MAX_FIELDS)).err(), Some(431));
        let start = "GET / HTTP/1.1\r\nHost: h\r\nX: \r\n\r\n".len();
        let long = |length: usize| with(format!("X: {}\r\n", "x".repeat(length - start)));
        assert!(long(MAX_REQUEST_HEAD_LENGTH).is_ok());
        assert_eq!(long(MAX_REQUEST_HEAD_LENGTH + 1).err(), Some(431));
        assert_eq!(read(&"x".repeat(MAX_REQUEST_HEAD_LENGTH + 2)).err(), Some(431));
    }

    #[test]
    fn the_client_says_whether_it_goes_on() {
        for (version, connection, keeps) in [
            ("1.1", "x", true),
            ("1.1", "Close", false),
            ("1.1", "keep-alive, close", false),
            ("1.0", "x", false),
            ("1.0", "Keep-Alive", true),
        ] {
            let text = format!("GET / HTTP/{version}\r\nHost: h\r\nConnection: {connection}\r\n\r\n");
            assert_eq!(read(&text).unwrap().unwrap().keeps_connection(), keeps, "{text:?}");
        }
    }
}
