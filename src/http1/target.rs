//! What a request is for: its target and its host (RFC 9112 §3.2), and URLs in absolute form (RFC 3986).

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::http1::grammar::table_of;
use crate::http1::message::{Headers, Version};
use crate::http1::search;

/// Checks `Host`: one, unless the version is 1.0, and a host with an optional port (RFC 9112 §3.2). An empty one is for
/// targets without a host, which only other schemes have.
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
    // Most have one colon at most, and a search from behind takes longer.
    let bytes = host.as_bytes();
    let colon = search::find_byte(bytes, b':').and_then(|first| {
        let behind = bytes.get(first + 1..)?;
        match search::find_byte(behind, b':') {
            None => Some(first),
            Some(_) => bytes.iter().rposition(|byte| *byte == b':'),
        }
    });
    let (name, port) = match colon.and_then(|at| Some((host.get(..at)?, host.get(at + 1..)?))) {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, ""),
    };
    if is_host(name) && port.bytes().all(|byte| byte.is_ascii_digit()) {
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
    let is_graphic = |good: bool, byte: u8| good & byte.is_ascii_graphic();
    if !target.bytes().fold(true, is_graphic) {
        return Err("the target has a character that must be percent-encoded");
    }
    if search::find_byte(target.as_bytes(), b'#').is_some() {
        return Err("the target has a fragment");
    }
    if target.starts_with('/') {
        return Ok(split_query(target));
    }
    let (scheme, rest) = target
        .split_once("://")
        .ok_or("the target is neither a path nor a URL")?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err("the target has a scheme that is not served");
    }
    Ok(split_query(&from_authority(rest)))
}

/// What stands before the first `?`, and behind it.
fn split_query(target: &str) -> (String, Option<String>) {
    let mark = search::find_byte(target.as_bytes(), b'?');
    match mark.and_then(|at| Some((target.get(..at)?, target.get(at + 1..)?))) {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target.to_owned(), None),
    }
}

/// Whether a target is a URL of http or https without path and query: with OPTIONS, it is for the whole server
/// (RFC 9112 §3.2.4).
pub fn is_without_path(target: &str) -> bool {
    let is_whole = authority(target).is_some_and(|authority| target.ends_with(authority));
    is_whole && split_target(target).is_ok_and(|(path, query)| path == "/" && query.is_none())
}

/// The authority of a target in absolute form.
pub fn authority(target: &str) -> Option<&str> {
    if target.starts_with('/') {
        return None;
    }
    let (_, rest) = target.split_once("://")?;
    rest.split(['/', '?']).next()
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

/// How a server is reached: over TLS or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// The name before `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// A URL of http or https, taken apart but not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsoluteUrl<'a> {
    /// Over TLS or not.
    pub scheme: Scheme,
    /// Host and perhaps a port.
    pub authority: &'a str,
    /// The path; empty where the URL ends with the host.
    pub path: &'a str,
    /// What follows the first `?`.
    pub query: Option<&'a str>,
}

/// Why a text is no URL of http or https.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidUrl {
    /// It begins neither with `http://` nor with `https://`.
    Scheme,
    /// The host or the port cannot be one.
    Authority(String),
    /// Credentials before the host would become a header that the client did not write.
    UserInfo,
    /// A `#`: a fragment is never sent.
    Fragment,
    /// A character that must be percent-encoded.
    Character(char),
    /// A `%` without two hex digits.
    Encoding,
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidUrl::Scheme => f.write_str("the URI must begin with http:// or https://"),
            InvalidUrl::Authority(authority) => write!(f, "{authority:?} is not a host with an optional port"),
            InvalidUrl::UserInfo => f.write_str("credentials in the URI are not supported"),
            InvalidUrl::Fragment => f.write_str("the URI has a '#': a fragment is never sent"),
            InvalidUrl::Character(character) => write!(f, "the URI has {character:?}, which must be percent-encoded"),
            InvalidUrl::Encoding => f.write_str("the URI has a '%' without two hex digits"),
        }
    }
}

impl std::error::Error for InvalidUrl {}

impl<'a> AbsoluteUrl<'a> {
    /// Takes a text apart; [`check`](AbsoluteUrl::check) says whether the parts are good.
    ///
    /// # Errors
    /// The scheme is another, or there is none.
    pub fn split(text: &'a str) -> Result<AbsoluteUrl<'a>, InvalidUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidUrl::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(InvalidUrl::Scheme),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        Ok(AbsoluteUrl {
            scheme,
            authority,
            path,
            query,
        })
    }

    /// Checks host, port and characters.
    ///
    /// # Errors
    /// The first that is wrong.
    pub fn check(&self) -> Result<(), InvalidUrl> {
        check_authority(self.authority)?;
        for part in [self.path, self.query.unwrap_or_default()] {
            check_characters(part)?;
        }
        Ok(())
    }
}

