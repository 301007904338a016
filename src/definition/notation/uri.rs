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

use crate::definition::notation::route_key::is_variable_name;
use crate::http1::target::{AbsoluteUrl, InvalidUrl, Scheme, has_dot_segment_encoded};

/// Most characters of an `IntegrationUri`, as written and with its stage variables in it (spec §3.1).
pub const MAX_LENGTH: usize = 2048;

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
    /// It is no URL, whatever its variables are.
    Url(InvalidUrl),
    /// A path variable in the host would let a client choose the upstream.
    HostVariable,
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
            InvalidUri::Url(error) => error.fmt(f),
            InvalidUri::HostVariable => f.write_str("a path variable cannot stand in the host"),
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

impl From<InvalidUrl> for InvalidUri {
    fn from(error: InvalidUrl) -> InvalidUri {
        InvalidUri::Url(error)
    }
}

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
        let url = AbsoluteUrl::split(text)?;
        if url.authority.contains(['{', '}']) {
            return Err(InvalidUri::HostVariable);
        }
        url.check()?;
        if has_dot_segment_encoded(url.path) {
            return Err(InvalidUri::DotSegment);
        }
        let query = url.query.map(parse_parts).transpose()?;
        Ok(IntegrationUri {
            scheme: url.scheme,
            authority: url.authority.to_ascii_lowercase(),
            path: parse_parts(url.path)?,
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
