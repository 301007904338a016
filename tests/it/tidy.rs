//! What a reader relies on and no compiler checks: the order of the modules, who may use which package, and that
//! the texts beside the code are true.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use apigateway::definition::store::Store;
use apigateway::deployment::configuration::Configuration;

use crate::support::repository::{root, text_of};

/// More lines than this are more than one subject.
const MAX_LINES: usize = 400;
/// The same of a file of tests.
const MAX_TEST_LINES: usize = 500;

/// A text file of the repository; the path is relative to it, with `/`.
pub struct Source {
    pub path: String,
    pub text: String,
}

/// All files below a directory whose names end so, sorted.
pub fn sources(directory: &str, extension: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut directories = vec![root().join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let relative = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                sources.push(Source {
                    path: relative,
                    text: fs::read_to_string(&path).unwrap(),
                });
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!sources.is_empty(), "{directory} has no .{extension}");
    sources
}

impl Source {
    /// Where a text stands as a whole path: not inside a longer name.
    pub fn mentions(&self, wanted: &str) -> Vec<String> {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let mut places = Vec::new();
        for (number, line) in self.text.lines().enumerate() {
            let found = line.match_indices(wanted).any(|(at, _)| {
                let (before, after) = (line[..at].chars().next_back(), line[at + wanted.len()..].chars().next());
                !before.is_some_and(|c| is_name(c) && wanted.starts_with(is_name))
                    && !after.is_some_and(|c| is_name(c) && wanted.ends_with(is_name))
            });
            if found {
                places.push(format!("{}:{}: {}", self.path, number + 1, line.trim()));
            }
        }
        places
    }

    /// The file without its tests.
    pub fn without_tests(&self) -> Source {
        let mut marks = [
            "#[cfg(test)]\nmod tests {",
            "#[cfg(test)]\n#[cfg(target_os = \"linux\")]\nmod tests {",
        ]
        .into_iter();
        let start = marks.find_map(|mark| self.text.find(mark)).unwrap_or(self.text.len());
        let text = &self.text[..start];
        Source {
            path: self.path.clone(),
            text: text.to_owned(),
        }
    }

