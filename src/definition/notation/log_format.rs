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
//! assert_eq!(LogFormat::parse("$context.status"), Err(InvalidLogFormat::NoRequestId));
//! ```

use std::fmt;

use crate::definition::notation::context_variable::ContextVariable;

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
const DEFAULT: &str = "{\"requestId\":\"$context.requestId\",\"ip\":\"$context.identity.sourceIp\",\
    \"requestTime\":\"$context.requestTime\",\"httpMethod\":\"$context.httpMethod\",\"path\":\"$context.path\",\
    \"routeKey\":\"$context.routeKey\",\"status\":\"$context.status\",\"protocol\":\"$context.protocol\",\
    \"responseLength\":\"$context.responseLength\",\"responseLatency\":\"$context.responseLatency\",\
    \"integrationErrorMessage\":\"$context.integrationErrorMessage\",\
    \"authorizerError\":\"$context.authorizer.error\"}";

/// What a variable begins with.
const PREFIX: &str = "$context.";

/// A format that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFormat {
    parts: Vec<Part>,
    escaping: Escaping,
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
}

impl LogFormat {
    /// Reads a format, or the name of a preset.
    ///
    /// # Errors
    /// See [`InvalidLogFormat`].
    pub fn parse(text: &str) -> Result<LogFormat, InvalidLogFormat> {
        let preset = PRESETS.iter().find(|(name, _)| *name == text);
        let text = preset.map_or(text, |(_, format)| format);
        if text.len() > MAX_LENGTH {
            return Err(InvalidLogFormat::TooLong(text.len()));
        }
        if let Some(character) = text.chars().find(|character| character.is_control()) {
            return Err(InvalidLogFormat::ControlCharacter(character));
        }
        let parts = parts(text)?;
        if !parts.contains(&Part::Variable(ContextVariable::RequestId)) {
            return Err(InvalidLogFormat::NoRequestId);
        }
        let escaping = match text.trim_start().chars().next() {
            Some('{' | '[') => Escaping::Json,
            Some('<') => Escaping::Xml,
            _ => Escaping::Text,
        };
        Ok(LogFormat { parts, escaping })
    }

    /// Its parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
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
            parts: parts(DEFAULT).unwrap_or_default(),
            escaping: Escaping::Json,
        }
    }
}

fn parts(text: &str) -> Result<Vec<Part>, InvalidLogFormat> {
    let mut parts = Vec::new();
    let mut pieces = text.split(PREFIX);
    let push_text = |parts: &mut Vec<Part>, text: &str| {
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
    };
    push_text(&mut parts, pieces.next().unwrap_or_default());
    for piece in pieces {
        let is_name = |character: char| character.is_ascii_alphanumeric() || "._".contains(character);
        let end = piece.find(|character| !is_name(character)).unwrap_or(piece.len());
        // A full stop after a name is a full stop.
        let name = piece.get(..end).unwrap_or_default().trim_end_matches('.');
        let variable =
            ContextVariable::parse(name).ok_or_else(|| InvalidLogFormat::UnknownVariable(name.to_owned()))?;
        parts.push(Part::Variable(variable));
        push_text(&mut parts, piece.get(name.len()..).unwrap_or_default());
    }
    Ok(parts)
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
            InvalidLogFormat::UnknownVariable(name) => write!(f, "there is no variable $context.{name}"),
            InvalidLogFormat::NoRequestId => {
                f.write_str("the format must have $context.requestId or $context.extendedRequestId")
            }
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
    fn what_is_no_format_is_refused() {
        let long = format!("$context.requestId{}", "x".repeat(MAX_LENGTH));
        for (text, expected) in [
            ("", InvalidLogFormat::NoRequestId),
            ("$context", InvalidLogFormat::NoRequestId),
            ("JSON", InvalidLogFormat::NoRequestId),
            ("$context.", InvalidLogFormat::UnknownVariable(String::new())),
            (
                "$context.requestID",
                InvalidLogFormat::UnknownVariable("requestID".into()),
            ),
            ("$context.requestId\n", InvalidLogFormat::ControlCharacter('\n')),
            ("$context.requestId\t", InvalidLogFormat::ControlCharacter('\t')),
            (&long, InvalidLogFormat::TooLong(long.len())),
        ] {
            assert_eq!(LogFormat::parse(text), Err(expected), "{text}");
        }
        let longest = format!("$context.requestId{}", " ".repeat(MAX_LENGTH - 18));
        assert!(LogFormat::parse(&longest).is_ok());
    }
}
