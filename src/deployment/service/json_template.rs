//! JSON with sources in it, taken apart before any request comes: no value of a request can end the string that it
//! stands in (contract S7).
//!
//! Where the text is JSON and every source stands inside a string, it is parsed once, with a mark in the place of each
//! source, and each string is put together anew for a request. Any other text is put together first and parsed then.
//! A value inside a string is escaped there.

use std::fmt;

use crate::definition::json::Json;
use crate::definition::notation::mapping_value::{Piece, Source};

/// Begins the mark of a source: a noncharacter, which is in no text.
const MARK: char = '\u{fdd0}';

/// Ends it.
const END: char = '\u{fdd1}';

/// JSON that is finished for each request.
#[derive(Debug, PartialEq, Eq)]
pub struct JsonTemplate(Form);

#[derive(Debug, PartialEq, Eq)]
enum Form {
    /// Every source stands inside a string.
    Tree(Node),
    /// The pieces, and whether each stands inside a string.
    Text(Vec<(Piece, bool)>),
}

/// A value of the JSON text.
#[derive(Debug, PartialEq, Eq)]
enum Node {
    /// A string with sources in it.
    String(Vec<Piece>),
    Array(Vec<Node>),
    Object(Vec<(Vec<Piece>, Node)>),
    /// Whatever has no source, as compact text: numbers are not comparable.
    Other(String),
}

/// A source in a place where its value could not stay what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BehindBackslash;

impl fmt::Display for BehindBackslash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a source cannot stand behind a backslash of a JSON string")
    }
}

impl std::error::Error for BehindBackslash {}

/// Why a template has no value for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson;

impl JsonTemplate {
    /// Takes a text apart.
    ///
    /// # Errors
    /// See [`BehindBackslash`].
    pub(super) fn of(pieces: &[Piece]) -> Result<JsonTemplate, BehindBackslash> {
        let places = places(pieces)?;
        let are_inside = pieces
            .iter()
            .zip(&places)
            .all(|(piece, inside)| *inside || matches!(piece, Piece::Text(_)));
        let tree = are_inside.then(|| tree(pieces)).flatten();
        Ok(JsonTemplate(match tree {
            Some(node) => Form::Tree(node),
            None => Form::Text(pieces.iter().cloned().zip(places).collect()),
        }))
    }

    /// The JSON value of a request; `value` gives the text of a source, empty where it has none.
    ///
    /// # Errors
    /// It is no JSON with these values.
    pub fn expand(&self, value: &impl Fn(&Source) -> Result<String, NotJson>) -> Result<Json, NotJson> {
        match &self.0 {
            Form::Tree(node) => node.expand(value),
            Form::Text(pieces) => {
                let mut text = String::new();
                for (piece, is_inside) in pieces {
                    match piece {
                        Piece::Text(literal) => text.push_str(literal),
                        Piece::Source(source) if *is_inside => push_escaped(&mut text, &value(source)?)?,
                        Piece::Source(source) => text.push_str(&value(source)?),
                    }
                }
                Json::parse(&text).map_err(|_| NotJson)
            }
        }
    }
}

impl Node {
    fn expand(&self, value: &impl Fn(&Source) -> Result<String, NotJson>) -> Result<Json, NotJson> {
        let text = |pieces: &[Piece]| {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Piece::Text(literal) => text.push_str(literal),
                    Piece::Source(source) => text.push_str(&value(source)?),
                }
            }
            Ok(text)
        };
        Ok(match self {
            Node::String(pieces) => Json::String(text(pieces)?),
            Node::Array(items) => Json::Array(items.iter().map(|item| item.expand(value)).collect::<Result<_, _>>()?),
            Node::Object(members) => {
                let member = |(name, node): &(Vec<Piece>, Node)| Ok((text(name)?, node.expand(value)?));
                Json::Object(members.iter().map(member).collect::<Result<_, _>>()?)
            }
            Node::Other(json) => Json::parse(json).map_err(|_| NotJson)?,
        })
    }
}

/// A text as it stands between the quotes of a JSON string.
fn push_escaped(target: &mut String, text: &str) -> Result<(), NotJson> {
    let quoted = serde_json::to_string(text).map_err(|_| NotJson)?;
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    target.push_str(inner.ok_or(NotJson)?);
    Ok(())
}

/// Whether each piece begins inside a JSON string. What stands outside of strings is taken to leave them whole.
fn places(pieces: &[Piece]) -> Result<Vec<bool>, BehindBackslash> {
    let (mut is_inside, mut is_escaped) = (false, false);
    let mut places = Vec::with_capacity(pieces.len());
    for piece in pieces {
        places.push(is_inside);
        let Piece::Text(text) = piece else {
            if is_inside && is_escaped {
                return Err(BehindBackslash);
            }
            continue;
        };
        for character in text.chars() {
            match character {
                '"' if !is_escaped => is_inside = !is_inside,
                '\\' if is_inside => {
                    is_escaped = !is_escaped;
                    continue;
                }
                _ => {}
            }
            is_escaped = false;
        }
    }
    Ok(places)
}

