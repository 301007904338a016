//! Route keys: `$default`, or a method and a path (`R1.1`–`R1.6`).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>
//!
//! # Example
//! ```
//! use apigateway::definition::notation::route_key::{RouteKey, Segment};
//!
//! let RouteKey::Path { path, .. } = RouteKey::parse("GET /pets/{id}").unwrap() else { panic!() };
//! assert_eq!(path, [Segment::Literal("pets".into()), Segment::Variable("id".into())]);
//! assert_eq!(RouteKey::parse("$default"), Ok(RouteKey::Default));
//! assert!(RouteKey::parse("get /pets").is_err());
//! ```

use std::fmt;

use crate::definition::suggestion::did_you_mean;
use crate::http1::message::Method;

/// Most characters of a route key: a path that is longer has no room in the head of a request.
pub const MAX_LENGTH: usize = 2048;

/// Most segments of a route key's path. It bounds how deep the search for a route goes.
pub const MAX_SEGMENTS: usize = 128;

/// What a route answers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteKey {
    /// `$default`: whatever no other route takes.
    Default,
    /// A method and a path.
    Path {
        /// The method.
        method: RouteMethod,
        /// The path's segments; `/` has one, which is an empty literal.
        path: Vec<Segment>,
    },
}

/// The method of a route key. An exact one goes before `ANY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteMethod {
    /// One method.
    Exact(Method),
    /// `ANY`: every method that no other route has for this path (`R1.14`).
    Any,
}

/// One segment of a route's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Matches itself.
    Literal(String),
    /// `{name}`: matches exactly one segment, also an empty one (`R1.26`).
    Variable(String),
    /// `{name+}`: matches all that is left, one segment at least, which may be empty (`R1.25`).
    Greedy(String),
}

impl Segment {
    /// The variable's name.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Segment::Literal(_) => None,
            Segment::Variable(name) | Segment::Greedy(name) => Some(name),
        }
    }
}

/// Why a text is no route key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidRouteKey {
    /// Longer than [`MAX_LENGTH`].
    Length(usize),
    /// More segments than [`MAX_SEGMENTS`].
    Segments(usize),
    /// Neither `$default` nor a method, one space and a path.
    Format,
    /// The method is none of those that an HTTP API knows.
    Method(String),
    /// A segment of the path cannot be matched, and why.
    Segment(String, &'static str),
    /// The path ends in a slash (`R1.6`).
    TrailingSlash,
    /// A greedy variable is not the last segment.
    GreedyNotLast(String),
    /// A name occurs twice (`R1.9`).
    DuplicateVariable(String),
}

impl fmt::Display for InvalidRouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidRouteKey::Length(length) => {
                write!(f, "the route key has {length} characters, {MAX_LENGTH} at most")
            }
            InvalidRouteKey::Segments(count) => {
                write!(f, "the path has {count} segments, {MAX_SEGMENTS} at most")
            }
            InvalidRouteKey::Format => f.write_str(
                "the route key is not formatted properly: it should be \"<HTTP METHOD> /<RESOURCE PATH>\" or \"$default\"",
            ),
            InvalidRouteKey::Method(method) => {
                let known: Vec<&str> = Method::ALL.iter().map(|method| method.as_str()).chain(["ANY"]).collect();
                let list = known.join(", ");
                let hint = did_you_mean(method, known);
                write!(f, "{method:?} is not a method of a route key ({list}){hint}")
            }
            InvalidRouteKey::Segment(segment, why) => write!(f, "the segment {segment:?} {why}"),
            InvalidRouteKey::TrailingSlash => f.write_str("the path must not end in '/'"),
            InvalidRouteKey::GreedyNotLast(segment) => write!(
                f,
                "the greedy variable {segment} must be the last segment of the path"
            ),
            InvalidRouteKey::DuplicateVariable(name) => {
                write!(f, "the variable {name:?} occurs twice in the path")
            }
        }
    }
}

impl std::error::Error for InvalidRouteKey {}

impl RouteKey {
    /// Reads a route key.
    ///
    /// # Errors
    /// See [`InvalidRouteKey`].
    pub fn parse(text: &str) -> Result<RouteKey, InvalidRouteKey> {
        if text == "$default" {
            return Ok(RouteKey::Default);
        }
        let length = text.chars().count();
        if length > MAX_LENGTH {
            return Err(InvalidRouteKey::Length(length));
        }
        let (method, path) = text.split_once(' ').ok_or(InvalidRouteKey::Format)?;
        let path = path.strip_prefix('/').ok_or(InvalidRouteKey::Format)?;
        let method = RouteMethod::parse(method).ok_or_else(|| InvalidRouteKey::Method(method.to_owned()))?;
        if path.ends_with('/') {
            return Err(InvalidRouteKey::TrailingSlash);
        }
        let path = parse_path(path)?;
        Ok(RouteKey::Path { method, path })
    }

    /// The segments of its path; `$default` has none.
    pub fn segments(&self) -> &[Segment] {
        match self {
            RouteKey::Default => &[],
            RouteKey::Path { path, .. } => path,
        }
    }

    /// The names of the path variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.segments().iter().filter_map(Segment::variable)
    }
}

impl RouteMethod {
    fn parse(text: &str) -> Option<RouteMethod> {
        match text {
            "ANY" => Some(RouteMethod::Any),
            _ => Method::parse(text).map(RouteMethod::Exact),
        }
    }

    /// Whether a request with that method is for it.
    pub fn takes(self, method: Method) -> bool {
        self == RouteMethod::Any || self == RouteMethod::Exact(method)
    }
}

