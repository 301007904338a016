//! Integration URIs: an `http(s)://` URL with `{name}` in it (`R3.1`).
//!
//! Stage variables are put in before, when a stage is compiled ([`crate::definition::notation::stage_variable`]); path variables
//! when a request comes.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-http.html>
//!
//! # Example
//! ```
//! use apigateway::definition::notation::uri::IntegrationUri;
//!
//! let uri = IntegrationUri::parse("http://pets.internal:8080/pets/{id}?a=b").unwrap();
//! assert_eq!(uri.authority(), "pets.internal:8080");
//! assert_eq!(uri.variables().collect::<Vec<_>>(), ["id"]);
//! ```

use std::fmt;

use crate::definition::notation::path::{has_dot_segment_encoded, percent_signs_are_whole};
use crate::definition::notation::route_key::is_variable_name;

/// Most characters of an `IntegrationUri`, as written and with its stage variables in it (spec §3.1).
pub const MAX_LENGTH: usize = 2048;

/// The protocol an integration is reached by.
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

/// A URL that is whole but for its path variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrationUri {
    scheme: Scheme,
    authority: String,
    path: Vec<Part>,
    query: Option<Vec<Part>>,
}

/// A piece of a path or a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Sent as it is.
    Text(String),
    /// `{name}`: replaced by the route's path variable.
    Variable(String),
}

/// Why a text is no integration URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidUri {
    /// Empty, or longer than [`MAX_LENGTH`].
    Length(usize),
    /// It begins neither with `http://` nor with `https://`.
    Scheme,
    /// The host or the port cannot be one.
    Authority(String),
    /// A path variable in the host would let a client choose the upstream.
    HostVariable,
    /// Credentials before the host would become a header that nobody wrote.
    UserInfo,
    /// A `#`: a fragment is never sent.
    Fragment,
    /// A character that must be percent-encoded.
    Character(char),
    /// A `%` without two hex digits.
    Encoding,
    /// A `.` or `..` segment, which an upstream may resolve to another path.
    DotSegment,
    /// A brace that is no path variable.
    Brace(String),
}

impl fmt::Display for InvalidUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidUri::Length(0) => f.write_str("the URI is empty"),
            InvalidUri::Length(length) => {
                write!(f, "the URI has {length} characters, {MAX_LENGTH} at most")
            }
            InvalidUri::Scheme => f.write_str("the URI must begin with http:// or https://"),
            InvalidUri::Authority(authority) => {
                write!(f, "{authority:?} is not a host with an optional port")
            }
            InvalidUri::HostVariable => f.write_str("a path variable cannot stand in the host"),
            InvalidUri::UserInfo => f.write_str("credentials in the URI are not supported"),
            InvalidUri::Fragment => f.write_str("the URI has a '#': a fragment is never sent"),
            InvalidUri::Character(character) => write!(f, "the URI has {character:?}, which must be percent-encoded"),
            InvalidUri::Encoding => f.write_str("the URI has a '%' without two hex digits"),
            InvalidUri::DotSegment => f.write_str("the path of the URI has a '.' or '..' segment"),
            InvalidUri::Brace(text) => {
                let hint = if text.contains('+') {
                    "; a greedy one too is written without +"
                } else {
                    ""
                };
                write!(f, "{text:?} is not a path variable such as {{name}}{hint}")
            }
        }
    }
}

impl std::error::Error for InvalidUri {}

impl IntegrationUri {
    /// Reads a URI whose stage variables have been put in.
    ///
    /// # Errors
    /// See [`InvalidUri`].
    pub fn parse(text: &str) -> Result<IntegrationUri, InvalidUri> {
        let length = text.chars().count();
        if length == 0 || length > MAX_LENGTH {
            return Err(InvalidUri::Length(length));
        }
        let (scheme, rest) = text.split_once("://").ok_or(InvalidUri::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(InvalidUri::Scheme),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        check_authority(authority)?;
        check_characters(rest)?;
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(parse_parts(query)?)),
            None => (rest, None),
        };
        if has_dot_segment_encoded(path) {
            return Err(InvalidUri::DotSegment);
        }
        Ok(IntegrationUri {
            scheme,
            authority: authority.to_ascii_lowercase(),
            path: parse_parts(path)?,
            query,
        })
    }

    /// How to reach it.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, and the port if one is written; it is also what `Host` says upstream.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The pieces of the path; none where the URI ends with the host.
    pub fn path(&self) -> &[Part] {
        &self.path
    }

    /// The pieces of the URI's own query.
    pub fn query(&self) -> Option<&[Part]> {
        self.query.as_deref()
    }

    /// The names of the path variables that the URI wants.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let query = self.query.as_deref().unwrap_or_default();
        self.path.iter().chain(query).filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Variable(name) => Some(name.as_str()),
        })
    }
}

