//! One line of the access log: a stage's format with the values of a request in it.

use std::borrow::Cow;

use crate::data_plane::context_variables::ContextVariables;
use crate::definition::notation::context_variable::ContextVariable as Variable;
use crate::definition::notation::log_format::{Escaping, LogFormat, Part};
use crate::platform::terminal::Colour;

/// Most bytes of a line; what is above is cut off, as AWS does it (`R10.2`).
pub const MAX_LENGTH: usize = 1024 * 1024;

/// A line of which all is known but what the end of an answer tells.
#[derive(Debug)]
pub struct Line {
    text: Vec<u8>,
    holes: Vec<(usize, Variable)>,
    escaping: Escaping,
    /// Whether a status has the colour of its class.
    has_colours: bool,
}

impl Line {
    /// Puts in the values of a request. What only the end of its answer tells is left open if that is not known yet.
    pub fn begin(format: &LogFormat, values: &ContextVariables<'_>, has_colours: bool) -> Line {
        let mut line = Line {
            has_colours,
            text: Vec::with_capacity(512),
            holes: Vec::new(),
            escaping: format.escaping(),
        };
        let has_ended = values.answer.is_some_and(|answer| answer.length.is_some());
        for part in format.parts() {
            match part {
                Part::Text(text) => line.text.extend_from_slice(text.as_bytes()),
                Part::Variable(variable) if !has_ended && is_late(variable) => {
                    line.holes.push((line.text.len(), variable.clone()));
                }
                Part::Variable(Variable::Status) if has_colours => {
                    let value = values.get(&Variable::Status).unwrap_or(Cow::Borrowed(b""));
                    push_status(&mut line.text, &value);
                }
                Part::Variable(variable) => push_value(&mut line.text, variable, values, line.escaping),
            }
        }
        line
    }

    /// The whole line; `values` are those at the end of the answer.
    pub fn finish(self, values: impl Fn(&Variable) -> Option<String>) -> Vec<u8> {
        let mut line = self.text;
        if !self.holes.is_empty() {
            let mut whole = Vec::with_capacity(line.len() + 64);
            let mut from = 0;
            for (at, variable) in &self.holes {
                whole.extend_from_slice(line.get(from..*at).unwrap_or_default());
                let value = values(variable);
                let value = value.as_deref().unwrap_or_default().as_bytes();
                match *variable == Variable::Status && self.has_colours {
                    true => push_status(&mut whole, value),
                    false => push_escaped(&mut whole, value, self.escaping),
                }
                from = *at;
            }
            whole.extend_from_slice(line.get(from..).unwrap_or_default());
            line = whole;
        }
        line.truncate(MAX_LENGTH - 1);
        line.push(b'\n');
        line
    }
}

/// Whether only the end of an answer tells a variable's value.
fn is_late(variable: &Variable) -> bool {
    matches!(
        variable,
        Variable::Status
            | Variable::ResponseLength
            | Variable::ResponseLatency
            | Variable::DataProcessed
            | Variable::IntegrationErrorMessage
            | Variable::ErrorMessage
            | Variable::ErrorResponseType
    )
}

fn push_value(line: &mut Vec<u8>, variable: &Variable, values: &ContextVariables<'_>, escaping: Escaping) {
    let value = values.get(variable).unwrap_or(Cow::Borrowed(b""));
    // It is JSON already, with its quotes, and has nothing that a client wrote.
    let is_quoted = *variable == Variable::ErrorMessageString && !value.is_empty();
    if is_quoted {
        line.extend_from_slice(&value);
    } else {
        push_escaped(line, &value, escaping);
    }
}

/// A status in the colour of its class.
fn push_status(line: &mut Vec<u8>, status: &[u8]) {
    let colour = match status.first() {
        Some(b'1' | b'2') => Colour::Green,
        Some(b'3') => Colour::Cyan,
        Some(b'4') => Colour::Yellow,
        _ => Colour::Red,
    };
    line.extend_from_slice(colour.start().as_bytes());
    push_escaped(line, status, Escaping::Text);
    line.extend_from_slice(Colour::END.as_bytes());
}

/// A value; `-` where it has no content (`R10.3`).
fn push_escaped(line: &mut Vec<u8>, value: &[u8], escaping: Escaping) {
    if value.is_empty() {
        line.push(b'-');
        return;
    }
    let is_plain = |byte: &u8| matches!(byte, b' '..0x7f) && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&' | b'\'');
    if value.iter().all(is_plain) {
        line.extend_from_slice(value);
        return;
    }
    for character in String::from_utf8_lossy(value).chars() {
        let is_line_end = matches!(character, '\u{2028}' | '\u{2029}');
        let escaped = match (escaping, character) {
            (Escaping::Json, '"' | '\\') => format!("\\{character}"),
            (Escaping::Xml, '"' | '<' | '>' | '&' | '\'') => format!("&#{};", u32::from(character)),
            (Escaping::Json, _) if character.is_control() || is_line_end => format!("\\u{:04x}", u32::from(character)),
            // XML has no way to write most control characters, not even escaped.
            (_, _) if character.is_control() || is_line_end => format!("\\x{:02x}", u32::from(character)),
            _ => character.to_string(),
        };
        line.extend_from_slice(escaped.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(value: &[u8], escaping: Escaping) -> String {
        let mut line = Vec::new();
        push_escaped(&mut line, value, escaping);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_status_has_the_colour_of_its_class() {
        for (status, expected) in [
            ("200", "\x1b[32m200\x1b[0m"),
            ("302", "\x1b[36m302\x1b[0m"),
            ("404", "\x1b[33m404\x1b[0m"),
            ("503", "\x1b[31m503\x1b[0m"),
        ] {
            let mut line = Vec::new();
            push_status(&mut line, status.as_bytes());
            assert_eq!(line, expected.as_bytes());
        }
    }

    #[test]
    fn no_value_can_forge_a_line() {
        let value = b"a\r\nb\"\\<&\x1b[2J\xc2\x9b\xe2\x80\xa8\xff";
        assert_eq!(
            escaped(value, Escaping::Text),
            "a\\x0d\\x0ab\"\\<&\\x1b[2J\\x9b\\x2028\u{fffd}"
        );
        let json = escaped(value, Escaping::Json);
        assert_eq!(json, "a\\u000d\\u000ab\\\"\\\\<&\\u001b[2J\\u009b\\u2028\u{fffd}");
        assert!(serde_json::from_str::<String>(&format!("\"{json}\"")).is_ok());
        assert_eq!(escaped(b"a<b&\"'\n", Escaping::Xml), "a&#60;b&#38;&#34;&#39;\\x0a");
        assert_eq!(escaped(b"", Escaping::Json), "-");
    }
    #[test]
    fn no_bytes_at_all_can_forge_a_line() {
        // Numbers that look random and are the same in every run.
        let mut seed: u64 = 1;
        let mut random = || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33).to_le_bytes()[0]
        };
        for _ in 0..5_000 {
            let length = usize::from(random()) % 24 + 1;
            let value: Vec<u8> = (0..length).map(|_| random()).collect();
            for escaping in [Escaping::Text, Escaping::Json, Escaping::Xml] {
                let line = escaped(&value, escaping);
                assert!(!line.chars().any(char::is_control), "{value:?}: {line:?}");
                if escaping == Escaping::Json {
                    assert!(serde_json::from_str::<String>(&format!("\"{line}\"")).is_ok(), "{line}");
                }
                if escaping == Escaping::Xml {
                    assert!(!line.contains(['<', '>', '"', '\'']), "{line}");
                }
            }
        }
    }
}
