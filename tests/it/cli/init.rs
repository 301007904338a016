//! `apigateway init` makes an API that answers, overwrites nothing, and says what it refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::client::get;
use crate::support::directory::Directory;
use crate::support::program::{Ended, Running, json_of, program, run, serve};

fn init(directory: &Path, more: &[&str]) -> Ended {
    let mut command = program();
    command.arg("init").arg(directory).args(more);
    Running::spawn(command).end()
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn what_it_makes_passes_check_and_answers() {
    for (language, interpreter) in [("python", "python3"), ("node", "node")] {
        let directory = Directory::empty();
        let root = directory.path().join("new/pets");
        let ended = init(&root, &["--language", language]);
        assert_eq!(ended.code(), 0, "{ended:?}");
        assert!(
            ended.stdout.contains(&"wrote routes/hello.json".to_owned()),
            "{ended:?}"
        );
        let told = format!("  apigateway --root {}", root.display());
        assert!(ended.stdout.contains(&told), "{ended:?}");
        if !has(interpreter) {
            continue;
        }
        let checked = run(&["check", "--root", root.to_str().unwrap()]);
        assert_eq!(
            (checked.stdout, checked.stderr),
            (vec!["0 errors, 0 warnings".to_owned()], vec![])
        );
        let made = Directory::of(&[]);
        let copied = Command::new("cp")
            .arg("-r")
            .arg(root.join("."))
            .arg(made.path())
            .status();
        assert!(copied.unwrap().success());
        let served = serve(&made, &[]);
        assert_eq!(
            json_of(&get(served.address, "/hello/Rex")),
            json!({"message": "Hello, Rex!"})
        );
        let echoed = json_of(&get(served.address, "/echo/pets?a=b"));
        assert_eq!(echoed["url"], "http://apigateway.localhost/echo/pets?a=b");
    }
}

#[test]
fn a_document_becomes_the_files() {
    let directory = Directory::empty();
    let document = "openapi: 3.0.1\ninfo: {title: pets, version: '1'}\npaths:\n  /pets:\n    get:\n      \
                    x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: 'http://127.0.0.1:9/', payloadFormatVersion: '1.0'}\n";
    directory.write("openapi.yaml", document);
    let source = directory.path().join("openapi.yaml");
    let root = directory.path().join("api");
    let ended = init(&root, &["--from", source.to_str().unwrap()]);
    assert_eq!(ended.code(), 0, "{ended:?}");
    assert!(root.join("routes/get-pets.json").exists(), "{ended:?}");
    let checked = run(&["check", "--root", root.to_str().unwrap()]);
    assert_eq!(checked.stdout, ["0 errors, 0 warnings"]);
    let again = init(&root, &["--from", source.to_str().unwrap()]);
    assert!(again.refusal().contains("has an API already"), "{again:?}");
}

#[test]
fn it_overwrites_nothing() {
    let with_api = Directory::of(&[("routes/a.json", json!({"RouteKey": "GET /a"}))]);
    let ended = init(with_api.path(), &[]);
    assert!(
        ended
            .refusal()
            .ends_with("has an API already (routes/a.json): init makes one only where there is none")
    );
    assert!(!with_api.path().join("api.json").exists());
    // A file that is no resource may have a name of the sample's too.
    let with_code = Directory::empty();
    with_code.write("functions/hello/app.py", "mine");
    let ended = init(with_code.path(), &["--language", "python"]);
    assert!(
        ended.refusal().contains("functions/hello/app.py is there already"),
        "{ended:?}"
    );
    assert_eq!(
        fs::read_to_string(with_code.path().join("functions/hello/app.py")).unwrap(),
        "mine"
    );
    assert!(!with_code.path().join("api.json").exists());
}

#[test]
fn it_says_what_it_refuses() {
    let directory = Directory::empty();
    directory.write("file", "");
    directory.write("unknown.yaml", "a: 1\n");
    let place = |name: &str| directory.path().join(name);
    assert!(init(&place("file"), &[]).refusal().ends_with("file is not a directory"));
    assert!(
        init(&place("a"), &["--language", "cobol"])
            .refusal()
            .contains("\"cobol\" is not python or node")
    );
    let both = init(&place("a"), &["--language", "node", "--from", "x.yaml"]);
    assert!(both.refusal().contains("--from brings its own"), "{both:?}");
    for (source, reason) in [
        ("unknown.yaml", "this is no OpenAPI document"),
        ("none.yaml", "the file cannot be read"),
    ] {
        let ended = init(&place("a"), &["--from", place(source).to_str().unwrap()]);
        assert!(ended.refusal().contains(reason), "{ended:?}");
        assert!(!place("a").exists());
    }
    // Below a file there is no directory, for root neither.
    let below = init(&place("file/api"), &[]);
    assert!(below.refusal().contains("cannot be read"), "{below:?}");
}

#[test]
fn a_folder_of_an_api_is_no_place_for_another() {
    let directory = Directory::empty();
    let pets = directory.path().join("pets");
    assert_eq!(init(&pets, &[]).code(), 0);
    for name in ["functions", "authorizers", "functions/."] {
        let ended = init(&pets.join(name), &[]);
        let refusal = ended.refusal();
        assert!(refusal.contains("of an API that is there already ("), "{refusal}");
    }
    assert!(!pets.join("functions/api.json").exists());
    assert!(!pets.join("authorizers").exists());
    // Of another name, or without an API beside it, it is no folder of one.
    directory.write("project/routes/mine.json", "{}");
    for place in ["pets/birds", "functions", "project/routes"] {
        let ended = init(&directory.path().join(place), &[]);
        assert_eq!(ended.code(), 0, "{ended:?}");
    }
}

#[test]
fn an_empty_name_is_no_directory() {
    let directory = Directory::empty();
    let mut command = program();
    command.args(["init", ""]).current_dir(directory.path());
    let ended = Running::spawn(command).end();
    assert_eq!(ended.refusal(), "init: the name of the directory is empty");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn what_to_type_next_is_quoted_for_a_shell() {
    let directory = Directory::empty();
    let ended = init(&directory.path().join("it's $HOME"), &[]);
    assert_eq!(ended.code(), 0, "{ended:?}");
    let told = ended
        .stdout
        .iter()
        .find_map(|line| line.trim().strip_prefix("apigateway --root "));
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("printf %s {}", told.unwrap()));
    let output = shell.output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        directory.path().join("it's $HOME").to_str().unwrap()
    );
}

