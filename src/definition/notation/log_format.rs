//! Formats of access log lines (spec §10).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html>
//!
//! # Example
//! ```
//! use apigateway::definition::notation::log_format::{InvalidLogFormat, LogFormat};
//!
//! assert!(LogFormat::parse("$context.requestId $context.status").is_ok());
//! assert!(LogFormat::parse("json").is_ok());
//! assert_eq!(LogFormat::parse("$context.status"), Err(vec![InvalidLogFormat::NoRequestId]));
//! ```

use std::fmt;

use crate::definition::notation::context_variable::{self, AUTHORIZER, ContextVariable};
use crate::definition::suggestion::{closest, did_you_mean};

/// Most bytes of a format: AWS's 3 KB.
pub const MAX_LENGTH: usize = 3 * 1024;

/// The presets of AWS's console by name, which is an extension (`R10.2`).
pub const PRESETS: [(&str, &str); 4] = [
    (
        "clf",
        "$context.identity.sourceIp - - [$context.requestTime] \"$context.httpMethod $context.routeKey \
         $context.protocol\" $context.status $context.responseLength $context.requestId",
    ),
    (
        "json",
        "{ \"requestId\":\"$context.requestId\", \"ip\": \"$context.identity.sourceIp\", \
         \"requestTime\":\"$context.requestTime\", \"httpMethod\":\"$context.httpMethod\",\
         \"routeKey\":\"$context.routeKey\", \"status\":\"$context.status\",\"protocol\":\"$context.protocol\", \
         \"responseLength\":\"$context.responseLength\" }",
    ),
    (
        "xml",
        "<request id=\"$context.requestId\"> <ip>$context.identity.sourceIp</ip> \
         <requestTime>$context.requestTime</requestTime> <httpMethod>$context.httpMethod</httpMethod> \
         <routeKey>$context.routeKey</routeKey> <status>$context.status</status> \
         <protocol>$context.protocol</protocol> <responseLength>$context.responseLength</responseLength> </request>",
    ),
    (
        "csv",
        "$context.identity.sourceIp,$context.requestTime,$context.httpMethod,$context.routeKey,$context.protocol,\
         $context.status,$context.responseLength,$context.requestId",
    ),
];

/// The format of a stage that says none.
const DEFAULT: &str = "{\"requestId\":\"$context.requestId\",\"apiId\":\"$context.apiId\",\
    \"ip\":\"$context.identity.sourceIp\",\"requestTime\":\"$context.requestTime\",\"httpMethod\":\"$context.httpMethod\",\"path\":\"$context.path\",\
    \"routeKey\":\"$context.routeKey\",\"status\":\"$context.status\",\"protocol\":\"$context.protocol\",\
    \"responseLength\":\"$context.responseLength\",\"responseLatency\":\"$context.responseLatency\",\
    \"integrationErrorMessage\":\"$context.integrationErrorMessage\",\
    \"authorizerError\":\"$context.authorizer.error\"}";

/// What a variable begins with.
const PREFIX: &str = "$context.";

/// What the sources of a mapping begin with, which mean nothing in a format.
const ROOTS: [&str; 4] = ["context.", "request.", "response.", "stageVariables."];

/// What a format needs, in a sentence.
const NO_REQUEST_ID: &str = "the format must have $context.requestId or $context.extendedRequestId";

/// A format that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFormat {
    parts: Vec<Part>,
    escaping: Escaping,
    of_other_apis: Vec<String>,
}

/// What a format is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text that stands as it is.
    Text(String),
    /// A variable.
    Variable(ContextVariable),
}

/// What of a value is escaped, so that it cannot end what it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escaping {
    /// Control characters, as `\x0a`: a line stays one line.
    Text,
    /// In a format that begins with `{` or `[`: as in a JSON string.
    Json,
    /// In a format that begins with `<`: as in XML's text and attributes.
    Xml,
}

/// Why a text is no format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidLogFormat {
    /// It has more than 3 KB.
    TooLong(usize),
    /// It has a line end or another control character.
    ControlCharacter(char),
    /// There is no such variable.
    UnknownVariable(String),
    /// It has neither `$context.requestId` nor `$context.extendedRequestId`.
    NoRequestId,
    /// The same, but it has variables in braces, as mappings have them.
    Braces,
    /// The same, but it is nearly the name of this preset.
    MisspeltPreset(&'static str),
}

