//! The head of an answer, read where it comes in.
//!
//! ureq would make a map of the fields, of which a second list is then made for the client, and it takes 100 of them. So
//! the transport reads the fields, and leaves to ureq a head with nothing but what frames the content.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Response, Status};

use crate::http1::message::Headers;
use crate::http1::message_limits::MAX_RESPONSE_HEAD_LENGTH;

/// Most fields of an answer, as many as a request may have.
const MAX_FIELDS: usize = 256;

/// What the bytes of an answer begin with.
#[derive(Debug)]
pub enum Found {
    /// A part of a head.
    Part,
    /// An interim answer of so many bytes, which is not passed on (RFC 9110 §15.2).
    Interim(usize),
    /// The head of the answer itself.
    Final(Head),
}

/// The head of an answer.
#[derive(Debug)]
pub struct Head {
    /// All fields.
    pub fields: Headers,
    /// Bytes that are left of it.
    pub length: usize,
    /// Bytes behind it.
    pub content: usize,
    /// There is content, and it is in chunks.
    pub is_chunked: bool,
}

/// Looks at the first bytes of an answer, to HEAD or not. Of its head, what frames the content is left, and the content
/// behind it.
///
/// # Errors
/// It is no head, or one that two readers could read in two ways.
pub fn take(input: &mut [u8], is_to_head: bool) -> Result<Found, String> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut response, input, &mut fields);
    let length = match parsed {
        Ok(Status::Complete(length)) if length <= MAX_RESPONSE_HEAD_LENGTH => length,
        Ok(Status::Partial) if input.len() <= MAX_RESPONSE_HEAD_LENGTH => return Ok(Found::Part),
        Ok(_) => return Err(format!("its head has more than {MAX_RESPONSE_HEAD_LENGTH} bytes")),
        Err(httparse::Error::TooManyHeaders) => return Err(format!("it has more than {MAX_FIELDS} fields")),
        Err(error) => return Err(error.to_string()),
    };
    let status = response.code.unwrap_or_default();
    match status {
        0..=99 => return Err(format!("it has the status {status}")),
        101 => return Err("it switches to a protocol that nobody asked for".to_owned()),
        100..=199 => {
            check_interim(response.headers)?;
            return Ok(Found::Interim(length));
        }
        _ => {}
    }
    let is_http_1_1 = response.version == Some(1);
    let mut headers = Headers::with_capacity(length);
    for field in response.headers.iter() {
        headers
            .append(field.name, field.value)
            .map_err(|_| format!("the field {} has a byte that it cannot have", field.name))?;
    }
    let has_chunks = is_chunked(&headers, is_http_1_1)?;
    let rest = what_frames(status, is_http_1_1, response.headers, &headers);
    // What is left says less than there was, in the shortest lines, so it fits.
    let content = input.len() - length;
    let (Some(to), true) = (input.get_mut(..rest.len()), rest.len() <= length) else {
        return Err("its head is too short".to_owned());
    };
    to.copy_from_slice(&rest);
    if rest.len() < length {
        input.copy_within(length.., rest.len());
    }
    Ok(Found::Final(Head {
        fields: headers,
        length: rest.len(),
        content,
        is_chunked: has_chunks && !is_to_head && !matches!(status, 204 | 304),
    }))
}

