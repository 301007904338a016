//! No two files of a room lead to each other, directly or round about; and the words that are out of use.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::{Source, sources};

/// A file by the path of its module, without `crate::`.
fn module(path: &str) -> String {
    let below = path.strip_prefix("src/").unwrap().trim_end_matches(".rs");
    below.trim_end_matches("/mod").replace('/', "::")
}

/// Every path that a text names behind `crate::`, with each name of a list in braces.
fn named(text: &str) -> Vec<String> {
    let is_path = |character: char| character.is_alphanumeric() || "_:".contains(character);
    let mut paths = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let end = rest.find(|character| !is_path(character)).unwrap_or(rest.len());
        let path = rest[..end].trim_end_matches(':');
        let list = rest[end..].strip_prefix('{').filter(|_| rest[..end].ends_with("::"));
        match list.and_then(|list| list.split_once('}')) {
            None => paths.push(path.to_owned()),
            Some((list, _)) => {
                for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                    let name = name.split(' ').next().unwrap();
                    paths.push(match name {
                        "self" => path.to_owned(),
                        name => format!("{path}::{name}"),
                    });
                }
            }
        }
    }
    paths
}

/// The modules with a file that a path leads to: the longest one.
fn leads_to<'a>(path: &str, modules: &'a BTreeSet<String>) -> Option<&'a String> {
    let mut path = path;
    loop {
        if let Some(found) = modules.get(path) {
            return Some(found);
        }
        path = path.rsplit_once("::")?.0;
    }
}

/// The files that a file leads to. A `mod.rs` leads to those of its own that it uses without their whole path, too.
fn arrows(source: &Source, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let own = module(&source.path);
    let text: String = source
        .without_tests()
        .text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut paths = named(&text);
    if source.path.ends_with("/mod.rs") {
        for child in modules.iter().filter(|child| child.strip_prefix(&own).is_some()) {
            let name = child.rsplit("::").next().unwrap();
            if *child == format!("{own}::{name}") && !text_uses(&text, name).is_empty() {
                paths.push(child.clone());
            }
        }
    }
    let found = paths.iter().filter_map(|path| leads_to(path, modules));
    let room = own.split("::").next().unwrap();
    found
        .filter(|other| **other != own && other.split("::").next() == Some(room))
        .cloned()
        .collect()
}

/// Where a text uses a name that begins a path.
fn text_uses(text: &str, name: &str) -> Vec<usize> {
    let wanted = format!("{name}::");
    let begins = |at: usize| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|character| character.is_alphanumeric() || "_:".contains(character))
    };
    let found = text.match_indices(&wanted).map(|(at, _)| at);
    found.filter(|at| begins(*at)).collect()
}

/// A way from a module back to itself, if there is one.
fn circle(from: &str, graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut ways = vec![vec![from.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in &graph[way.last().unwrap()] {
            let mut longer = way.clone();
            longer.push(next.clone());
            if next == from {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                ways.push(longer);
            }
        }
    }
    None
}

#[test]
fn no_two_files_of_a_room_lead_to_each_other() {
    let sources: Vec<Source> = sources("src", "rs")
        .into_iter()
        .filter(|source| !source.path.starts_with("src/main") && source.path != "src/lib.rs" && !source.is_of_tests())
        .collect();
    let modules: BTreeSet<String> = sources.iter().map(|source| module(&source.path)).collect();
    let graph: BTreeMap<String, BTreeSet<String>> = sources
        .iter()
        .map(|source| (module(&source.path), arrows(source, &modules)))
        .collect();
    assert!(
        graph.values().map(BTreeSet::len).sum::<usize>() > 200,
        "the search finds nothing"
    );
    let circles: Vec<String> = graph
        .keys()
        .filter_map(|module| circle(module, &graph))
        .map(|way| way.join(" -> "))
        .collect();
    assert!(circles.is_empty(), "these lead to one another:\n{}", circles.join("\n"));
}

#[test]
fn what_leads_to_a_file_is_found() {
    let text = "use crate::a::b::{self, C, d::E};\nlet x = crate::a::f::g(crate::h);";
    assert_eq!(named(text), ["a::b", "a::b::C", "a::b::d::E", "a::f::g", "h"]);
    let modules: BTreeSet<String> = ["a", "a::b"].map(str::to_owned).into();
    assert_eq!(leads_to("a::b::C", &modules).map(String::as_str), Some("a::b"));
    assert_eq!(leads_to("x::y", &modules), None);
    let of = |pairs: &[(&str, &str)]| {
        let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in pairs {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            graph.entry((*to).to_owned()).or_default();
        }
        graph
    };
    assert!(circle("a", &of(&[("a", "b"), ("b", "c"), ("c", "a")])).is_some());
    assert!(circle("a", &of(&[("a", "b"), ("b", "c"), ("a", "c")])).is_none());
}

/// Words that only their author understands, in names and in what a file says of itself.
#[test]
fn words_that_are_out_of_use_are_not_used() {
    const WORDS: [&str; 7] = ["look_after", "tally", "tallies", "books", "parking", "whoever", "be it"];
    let mut violations = Vec::new();
    for source in sources("src", "rs") {
        for (number, line) in source.text.lines().enumerate() {
            let (code, comment) = line.split_once("//").unwrap_or((line, ""));
            let says = comment.strip_prefix('!').unwrap_or_default();
            let text = format!("{} {}", code.to_lowercase(), says.to_lowercase());
            for word in WORDS {
                let is_letter = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
                let found = text.match_indices(word).any(|(at, _)| {
                    !is_letter(text[..at].chars().next_back()) && !is_letter(text[at + word.len()..].chars().next())
                });
                if found {
                    violations.push(format!("{}:{}: {word}: {}", source.path, number + 1, line.trim()));
                }
            }
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}