impl LogFormat {
    /// Reads a format, or the name of a preset. One line end at the end is left out, since files end with one.
    ///
    /// # Errors
    /// All that is wrong with it, see [`InvalidLogFormat`].
    pub fn parse(text: &str) -> Result<LogFormat, Vec<InvalidLogFormat>> {
        let text = text
            .strip_suffix('\n')
            .map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        let preset = PRESETS.iter().find(|(name, _)| *name == text);
        let text = preset.map_or(text, |(_, format)| format);
        // What is so long can have any number of further mistakes.
        if text.len() > MAX_LENGTH {
            return Err(vec![InvalidLogFormat::TooLong(text.len())]);
        }
        let mut errors = Vec::new();
        if let Some(character) = text.chars().find(|character| character.is_control()) {
            errors.push(InvalidLogFormat::ControlCharacter(character));
        }
        let mut of_other_apis = Vec::new();
        let parts = parts(text, |name| {
            let (is_other, name) = (context_variable::is_of_other_apis(name), name.to_owned());
            match is_other {
                true if of_other_apis.contains(&name) => {}
                true => of_other_apis.push(name),
                false => errors.push(InvalidLogFormat::UnknownVariable(name)),
            }
        });
        if !parts.contains(&Part::Variable(ContextVariable::RequestId)) {
            let presets = || PRESETS.iter().map(|(name, _)| *name);
            errors.push(match closest(text, presets()) {
                _ if text.contains("${context.") => InvalidLogFormat::Braces,
                // A format that is text alone is none, so it may be the name of one.
                Some(preset) if !text.contains('$') => InvalidLogFormat::MisspeltPreset(preset),
                _ => InvalidLogFormat::NoRequestId,
            });
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let escaping = match text.trim_start().chars().next() {
            Some('{' | '[') => Escaping::Json,
            Some('<') => Escaping::Xml,
            _ => Escaping::Text,
        };
        Ok(LogFormat {
            parts,
            escaping,
            of_other_apis,
        })
    }

    /// The variables of REST and WebSocket APIs in it, each once: they never have a value.
    pub fn of_other_apis(&self) -> &[String] {
        &self.of_other_apis
    }

    /// Its parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Texts in it that are variables elsewhere: in a mapping, or in braces.
    pub fn sources_as_text(&self) -> Vec<String> {
        let mut found = Vec::new();
        for part in &self.parts {
            let Part::Text(text) = part else { continue };
            for after in text.split('$').skip(1) {
                let is_name = |character: char| character.is_ascii_alphanumeric() || "._".contains(character);
                let source = after.strip_prefix('{').unwrap_or(after);
                let end = source.find(|character| !is_name(character)).unwrap_or(source.len());
                let source = source.get(..end).unwrap_or_default();
                let is_source = ROOTS.iter().any(|root| source.starts_with(root));
                if is_source && !found.iter().any(|known| known == source) {
                    found.push(source.to_owned());
                }
            }
        }
        found
    }

    /// What of a value is escaped.
    pub fn escaping(&self) -> Escaping {
        self.escaping
    }
}

/// One line of JSON, with what one wants to know of a request.
impl Default for LogFormat {
    fn default() -> LogFormat {
        LogFormat {
            parts: parts(DEFAULT, |_| {}),
            escaping: Escaping::Json,
            of_other_apis: Vec::new(),
        }
    }
}

/// Takes a format apart; what is no variable of an HTTP API is told, and never has a value.
fn parts(text: &str, mut unknown: impl FnMut(&str)) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut pieces = text.split(PREFIX);
    let push_text = |parts: &mut Vec<Part>, text: &str| {
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
    };
    push_text(&mut parts, pieces.next().unwrap_or_default());
    for piece in pieces {
        let name = name(piece);
        let variable = ContextVariable::parse(name).unwrap_or_else(|| {
            unknown(name);
            ContextVariable::Absent
        });
        parts.push(Part::Variable(variable));
        push_text(&mut parts, piece.get(name.len()..).unwrap_or_default());
    }
    parts
}

/// The name at the beginning of a text.
fn name(text: &str) -> &str {
    let up_to = |is_name: fn(char) -> bool| {
        let end = text.find(|character| !is_name(character)).unwrap_or(text.len());
        // A full stop after a name is a full stop.
        text.get(..end).unwrap_or_default().trim_end_matches(['.', ':', '-'])
    };
    let plain = up_to(|character| character.is_ascii_alphanumeric() || "._".contains(character));
    // Only what an authorizer tells has a `:` or a `-` in its name. What stands behind a name of AWS's is text.
    let is_told = plain.starts_with(AUTHORIZER)
        && !matches!(
            ContextVariable::parse(plain),
            Some(ContextVariable::PrincipalId | ContextVariable::AuthorizerError)
        );
    match is_told {
        true => up_to(|character| character.is_ascii_alphanumeric() || "._:-".contains(character)),
        false => plain,
    }
}

