//! Text with sources in it: `${source}`, or a bare `$source`, which ends where no name goes on (`R4.5`).

use crate::definition::notation::mapping_key::Side;
use crate::definition::notation::mapping_value::source::{InvalidValue, Source, begins_with_root};

/// A part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Used as it is.
    Text(String),
    /// Replaced by what it stands for.
    Source(Source),
}

/// Takes a text apart.
///
/// # Errors
/// What looks like a source and is none, wherever it stands.
pub(super) fn parse(text: &str, side: Side) -> Result<Vec<Piece>, InvalidValue> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        literal.push_str(before);
        let (source, after) = if let Some(reference) = after.strip_prefix('{') {
            braced(reference, side)?
        } else if begins_with_root(after) {
            bare(after, side)?
        } else {
            refuse_unknown_root(after, side)?;
            literal.push('$');
            rest = after;
            continue;
        };
        push_text(&mut pieces, &mut literal);
        pieces.push(Piece::Source(source));
        rest = after;
    }
    literal.push_str(rest);
    push_text(&mut pieces, &mut literal);
    Ok(pieces)
}

/// Whether a text is one bare name and nothing else.
pub(super) fn is_one_name(text: &str) -> bool {
    text.chars().all(is_of_name)
}

/// Whether another source stands in a text.
pub(super) fn holds_source(text: &str) -> bool {
    let mut dollars = text.match_indices('$');
    dollars.any(|(at, _)| {
        let after = text.get(at + 1..).unwrap_or_default();
        after.starts_with('{') || begins_with_root(after)
    })
}

fn push_text(pieces: &mut Vec<Piece>, literal: &mut String) {
    if !literal.is_empty() {
        pieces.push(Piece::Text(std::mem::take(literal)));
    }
}

/// A source whose opening brace is behind us, and what follows the closing one.
fn braced(reference: &str, side: Side) -> Result<(Source, &str), InvalidValue> {
    let unclosed = || InvalidValue::Unclosed(format!("${{{reference}"));
    let end = closing_brace(reference).ok_or_else(unclosed)?;
    let (source, after) = reference.split_at_checked(end).ok_or_else(unclosed)?;
    Ok((Source::parse(source, side)?, after.get(1..).unwrap_or_default()))
}

/// A source without braces, and what follows it.
fn bare(text: &str, side: Side) -> Result<(Source, &str), InvalidValue> {
    let end = text.find(|character| !is_of_name(character)).unwrap_or(text.len());
    // A full stop or a dash behind a name belongs to the text.
    let name = text.get(..end).unwrap_or_default().trim_end_matches(['.', '-']);
    let source = Source::parse(name, side).map_err(|error| InvalidValue::Bare(Box::new(error)))?;
    let after = text.get(name.len()..).unwrap_or_default();
    // Nobody can tell whether the path into the body goes on there.
    if matches!(source, Source::Body | Source::BodyValue(_)) && after.starts_with('[') {
        return Err(InvalidValue::Bracket(name.to_owned()));
    }
    Ok((source, after))
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._-".contains(character)
}

/// Whoever writes `$word.word` means a source; `$5.00` and `$word` are text.
fn refuse_unknown_root(text: &str, side: Side) -> Result<(), InvalidValue> {
    let end = text.find(|character| !is_of_name(character)).unwrap_or(text.len());
    let name = text.get(..end).unwrap_or_default().trim_end_matches(['.', '-']);
    let is_source = name.contains('.') && name.starts_with(|first: char| first.is_ascii_alphabetic());
    if is_source {
        return Err(InvalidValue::Root(name.to_owned(), side));
    }
    Ok(())
}

/// Where the brace is that ends a reference; one within the quotes of a JSON path does not.
fn closing_brace(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut is_bracketed = false;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '}') => return Some(at),
            (None, '[') => is_bracketed = true,
            (None, ']') => is_bracketed = false,
            (None, '\'' | '"') if is_bracketed => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    None
}
