//! `${stageVariables.name}` in an integration's URI (`R2.12`).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-stages.stage-variables.html>
//!
//! # Example
//! ```
//! use apigateway::definition::notation::stage_variable;
//!
//! let text = stage_variable::put_in("http://${stageVariables.host}/pets/{id}", |name| {
//!     (name == "host").then(|| "pets.internal:8080".to_owned())
//! });
//! assert_eq!(text.as_deref(), Ok("http://pets.internal:8080/pets/{id}"));
//! ```

use std::fmt;

/// Why a text cannot be completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidReference {
    /// A `${…}` that is no stage variable.
    Form(String),
    /// The stage has no variable of that name (`R2.13`).
    Undefined(String),
}

impl fmt::Display for InvalidReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidReference::Form(text) => {
                write!(f, "{text:?} is not a stage variable such as ${{stageVariables.name}}")
            }
            InvalidReference::Undefined(name) => write!(f, "the stage variable {name:?} is not defined"),
        }
    }
}

impl std::error::Error for InvalidReference {}

/// Replaces every `${stageVariables.name}` by what `value(name)` gives.
///
/// # Errors
/// A reference is not well formed, or there is no such variable.
pub fn put_in(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, InvalidReference> {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = next_reference(rest)? {
        let value = value(name).ok_or_else(|| InvalidReference::Undefined(name.to_owned()))?;
        whole.push_str(before);
        whole.push_str(&value);
        rest = after;
    }
    whole.push_str(rest);
    Ok(whole)
}

/// The names of the stage variables that a text refers to, each once.
///
/// # Errors
/// A reference is not well formed.
pub fn names(text: &str) -> Result<Vec<&str>, InvalidReference> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, name, after)) = next_reference(rest)? {
        if !names.contains(&name) {
            names.push(name);
        }
        rest = after;
    }
    Ok(names)
}

/// What stands before the first reference, its name, and what stands after it.
fn next_reference(text: &str) -> Result<Option<(&str, &str, &str)>, InvalidReference> {
    let Some((before, reference)) = text.split_once("${") else {
        return Ok(None);
    };
    let (inner, after) = reference
        .split_once('}')
        .ok_or_else(|| InvalidReference::Form(format!("${{{reference}")))?;
    let name = inner
        .strip_prefix("stageVariables.")
        .filter(|name| !name.is_empty())
        .ok_or_else(|| InvalidReference::Form(format!("${{{inner}}}")))?;
    Ok(Some((before, name, after)))
}

/// Whether the text refers to a stage variable, well or badly.
pub fn is_in(text: &str) -> bool {
    text.contains("${")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stage_variables_can_stand_anywhere() {
        let value = |name: &str| (name == "v").then(|| "x.y:1".to_owned());
        for (given, expected) in [
            ("http://${stageVariables.v}/a", Ok("http://x.y:1/a")),
            ("${stageVariables.v}${stageVariables.v}", Ok("x.y:1x.y:1")),
            ("http://h/{id}", Ok("http://h/{id}")),
            ("http://h/${stageVariables.w}", Err("\"w\" is not defined")),
            ("http://h/${stageVariables.}", Err("is not a stage variable")),
            ("http://h/${context.stage}", Err("is not a stage variable")),
            ("http://h/${stageVariables.v", Err("is not a stage variable")),
        ] {
            let got = put_in(given, value).map_err(|error| error.to_string());
            match expected {
                Ok(expected) => assert_eq!(got.as_deref(), Ok(expected), "{given}"),
                Err(says) => assert!(got.expect_err(given).contains(says), "{given}"),
            }
        }
    }
}