/// Whether a text is a host with an optional port.
///
/// # Example
/// ```
/// use apigateway::definition::notation::uri::is_authority;
/// assert!(is_authority("h.test:8080") && is_authority("[::1]"));
/// assert!(!is_authority("user@h") && !is_authority("h/a") && !is_authority(""));
/// ```
pub fn is_authority(text: &str) -> bool {
    check_authority(text).is_ok()
}

fn check_authority(authority: &str) -> Result<(), InvalidUri> {
    let invalid = || InvalidUri::Authority(authority.to_owned());
    if authority.contains(['{', '}']) {
        return Err(InvalidUri::HostVariable);
    }
    if authority.contains('@') {
        return Err(InvalidUri::UserInfo);
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
    !host.is_empty()
        && host.len() <= 253
        && host
            .trim_end_matches('.')
            .split('.')
            .all(|label| !label.is_empty() && label.len() <= 63)
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn check_characters(text: &str) -> Result<(), InvalidUri> {
    let illegal =
        |character: char| !character.is_ascii() || character.is_ascii_control() || " \"<>\\^`|".contains(character);
    if text.contains('#') {
        return Err(InvalidUri::Fragment);
    }
    if let Some(character) = text.chars().find(|character| illegal(*character)) {
        return Err(InvalidUri::Character(character));
    }
    if !percent_signs_are_whole(text) {
        return Err(InvalidUri::Encoding);
    }
    Ok(())
}

fn parse_parts(text: &str) -> Result<Vec<Part>, InvalidUri> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from_brace) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let invalid = || InvalidUri::Brace(from_brace.to_owned());
        let (name, after) = from_brace
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
            .ok_or_else(invalid)?;
        if !is_variable_name(name) {
            return Err(InvalidUri::Brace(format!("{{{name}}}")));
        }
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(Part::Variable(name.to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.into())
    }

    fn variable(name: &str) -> Part {
        Part::Variable(name.into())
    }

    #[test]
    fn uris_are_taken_apart() {
        for (uri, authority, path, query) in [
            ("http://h", "h", vec![], None),
            ("HTTP://H:80/", "h:80", vec![text("/")], None),
            ("http://[::1]:8080/a", "[::1]:8080", vec![text("/a")], None),
            (
                "https://h/{a}/b/{c}",
                "h",
                vec![text("/"), variable("a"), text("/b/"), variable("c")],
                None,
            ),
            ("http://h?x=1", "h", vec![], Some(vec![text("x=1")])),
            (
                "http://h/?x={a}&y",
                "h",
                vec![text("/")],
                Some(vec![text("x="), variable("a"), text("&y")]),
            ),
            ("http://h/a?b?c", "h", vec![text("/a")], Some(vec![text("b?c")])),
            (
                "http://under_score.h./a%20b",
                "under_score.h.",
                vec![text("/a%20b")],
                None,
            ),
        ] {
            let parsed = IntegrationUri::parse(uri).expect(uri);
            assert_eq!(parsed.authority(), authority, "{uri}");
            assert_eq!(parsed.path(), path, "{uri}");
            assert_eq!(parsed.query(), query.as_deref(), "{uri}");
        }
    }

    #[test]
    fn uris_that_cannot_be_sent_are_refused() {
        for (uri, says) in [
            ("", "empty"),
            ("h/a", "must begin with http"),
            ("ftp://h/", "must begin with http"),
            ("arn:aws:elasticloadbalancing:x", "must begin with http"),
            ("http:///a", "is not a host"),
            ("http://:80/a", "is not a host"),
            ("http://h:/a", "is not a host"),
            ("http://h:0/a", "is not a host"),
            ("http://h:65536/a", "is not a host"),
            ("http://h:8o/a", "is not a host"),
            ("http://h h/a", "is not a host"),
            ("http://{a}.h/b", "cannot stand in the host"),
            ("http://a..b/", "is not a host"),
            ("http://[::1/a", "is not a host"),
            ("http://[nope]/a", "is not a host"),
            ("http://u:p@h/a", "credentials"),
            ("http://h/a#b", "fragment"),
            ("http://h/a b", "' ', which must be percent-encoded"),
            ("http://h/caf\u{e9}", "'é', which must be percent-encoded"),
            ("http://h/\r\nx", "'\\r', which must be"),
            ("http://h/100%", "'%' without two hex digits"),
            ("http://h/a/../b", "'.' or '..' segment"),
            ("http://h/a/%2e%2E/b", "'.' or '..' segment"),
            ("http://h/{a", "is not a path variable"),
            ("http://h/a}", "is not a path variable"),
            ("http://h/{}", "is not a path variable"),
            ("http://h/{a+}", "is not a path variable"),
            ("http://h/{a b}", "' ', which must be percent-encoded"),
        ] {
            let error = IntegrationUri::parse(uri).expect_err(uri).to_string();
            assert!(error.contains(says), "{uri}: {error}");
        }
    }
}