    /// Whether it holds nothing but tests.
    pub fn is_of_tests(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// The room that a file of `src` belongs to.
    pub fn room(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap();
        below.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// Whether it is the file of a room, for which `super` is the crate.
    fn is_top_level(&self) -> bool {
        let below = self.path.strip_prefix("src/").unwrap();
        !below.contains('/') || (below.ends_with("/mod.rs") && below.matches('/').count() == 1)
    }
}

fn fail_with(what: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{what}:\n{}", violations.join("\n"));
}

/// The rooms in their order: each uses only those above it. The first line of its `mod.rs` is its charter, which
/// ARCHITECTURE.md repeats.
pub const ROOMS: [(&str, &str); 12] = [
    (
        "platform",
        "The process and its system: clock, random ids, signals, files, log, counters.",
    ),
    (
        "http1",
        "HTTP/1.1 messages and their bytes, both directions and both roles. No sockets, no clock.",
    ),
    (
        "outbound",
        "Sends a request to an integration: HTTP upstreams, local function processes, Valkey.",
    ),
    (
        "front",
        "Accepts connections, reads requests, writes responses. Knows its handler only as a trait.",
    ),
    (
        "definition",
        "What the user wrote: files, their JSON, AWS's notations, and every problem in them.",
    ),
    (
        "template",
        "The same definitions from and to SAM, CloudFormation and OpenAPI documents.",
    ),
    (
        "identity",
        "Who is asking: signatures, tokens, IAM policies; who we are to AWS.",
    ),
    (
        "deployment",
        "The definitions, checked and compiled: what is served. Immutable.",
    ),
    ("data_plane", "One request, from its first step to its record."),
    (
        "control_plane",
        "Changes what is served: edited files, and AWS's own API under `/v2`.",
    ),
    ("management", "What an operator sees: health, metrics, explanations."),
    (
        "server",
        "Puts the rooms together and runs them; the fixture for users' own tests.",
    ),
];

/// Whether a file belongs to the command instead of the library.
pub fn is_of_the_command(path: &str) -> bool {
    path == "src/main.rs" || path.starts_with("src/main/")
}

#[test]
fn a_room_uses_only_those_above_it() {
    let mut violations = Vec::new();
    let mut seen = BTreeSet::new();
    for source in sources("src", "rs") {
        if source.path == "src/lib.rs" || is_of_the_command(&source.path) {
            continue;
        }
        let place = ROOMS.iter().position(|(room, _)| *room == source.room());
        let place = place.unwrap_or_else(|| panic!("{} is in no room", source.path));
        seen.insert(place);
        for (later, _) in &ROOMS[place + 1..] {
            violations.extend(source.mentions(&format!("crate::{later}")));
            if source.is_top_level() {
                violations.extend(source.mentions(&format!("super::{later}")));
            }
        }
        // What would hide a name from the search above.
        for hidden in ["crate::{", "crate::*", "super::super::"] {
            violations.extend(source.mentions(hidden));
        }
        if source.is_top_level() {
            violations.extend(source.mentions("super::{"));
        }
    }
    assert_eq!(seen.len(), ROOMS.len(), "a room has no file");
    fail_with("these lead to a room further down in src/lib.rs", &violations);
}

/// Whether a file may know of sockets, threads and the time.
fn is_not_pure(path: &str) -> bool {
    !["src/http1/", "src/definition/notation/"]
        .iter()
        .any(|folder| path.starts_with(folder))
}

#[test]
fn a_package_is_used_in_its_place_only() {
    type Place = fn(&str) -> bool;
    let rules: [(&str, &[&str], Place); 14] = [
        ("ureq", &["ureq::"], |path| path == "src/outbound/upstream/errand.rs"),
        ("redis", &["redis::"], |path| path.starts_with("src/outbound/valkey/")),
        ("std::fs", &["std::fs", "fs::"], |path| {
            ["src/platform/files.rs", "src/platform/process.rs"].contains(&path)
        }),
        ("granit", &["granit_parser"], |path| path == "src/template/yaml.rs"),
        ("nix", &["nix::"], |path| path == "src/platform/signals.rs"),
        ("argh", &["argh::", "argh"], is_of_the_command),
        ("tiny_http", &["tiny_http::"], |path| {
            path.starts_with("src/front/tiny_http/")
        }),
        ("mio", &["mio::"], |path| path == "src/front/connection_table.rs"),
        ("threadpool", &["threadpool::"], |path| {
            path == "src/front/worker_pool.rs"
        }),
        ("std::process::Command", &["process::Command", "Command::new"], |path| {
            path.starts_with("src/outbound/function/")
        }),
        ("connecting sockets", &["TcpStream::connect"], |path| {
            path.starts_with("src/outbound/")
        }),
        ("listening sockets", &["TcpListener::bind"], |path| {
            path.starts_with("src/front/")
                || path.starts_with("src/outbound/function/")
                || path == "src/server/testing.rs"
        }),
        // HTTP's grammar and AWS's notations are the same whatever brings the bytes and whenever.
        ("sockets", &["net::Tcp", "TcpStream", "TcpListener"], is_not_pure),
        (
            "threads and the clock",
            &["std::thread", "Instant::now", "SystemTime::now"],
            is_not_pure,
        ),
    ];
    let mut violations = Vec::new();
    for source in sources("src", "rs").iter().filter(|source| !source.is_of_tests()) {
        let source = source.without_tests();
        for (package, texts, is_place) in &rules {
            if is_place(&source.path) {
                continue;
            }
            for text in *texts {
                let mut found = source.mentions(text);
                // Our own module of that name, and examples of documentation.
                found.retain(|line| !line.contains(&format!("front::{package}")) && !line.contains(": //"));
                violations.extend(found.into_iter().map(|line| format!("{package}: {line}")));
            }
        }
    }
    fail_with("these use a package outside its place", &violations);
}

#[test]
fn the_places_of_packages_are_real() {
    // If a package moved, the rule above would hold without saying anything.
    for (file, text) in [
        ("src/outbound/upstream/errand.rs", "ureq::"),
        ("src/platform/files.rs", "std::fs"),
        ("src/main/arguments.rs", "argh::"),
        ("src/platform/signals.rs", "nix::"),
        ("src/template/yaml.rs", "granit_parser::"),
        ("src/front/tiny_http/mod.rs", "tiny_http::"),
        ("src/front/connection_table.rs", "mio::"),
        ("src/front/worker_pool.rs", "threadpool::"),
        ("src/outbound/valkey/script.rs", "redis::"),
    ] {
        assert!(fs::read_to_string(root().join(file)).unwrap().contains(text), "{file}");
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut violations = Vec::new();
    for source in sources("src", "rs").into_iter().chain(sources("tests", "rs")) {
        let first = source.text.lines().next().unwrap_or_default();
        if first.strip_prefix("//! ").is_none_or(|text| text.len() < 10) {
            violations.push(format!("{}:1: {first}", source.path));
        }
    }
    fail_with("these do not begin with a sentence in a //! comment", &violations);
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("dbg", "!("),
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("#[ig", "nore"),
    ];
    let mut violations = Vec::new();
    for source in sources("src", "rs").into_iter().chain(sources("tests", "rs")) {
        for mark in marks {
            violations.extend(source.mentions(mark));
        }
    }
    // A test that cannot run among all others has a step of its own.
    let steps = text_of(".ci/run").matches("-- --ignored ").count();
    let (alone, left): (Vec<String>, Vec<String>) = violations
        .into_iter()
        .partition(|violation| violation.contains("CI runs it alone"));
    assert_eq!(alone.len(), steps, "{alone:?}");
    fail_with("these wait for somebody", &left);
}

#[test]
fn no_file_is_too_long() {
    for (directory, most) in [("src", MAX_LINES), ("tests", MAX_TEST_LINES)] {
        let long: Vec<String> = sources(directory, "rs")
            .iter()
            .map(|source| (source.text.lines().count(), &source.path))
            .filter(|(lines, _)| *lines > most)
            .map(|(lines, path)| format!("{path}: {lines} lines"))
            .collect();
        fail_with(&format!("these are over {most} lines"), &long);
    }
}

#[test]
fn the_documents_show_the_program_s_own_help() {
    if cfg!(feature = "tiny_http") || !cfg!(feature = "fleet") {
        // The features add options.
        return;
    }
    let text = fs::read_to_string(root().join("docs/operating.md")).expect("docs/operating.md");
    let commands = text
        .split("\n## Commands\n")
        .nth(1)
        .expect("docs/operating.md has a section Commands");
    let commands = commands.split("\n## ").next().unwrap();
    let blocks = commands.split("```").skip(1).step_by(2);
    let mut shown = BTreeSet::new();
    for block in blocks {
        // What follows the opening fence on its line is the language.
        let block = block.split_once('\n').unwrap().1;
        let Some(usage) = block.strip_prefix("Usage: apigateway") else {
            continue;
        };
        let command = usage
            .split_whitespace()
            .next()
            .filter(|word| word.chars().all(char::is_alphabetic));
        let output = Command::new(env!("CARGO_BIN_EXE_apigateway"))
            .args(command)
            .arg("--help")
            .output()
            .unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            trimmed(block),
            trimmed(&help),
            "docs/operating.md, the help of {command:?}"
        );
        shown.insert(command.map(str::to_owned));
    }
    let commands = [
        "check",
        "completions",
        "export",
        "import",
        "init",
        "man",
        "routes",
        "serve",
    ];
    let expected = commands.map(|command| Some(command.to_owned()));
    assert_eq!(
        shown,
        expected.into_iter().chain([None]).collect(),
        "the commands whose help docs/operating.md shows"
    );
}

/// Blanks at the ends of lines do not show.
fn trimmed(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim().to_owned()
}

#[test]
fn the_shipped_api_has_neither_error_nor_warning() {
    let listing = Store::at(root()).load();
    let (deployment, problems) = Configuration::of(&listing);
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, [""; 0]);
    assert!(deployment.is_some() && listing.files().count() >= 3);
}