/// The text as JSON with its sources in strings; none where it is no JSON, or could hold what looks like a mark.
fn tree(pieces: &[Piece]) -> Option<Node> {
    let mut marked = String::new();
    let mut sources = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) if text.contains([MARK, END]) || text.to_ascii_lowercase().contains("\\ufdd") => {
                return None;
            }
            Piece::Text(text) => marked.push_str(text),
            Piece::Source(source) => {
                marked.push_str(&format!("{MARK}{}{END}", sources.len()));
                sources.push(source);
            }
        }
    }
    node(&Json::parse(&marked).ok()?, &sources)
}

fn node(json: &Json, sources: &[&Source]) -> Option<Node> {
    Some(match json {
        Json::String(text) => Node::String(parts(text, sources)?),
        Json::Array(items) => Node::Array(items.iter().map(|item| node(item, sources)).collect::<Option<_>>()?),
        Json::Object(members) => {
            let member = |(name, value): &(String, Json)| Some((parts(name, sources)?, node(value, sources)?));
            Node::Object(members.iter().map(member).collect::<Option<_>>()?)
        }
        other => Node::Other(serde_json::to_string(other).ok()?),
    })
}

/// A string's text with its marks replaced by the sources that they stand for.
fn parts(text: &str, sources: &[&Source]) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, mark)) = rest.split_once(MARK) {
        let (number, after) = mark.split_once(END)?;
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let source = sources.get(number.parse::<usize>().ok()?)?;
        pieces.push(Piece::Source((*source).clone()));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::notation::mapping_key::Side;
    use crate::definition::notation::mapping_value::MappingValue;

    fn template(text: &str) -> Result<JsonTemplate, BehindBackslash> {
        match MappingValue::parse(text, Side::Request).unwrap() {
            MappingValue::Pieces(pieces) => JsonTemplate::of(&pieces),
            MappingValue::Source(_) => panic!("{text}"),
        }
    }

    fn expanded(text: &str, value: &str) -> Option<String> {
        let json = template(text).unwrap().expand(&|_| Ok(value.to_owned())).ok()?;
        Some(serde_json::to_string(&json).unwrap())
    }

    #[test]
    fn a_value_stays_in_its_string() {
        for (text, value, expected) in [
            (r#"{"a":"${request.header.x}"}"#, "b", Some(r#"{"a":"b"}"#)),
            (
                r#"{"a":"<${request.header.x}>"}"#,
                r#"x","evil":"1"#,
                Some(r#"{"a":"<x\",\"evil\":\"1>"}"#),
            ),
            (r#"{"a":"${request.header.x}"}"#, "\\", Some(r#"{"a":"\\"}"#)),
            (r#"{"a":"\\${request.header.x}"}"#, "\"", Some(r#"{"a":"\\\""}"#)),
            (r#"{"a":"\"${request.header.x}"}"#, "\"", Some(r#"{"a":"\"\""}"#)),
            (
                r#"{"a":"${request.header.x}"}"#,
                "\u{fdd0}0\u{fdd1}",
                Some("{\"a\":\"\u{fdd0}0\u{fdd1}\"}"),
            ),
            (
                r#"{"${request.header.x}":[1.50,null]}"#,
                "n",
                Some(r#"{"n":[1.5,null]}"#),
            ),
            (r#"["${request.header.x}"]"#, r#"a","b"#, Some(r#"["a\",\"b"]"#)),
            // Not inside a string, or no JSON before: put together first.
            (r#"{"a":${request.header.x}}"#, "[1]", Some(r#"{"a":[1]}"#)),
            (r#"{"a":${request.header.x}}"#, "", None),
            (
                r#"{"a":${request.header.x},"b":"${request.header.x}"}"#,
                r#""c""#,
                Some(r#"{"a":"c","b":"\"c\""}"#),
            ),
            (r#"{"a":"${request.header.x}""#, r#"x"}"#, None),
            (r#"{"a":"${request.header.x}"#, r#"x"}"#, None),
            (
                "{\"\\ufdd0\":\"${request.header.x}\"}",
                "\"",
                Some("{\"\u{fdd0}\":\"\\\"\"}"),
            ),
        ] {
            assert_eq!(expanded(text, value).as_deref(), expected, "{text} {value}");
        }
    }

    #[test]
    fn no_source_stands_behind_a_backslash() {
        for text in [r#"{"a":"\${request.header.x}"}"#, r#"{"a":"\\\${request.header.x}"}"#] {
            assert_eq!(template(text), Err(BehindBackslash), "{text}");
        }
    }
}
