//! The head of an answer, read where it comes in.
//!
//! ureq would make a map of the fields, of which a second list is then made for the client. So the transport reads the
//! fields, and leaves to ureq a head with nothing but what frames the content. An answer that is out of the ordinary is
//! left to ureq as it came: one that comes in pieces, is interim, or is malformed.

use crate::http1::limits::MAX_RESPONSE_HEAD_LENGTH;
use crate::http1::message::Headers;

/// Most fields that are read here; ureq refuses an answer that has more.
const MAX_FIELDS: usize = 128;

/// Fields by which ureq finds the end of the content, and knows whether the connection can be kept.
const FRAMING: [&str; 3] = ["connection", "content-length", "transfer-encoding"];

/// Takes the fields out of an answer's first bytes, but for those of framing; returns them all, and how many bytes are
/// left.
pub fn take(input: &mut [u8]) -> Option<(Headers, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(length)) = response.parse(input) else {
        return None;
    };
    if length > MAX_RESPONSE_HEAD_LENGTH || response.code.is_none_or(|code| code < 200) {
        return None;
    }
    let mut headers = Headers::with_capacity(length);
    let mut rest = Vec::with_capacity(128);
    rest.extend_from_slice(if response.version == Some(0) {
        b"HTTP/1.0 "
    } else {
        b"HTTP/1.1 "
    });
    rest.extend_from_slice(response.code.unwrap_or_default().to_string().as_bytes());
    rest.extend_from_slice(b" \r\n");
    for field in response.headers.iter() {
        headers.append(field.name, field.value).ok()?;
        if FRAMING.iter().any(|name| field.name.eq_ignore_ascii_case(name)) {
            for part in [field.name.as_bytes(), b":", field.value, b"\r\n"] {
                rest.extend_from_slice(part);
            }
        }
    }
    rest.extend_from_slice(b"\r\n");
    // What is left is a part of what there was, so it fits; were it not so, the answer would be left as it is.
    let left = rest.len() + input.len() - length;
    let content = length..input.len();
    input.get(..length)?.get(..rest.len())?;
    input.copy_within(content, rest.len());
    input.get_mut(..rest.len())?.copy_from_slice(&rest);
    Some((headers, left))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> Option<(Vec<(String, String)>, String)> {
        let mut input = text.as_bytes().to_vec();
        let (headers, left) = take(&mut input)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let fields = headers.iter().map(|(name, value)| (name.to_owned(), text(value)));
        Some((fields.collect(), text(&input[..left])))
    }

    #[test]
    fn what_frames_the_content_is_left() {
        for (input, fields, left) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: 1\r\nx-a: 2\r\n\r\nabc",
                &[("content-length", "3"), ("x-a", "1"), ("x-a", "2")][..],
                "HTTP/1.1 200 \r\nContent-Length:3\r\n\r\nabc",
            ),
            (
                "HTTP/1.0 404 Not Found\r\nConnection:  keep-alive \r\n\r\n",
                &[("connection", "keep-alive")],
                "HTTP/1.0 404 \r\nConnection:keep-alive\r\n\r\n",
            ),
            (
                "HTTP/1.1 302 Found\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\nLocation: /\r\n\r\n0\r\n\r\n",
                &[
                    ("transfer-encoding", "chunked"),
                    ("content-length", "1"),
                    ("location", "/"),
                ],
                "HTTP/1.1 302 \r\nTransfer-Encoding:chunked\r\nContent-Length:1\r\n\r\n0\r\n\r\n",
            ),
            ("HTTP/1.1 999 \r\n\r\n", &[], "HTTP/1.1 999 \r\n\r\n"),
        ] {
            let (got, rest) = taken(input).unwrap();
            let got: Vec<(&str, &str)> = got.iter().map(|(name, value)| (&name[..], &value[..])).collect();
            assert_eq!((&got[..], &rest[..]), (fields, left), "{input:?}");
        }
    }

    #[test]
    fn what_is_out_of_the_ordinary_is_left_as_it_is() {
        let many = "a: b\r\n".repeat(MAX_FIELDS + 1);
        let long = "b".repeat(MAX_RESPONSE_HEAD_LENGTH);
        for input in [
            "",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: \u{1}\r\n\r\n",
            "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
            // What is left would be longer.
            "HTTP/1.1 200\r\n\r\n",
            "HTTP/1.1 200\n\n",
            &format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
            &format!("HTTP/1.1 200 OK\r\na: {long}\r\n\r\n"),
        ] {
            assert_eq!(taken(input), None, "{:?}", input.get(..60).unwrap_or(input));
        }
    }
}
