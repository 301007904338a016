//! The path of a request: decoded once before routing (`R1.29`–`R1.35`).
//!
//! What functions and mappings read of it is decoded once more (`R1.32`). What goes into another path is not: it would be
//! another path than the one that a route was chosen for.
//!
//! # Example
//! ```
//! use apigateway::definition::notation::path::RequestPath;
//!
//! let path = RequestPath::parse("/v0/a%2Fb/c%20d").unwrap();
//! assert_eq!(path.segments().collect::<Vec<_>>(), ["v0", "a", "b", "c d"]);
//! let below = path.below_first_segment();
//! assert_eq!(below.segments().collect::<Vec<_>>(), ["a", "b", "c d"]);
//! assert_eq!(below.raw(), "/a%2Fb/c%20d");
//! ```

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode, utf8_percent_encode};

use crate::http1::search;
use crate::http1::target::{has_dot_segment, percent_signs_are_whole};

/// A request's path that is fit for routing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPath {
    raw: String,
    decoded: String,
}

/// Why a path is refused with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidPath {
    /// It does not begin with `/`.
    NotAbsolute,
    /// A `%` is not followed by two hex digits (`R1.34`).
    Encoding,
    /// The decoded bytes are not UTF-8.
    NotUtf8,
    /// A segment is `.` or `..` after decoding (`R1.30`).
    DotSegment,
}

impl fmt::Display for InvalidPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InvalidPath::NotAbsolute => "the path does not begin with '/'",
            InvalidPath::Encoding => "the path has a '%' without two hex digits",
            InvalidPath::NotUtf8 => "the path is not UTF-8 once decoded",
            InvalidPath::DotSegment => "the path has a '.' or '..' segment",
        })
    }
}

impl std::error::Error for InvalidPath {}

impl RequestPath {
    /// Decodes a path as it stands in a request line, without its query.
    ///
    /// # Errors
    /// See [`InvalidPath`].
    pub fn parse(raw: &str) -> Result<RequestPath, InvalidPath> {
        if !raw.starts_with('/') {
            return Err(InvalidPath::NotAbsolute);
        }
        let decoded = match search::find_byte(raw.as_bytes(), b'%') {
            None => raw.to_owned(),
            Some(_) if !percent_signs_are_whole(raw) => return Err(InvalidPath::Encoding),
            Some(_) => percent_decode_str(raw)
                .decode_utf8()
                .map_err(|_| InvalidPath::NotUtf8)?
                .into_owned(),
        };
        if has_dot_segment(&decoded) {
            return Err(InvalidPath::DotSegment);
        }
        Ok(RequestPath {
            raw: raw.to_owned(),
            decoded,
        })
    }

    /// The path as the client wrote it.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The path after one decoding; it begins with `/`.
    pub fn decoded(&self) -> &str {
        &self.decoded
    }

    /// The decoded segments: what stands between slashes, empty ones included (`R1.29`).
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        let below_root = self.decoded.strip_prefix('/').unwrap_or_default();
        below_root.split('/')
    }

    /// The path without its first segment, which named the stage; `/` when nothing is left (`R2.3`).
    pub fn below_first_segment(&self) -> RequestPath {
        let decoded = match self.decoded.get(1..).and_then(|rest| rest.split_once('/')) {
            Some((_, rest)) => format!("/{rest}"),
            None => "/".to_owned(),
        };
        RequestPath {
            raw: format!("/{}", after_second_slash(&self.raw)),
            decoded,
        }
    }
}

/// What follows the second slash of an encoded path, be it written `/` or `%2F`.
fn after_second_slash(raw: &str) -> &str {
    let rest = raw.get(1..).unwrap_or_default();
    let plain = rest.find('/').map(|at| (at, 1));
    let encoded = rest
        .as_bytes()
        .windows(3)
        .position(|window| window.eq_ignore_ascii_case(b"%2f"))
        .map(|at| (at, 3));
    match [plain, encoded].into_iter().flatten().min() {
        Some((at, length)) => rest.get(at + length..).unwrap_or_default(),
        None => "",
    }
}

/// Decodes a captured value for the second time (`R1.32`); a broken sequence stays as it is.
///
/// # Errors
/// The result is not UTF-8.
///
/// # Example
/// ```
/// use apigateway::definition::notation::path::decode_again;
/// assert_eq!(decode_again("a%2Fb").unwrap(), "a/b");
/// assert_eq!(decode_again("100%").unwrap(), "100%");
/// assert!(decode_again("%ff").is_err());
/// ```
pub fn decode_again(value: &str) -> Result<Cow<'_, str>, InvalidPath> {
    percent_decode_str(value)
        .decode_utf8()
        .map_err(|_| InvalidPath::NotUtf8)
}

/// Everything but the characters that may stand in a path segment as they are (`pchar`, RFC 3986 §3.3).
const OUTSIDE_SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// As [`OUTSIDE_SEGMENT`], but slashes stay.
const OUTSIDE_PATH: &AsciiSet = &OUTSIDE_SEGMENT.remove(b'/');

/// As [`OUTSIDE_PATH`], but what is encoded stays as it is.
const OUTSIDE_ENCODED_PATH: &AsciiSet = &OUTSIDE_PATH.remove(b'%');

/// What no request line can carry in a path, and `\`, which some readers take for a slash. All else passes as the client
/// wrote it.
const OUTSIDE_REQUEST_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'#')
    .add(b'?')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'`');

