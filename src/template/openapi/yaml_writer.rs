//! Writes JSON as YAML: always in the same way, all texts in double quotes, as AWS's exports have it.

use std::fmt::Write;

use crate::definition::json::Json;

/// Words that YAML 1.1 or 1.2 takes for something else than a text.
const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// YAML takes a key on the line of its value up to 1,024 characters.
const LONG_KEY: usize = 1_000;

/// A value as a document, with a newline at the end.
pub(super) fn to_yaml(json: &Json) -> String {
    let mut text = String::new();
    match json {
        Json::Object(members) if !members.is_empty() => mapping(&mut text, members, 0, true),
        Json::Array(items) if !items.is_empty() => list(&mut text, items, 0),
        other => {
            scalar(&mut text, other);
            text.push('\n');
        }
    }
    text
}

fn indent(text: &mut String, level: usize) {
    text.extend(std::iter::repeat_n("  ", level));
}

/// The members of a mapping; the first may follow what stands on the line already.
fn mapping(text: &mut String, members: &[(String, Json)], level: usize, begins_line: bool) {
    for (at, (name, value)) in members.iter().enumerate() {
        if at > 0 || begins_line {
            indent(text, level);
        }
        let key = key(name);
        if key.chars().count() > LONG_KEY {
            let _ = writeln!(text, "? {key}");
            indent(text, level);
        } else {
            text.push_str(&key);
        }
        text.push(':');
        match value {
            Json::Object(inner) if !inner.is_empty() => {
                text.push('\n');
                mapping(text, inner, level + 1, true);
            }
            Json::Array(items) if !items.is_empty() => {
                text.push('\n');
                list(text, items, level);
            }
            other => {
                text.push(' ');
                scalar(text, other);
                text.push('\n');
            }
        }
    }
}

fn list(text: &mut String, items: &[Json], level: usize) {
    for item in items {
        indent(text, level);
        text.push_str("- ");
        match item {
            Json::Object(members) if !members.is_empty() => mapping(text, members, level + 1, false),
            Json::Array(inner) if !inner.is_empty() => {
                // A list in a list begins on a line of its own.
                text.truncate(text.trim_end_matches(' ').len());
                text.push('\n');
                list(text, inner, level + 1);
            }
            other => {
                scalar(text, other);
                text.push('\n');
            }
        }
    }
}

fn scalar(text: &mut String, json: &Json) {
    match json {
        Json::Null => text.push_str("null"),
        Json::Bool(value) => drop(write!(text, "{value}")),
        Json::Number(number) => drop(write!(text, "{number}")),
        Json::String(value) => text.push_str(&quoted(value)),
        Json::Array(_) => text.push_str("[]"),
        Json::Object(_) => text.push_str("{}"),
    }
}

/// A key without quotes where no reader of YAML takes it for anything else.
fn key(name: &str) -> String {
    let begins = |character: char| character.is_ascii_alphabetic() || "/_$".contains(character);
    let goes_on = |character: char| character.is_ascii_alphanumeric() || "/_.{}+$-".contains(character);
    let mut characters = name.chars();
    let is_plain = characters.next().is_some_and(begins) && characters.all(goes_on);
    match is_plain && !WORDS.contains(&name.to_ascii_lowercase().as_str()) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

/// A text with JSON's escapes, and with those of what YAML does not take as it is.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    for character in serde_json::Value::from(text).to_string().chars() {
        match character {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_in_blocks_with_quoted_texts() {
        let json = Json::parse(
            r#"{"openapi":"3.0.1","paths":{"/pets/{id}":{"get":{"tags":["a",{"b":1,"c":{}},[],[true]],"yes":"no"}}},"a b":[]}"#,
        );
        let expected = "openapi: \"3.0.1\"\npaths:\n  /pets/{id}:\n    get:\n      tags:\n      - \"a\"\n      - b: 1\n        \
                        c: {}\n      - []\n      -\n        - true\n      \"yes\": \"no\"\n\"a b\": []\n";
        assert_eq!(to_yaml(&json.unwrap()), expected);
    }

    #[test]
    fn hostile_texts_are_escaped() {
        for (text, expected) in [
            ("a\"b\\c\n\t", r#""a\"b\\c\n\t""#),
            (
                "\u{85}\u{2028}\u{2029}\u{feff}\u{7f}",
                r#""\u0085\u2028\u2029\ufeff\u007f""#,
            ),
            ("%3Ca: - #", "\"%3Ca: - #\""),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
