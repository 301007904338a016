//! Values of a parameter mapping: text, a `$source`, or text with `${sources}` in it (`R4.3`–`R4.5`).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html>
//!
//! # Example
//! ```
//! use apigateway::definition::notation::mapping_key::Side;
//! use apigateway::definition::notation::mapping_value::{MappingValue, Piece, Source};
//!
//! let value = MappingValue::parse("${request.path.id}-${stageVariables.v}", Side::Request).unwrap();
//! assert_eq!(value, MappingValue::Pieces(vec![
//!     Piece::Source(Source::PathParameter("id".into())),
//!     Piece::Text("-".into()),
//!     Piece::Source(Source::StageVariable("v".into())),
//! ]));
//! assert!(MappingValue::parse("$request.path", Side::Response).is_err());
//! ```

use std::fmt;

use crate::definition::notation::context_variable::{self, ContextVariable};
use crate::definition::notation::json_path::{InvalidJsonPath, JsonPath};
use crate::definition::notation::mapping_key::{Side, is_reserved};
use crate::definition::suggestion::did_you_mean;
use crate::http1::message::is_token;

/// Most characters of a value (`R4.7`).
pub const MAX_LENGTH: usize = 512;

/// What a target is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MappingValue {
    /// A source alone: where it has no value, the mapping is skipped (`R4.14`).
    Source(Source),
    /// Pieces one after another: a source without a value is empty text.
    Pieces(Vec<Piece>),
}

/// A part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Used as it is.
    Text(String),
    /// Replaced by what it stands for.
    Source(Source),
}

/// Where a value comes from. Header, body and querystring are those of the message that is mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `request.header.N`, `response.header.N`.
    Header(String),
    /// `request.querystring.N`.
    Querystring(String),
    /// `request.body`, `response.body`.
    Body,
    /// `request.body.PATH`, `response.body.PATH`.
    BodyValue(JsonPath),
    /// `request.path`: without the stage.
    Path,
    /// `request.path.N`.
    PathParameter(String),
    /// `context.V`.
    Context(ContextVariable),
    /// `stageVariables.V`.
    StageVariable(String),
}

