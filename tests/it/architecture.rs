//! ARCHITECTURE.md says what the code's own order of modules says, in its table and in its picture.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

use crate::support::repository::{root, text_of};
use crate::tidy::{ROOMS, is_of_the_command, sources};

#[test]
fn the_rooms_stand_in_their_order_and_say_what_they_are_for() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let rooms: Vec<&str> = ROOMS.iter().map(|(room, _)| *room).collect();
    assert_eq!(declared.collect::<Vec<_>>(), rooms, "the rooms of src/lib.rs");
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for (room, charter) in ROOMS {
        let text = fs::read_to_string(root().join(format!("src/{room}/mod.rs"))).unwrap();
        let first = text.lines().next().unwrap_or_default();
        assert_eq!(first, format!("//! {charter}"), "src/{room}/mod.rs");
        let row = format!("| `{room}` | {charter} |");
        assert!(architecture.contains(&row), "ARCHITECTURE.md has no line {row}");
    }
}

/// The rooms of `src/lib.rs`, in groups that begin with a comment.
fn groups() -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for line in text_of("src/lib.rs").lines() {
        if let Some(comment) = line.strip_prefix("// ") {
            groups.push((comment.trim_end_matches('.').to_owned(), Vec::new()));
        } else if let Some(room) = line.strip_prefix("pub mod ")
            && let Some((_, rooms)) = groups.last_mut()
        {
            rooms.push(room.trim_end_matches(';').to_owned());
        }
    }
    groups
}

/// Which rooms each room uses, by its files.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources("src", "rs") {
        if source.path == "src/lib.rs" || is_of_the_command(&source.path) || source.is_of_tests() {
            continue;
        }
        let source = source.without_tests();
        let used = uses.entry(source.room().to_owned()).or_default();
        for (room, _) in ROOMS.iter().filter(|(room, _)| *room != source.room()) {
            if !source.mentions(&format!("crate::{room}::")).is_empty() {
                used.insert((*room).to_owned());
            }
        }
    }
    uses
}

/// Whether one room leads to another by way of a third.
fn leads_round(uses: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let reaches = |start: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![start.to_owned()]);
        while let Some(room) = open.pop() {
            for next in &uses[&room] {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    uses[from]
        .iter()
        .any(|third| third != to && reaches(third).contains(to))
}

/// The house: each room stands above those that it uses. Arrows that others imply are left out.
fn picture() -> String {
    let uses = uses();
    let mut text = "flowchart TD\n".to_owned();
    for (number, (title, rooms)) in groups().iter().enumerate().rev() {
        writeln!(text, "    subgraph g{number} [\"{title}\"]").unwrap();
        for room in rooms.iter().rev() {
            writeln!(text, "        {room}").unwrap();
        }
        text.push_str("    end\n");
    }
    for (room, _) in ROOMS.iter().rev() {
        for used in &uses[*room] {
            if !leads_round(&uses, room, used) {
                writeln!(text, "    {room} --> {used}").unwrap();
            }
        }
    }
    text
}

#[test]
fn the_picture_of_the_house_is_drawn_from_the_code() {
    let expected = picture();
    let architecture = text_of("ARCHITECTURE.md");
    let shown = architecture
        .split("```mermaid\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    assert_eq!(
        shown,
        Some(expected.as_str()),
        "the picture in ARCHITECTURE.md is to be:\n{expected}"
    );
    assert!(expected.matches(" --> ").count() >= ROOMS.len() - 1, "{expected}");
}
