//! JSON paths into a body, as far as AWS takes them in a parameter mapping: no `..`, no filters (`R4.3`).
//!
//! Names (`.a`, `['a b']`), indexes (`[0]`, `[-1]` from the end), wildcards (`.*`, `[*]`), slices (`[0:2]`) and
//! unions (`[0,2]`, `['a','b']`) have RFC 9535's meaning. A path of names and indexes leads to one value; any other
//! gives the list of what it finds.
//!
//! # Example
//! ```
//! use apigateway::definition::notation::json_path::JsonPath;
//!
//! let body = br#"{"pets": [{"name": "Rex", "legs": 4}, {"name": "Tweety", "legs": 2}]}"#;
//! let find = |path| JsonPath::parse(path).unwrap().find(body).unwrap();
//! assert_eq!(find(".pets[0].name"), "Rex");
//! assert_eq!(find(".pets[*].legs"), "[4,2]");
//! assert_eq!(find(".pets[-1]"), r#"{"name":"Tweety","legs":2}"#);
//! assert!(JsonPath::parse("..name").is_err());
//! ```

mod find;

use std::fmt;

/// Most steps of a path, and most selectors of one step. Each costs a look at the body, or at what was found in it.
const MAX_STEPS: usize = 32;
const MAX_SELECTORS: usize = 16;

/// Where a value is to be found in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath {
    /// Each step with the ways that it goes: one, or several for a union.
    steps: Vec<Vec<Selector>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Selector {
    Name(String),
    Index(i64),
    All,
    Slice {
        start: Option<i64>,
        end: Option<i64>,
        step: i64,
    },
}

/// Why a text is no JSON path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidJsonPath {
    /// `..`, which AWS does not take.
    Descent,
    /// `[?…]` or `[(…)]`, which AWS does not take.
    Filter,
    /// More than 32 steps, or 16 selectors in one.
    Long,
    /// Something else that is no step.
    Step(String),
}

impl fmt::Display for InvalidJsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidJsonPath::Descent => f.write_str("recursive descent (..) is not supported in a JSON path"),
            InvalidJsonPath::Filter => {
                f.write_str("a filter, [?(…)], or a script, [(…)], is not supported in a JSON path")
            }
            InvalidJsonPath::Long => write!(
                f,
                "a JSON path has {MAX_STEPS} steps at most, and a step {MAX_SELECTORS} selectors"
            ),
            InvalidJsonPath::Step(text) => write!(f, "{text:?} is not a step of a JSON path"),
        }
    }
}

impl std::error::Error for InvalidJsonPath {}

impl JsonPath {
    /// Reads what follows `$request.body`: steps that begin with `.` or `[`.
    ///
    /// # Errors
    /// See [`InvalidJsonPath`].
    pub fn parse(text: &str) -> Result<JsonPath, InvalidJsonPath> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let invalid = || InvalidJsonPath::Step(rest.to_owned());
            if rest.starts_with("..") {
                return Err(InvalidJsonPath::Descent);
            }
            let (step, after) = if let Some(inner) = rest.strip_prefix('[') {
                bracket(inner)?
            } else if let Some(name) = rest.strip_prefix('.') {
                // A bracket may follow a dot, as some write it.
                match name.strip_prefix('[') {
                    Some(inner) => bracket(inner)?,
                    None => dotted(name).ok_or_else(invalid)?,
                }
            } else {
                return Err(invalid());
            };
            steps.push(step);
            if steps.len() > MAX_STEPS {
                return Err(InvalidJsonPath::Long);
            }
            rest = after;
        }
        Ok(JsonPath { steps })
    }

    /// Whether it leads to one value at most.
    fn is_definite(&self) -> bool {
        self.steps
            .iter()
            .all(|step| matches!(step.as_slice(), [Selector::Name(_) | Selector::Index(_)]))
    }
}

