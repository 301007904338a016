//! What is wrong with the files: one finding is a file, a JSON pointer, a severity and a sentence.

use std::collections::{HashMap, HashSet};
use std::fmt;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The API cannot be served.
    Error,
    /// The API can be served, but probably not as it was meant.
    Warning,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, relative to the root, with `/` between its parts.
    pub file: String,
    /// The field, as a JSON pointer (RFC 6901); empty for the whole file.
    pub pointer: String,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.severity.as_str();
        let line = format!("{}#{}: {severity}: {}", self.file, self.pointer, self.text);
        // One line a problem, whatever a file's name or content holds.
        for character in line.chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

/// All findings of one reading of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    all: Vec<Problem>,
    /// Fields with an error, by file, so that each of many can be asked for.
    errors: HashMap<String, HashSet<String>>,
}

impl Problems {
    /// None so far.
    pub fn new() -> Problems {
        Problems::default()
    }

    /// Adds something that keeps the API from being served.
    pub fn error(&mut self, file: &str, pointer: impl Into<String>, text: impl Into<String>) {
        self.add(Severity::Error, file, pointer.into(), text.into());
    }

    /// Adds a warning.
    pub fn warning(&mut self, file: &str, pointer: impl Into<String>, text: impl Into<String>) {
        self.add(Severity::Warning, file, pointer.into(), text.into());
    }

    /// Adds an error about a field, unless there is one: a value of the wrong type is not missing as well.
    pub fn error_unless_known(&mut self, file: &str, pointer: &str, text: impl Into<String>) {
        let below = format!("{pointer}/");
        let is_known = |known: &String| known == pointer || known.starts_with(&below);
        if !self
            .errors
            .get(file)
            .is_some_and(|pointers| pointers.iter().any(is_known))
        {
            self.error(file, pointer, text);
        }
    }

    /// Whether something is wrong with a field.
    pub fn has_error(&self, file: &str, pointer: &str) -> bool {
        self.errors.get(file).is_some_and(|pointers| pointers.contains(pointer))
    }

    /// Whether something is wrong with a file.
    pub fn has_errors_in(&self, file: &str) -> bool {
        self.errors.contains_key(file)
    }

    fn add(&mut self, severity: Severity, file: &str, pointer: String, text: String) {
        if severity == Severity::Error {
            self.errors.entry(file.to_owned()).or_default().insert(pointer.clone());
        }
        self.all.push(Problem {
            file: file.to_owned(),
            pointer,
            severity,
            text,
        });
    }

    /// Takes over another list.
    pub fn extend(&mut self, other: Problems) {
        for problem in other.all {
            self.add(problem.severity, &problem.file, problem.pointer, problem.text);
        }
    }

    /// The findings by file and field, each once.
    pub fn sorted(mut self) -> Problems {
        self.all.sort();
        self.all.dedup();
        self
    }

    /// Each finding.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.all.iter()
    }

    /// All of them as JSON, for programs: `problems` with `api`, `file`, `pointer`, `severity` and `text`, and their
    /// numbers as `errors` and `warnings`. The id of the API that a file belongs to, if it does to one, is `api_of` the file.
    pub fn to_json(&self, api_of: impl Fn(&str) -> Option<String>) -> serde_json::Value {
        let problem = |problem: &Problem| {
            serde_json::json!({
                "api": api_of(&problem.file),
                "file": problem.file,
                "pointer": problem.pointer,
                "severity": problem.severity.as_str(),
                "text": problem.text,
            })
        };
        serde_json::json!({
            "problems": self.iter().map(problem).collect::<Vec<_>>(),
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
        })
    }

    /// How many there are of that severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.iter().filter(|problem| problem.severity == severity).count()
    }

    /// Whether the API cannot be served.
    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The pointer to a member of what `pointer` leads to, with `~` and `/` escaped.
///
/// # Example
/// ```
/// assert_eq!(apigateway::definition::problem::member("/StageVariables", "a/b"), "/StageVariables/a~1b");
/// ```
pub fn member(pointer: &str, name: &str) -> String {
    let name = name.replace('~', "~0").replace('/', "~1");
    format!("{pointer}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line() {
        let mut problems = Problems::new();
        problems.error("routes/a\nb.json", "/RouteKey", "bad\tkey");
        problems.warning("api.json", "", "odd");
        let problems = problems.sorted();
        let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert_eq!(
            lines,
            [
                "api.json#: warning: odd",
                "routes/a\\nb.json#/RouteKey: error: bad\\tkey"
            ]
        );
        assert_eq!(problems.count(Severity::Error), 1);
    }
}
