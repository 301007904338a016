//! Where a request's content ends, read as strictly as RFC 9112 asks: what two readers could understand in two ways is
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
    let codings: Vec<&[u8]> = headers.get_all("transfer-encoding").collect();
    let lengths: Vec<&[u8]> = headers.get_all("content-length").collect();
    match (codings.as_slice(), lengths.as_slice()) {
        ([], []) => Ok(Framing::Length(0)),
        ([], [length]) => length_of(length)
            .map(Framing::Length)
            .ok_or("Content-Length is not a number"),
        ([coding], []) if coding.eq_ignore_ascii_case(b"chunked") && version == Version::Http11 => Ok(Framing::Chunked),
        ([_, ..], []) => Err("Transfer-Encoding is not exactly chunked"),
        ([], _) => Err("there is more than one Content-Length"),
        _ => Err("there are both Content-Length and Transfer-Encoding"),
    }
}

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
}