/// A name after a dot, or `*`.
fn dotted(text: &str) -> Option<(Vec<Selector>, &str)> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, after) = text.split_at_checked(end)?;
    let is_plain = |character: char| !character.is_ascii_control() && !" ]()'\"?@,:*$".contains(character);
    match name {
        "*" => Some((vec![Selector::All], after)),
        name if !name.is_empty() && name.chars().all(is_plain) => Some((vec![Selector::Name(name.to_owned())], after)),
        _ => None,
    }
}

/// What stands in brackets, one selector or several between commas, and what follows the closing one.
fn bracket(inner: &str) -> Result<(Vec<Selector>, &str), InvalidJsonPath> {
    let invalid = || InvalidJsonPath::Step(format!("[{inner}"));
    let mut selectors = Vec::new();
    let mut rest = inner.trim_start_matches(' ');
    loop {
        if rest.starts_with(['?', '(']) {
            return Err(InvalidJsonPath::Filter);
        }
        let (selector, after) = selector(rest).ok_or_else(invalid)?;
        selectors.push(selector);
        if selectors.len() > MAX_SELECTORS {
            return Err(InvalidJsonPath::Long);
        }
        let after = after.trim_start_matches(' ');
        if let Some(after) = after.strip_prefix(']') {
            return Ok((selectors, after));
        }
        rest = after.strip_prefix(',').ok_or_else(invalid)?.trim_start_matches(' ');
    }
}

fn selector(text: &str) -> Option<(Selector, &str)> {
    if let Some(after) = text.strip_prefix('*') {
        return Some((Selector::All, after));
    }
    if let Some(quote) = text.chars().next().filter(|first| matches!(first, '\'' | '"')) {
        return quoted(text.get(1..)?, quote);
    }
    let end = text.find([',', ']'])?;
    let (numbers, after) = text.split_at_checked(end)?;
    let numbers: Vec<&str> = numbers.split(':').map(|number| number.trim_matches(' ')).collect();
    let optional = |text: &str| {
        if text.is_empty() {
            Some(None)
        } else {
            integer(text).map(Some)
        }
    };
    let selector = match numbers.as_slice() {
        [index] => Selector::Index(integer(index)?),
        [start, end] => Selector::Slice {
            start: optional(start)?,
            end: optional(end)?,
            step: 1,
        },
        [start, end, step] => Selector::Slice {
            start: optional(start)?,
            end: optional(end)?,
            step: optional(step)?.unwrap_or(1),
        },
        _ => return None,
    };
    Some((selector, after))
}

/// A name up to its closing quote; a backslash takes the next character as it is.
fn quoted(text: &str, quote: char) -> Option<(Selector, &str)> {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => name.push(characters.next()?.1),
            end if end == quote => {
                let after = text.get(at + end.len_utf8()..)?;
                return Some((Selector::Name(name), after));
            }
            other => name.push(other),
        }
    }
    None
}

/// A whole number in RFC 9535's form: no plus sign, no leading zeros, no minus zero.
fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_padded = digits.starts_with('0') && text != "0";
    if !is_plain || is_padded {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_does_not_take_is_refused() {
        for (path, says) in [
            ("..a", "recursive descent"),
            (".a..b", "recursive descent"),
            ("[?(@.a)]", "a filter"),
            (".a[?@.b]", "a filter"),
            ("[(@.length-1)]", "a filter"),
            ("a", "\"a\" is not a step"),
            (".", "is not a step"),
            (".a.", "is not a step"),
            ("[", "is not a step"),
            ("[]", "is not a step"),
            ("[01]", "is not a step"),
            ("[+1]", "is not a step"),
            ("[-0]", "is not a step"),
            ("[1", "is not a step"),
            ("['a]", "is not a step"),
            ("[a]", "is not a step"),
            ("[1:2:3:4]", "is not a step"),
            ("[0]a", "is not a step"),
            ("[99999999999999999999]", "is not a step"),
            (&".a".repeat(33), "32 steps at most"),
            (&format!("[0{}]", ",0".repeat(16)), "16 selectors"),
        ] {
            let error = JsonPath::parse(path).expect_err(path).to_string();
            assert!(error.contains(says), "{path}: {error}");
        }
    }
}