/// An interim answer ends with its fields, whatever they are. One that says otherwise could be read in two ways.
fn check_interim(fields: &[Header<'_>]) -> Result<(), String> {
    let has_content = fields.iter().any(|field| {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        is("transfer-encoding") || (is("content-length") && field.value != b"0")
    });
    match has_content {
        true => Err("it has an interim answer with content".to_owned()),
        false => Ok(()),
    }
}

/// Whether the content is in chunks, if there is any; refuses an answer that two readers could end at two places
/// (RFC 9112 §6.3).
fn is_chunked(headers: &Headers, is_http_1_1: bool) -> Result<bool, String> {
    let mut codings = headers.get_all("transfer-encoding");
    let Some(coding) = codings.next() else {
        return Ok(false);
    };
    let objection = if codings.next().is_some() || !coding.eq_ignore_ascii_case(b"chunked") {
        "its transfer coding is not exactly chunked"
    } else if !is_http_1_1 {
        "it is chunked, but not HTTP/1.1"
    } else if headers.get("content-length").is_some() {
        "it has both Content-Length and Transfer-Encoding"
    } else {
        return Ok(true);
    };
    Err(objection.to_owned())
}

/// The head that ureq is left: what frames the content, and whether the connection can be kept.
fn what_frames(status: u16, is_http_1_1: bool, fields: &[Header<'_>], headers: &Headers) -> Vec<u8> {
    let mut rest = Vec::with_capacity(128);
    rest.extend_from_slice(if is_http_1_1 { b"HTTP/1.1 " } else { b"HTTP/1.0 " });
    rest.extend_from_slice(status.to_string().as_bytes());
    rest.extend_from_slice(b"\n");
    for field in fields {
        let is_framing = ["content-length", "transfer-encoding"]
            .iter()
            .any(|name| field.name.eq_ignore_ascii_case(name));
        if is_framing {
            for part in [field.name.as_bytes(), b":", field.value, b"\n"] {
                rest.extend_from_slice(part);
            }
        }
    }
    if headers.has_token("connection", "close") {
        rest.extend_from_slice(b"connection:close\n");
    } else if headers.has_token("connection", "keep-alive") {
        rest.extend_from_slice(b"connection:keep-alive\n");
    }
    rest.extend_from_slice(b"\n");
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields = Vec<(String, String)>;

    fn taken(text: &str) -> Option<(Fields, String)> {
        let mut input = text.as_bytes().to_vec();
        let Ok(Found::Final(head)) = take(&mut input, false) else {
            return None;
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let fields = head.fields.iter().map(|(name, value)| (name.to_owned(), text(value)));
        Some((fields.collect(), text(&input[..head.length + head.content])))
    }

    #[test]
    fn what_frames_the_content_is_left() {
        for (input, fields, left) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: 1\r\nx-a: 2\r\n\r\nabc",
                &[("content-length", "3"), ("x-a", "1"), ("x-a", "2")][..],
                "HTTP/1.1 200\nContent-Length:3\n\nabc",
            ),
            (
                "HTTP/1.0 404 Not Found\r\nConnection:  x, keep-alive \r\nConnection: y\r\n\r\n",
                &[("connection", "x, keep-alive"), ("connection", "y")],
                "HTTP/1.0 404\nconnection:keep-alive\n\n",
            ),
            (
                "HTTP/1.1 302 Found\r\nTransfer-Encoding: chunked\r\nLocation: /\r\nConnection:keep-alive,Close\r\n\r\n0\r\n\r\n",
                &[
                    ("transfer-encoding", "chunked"),
                    ("location", "/"),
                    ("connection", "keep-alive,Close"),
                ],
                "HTTP/1.1 302\nTransfer-Encoding:chunked\nconnection:close\n\n0\r\n\r\n",
            ),
            ("HTTP/1.1 999 \r\n\r\n", &[], "HTTP/1.1 999\n\n"),
            // The shortest that there are.
            ("HTTP/1.1 200\r\n\r\n", &[], "HTTP/1.1 200\n\n"),
            ("HTTP/1.1 200\n\nab", &[], "HTTP/1.1 200\n\nab"),
            (
                "HTTP/1.0 200\nConnection:close\nContent-Length:1\n\na",
                &[("connection", "close"), ("content-length", "1")],
                "HTTP/1.0 200\nContent-Length:1\nconnection:close\n\na",
            ),
        ] {
            let (got, rest) = taken(input).unwrap();
            let got: Vec<(&str, &str)> = got.iter().map(|(name, value)| (&name[..], &value[..])).collect();
            assert_eq!((&got[..], &rest[..]), (fields, left), "{input:?}");
        }
    }

    #[test]
    fn content_in_chunks_is_told_where_there_is_content() {
        for (status, is_to_head, expected) in [(200, false, true), (200, true, false), (204, false, false)] {
            let text = format!("HTTP/1.1 {status} x\r\nTransfer-Encoding: Chunked\r\n\r\n");
            let found = take(&mut text.into_bytes(), is_to_head);
            assert!(
                matches!(&found, Ok(Found::Final(head)) if head.is_chunked == expected),
                "{status}, {is_to_head}: {found:?}"
            );
        }
    }

    #[test]
    fn parts_interim_answers_and_what_is_malformed_are_told_apart() {
        let fields = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
        let long = |length: usize| format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(length));
        for (input, expected) in [
            ("", "part"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", "part"),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP", "interim"),
            (
                "HTTP/1.1 100 Continue\r\nDate: x\r\nContent-Length: 0\r\n\r\n",
                "interim",
            ),
            ("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "interim"),
            ("HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\n\r\n", "malformed"),
            (
                "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n",
                "malformed",
            ),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "malformed"),
            ("HTTP/2.0 200 OK\r\n\r\n", "malformed"),
            ("HTTP/1.1 099 OK\r\n\r\n", "malformed"),
            ("HTTP/1.1 200 OK\r\na b: c\r\n\r\n", "malformed"),
            ("HTTP/1.1 200 OK\r\na: \u{1}\r\n\r\n", "malformed"),
            ("HTTP/1.1 200 OK\r\n folded\r\n\r\n", "malformed"),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "malformed"),
            (&fields(MAX_FIELDS), "final"),
            (&fields(MAX_FIELDS + 1), "malformed"),
            (&long(MAX_RESPONSE_HEAD_LENGTH - 20), "part"),
            (&long(MAX_RESPONSE_HEAD_LENGTH), "malformed"),
            (&format!("{}\r\n\r\n", long(MAX_RESPONSE_HEAD_LENGTH)), "malformed"),
        ] {
            let found = match take(&mut input.as_bytes().to_vec(), false) {
                Ok(Found::Part) => "part",
                Ok(Found::Interim(_)) => "interim",
                Ok(Found::Final(_)) => "final",
                Err(_) => "malformed",
            };
            assert_eq!(found, expected, "{:?}", input.get(..60).unwrap_or(input));
        }
    }
}
