//! One source of a mapping's value, and why a text is none (`R4.3`).

use std::fmt;

use crate::definition::notation::context_variable::{self, ContextVariable};
use crate::definition::notation::json_path::{InvalidJsonPath, JsonPath};
use crate::definition::notation::mapping_key::Side;
use crate::definition::notation::route_key::is_variable_name;
use crate::definition::suggestion::{closest, did_you_mean};
use crate::http1::message::is_token;

/// Most characters of a value (`R4.7`).
pub const MAX_LENGTH: usize = 512;

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
    /// It looks like a source, and begins with nothing that this message's have.
    Root(String, Side),
    /// A `${` without its `}`.
    Unclosed(String),
    /// What is wrong with a bare source that has text around it.
    Bare(Box<InvalidValue>),
    /// A bare body with a bracket behind it, within text.
    Bracket(String),
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
            InvalidValue::Root(text, side) => {
                write!(
                    f,
                    "{text:?} is not a source that a mapping can read{}",
                    meant(text, *side)
                )
            }
            InvalidValue::Unclosed(text) => write!(f, "{text:?} has no closing brace"),
            InvalidValue::Bare(error) => {
                write!(f, "{error}; within text, ${{…}} says where the name ends")
            }
            InvalidValue::Bracket(name) => {
                write!(
                    f,
                    "whether {name:?} goes on at the bracket behind it cannot be told; ${{…}} says so"
                )
            }
            InvalidValue::Reserved(name) => write!(f, "the header {name:?} is reserved and cannot be read"),
            InvalidValue::Context(name) if context_variable::is_of_other_apis(name) => {
                write!(f, "the context variable {name:?} is one of REST or WebSocket APIs")
            }
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

/// The end of a sentence about an unknown root: which source was meant, or what sources begin with.
fn meant(text: &str, side: Side) -> String {
    let (root, rest) = text.split_once('.').unwrap_or((text, ""));
    // As it is called in the mappings of REST APIs.
    if matches!(root, "method" | "integration") && begins_with_root(rest) {
        return format!("; did you mean \"${rest}\"?");
    }
    if ContextVariable::parse(text).is_some() {
        return format!("; did you mean \"$context.{text}\"?");
    }
    match (side, root) {
        (Side::Request, "header" | "querystring" | "path" | "body") => {
            format!("; did you mean \"$request.{text}\"?")
        }
        (Side::Response, "header" | "body") => format!("; did you mean \"$response.{text}\"?"),
        _ => match closest(root, ROOTS) {
            Some(known) => format!("; did you mean \"${known}.{rest}\"?"),
            None => "; it begins with $request, $response, $context or $stageVariables".to_owned(),
        },
    }
}

/// Whether a text after `$` means a source: a root alone, or with something that follows it.
pub(super) fn begins_with_root(text: &str) -> bool {
    let end = text
        .find(|character: char| !character.is_ascii_alphanumeric())
        .unwrap_or(text.len());
    text.get(..end).is_some_and(|root| ROOTS.contains(&root))
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
    pub(super) fn parse(text: &str, side: Side) -> Result<Source, InvalidValue> {
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
            _ => Err(InvalidValue::Root(text.to_owned(), side)),
        }
    }
}

fn request(rest: &str, whole: &str) -> Result<Source, InvalidValue> {
    let invalid = || InvalidValue::Source(whole.to_owned());
    match rest.split_once('.') {
        None if rest == "path" => Ok(Source::Path),
        Some(("path", name)) if is_variable_name(name) => Ok(Source::PathParameter(name.to_owned())),
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