/// Why a text is no value of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidValue {
    /// Empty, or longer than [`MAX_LENGTH`].
    Length(usize),
    /// A control character, which neither a field nor a URL can have.
    Control(char),
    /// The other message's source: a request cannot be made from its own answer, nor is it kept for it.
    Side(Side),
    /// It begins like a source and is none.
    Source(String),
    /// A `${` without its `}`.
    Unclosed(String),
    /// A bare source with text around it.
    NotWhole(String),
    /// The field can neither be changed nor read (`R4.9`).
    Reserved(String),
    /// There is no such variable.
    Context(String),
    /// What follows the body is no path that AWS takes.
    JsonPath(InvalidJsonPath),
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidValue::Length(0) => f.write_str("the value is empty"),
            InvalidValue::Length(length) => write!(f, "the value has {length} characters, {MAX_LENGTH} at most"),
            InvalidValue::Control(character) => write!(f, "the value has the control character {character:?}"),
            InvalidValue::Side(Side::Request) => f.write_str("$response is not there yet when a request is mapped"),
            InvalidValue::Side(Side::Response) => f.write_str("$request cannot be read when a response is mapped"),
            InvalidValue::Source(text) => write!(f, "{text:?} is not a source that a mapping can read"),
            InvalidValue::Unclosed(text) => write!(f, "{text:?} has no closing brace"),
            InvalidValue::NotWhole(text) => {
                write!(f, "{text:?} must be the whole value; within text it is written ${{…}}")
            }
            InvalidValue::Reserved(name) => write!(f, "the header {name:?} is reserved and cannot be read"),
            InvalidValue::Context(name) => write!(
                f,
                "there is no context variable {name:?}{}",
                did_you_mean(name, context_variable::NAMES)
            ),
            InvalidValue::JsonPath(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for InvalidValue {}

/// What the names of sources begin with.
const ROOTS: [&str; 4] = ["request", "response", "context", "stageVariables"];

impl MappingValue {
    /// Reads a value.
    ///
    /// # Errors
    /// See [`InvalidValue`].
    pub fn parse(text: &str, side: Side) -> Result<MappingValue, InvalidValue> {
        let value = MappingValue::parse_any_header(text, side)?;
        for source in value.sources() {
            if let Source::Header(name) = source
                && is_reserved(name)
            {
                return Err(InvalidValue::Reserved(name.clone()));
            }
        }
        Ok(value)
    }

    /// Reads a value that may also read fields that no mapping can, as an authorizer may.
    ///
    /// # Errors
    /// See [`InvalidValue`].
    pub fn parse_any_header(text: &str, side: Side) -> Result<MappingValue, InvalidValue> {
        let length = text.chars().count();
        if length == 0 || length > MAX_LENGTH {
            return Err(InvalidValue::Length(length));
        }
        if let Some(control) = text.chars().find(|character| character.is_control()) {
            return Err(InvalidValue::Control(control));
        }
        if let Some(source) = text.strip_prefix('$').filter(|source| begins_with_root(source)) {
            return Source::parse(source, side).map(MappingValue::Source);
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, reference)) = rest.split_once("${") {
            push_text(&mut pieces, before)?;
            let unclosed = || InvalidValue::Unclosed(format!("${{{reference}"));
            let end = closing_brace(reference).ok_or_else(unclosed)?;
            let (source, after) = reference.split_at_checked(end).ok_or_else(unclosed)?;
            pieces.push(Piece::Source(Source::parse(source, side)?));
            rest = after.get(1..).unwrap_or_default();
        }
        push_text(&mut pieces, rest)?;
        Ok(MappingValue::Pieces(pieces))
    }

    /// The text, where it reads no source.
    pub fn text(&self) -> Option<&str> {
        match self {
            MappingValue::Pieces(pieces) => match pieces.as_slice() {
                [] => Some(""),
                [Piece::Text(text)] => Some(text),
                _ => None,
            },
            MappingValue::Source(_) => None,
        }
    }

    /// The value with stage variables put in; none where it is one that the stage does not have (`R2.13`).
    pub fn with_stage_variables<'a>(&self, variable: impl Fn(&str) -> Option<&'a str>) -> Option<MappingValue> {
        let put_in = |piece: &Piece| match piece {
            Piece::Source(Source::StageVariable(name)) => Piece::Text(variable(name).unwrap_or_default().to_owned()),
            other => other.clone(),
        };
        match self {
            MappingValue::Source(Source::StageVariable(name)) => {
                variable(name).map(|text| MappingValue::Pieces(vec![Piece::Text(text.to_owned())]))
            }
            MappingValue::Source(_) => Some(self.clone()),
            MappingValue::Pieces(pieces) => Some(MappingValue::Pieces(pieces.iter().map(put_in).collect())),
        }
    }

    /// The sources that it reads.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        let (alone, pieces) = match self {
            MappingValue::Source(source) => (Some(source), &[][..]),
            MappingValue::Pieces(pieces) => (None, pieces.as_slice()),
        };
        alone.into_iter().chain(pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Source(source) => Some(source),
        }))
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) -> Result<(), InvalidValue> {
    for (at, _) in text.match_indices('$') {
        let source = text.get(at + 1..).unwrap_or_default();
        if begins_with_root(source) {
            let end = source.find(char::is_whitespace).unwrap_or(source.len());
            let source = source.get(..end).unwrap_or_default();
            return Err(InvalidValue::NotWhole(format!("${source}")));
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
    Ok(())
}

/// Whether a text after `$` means a source: a root alone, or with something that follows it.
fn begins_with_root(text: &str) -> bool {
    let end = text
        .find(|character: char| !character.is_ascii_alphanumeric())
        .unwrap_or(text.len());
    text.get(..end).is_some_and(|root| ROOTS.contains(&root))
}

/// Where the brace is that ends a reference; one within the quotes of a JSON path does not.
fn closing_brace(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut is_bracketed = false;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '}') => return Some(at),
            (None, '[') => is_bracketed = true,
            (None, ']') => is_bracketed = false,
            (None, '\'' | '"') if is_bracketed => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    None
}

impl Source {
    /// The name of the stage variable that it is, if it is one.
    pub fn stage_variable(&self) -> Option<&str> {
        match self {
            Source::StageVariable(name) => Some(name),
            _ => None,
        }
    }

    /// Reads a source without its `$`.
    fn parse(text: &str, side: Side) -> Result<Source, InvalidValue> {
        let invalid = || InvalidValue::Source(text.to_owned());
        let (root, rest) = text.split_once('.').unwrap_or((text, ""));
        match (root, side) {
            ("request", Side::Request) => request(rest, text),
            ("response", Side::Response) => response(rest, text),
            ("request" | "response", side) => Err(InvalidValue::Side(side)),
            ("context", _) if rest.is_empty() => Err(invalid()),
            ("context", _) => ContextVariable::parse(rest)
                .map(Source::Context)
                .ok_or_else(|| InvalidValue::Context(rest.to_owned())),
            ("stageVariables", _) => {
                let is_name = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                is_name
                    .then(|| Source::StageVariable(rest.to_owned()))
                    .ok_or_else(invalid)
            }
            _ => Err(invalid()),
        }
    }
}

fn request(rest: &str, whole: &str) -> Result<Source, InvalidValue> {
    let invalid = || InvalidValue::Source(whole.to_owned());
    match rest.split_once('.') {
        None if rest == "path" => Ok(Source::Path),
        Some(("path", name)) if !name.is_empty() && !name.contains(['.', ' ']) => {
            Ok(Source::PathParameter(name.to_owned()))
        }
        Some(("querystring", name)) if !name.is_empty() => Ok(Source::Querystring(name.to_owned())),
        _ => header_or_body(rest).ok_or_else(invalid)?,
    }
}

fn response(rest: &str, whole: &str) -> Result<Source, InvalidValue> {
    header_or_body(rest).ok_or_else(|| InvalidValue::Source(whole.to_owned()))?
}

/// What both messages have; none where it is something else.
fn header_or_body(rest: &str) -> Option<Result<Source, InvalidValue>> {
    if let Some(name) = rest.strip_prefix("header.") {
        if !is_token(name.as_bytes()) {
            return None;
        }
        return Some(Ok(Source::Header(name.to_ascii_lowercase())));
    }
    let path = rest.strip_prefix("body")?;
    if path.is_empty() {
        return Some(Ok(Source::Body));
    }
    if !path.starts_with(['.', '[']) {
        return None;
    }
    let path = JsonPath::parse(path).map_err(InvalidValue::JsonPath);
    Some(path.map(Source::BodyValue))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<MappingValue, InvalidValue> {
        MappingValue::parse(text, Side::Request)
    }

    #[test]
    fn a_source_alone() {
        let path = |text| Source::BodyValue(JsonPath::parse(text).unwrap());
        for (text, source) in [
            ("$request.header.X-A", Source::Header("x-a".into())),
            ("$request.querystring.Name", Source::Querystring("Name".into())),
            ("$request.querystring.a b.c", Source::Querystring("a b.c".into())),
            ("$request.body", Source::Body),
            ("$request.body.a[0]", path(".a[0]")),
            ("$request.body[0]", path("[0]")),
            ("$request.path", Source::Path),
            ("$request.path.id", Source::PathParameter("id".into())),
            ("$context.requestId", Source::Context(ContextVariable::RequestId)),
            ("$stageVariables.a_1", Source::StageVariable("a_1".into())),
        ] {
            assert_eq!(parse(text), Ok(MappingValue::Source(source.clone())), "{text}");
            let braced = format!("${{{}}}", &text[1..]);
            assert_eq!(
                parse(&braced),
                Ok(MappingValue::Pieces(vec![Piece::Source(source)])),
                "{braced}"
            );
        }
    }

    #[test]
    fn text_stays_text() {
        for text in [
            "a",
            "a b",
            "$",
            "$5.00",
            "costs $5",
            "$foo.bar",
            "{a}",
            "}",
            "$requests",
            "caf\u{e9}",
            "a$b",
        ] {
            assert_eq!(
                parse(text),
                Ok(MappingValue::Pieces(vec![Piece::Text(text.into())])),
                "{text}"
            );
        }
    }

    #[test]
    fn a_brace_in_a_json_path_does_not_end_it() {
        let value = parse("<${request.body['a}b']}>").unwrap();
        let path = Source::BodyValue(JsonPath::parse("['a}b']").unwrap());
        let pieces = vec![Piece::Text("<".into()), Piece::Source(path), Piece::Text(">".into())];
        assert_eq!(value, MappingValue::Pieces(pieces));
    }

    #[test]
    fn what_is_no_value() {
        let long = "x".repeat(513);
        for (text, side, says) in [
            ("", Side::Request, "empty"),
            (long.as_str(), Side::Request, "513 characters, 512 at most"),
            ("a\r\nb: c", Side::Request, "control character '\\r'"),
            ("$response.header.a", Side::Request, "not there yet"),
            ("${response.body}", Side::Request, "not there yet"),
            ("$request.path", Side::Response, "when a response is mapped"),
            ("$request", Side::Request, "not a source"),
            ("$request.", Side::Request, "not a source"),
            ("$request.header", Side::Request, "not a source"),
            ("$request.header.", Side::Request, "not a source"),
            ("$request.header.a b", Side::Request, "not a source"),
            ("$request.Header.a", Side::Request, "not a source"),
            ("$request.bodyx", Side::Request, "not a source"),
            ("$request.path.", Side::Request, "not a source"),
            ("$request.querystring.", Side::Request, "not a source"),
            ("$request.multivaluequerystring.a", Side::Request, "not a source"),
            ("$request.body..a", Side::Request, "recursive descent"),
            ("$response.body[?(@.a)]", Side::Response, "a filter"),
            ("$response.path", Side::Response, "not a source"),
            ("$context.nope", Side::Request, "no context variable \"nope\""),
            ("$context.requestid", Side::Request, "did you mean \"requestId\"?"),
            ("$context", Side::Request, "not a source"),
            ("$stageVariables.a-b", Side::Request, "not a source"),
            ("${stageVariables}", Side::Request, "not a source"),
            ("${method.request.header.a}", Side::Request, "not a source"),
            ("a ${request.path", Side::Request, "no closing brace"),
            ("${}", Side::Request, "not a source"),
            (
                "id: $request.path.id x",
                Side::Request,
                "\"$request.path.id\" must be the whole value",
            ),
            (
                "${request.path}$context.requestId",
                Side::Request,
                "must be the whole value",
            ),
            ("$request.header.Authorization", Side::Request, "reserved"),
            ("${response.header.Apigw-Requestid}", Side::Response, "reserved"),
        ] {
            let error = MappingValue::parse(text, side).expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
