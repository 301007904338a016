//! A request as bytes: the request line, the fields, the framing, and chunks (RFC 9112).

use std::io::Write;

use crate::http1::framing::Framing;
use crate::http1::message::{Method, RequestParts};

/// Bytes of a head besides the target and the fields: the rest of the request line, and the field that frames.
const OWN_LENGTH: usize = 96;

/// The head of a request with exactly one field that frames its content, and room for so many bytes of it.
///
/// # Errors
/// The target has a byte that cannot stand in a request line, or is no path: a sentence for the log.
pub fn head(method: Method, parts: &RequestParts, framing: Framing, content: usize) -> Result<Vec<u8>, &'static str> {
    let query = parts.query.as_deref();
    check_target(&parts.path, query)?;
    let target_length = parts.path.len() + query.map_or(0, |query| query.len() + 1);
    let mut head = Vec::with_capacity(parts.headers.length() + target_length + OWN_LENGTH + content);
    for part in [method.as_str(), " ", &parts.path] {
        head.extend_from_slice(part.as_bytes());
    }
    if let Some(query) = query {
        head.push(b'?');
        head.extend_from_slice(query.as_bytes());
    }
    head.extend_from_slice(b" HTTP/1.1\r\n");
    parts.headers.write_to(&mut head, |_| false);
    match framing {
        Framing::Length(0) => head.extend_from_slice(b"content-length: 0\r\n\r\n"),
        // Writing to a Vec cannot fail.
        Framing::Length(length) => drop(write!(head, "content-length: {length}\r\n\r\n")),
        Framing::Chunked => head.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n"),
    }
    Ok(head)
}

/// A target begins with its path, and has no byte that ends it or that a reader could take for another. Quotes and braces
/// pass, as some servers want them.
fn check_target(path: &str, query: Option<&str>) -> Result<(), &'static str> {
    if !path.starts_with('/') {
        return Err("the target is no path");
    }
    let in_path = |byte: u8| !matches!(byte, 0..=b' ' | b'#' | b'?' | b'<' | b'>' | b'`' | 0x7f);
    let in_query = |byte: u8| !matches!(byte, 0..=b' ' | b'#' | b'<' | b'>' | 0x7f);
    if path.bytes().all(in_path) && query.unwrap_or_default().bytes().all(in_query) {
        return Ok(());
    }
    Err("the target has a character that must be percent-encoded")
}

/// Appends content as a chunk; no content is no chunk.
pub fn append_chunk(message: &mut Vec<u8>, content: &[u8]) {
    if !content.is_empty() {
        // Writing to a Vec cannot fail.
        let _ = write!(message, "{:x}\r\n", content.len());
        message.extend_from_slice(content);
        message.extend_from_slice(b"\r\n");
    }
}

/// The chunk that ends the content.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::message::Headers;

    fn written(path: &str, query: Option<&str>, framing: Framing) -> Result<String, &'static str> {
        let parts = RequestParts {
            path: path.to_owned(),
            query: query.map(str::to_owned),
            headers: Headers::of(&[("Host", "h"), ("X-A", "b")]),
        };
        head(Method::Put, &parts, framing, 0).map(|head| String::from_utf8(head).unwrap())
    }

    #[test]
    fn a_head_says_where_its_content_ends() {
        for (framing, line) in [
            (Framing::Length(0), "content-length: 0"),
            (Framing::Length(12), "content-length: 12"),
            (Framing::Chunked, "transfer-encoding: chunked"),
        ] {
            let expected = format!("PUT /a?b=c HTTP/1.1\r\nhost: h\r\nx-a: b\r\n{line}\r\n\r\n");
            assert_eq!(written("/a", Some("b=c"), framing), Ok(expected));
        }
        let mut message = Vec::new();
        for content in ["0123456789abcdef", "", "x"] {
            append_chunk(&mut message, content.as_bytes());
        }
        message.extend_from_slice(LAST_CHUNK);
        assert_eq!(message, b"10\r\n0123456789abcdef\r\n1\r\nx\r\n0\r\n\r\n");
    }

    #[test]
    fn a_target_that_could_be_another_is_not_written() {
        for (path, query, is_written) in [
            ("/", None, true),
            ("//a/%2F/{b}\"", Some("?a=%20&{b}`"), true),
            ("/caf\u{e9}", None, true),
            ("", None, false),
            ("a", None, false),
            ("*", None, false),
            ("/a b", None, false),
            ("/a?b", None, false),
            ("/a#b", None, false),
            ("/a", Some("b#c"), false),
            ("/a", Some("b c"), false),
            ("/a\r\nX: y", None, false),
            ("/a", Some("b\r\n"), false),
            ("/a\0", None, false),
            ("/a\u{7f}", None, false),
            ("/<a>", None, false),
        ] {
            let got = written(path, query, Framing::Length(0));
            assert_eq!(got.is_ok(), is_written, "{path:?} {query:?}: {got:?}");
        }
    }
}
