//! `docs/troubleshooting.md` has each message that the program logs, and each status that it answers itself.

use std::collections::BTreeSet;

use crate::support::repository::text_of;
use crate::tidy::{gateway_errors, sources};

/// Fewer letters than this are no message: the text comes from elsewhere.
const FEWEST_LETTERS: usize = 8;

/// Calls of the log whose messages an operator sees without asking for more.
const CALLS: [&str; 3] = ["log::error!(", "log::warn!(", "log::info!("];

/// The literal that a call begins with, its line breaks taken out as the compiler does.
fn literal(call: &str) -> Option<String> {
    let inner = call.trim_start().strip_prefix('"')?;
    let mut text = String::new();
    let mut characters = inner.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Some(text),
            '\\' => match characters.next()? {
                '\n' => while characters.next_if(|character| character.is_whitespace()).is_some() {},
                escaped => text.push(escaped),
            },
            other => text.push(other),
        }
    }
    None
}

/// The longest part of a format that is the same each time.
fn longest_part(format: &str) -> &str {
    let parts = format
        .split('{')
        .map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    let trimmed = parts.map(|part| part.trim_matches([' ', ':', ';', ',', '(', ')', '"']));
    trimmed.max_by_key(|part| part.len()).unwrap_or_default()
}

#[test]
fn the_page_has_each_message_of_the_log() {
    let page = text_of("docs/troubleshooting.md");
    let mut missing = Vec::new();
    let mut found = 0;
    for source in sources("src", "rs").iter().filter(|source| !source.is_of_tests()) {
        let source = source.without_tests();
        for call in CALLS {
            for call in source.text.split(call).skip(1) {
                let Some(format) = literal(call) else { continue };
                let part = longest_part(&format);
                if part.chars().filter(|character| character.is_alphabetic()).count() < FEWEST_LETTERS {
                    continue;
                }
                found += 1;
                if !page.contains(part) {
                    missing.push(format!("{}: {part}", source.path));
                }
            }
        }
    }
    assert!(found > 40, "{found}");
    assert!(
        missing.is_empty(),
        "docs/troubleshooting.md lacks:\n{}",
        missing.join("\n")
    );
}

#[test]
fn the_page_has_each_status() {
    let page = text_of("docs/troubleshooting.md");
    let statuses: BTreeSet<u16> = gateway_errors().into_iter().map(|(_, status)| status).collect();
    assert!(statuses.len() > 10, "{statuses:?}");
    for status in statuses {
        assert!(page.contains(&format!("\n| {status} |")), "{status}");
    }
}

#[test]
fn a_part_of_a_format_is_found() {
    assert_eq!(literal("\n  \"a \\\n   b {}\", x"), Some("a b {}".to_owned()));
    assert_eq!(longest_part("request {id}: {status} is gone{others}"), "is gone");
}
