//! Values of a service integration's parameters: what a text stands for, by the parameter's kind.
//!
//! # Example
//! ```
//! use apigateway::definition::notation::service_parameter::{ParameterKind, ParameterValue};
//!
//! let delay = ParameterKind::Integer { least: 0, most: 900 };
//! assert_eq!(delay.read(b"30".to_vec()), Ok(ParameterValue::Integer(30)));
//! assert!(delay.read(b"901".to_vec()).is_err());
//! assert!(delay.read(b"+1".to_vec()).is_err());
//! ```

mod message_attributes;
mod queue_url;

use crate::definition::json::Json;
use crate::definition::notation::moment;

pub use crate::definition::notation::service_parameter::message_attributes::{AttributeValue, MessageAttribute};
pub use crate::definition::notation::service_parameter::queue_url::path_of_queue;

/// What a parameter's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// A whole number in a range.
    Integer {
        /// The least that it may be.
        least: u32,
        /// The most that it may be.
        most: u32,
    },
    /// The attributes of a message, as a JSON object.
    Attributes,
    /// A list of strings: a JSON array, or items with commas between them.
    Strings,
    /// A moment.
    Time,
    /// Bytes, which the service gets in base64.
    Bytes,
    /// The URL of a queue.
    QueueUrl,
    /// The ARN of something of Step Functions'.
    StatesArn,
    /// A region.
    Region,
    /// A text that is one segment of a path.
    PathSegment,
    /// Any text.
    Text,
}

/// A value that a service can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterValue {
    /// A whole number.
    Integer(u32),
    /// The attributes of a message.
    Attributes(Vec<MessageAttribute>),
    /// A list of strings.
    Strings(Vec<String>),
    /// Milliseconds since 1970.
    Time(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A text.
    Text(String),
}

impl ParameterKind {
    /// Reads a value.
    ///
    /// # Errors
    /// A sentence on why it is none of that kind.
    pub fn read(self, text: Vec<u8>) -> Result<ParameterValue, String> {
        if self == ParameterKind::Bytes {
            return Ok(ParameterValue::Bytes(text));
        }
        let text = String::from_utf8(text).map_err(|_| "the value is not UTF-8".to_owned())?;
        match self {
            ParameterKind::Integer { least, most } => integer(&text, least, most).map(ParameterValue::Integer),
            ParameterKind::Attributes => self.read_json(&parse_json(&text)?),
            ParameterKind::Strings if text.starts_with('[') => self.read_json(&parse_json(&text)?),
            ParameterKind::Strings => separated(&text).map(ParameterValue::Strings),
            ParameterKind::Time => moment::parse(&text).map(ParameterValue::Time).ok_or_else(|| {
                format!("{text:?} is neither a time of RFC 3339 nor seconds or milliseconds since 1970")
            }),
            _ => self.check_text(&text).map(|()| ParameterValue::Text(text)),
        }
    }

    /// Reads a value that is JSON already.
    ///
    /// # Errors
    /// As [`ParameterKind::read`].
    pub fn read_json(self, json: &Json) -> Result<ParameterValue, String> {
        match self {
            ParameterKind::Attributes => message_attributes::read(json).map(ParameterValue::Attributes),
            _ => strings(json).map(ParameterValue::Strings),
        }
    }

    fn check_text(self, text: &str) -> Result<(), String> {
        match self {
            ParameterKind::QueueUrl => queue_url::check(text),
            ParameterKind::StatesArn if !is_states_arn(text) => Err(format!(
                "{text:?} is not an ARN of Step Functions such as arn:aws:states:us-east-1:123456789012:stateMachine:orders"
            )),
            ParameterKind::Region if !is_region(text) => Err(format!("{text:?} is not a region such as us-east-1")),
            // A reader would resolve it.
            ParameterKind::PathSegment if matches!(text, "." | "..") => {
                Err(format!("{text:?} cannot be a segment of a path"))
            }
            _ => Ok(()),
        }
    }
}

/// Decimal digits and nothing else.
fn integer(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_digits.then(|| text.parse().ok()).flatten();
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("{text:?} is not a whole number from {least} to {most}"))
}

fn parse_json(text: &str) -> Result<Json, String> {
    Json::parse(text).map_err(|error| format!("the value is not JSON: {error}"))
}

fn strings(json: &Json) -> Result<Vec<String>, String> {
    let Json::Array(items) = json else {
        return Err(format!("the value must be a list of strings, not {}", json.kind()));
    };
    let string = |item: &Json| match item {
        Json::String(text) if text.is_empty() => Err("the list has an empty item".to_owned()),
        Json::String(text) => Ok(text.clone()),
        other => Err(format!("the list must have strings, not {}", other.kind())),
    };
    items.iter().map(string).collect()
}

fn separated(text: &str) -> Result<Vec<String>, String> {
    let item = |item: &str| match item.trim_matches([' ', '\t']) {
        "" => Err("the list has an empty item".to_owned()),
        item => Ok(item.to_owned()),
    };
    text.split(',').map(item).collect()
}

fn is_states_arn(text: &str) -> bool {
    let mut parts = text.split(':');
    parts.next() == Some("arn") && parts.nth(1) == Some("states")
}

/// `[a-z]{2}(-[a-z]+)+-[0-9]{1,2}`: it becomes a label of a host.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., last] = parts.as_slice() else {
        return false;
    };
    let is_letters = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    first.len() == 2
        && is_letters(first)
        && !middle.is_empty()
        && middle.iter().all(is_letters)
        && (1..=2).contains(&last.len())
        && last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