/// Each variant of the gateway's errors with its status, from the one table in `src/data_plane/error.rs`.
pub fn gateway_errors() -> Vec<(String, u16)> {
    let text = fs::read_to_string(root().join("src/data_plane/error.rs")).unwrap();
    let declared = text
        .split("pub enum GatewayError {")
        .nth(1)
        .unwrap()
        .split("\n}")
        .next()
        .unwrap();
    let variants: BTreeSet<String> = declared
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| line.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned())
        .collect();
    let table = text
        .split("fn status_and_message")
        .nth(1)
        .unwrap()
        .split("\n    }")
        .next()
        .unwrap();
    let mut errors = Vec::new();
    for line in table.lines() {
        let Some((pattern, value)) = line.split_once("=> (") else {
            continue;
        };
        let status = value.split(',').next().unwrap().parse().unwrap();
        for part in pattern.split("GatewayError::").skip(1) {
            let variant = part.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            errors.push((variant.to_owned(), status));
        }
    }
    let listed: BTreeSet<String> = errors.iter().map(|(variant, _)| variant.clone()).collect();
    assert_eq!(listed, variants, "each variant has a line of the table");
    errors
}

#[test]
fn every_error_of_the_gateway_has_a_case() {
    let cases = sources("tests/cases", "json");
    let tests: Vec<Source> = sources("tests/it", "rs")
        .into_iter()
        .filter(|source| source.path != "tests/it/tidy.rs")
        .collect();
    let mut missing = String::new();
    for (variant, status) in gateway_errors() {
        let in_cases = |source: &Source| {
            let compact: String = source.text.split_whitespace().collect();
            compact.contains(&format!("\"status\":{status},")) || compact.contains(&format!("\"status\":{status}}}"))
        };
        let in_tests = |source: &Source| !source.mentions(&status.to_string()).is_empty();
        if !cases.iter().any(in_cases) && !tests.iter().any(in_tests) {
            writeln!(missing, "{variant} ({status})").unwrap();
        }
    }
    assert_eq!(missing, "", "no test expects these");
}