impl fmt::Display for InvalidLogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidLogFormat::TooLong(length) => {
                write!(f, "the format has {length} bytes, {MAX_LENGTH} at most")
            }
            InvalidLogFormat::ControlCharacter(character) => {
                write!(
                    f,
                    "the format has {character:?}: it must be one line without control characters"
                )
            }
            InvalidLogFormat::UnknownVariable(name) => write!(
                f,
                "there is no variable $context.{name}{}",
                did_you_mean(name, context_variable::NAMES)
            ),
            InvalidLogFormat::NoRequestId => f.write_str(NO_REQUEST_ID),
            InvalidLogFormat::Braces => {
                write!(
                    f,
                    "{NO_REQUEST_ID}: braces do not work here, $context.requestId is written without them"
                )
            }
            InvalidLogFormat::MisspeltPreset(preset) => write!(f, "{NO_REQUEST_ID}; did you mean {preset:?}?"),
        }
    }
}

impl std::error::Error for InvalidLogFormat {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_and_the_default_are_formats() {
        for (name, _) in PRESETS {
            assert!(LogFormat::parse(name).is_ok(), "{name}");
        }
        assert_eq!(LogFormat::parse(DEFAULT), Ok(LogFormat::default()));
        assert!(LogFormat::default().parts().len() > 20);
    }

    #[test]
    fn a_name_ends_where_no_name_can_go_on() {
        let format = LogFormat::parse("a $context.requestId. [$context.identity.sourceIp]$context.status-").unwrap();
        let expected = [
            Part::Text("a ".into()),
            Part::Variable(ContextVariable::RequestId),
            Part::Text(". [".into()),
            Part::Variable(ContextVariable::SourceIp),
            Part::Text("]".into()),
            Part::Variable(ContextVariable::Status),
            Part::Text("-".into()),
        ];
        assert_eq!(format.parts(), expected);
        assert_eq!(format.escaping(), Escaping::Text);
    }

    #[test]
    fn what_an_authorizer_tells_has_its_own_names() {
        let claim = |name: &str| Part::Variable(ContextVariable::AuthorizerClaim(name.into()));
        let property = |name: &str| Part::Variable(ContextVariable::AuthorizerProperty(name.into()));
        for (text, expected) in [
            ("authorizer.claims.cognito:groups", vec![claim("cognito:groups")]),
            (
                "authorizer.tenant-id.",
                vec![property("tenant-id"), Part::Text(".".into())],
            ),
            ("authorizer.claims.sub:", vec![claim("sub"), Part::Text(":".into())]),
            (
                "authorizer.principalId-x",
                vec![Part::Variable(ContextVariable::PrincipalId), Part::Text("-x".into())],
            ),
            (
                "authorizer.claims:",
                vec![Part::Variable(ContextVariable::Absent), Part::Text(":".into())],
            ),
            (
                "status:x",
                vec![Part::Variable(ContextVariable::Status), Part::Text(":x".into())],
            ),
        ] {
            let format = LogFormat::parse(&format!("$context.requestId$context.{text}")).expect(text);
            assert_eq!(format.parts()[1..], expected, "{text}");
        }
    }

    #[test]
    fn a_line_end_at_the_end_is_none_of_the_format() {
        let format = LogFormat::parse("$context.requestId x");
        for end in ["\n", "\r\n"] {
            assert_eq!(LogFormat::parse(&format!("$context.requestId x{end}")), format);
            assert_eq!(LogFormat::parse(&format!("clf{end}")), LogFormat::parse("clf"));
        }
    }

    #[test]
    fn what_is_no_format_is_refused() {
        let long = format!("$context.requestId{}", "x".repeat(MAX_LENGTH));
        for (text, expected) in [
            ("", InvalidLogFormat::NoRequestId),
            ("$context", InvalidLogFormat::NoRequestId),
            ("JSON", InvalidLogFormat::MisspeltPreset("json")),
            ("clff", InvalidLogFormat::MisspeltPreset("clf")),
            ("a line", InvalidLogFormat::NoRequestId),
            ("${context.requestId}", InvalidLogFormat::Braces),
            (
                "$context.requestId $context.",
                InvalidLogFormat::UnknownVariable(String::new()),
            ),
            (
                "$context.requestId $context.authorizer.-",
                InvalidLogFormat::UnknownVariable("authorizer".into()),
            ),
            ("$context.requestId\n\n", InvalidLogFormat::ControlCharacter('\n')),
            ("$context.requestId\r", InvalidLogFormat::ControlCharacter('\r')),
            ("$context.requestId\t", InvalidLogFormat::ControlCharacter('\t')),
            (&long, InvalidLogFormat::TooLong(long.len())),
        ] {
            assert_eq!(LogFormat::parse(text), Err(vec![expected]), "{text}");
        }
        let all = LogFormat::parse("$context.requestID\t$context.nope").unwrap_err();
        let expected = [
            InvalidLogFormat::ControlCharacter('\t'),
            InvalidLogFormat::UnknownVariable("requestID".into()),
            InvalidLogFormat::UnknownVariable("nope".into()),
            InvalidLogFormat::NoRequestId,
        ];
        assert_eq!(all, expected);
        let longest = format!("$context.requestId{}", " ".repeat(MAX_LENGTH - 18));
        assert!(LogFormat::parse(&longest).is_ok());
    }
}