#[test]
fn without_permission_nothing_is_left() {
    let directory = Directory::empty();
    let root = directory.path().join("closed");
    fs::create_dir(&root).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(root.join("probe"), "").is_ok() {
        // Root may write everywhere, but in /proc.
        let ended = init(Path::new("/proc/apigateway"), &[]);
        assert!(ended.refusal().contains("cannot be written"), "{ended:?}");
        return;
    }
    let ended = init(&root, &[]);
    assert!(
        ended
            .refusal()
            .contains("api.json cannot be written: Permission denied"),
        "{ended:?}"
    );
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
}

#[test]
fn an_empty_root_is_told_of_it() {
    let directory = Directory::empty();
    let root = directory.path().to_str().unwrap().to_owned();
    let checked = run(&["check", "--root", &root]);
    assert_eq!(
        (checked.code(), checked.stdout),
        (0, vec!["0 errors, 0 warnings".to_owned()])
    );
    let hint = "has no API: apigateway init DIR makes a small one";
    assert_eq!(checked.stderr, [format!("{root} {hint}")]);
    let routes = run(&["routes", "--root", &root]);
    assert_eq!((routes.code(), routes.stdout.len()), (0, 1), "{routes:?}");
    assert_eq!(routes.stderr, [format!("{root} {hint}")]);
    let mut served = serve(&directory, &[]);
    served.running.complains(hint);
}

/// A program that looks for another does not have the version in its name, and what it finds need not be the newest.
#[test]
fn the_function_is_of_the_python_that_runs() {
    let script = |text: &str| format!("#!/bin/sh\n{text}\n");
    for (python3, runtime) in [
        (Some("echo Python 3.9.1"), "python3.9"),
        (Some("echo 'no version is chosen' >&2; exit 127"), "python3.13"),
        (Some("echo Python 2.7.18"), "python3.13"),
        (None, "python3.13"),
    ] {
        let programs = Directory::empty();
        let mut names = vec![("python3.14", "exit 127")];
        names.extend(python3.map(|text| ("python3", text)));
        for (name, text) in names {
            let path = programs.path().join(name);
            fs::write(&path, script(text)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let directory = Directory::empty();
        let mut command = program();
        command.arg("init").arg(directory.path()).args(["--language", "python"]);
        command.env("PATH", programs.path());
        let ended = Running::spawn(command).end();
        assert_eq!(ended.code(), 0, "{ended:?}");
        let function = fs::read_to_string(directory.path().join("functions/hello.json")).unwrap();
        assert!(function.contains(&format!("\"{runtime}\"")), "{python3:?}: {function}");
        let is_told = ended.stdout.iter().any(|line| {
            line == "There is no python3 in the directories of PATH: GET /hello/{name} is answered 500 until Python 3.8 or \
                     later is installed."
        });
        assert_eq!(is_told, python3.is_none(), "{ended:?}");
    }
}
