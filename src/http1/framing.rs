//! Where the content of a message ends, read as strictly as RFC 9112 asks: what two readers could understand in two ways is
//! refused, since one of them may be the integration.

use crate::http1::message::{Headers, Version};

/// How the end of a request's content is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By `Content-Length`; 0 where there is none.
    Length(u64),
    /// By chunks.
    Chunked,
}

/// The framing of a request (RFC 9112 §6.3).
///
/// # Errors
/// A sentence for the log; the answer is 400, and the connection must be closed.
pub fn framing(headers: &Headers, version: Version) -> Result<Framing, &'static str> {
    let (mut codings, mut lengths) = ((0, &b""[..]), (0, &b""[..]));
    for (name, value) in headers.iter() {
        let (count, last) = match name {
            "transfer-encoding" => &mut codings,
            "content-length" => &mut lengths,
            _ => continue,
        };
        (*count, *last) = (*count + 1, value);
    }
    match (codings, lengths) {
        ((0, _), (0, _)) => Ok(Framing::Length(0)),
        ((0, _), (1, length)) => length_of(length)
            .map(Framing::Length)
            .ok_or("Content-Length is not a number"),
        ((1, coding), (0, _)) if coding.eq_ignore_ascii_case(b"chunked") && version == Version::Http11 => {
            Ok(Framing::Chunked)
        }
        (_, (0, _)) => Err("Transfer-Encoding is not exactly chunked"),
        ((0, _), _) => Err("there is more than one Content-Length"),
        _ => Err("there are both Content-Length and Transfer-Encoding"),
    }
}

/// How the end of a response's content is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFraming {
    /// By `Content-Length`, or by what the request and the status are: 0 where there is no content by definition.
    Length(u64),
    /// By chunks.
    Chunked,
    /// By the end of the connection.
    UntilEnd,
}

/// The framing of a response with that status, to HEAD or not (RFC 9112 §6.3). What frames it is checked also where
/// there is no content by definition.
///
/// # Errors
/// A sentence for the log; two readers could end the response at two places.
pub fn response_framing(
    headers: &Headers,
    version: Version,
    status: u16,
    is_to_head: bool,
) -> Result<ResponseFraming, &'static str> {
    let (mut length, mut coding) = (None, None);
    for (name, value) in headers.iter() {
        let (seen, objection) = match name {
            "content-length" => (&mut length, "it has more than one Content-Length"),
            "transfer-encoding" => (&mut coding, NOT_CHUNKED),
            _ => continue,
        };
        if seen.replace(value).is_some() {
            return Err(objection);
        }
    }
    let told = match (coding, length) {
        (Some(coding), _) if !coding.eq_ignore_ascii_case(b"chunked") => return Err(NOT_CHUNKED),
        (Some(_), _) if version == Version::Http10 => return Err("it is chunked, but not HTTP/1.1"),
        (Some(_), Some(_)) => return Err("it has both Content-Length and Transfer-Encoding"),
        (Some(_), None) => ResponseFraming::Chunked,
        (None, Some(length)) => {
            // A number that does not fit is none that a response could have.
            let length = length_of(length).filter(|length| *length < u64::MAX);
            ResponseFraming::Length(length.ok_or("its Content-Length is not a number")?)
        }
        (None, None) => ResponseFraming::UntilEnd,
    };
    Ok(match status {
        _ if is_to_head => ResponseFraming::Length(0),
        100..=199 | 204 | 304 => ResponseFraming::Length(0),
        _ => told,
    })
}

const NOT_CHUNKED: &str = "its transfer coding is not exactly chunked";

/// Digits and nothing else: `str::parse` alone would take a sign. What no number holds is surely too large.
fn length_of(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let digits = str::from_utf8(text).ok().filter(|_| is_number)?;
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_in_one_place_or_the_request_is_refused() {
        let length = "content-length";
        let coding = "transfer-encoding";
        for (fields, expected) in [
            (&[][..], Some(Framing::Length(0))),
            (&[(length, "0")], Some(Framing::Length(0))),
            (&[(length, "007")], Some(Framing::Length(7))),
            (&[(length, "18446744073709551615")], Some(Framing::Length(u64::MAX))),
            (&[(length, "18446744073709551616")], Some(Framing::Length(u64::MAX))),
            (&[(length, "")], None),
            (&[(length, "+5")], None),
            (&[(length, "-1")], None),
            (&[(length, "0x5")], None),
            (&[(length, "5 5")], None),
            (&[(length, "5,5")], None),
            (&[(length, "5"), (length, "5")], None),
            (&[(coding, "chunked")], Some(Framing::Chunked)),
            (&[(coding, "Chunked")], Some(Framing::Chunked)),
            (&[(coding, "identity")], None),
            (&[(coding, "gzip, chunked")], None),
            (&[(coding, "chunked"), (coding, "chunked")], None),
            (&[(coding, "chunked"), (length, "5")], None),
        ] {
            assert_eq!(
                framing(&Headers::of(fields), Version::Http11).ok(),
                expected,
                "{fields:?}"
            );
        }
        assert!(framing(&Headers::of(&[(coding, "chunked")]), Version::Http10).is_err());
    }

    #[test]
    fn a_response_ends_in_one_place_or_is_refused() {
        use ResponseFraming::{Chunked, Length, UntilEnd};
        let length = "content-length";
        let coding = "transfer-encoding";
        for (fields, of_get, of_head) in [
            (&[][..], Some(UntilEnd), Some(Length(0))),
            (&[(length, "5")], Some(Length(5)), Some(Length(0))),
            (&[(coding, "Chunked")], Some(Chunked), Some(Length(0))),
            (&[(length, "5"), (length, "5")], None, None),
            (&[(length, "5, 5")], None, None),
            (&[(length, "18446744073709551616")], None, None),
            (&[(length, "")], None, None),
            (&[(length, "+5")], None, None),
            (&[(length, "-5")], None, None),
            (&[(coding, "gzip, chunked")], None, None),
            (&[(coding, "identity")], None, None),
            (&[(coding, "chunked"), (coding, "chunked")], None, None),
            (&[(coding, "chunked"), (length, "5")], None, None),
            (&[(length, "5"), (coding, "chunked")], None, None),
        ] {
            let headers = Headers::of(fields);
            let framing = |status, is_to_head| response_framing(&headers, Version::Http11, status, is_to_head).ok();
            assert_eq!(framing(200, false), of_get, "{fields:?}");
            for (status, is_to_head) in [(200, true), (204, false), (304, false), (404, true)] {
                assert_eq!(framing(status, is_to_head), of_head, "{fields:?} of {status}");
            }
        }
        let chunked = Headers::of(&[(coding, "chunked")]);
        assert!(response_framing(&chunked, Version::Http10, 200, false).is_err());
    }
}