/// What no request line can carry in a query.
const OUTSIDE_REQUEST_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// As a path, and what parts a query into names and values.
const OUTSIDE_QUERY_VALUES: &AsciiSet = &OUTSIDE_PATH.add(b'&').add(b'=').add(b'+').add(b';');

/// As [`OUTSIDE_QUERY_VALUES`], and slashes.
const OUTSIDE_QUERY_VALUE: &AsciiSet = &OUTSIDE_QUERY_VALUES.add(b'/');

/// Encodes a value that becomes one segment of a path, slashes too (`R3.4`).
pub fn encode_segment(value: &str) -> impl fmt::Display {
    utf8_percent_encode(value, OUTSIDE_SEGMENT)
}

/// Encodes a value that becomes several segments of a path: slashes stay (`R3.4`).
pub fn encode_segments(value: &str) -> impl fmt::Display {
    utf8_percent_encode(value, OUTSIDE_PATH)
}

/// Completes a path that is written in a file: what is percent-encoded stays so, and what should be becomes so.
pub fn encode_written(value: &str) -> impl fmt::Display {
    utf8_percent_encode(value, OUTSIDE_ENCODED_PATH)
}

/// As [`encode_segments`], for bytes that need not be UTF-8.
pub fn encode_bytes(value: &[u8]) -> impl fmt::Display {
    percent_encode(value, OUTSIDE_PATH)
}

/// Encodes a value that is put into a query, slashes too.
pub fn encode_query_value(value: &str) -> impl fmt::Display {
    utf8_percent_encode(value, OUTSIDE_QUERY_VALUE)
}

/// Encodes a value that is put into a query: slashes stay.
pub fn encode_query_values(value: &str) -> impl fmt::Display {
    utf8_percent_encode(value, OUTSIDE_QUERY_VALUES)
}

/// Passes an encoded path on; only what no request line may hold is encoded.
pub fn passed_path(raw: &str) -> impl fmt::Display {
    utf8_percent_encode(raw, OUTSIDE_REQUEST_PATH)
}

/// Passes a query on; only what no request line may hold is encoded.
pub fn passed_query(raw: &str) -> impl fmt::Display {
    utf8_percent_encode(raw, OUTSIDE_REQUEST_QUERY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_once() {
        for (raw, segments) in [
            ("/", &[""][..]),
            ("//a", &["", "a"]),
            ("/a//b/", &["a", "", "b", ""]),
            ("/a%2Fb/thing", &["a", "b", "thing"]),
            ("/a%252Fb/thing", &["a%2Fb", "thing"]),
            ("/a+b", &["a+b"]),
            ("/caf%C3%A9", &["café"]),
            ("/a%3Fb", &["a?b"]),
            ("/...", &["..."]),
        ] {
            let path = RequestPath::parse(raw).unwrap();
            assert_eq!(path.segments().collect::<Vec<_>>(), segments, "{raw}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (raw, error) in [
            ("", InvalidPath::NotAbsolute),
            ("a", InvalidPath::NotAbsolute),
            ("*", InvalidPath::NotAbsolute),
            ("/%", InvalidPath::Encoding),
            ("/%z", InvalidPath::Encoding),
            ("/%zz", InvalidPath::Encoding),
            ("/%4", InvalidPath::Encoding),
            ("/%+1", InvalidPath::Encoding),
            ("/%ff", InvalidPath::NotUtf8),
            ("/%c0%af", InvalidPath::NotUtf8),
            ("/.", InvalidPath::DotSegment),
            ("/a/../b", InvalidPath::DotSegment),
            ("/a/%2e%2E/b", InvalidPath::DotSegment),
            ("/a%2F..%2Fb", InvalidPath::DotSegment),
        ] {
            assert_eq!(RequestPath::parse(raw), Err(error), "{raw}");
        }
    }

    #[test]
    fn the_stage_is_removed_from_both_forms() {
        for (raw, below, segments) in [
            ("/v0", "/", &[""][..]),
            ("/v0/", "/", &[""]),
            ("/v0/a", "/a", &["a"]),
            ("/v0//a", "//a", &["", "a"]),
            ("/v0%2fa%2fb/c", "/a%2fb/c", &["a", "b", "c"]),
            ("/%76%30/a%20b", "/a%20b", &["a b"]),
        ] {
            let path = RequestPath::parse(raw).unwrap().below_first_segment();
            assert_eq!(path.raw(), below, "{raw}");
            assert_eq!(path.segments().collect::<Vec<_>>(), segments, "{raw}");
        }
    }

    #[test]
    fn inserted_values_stay_in_their_place() {
        let value = "a/b?c#d e%f+é\r\n";
        assert_eq!(encode_segment(value).to_string(), "a%2Fb%3Fc%23d%20e%25f+%C3%A9%0D%0A");
        assert_eq!(encode_segments(value).to_string(), "a/b%3Fc%23d%20e%25f+%C3%A9%0D%0A");
        assert_eq!(encode_query_value("a&b=c+d").to_string(), "a%26b%3Dc%2Bd");
        assert_eq!(passed_path("/a%2Fb[|]<é>").to_string(), "/a%2Fb[|]%3C%C3%A9%3E");
        assert_eq!(passed_query("a=%20&b=<é>").to_string(), "a=%20&b=%3C%C3%A9%3E");
    }
}