fn parse_path(path: &str) -> Result<Vec<Segment>, InvalidRouteKey> {
    if path.is_empty() {
        return Ok(vec![Segment::Literal(String::new())]);
    }
    let count = path.split('/').count();
    if count > MAX_SEGMENTS {
        return Err(InvalidRouteKey::Segments(count));
    }
    let mut segments: Vec<Segment> = Vec::new();
    for text in path.split('/') {
        if let Some(Segment::Greedy(name)) = segments.last() {
            return Err(InvalidRouteKey::GreedyNotLast(format!("{{{name}+}}")));
        }
        let segment = parse_segment(text)?;
        let taken = |earlier: &Segment| earlier.variable().is_some() && earlier.variable() == segment.variable();
        if segments.iter().any(taken) {
            let name = segment.variable().unwrap_or_default();
            return Err(InvalidRouteKey::DuplicateVariable(name.to_owned()));
        }
        segments.push(segment);
    }
    Ok(segments)
}

fn parse_segment(text: &str) -> Result<Segment, InvalidRouteKey> {
    let invalid = |why| Err(InvalidRouteKey::Segment(text.to_owned(), why));
    if text.is_empty() {
        return invalid("is empty");
    }
    if matches!(text, "." | "..") {
        return invalid("is a dot segment, which no request can have");
    }
    if let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let (name, greedy) = match inner.strip_suffix('+') {
            Some(name) => (name, true),
            None => (inner, false),
        };
        if !is_variable_name(name) {
            return invalid("is not a path variable: its name takes letters, digits and _ . : -");
        }
        let name = name.to_owned();
        return Ok(if greedy {
            Segment::Greedy(name)
        } else {
            Segment::Variable(name)
        });
    }
    if text.contains(['{', '}']) {
        return invalid("has a brace: a path variable must be a whole segment");
    }
    if !text.bytes().all(is_literal_byte) {
        return invalid("has a character that a route key cannot have");
    }
    Ok(Segment::Literal(text.to_owned()))
}

/// Whether a text can name a path variable.
pub fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

/// ASSUMED (`R1.5`): AWS publishes no list for HTTP APIs; these are the characters that may stand in a path
/// segment as they are (RFC 3986 §3.3), so a literal never has to be decoded.
fn is_literal_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Segment {
        Segment::Literal(text.into())
    }

    #[test]
    fn keys_that_aws_takes() {
        let get = RouteMethod::Exact(Method::Get);
        for (text, method, path) in [
            ("GET /", get, vec![literal("")]),
            ("ANY /a/b", RouteMethod::Any, vec![literal("a"), literal("b")]),
            ("GET /{x}", get, vec![Segment::Variable("x".into())]),
            ("GET /a/{x+}", get, vec![literal("a"), Segment::Greedy("x".into())]),
            (
                "GET /a.b:c-d_e/{x.y:z-1}",
                get,
                vec![literal("a.b:c-d_e"), Segment::Variable("x.y:z-1".into())],
            ),
            ("GET /$default", get, vec![literal("$default")]),
        ] {
            assert_eq!(RouteKey::parse(text), Ok(RouteKey::Path { method, path }), "{text}");
        }
        assert_eq!(RouteKey::parse("$default"), Ok(RouteKey::Default));
    }

    #[test]
    fn keys_that_aws_refuses() {
        for (text, says) in [
            ("", "not formatted properly"),
            ("/pets", "not formatted properly"),
            ("GET", "not formatted properly"),
            ("GET pets", "not formatted properly"),
            ("GET  /pets", "not formatted properly"),
            ("GET\t/pets", "not formatted properly"),
            ("$Default", "not formatted properly"),
            ("get /pets", "\"get\" is not a method"),
            ("GTE /pets", "did you mean \"GET\"?"),
            ("TRACE /pets", "\"TRACE\" is not a method"),
            ("* /pets", "\"*\" is not a method"),
            (" /pets", "\"\" is not a method"),
            ("GET /pets/", "must not end in '/'"),
            ("GET //", "must not end in '/'"),
            ("GET //a", "\"\" is empty"),
            ("GET /a//b", "\"\" is empty"),
            ("GET /a/../b", "dot segment"),
            ("GET /{a+}/b", "{a+} must be the last"),
            ("GET /a{b}", "a whole segment"),
            ("GET /{a}b", "a whole segment"),
            ("GET /{a", "a whole segment"),
            ("GET /{}", "is not a path variable"),
            ("GET /{+}", "is not a path variable"),
            ("GET /{a b}", "is not a path variable"),
            ("GET /{a}/b/{a}", "\"a\" occurs twice"),
            ("GET /{a}/{a+}", "\"a\" occurs twice"),
            ("GET /a b", "a character"),
            ("GET /a?b", "a character"),
            ("GET /a#b", "a character"),
            ("GET /a%20b", "a character"),
            ("GET /caf\u{e9}", "a character"),
            ("GET /a ", "a character"),
        ] {
            let error = RouteKey::parse(text).expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn keys_are_bounded() {
        let deep = format!("GET {}", "/b".repeat(MAX_SEGMENTS));
        assert!(RouteKey::parse(&deep).is_ok());
        assert_eq!(
            RouteKey::parse(&(deep + "/b")),
            Err(InvalidRouteKey::Segments(MAX_SEGMENTS + 1))
        );
        let long = format!("GET /{}", "b".repeat(MAX_LENGTH - "GET /".len()));
        assert!(RouteKey::parse(&long).is_ok());
        assert_eq!(
            RouteKey::parse(&(long + "b")),
            Err(InvalidRouteKey::Length(MAX_LENGTH + 1))
        );
    }
}