#[test]
fn the_steps_of_an_integration_do_not_know_one_another() {
    // Each kind of integration builds its request with the rules for header fields; nothing else is shared.
    let allowed = [("http_proxy", "headers"), ("lambda_proxy", "headers")];
    let steps: Vec<Source> = sources("src/data_plane/integration", "rs");
    let name = |source: &Source| {
        let file = source.path.rsplit('/').next().unwrap();
        file.trim_end_matches(".rs").to_owned()
    };
    let mut violations = Vec::new();
    for step in steps.iter().filter(|step| name(step) != "mod") {
        for other in steps.iter().filter(|other| name(other) != "mod") {
            let pair = (name(step), name(other));
            if pair.0 == pair.1 || allowed.contains(&(pair.0.as_str(), pair.1.as_str())) {
                continue;
            }
            for way in ["crate::data_plane::integration::", "super::"] {
                violations.extend(step.mentions(&format!("{way}{}", pair.1)));
            }
        }
        if !["http_proxy", "lambda_proxy"].contains(&name(step).as_str()) {
            violations.extend(step.mentions("crate::data_plane::integration::{"));
        }
    }
    fail_with("these steps use one another", &violations);
}

#[test]
fn only_the_gateway_calls_the_steps() {
    let mut violations = Vec::new();
    for source in sources("src", "rs") {
        let may = ["src/data_plane/gateway/", "src/data_plane/integration/"];
        if !may.iter().any(|folder| source.path.starts_with(folder)) {
            violations.extend(source.mentions("crate::data_plane::integration"));
        }
    }
    fail_with("these use a step of src/data_plane/integration", &violations);
    let gateway = fs::read_to_string(root().join("src/data_plane/gateway/integrate.rs")).unwrap();
    assert!(gateway.contains("use crate::data_plane::integration::"));
}