/// Whether a text is a host with an optional port.
///
/// # Example
/// ```
/// use apigateway::http1::target::is_authority;
/// assert!(is_authority("h.test:8080") && is_authority("[::1]"));
/// assert!(!is_authority("user@h") && !is_authority("h/a") && !is_authority(""));
/// ```
pub fn is_authority(text: &str) -> bool {
    check_authority(text).is_ok()
}

fn check_authority(authority: &str) -> Result<(), InvalidUrl> {
    let invalid = || InvalidUrl::Authority(authority.to_owned());
    if authority.contains('@') {
        return Err(InvalidUrl::UserInfo);
    }
    let parsed: http::uri::Authority = authority.parse().map_err(|_| invalid())?;
    let host = parsed.host();
    let port = authority.strip_prefix(host).ok_or_else(invalid)?;
    let port_is_valid = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| {
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
    if !port_is_valid || !is_host(host) {
        return Err(invalid());
    }
    Ok(())
}

/// Whether a text is a name, an IPv4 address, or an IPv6 address in brackets.
pub fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    // In one pass, since each request has one.
    let (mut label, mut name) = (0, host.as_bytes());
    while let [rest @ .., b'.'] = name {
        name = rest;
    }
    for byte in name {
        match IS_LABEL_BYTE.get(usize::from(*byte)) {
            Some(true) if label < 63 => label += 1,
            _ if *byte == b'.' && label > 0 => label = 0,
            _ => return false,
        }
    }
    label > 0 && host.len() <= 253
}

/// Which bytes a label of a host's name may have.
const IS_LABEL_BYTE: [bool; 256] = table_of(b"-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

fn check_characters(text: &str) -> Result<(), InvalidUrl> {
    let illegal =
        |character: char| !character.is_ascii() || character.is_ascii_control() || " \"<>\\^`|".contains(character);
    if text.contains('#') {
        return Err(InvalidUrl::Fragment);
    }
    if let Some(character) = text.chars().find(|character| illegal(*character)) {
        return Err(InvalidUrl::Character(character));
    }
    if !percent_signs_are_whole(text) {
        return Err(InvalidUrl::Encoding);
    }
    Ok(())
}

/// Whether every `%` begins a percent-encoded byte.
pub fn percent_signs_are_whole(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let Some(at) = search::find_byte(rest, b'%') {
        let digits = rest.get(at + 1..at + 3).unwrap_or_default();
        if digits.len() < 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return false;
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    true
}

/// Whether a decoded text has a segment that a later reader would resolve.
///
/// Some readers take `\` for a slash (the URL standard, Windows), and some cut a segment at `;` before they look at it
/// (servlet containers).
pub fn has_dot_segment(text: &str) -> bool {
    if search::find_byte(text.as_bytes(), b'.').is_none() {
        return false;
    }
    let names = text.split(['/', '\\']).filter_map(|segment| segment.split(';').next());
    names.into_iter().any(|name| matches!(name, "." | ".."))
}

/// Whether an encoded path has, once decoded, a segment that a later reader would resolve.
pub fn has_dot_segment_encoded(raw: &str) -> bool {
    let has = |byte| search::find_byte(raw.as_bytes(), byte).is_some();
    (has(b'.') || has(b'%')) && has_dot_segment(&percent_decode_str(raw).decode_utf8_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_one_host() {
        for (hosts, good) in [
            (&["h"][..], true),
            (&["h:8000"], true),
            (&["h:"], true),
            (&["[::1]"], true),
            (&["[::1]:80"], true),
            (&[""], false),
            (&[":80"], false),
            (&["", "h"], false),
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
        assert!(check_host(&Headers::of(&[("host", "")]), Version::Http10).is_err());
    }

    #[test]
    fn targets_have_a_path() {
        for (target, path, query) in [
            ("/", "/", None),
            ("/a?b?c", "/a", Some("b?c")),
            ("/a?", "/a", Some("")),
            ("//a", "//a", None),
            ("/http://x/y", "/http://x/y", None),
            ("http://h", "/", None),
            ("HTTP://h/a?b", "/a", Some("b")),
            ("http://h?b", "/", Some("b")),
        ] {
            let expected = (path.to_owned(), query.map(str::to_owned));
            assert_eq!(split_target(target), Ok(expected), "{target}");
        }
        for target in [
            "/a b",
            "/caf\u{e9}",
            "/a\u{0}",
            "/a#b",
            "ftp://h/a",
            "*",
            "h:80",
            "@h/a",
            "",
        ] {
            assert!(split_target(target).is_err(), "{target:?}");
        }
    }
}
