//! Cases as data in `tests/templates`: files, arguments, and what the program prints and writes.
//!
//! A file is a text or a list of lines. `{ab*3}` in it is `ababab`. `expect` has the exit code, all lines of stdout and
//! stderr (`{"starts": x, "contains": [y]}` where a line is long), and files that are there afterwards. `{root}` stands for
//! the directory that the program runs in, `{hash}` for the hash of what is served.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::support::directory::Directory;
use crate::support::program::program;
use crate::support::repository::root;

fn text_of(file: &Value) -> String {
    let text = match file {
        Value::Array(lines) => lines
            .iter()
            .map(|line| format!("{}\n", line.as_str().unwrap()))
            .collect(),
        other => other.as_str().unwrap().to_owned(),
    };
    repeated(&text)
}

/// The text with what `{x*N}` stands for.
fn repeated(text: &str) -> String {
    let mut repeated = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        repeated.push_str(before);
        let end = from.find('}').unwrap_or(0);
        match from[1..end.max(1)]
            .rsplit_once('*')
            .and_then(|(what, count)| Some((what, count.parse().ok().filter(|_| !what.contains('{'))?)))
        {
            Some((what, count)) => {
                repeated.push_str(&what.repeat(count));
                rest = &from[end + 1..];
            }
            None => {
                repeated.push('{');
                rest = &from[1..];
            }
        }
    }
    repeated + rest
}

/// The text with `{hash}` for the hash of what is served, which tests of its own are about.
fn without_hash(text: &str) -> String {
    const NAME: &str = "\"hash\":\"";
    match text
        .split_once(NAME)
        .map(|(before, rest)| (before, rest.split_once('"')))
    {
        Some((before, Some((_, after)))) => format!("{before}{NAME}{{hash}}\"{after}"),
        _ => text.to_owned(),
    }
}

fn compare(name: &str, stream: &str, found: &str, expected: &Value, place: &str) {
    let found = without_hash(&found.replace(place, "{root}"));
    let found: Vec<&str> = found.lines().collect();
    let empty = Vec::new();
    let expected = expected.as_array().unwrap_or(&empty);
    assert_eq!(found.len(), expected.len(), "{name}: {stream}: {found:#?}");
    for (line, expected) in found.iter().zip(expected) {
        match expected.as_str() {
            Some(expected) => assert_eq!(*line, expected, "{name}: {stream}"),
            None => {
                assert!(
                    line.starts_with(expected["starts"].as_str().unwrap()),
                    "{name}: {stream}: {line}"
                );
                for part in expected["contains"].as_array().unwrap() {
                    assert!(line.contains(part.as_str().unwrap()), "{name}: {stream}: {line}");
                }
            }
        }
    }
}

fn run(case: &Value) {
    let name = case["name"].as_str().unwrap();
    let directory = Directory::empty();
    for (path, file) in case["files"].as_object().unwrap() {
        directory.write(path, &text_of(file));
    }
    let arguments = case["arguments"].as_array().unwrap();
    let output = program()
        .args(arguments.iter().map(|argument| argument.as_str().unwrap()))
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap();
    let place = directory.path().to_str().unwrap();
    let expect = &case["expect"];
    compare(name, "stdout", &text(&output.stdout), &expect["stdout"], place);
    compare(name, "stderr", &text(&output.stderr), &expect["stderr"], place);
    assert_eq!(
        output.status.code(),
        Some(i32::try_from(expect["code"].as_i64().unwrap()).unwrap()),
        "{name}"
    );
    for (path, expected) in expect["files"].as_object().into_iter().flatten() {
        let text =
            fs::read_to_string(directory.path().join(path)).unwrap_or_else(|error| panic!("{name}: {path}: {error}"));
        match expected.as_str() {
            Some(expected) => assert_eq!(text, expected, "{name}: {path}"),
            None => assert_eq!(
                serde_json::from_str::<Value>(&text).unwrap(),
                *expected,
                "{name}: {path}"
            ),
        }
    }
}

fn run_all(theme: &str) {
    let text = fs::read_to_string(root().join(format!("tests/templates/{theme}.json"))).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    cases.iter().for_each(run);
}

#[test]
fn templates_of_cloudformation() {
    run_all("cloudformation");
}

#[test]
fn sam_templates() {
    run_all("sam");
}

#[test]
fn openapi_documents() {
    run_all("openapi");
}

#[test]
fn what_the_cdk_synthesizes() {
    run_all("cdk");
}

#[test]
fn documents_that_cannot_be_read() {
    run_all("bad_input");
}

#[test]
fn files_that_are_written_and_openapi_that_is_printed() {
    run_all("import_and_export");
}

#[test]
fn an_import_writes_the_same_bytes_whatever_the_order_and_passes_check() {
    // Contract of templates, section 4: repeatable, and what is written passes `check`.
    let template = root().join("examples/sam");
    let mut written = Vec::new();
    for _ in 0..2 {
        let directory = Directory::of(&[]);
        let import = program()
            .arg("import")
            .arg(&template)
            .arg("--root")
            .arg(directory.path())
            .output()
            .unwrap();
        assert!(import.status.success(), "{import:?}");
        let check = program()
            .arg("check")
            .arg("--root")
            .arg(directory.path())
            .output()
            .unwrap();
        assert!(check.status.success(), "{check:?}");
        let text = |path: &str| fs::read_to_string(directory.path().join(path)).unwrap();
        assert!(text("functions/Orders.json").ends_with("}\n"));
        written.push(text("routes/post-orders.json") + &text("integrations/post-orders.json") + &text("api.json"));
    }
    assert_eq!(written[0], written[1]);
}
