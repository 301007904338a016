//! What a request's head means, read as strictly as RFC 9112 asks: what two readers could understand in two ways is
//! refused, since one of them may be the integration.

use crate::message::{Headers, Version};
use crate::notation::uri::is_host;

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

/// Checks `Host`: one, unless the version is 1.0, and a host with an optional port, or empty (RFC 9112 §3.2).
///
/// # Errors
/// A sentence for the log; the answer is 400.
pub fn check_host(headers: &Headers, version: Version) -> Result<(), &'static str> {
    let mut hosts = headers.get_all("host");
    let Some(host) = hosts.next() else {
        return if version == Version::Http11 {
            Err("there is no Host")
        } else {
            Ok(())
        };
    };
    if hosts.next().is_some() {
        return Err("there is more than one Host");
    }
    let host = str::from_utf8(host).map_err(|_| "Host is not ASCII")?;
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, ""),
    };
    let is_valid = host.is_empty() || (is_host(name) && port.bytes().all(|byte| byte.is_ascii_digit()));
    if is_valid {
        Ok(())
    } else {
        Err("Host is not a host with an optional port")
    }
}

/// Path and query of a request target, as sent. Absolute form is accepted (RFC 9112 §3.2.2).
///
/// # Errors
/// A sentence for the log; the answer is 400.
pub fn split_target(target: &str) -> Result<(String, Option<String>), &'static str> {
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the target has a character that must be percent-encoded");
    }
    if target.contains('#') {
        return Err("the target has a fragment");
    }
    let scheme = target
        .split_once("://")
        .map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
    let origin = match &scheme {
        Some((scheme, rest)) if !target.starts_with('/') => {
            if !matches!(scheme.as_str(), "http" | "https") {
                return Err("the target has a scheme that is not served");
            }
            from_authority(rest)
        }
        _ => target.to_owned(),
    };
    Ok(match origin.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (origin, None),
    })
}

/// What follows the authority of an absolute target, which has a path even where it is not written.
fn from_authority(rest: &str) -> String {
    let path = rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or_default();
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    }
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
    fn a_request_has_one_host() {
        for (hosts, good) in [
            (&["h"][..], true),
            (&["h:8000"], true),
            (&["h:"], true),
            (&["[::1]"], true),
            (&["[::1]:80"], true),
            (&[""], true),
            (&[], false),
            (&["a", "a"], false),
            (&["a,b"], false),
            (&["a b"], false),
            (&["u@h"], false),
            (&["h/x"], false),
            (&["h:8o"], false),
            (&["[::1"], false),
            (&["::1"], false),
        ] {
            let fields: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            assert_eq!(
                check_host(&Headers::of(&fields), Version::Http11).is_ok(),
                good,
                "{hosts:?}"
            );
        }
        assert!(check_host(&Headers::of(&[]), Version::Http10).is_ok());
    }

    #[test]
    fn targets_have_a_path() {
        for (target, path, query) in [
            ("/", "/", None),
            ("/a?b?c", "/a", Some("b?c")),
            ("/a?", "/a", Some("")),
            ("//a", "//a", None),
            ("/http://x/y", "/http://x/y", None),
            ("*", "*", None),
            ("http://h", "/", None),
            ("HTTP://h/a?b", "/a", Some("b")),
            ("http://h?b", "/", Some("b")),
        ] {
            let expected = (path.to_owned(), query.map(str::to_owned));
            assert_eq!(split_target(target), Ok(expected), "{target}");
        }
        for target in ["/a b", "/caf\u{e9}", "/a\u{0}", "/a#b", "ftp://h/a"] {
            assert!(split_target(target).is_err(), "{target:?}");
        }
    }
}
