//! `check`, and a start of `serve`, tell every file that cannot be read or used.

use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::client::get;
use crate::support::directory::{Directory, pass_everything, route};
use crate::support::endpoint::Endpoint;
use crate::support::program::{check, run, run_with, serve, small_api};

#[test]
fn a_root_without_an_api_holds_and_a_root_api_is_warned_of_what_it_lacks() {
    // M1, with and without the directories.
    for directory in [Directory::empty(), Directory::of(&[])] {
        let ended = check(&directory);
        assert_eq!(ended.code(), 0);
        assert_eq!(ended.stdout, ["0 errors, 0 warnings"]);
    }
    let directory = Directory::empty();
    directory.write("api.json", "{}");
    let ended = check(&directory);
    assert_eq!(ended.code(), 0);
    assert_eq!(
        ended.stdout,
        [
            "integrations#: warning: the directory is missing",
            "routes#: warning: the directory is missing",
            "stages#: warning: the directory is missing",
            "stages#: warning: there is no stage: every request is answered 404",
            "0 errors, 4 warnings"
        ]
    );
}

#[test]
fn a_file_where_a_directory_should_be_is_an_error() {
    let directory = Directory::empty();
    directory.write("stages", "");
    directory.write("routes/.keep", "");
    directory.write("integrations/.keep", "");
    let ended = check(&directory);
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.stdout,
        [
            "stages#: error: the directory cannot be read: Not a directory (os error 20)",
            "1 errors, 0 warnings"
        ]
    );
}

#[test]
fn files_that_cannot_be_read_are_errors_with_the_reason() {
    let directory = small_api();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("routes/directory.json")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("routes/link.json")).unwrap();
    std::os::unix::fs::symlink("loop.json", at("routes/loop.json")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("api.json")).unwrap();
    std::fs::write(at("integrations/latin1.json"), b"{\"Description\": \"caf\xe9\"}").unwrap();
    let full = "x".repeat(1024 * 1024 - 2);
    directory.write("integrations/most.json", &format!("\"{full}\""));
    directory.write("integrations/more.json", &format!("\"{full}x\""));
    let ended = check(&directory);
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.stdout,
        [
            "api.json#: error: cannot be read: No such file or directory (os error 2)",
            "integrations/latin1.json#: error: is not UTF-8: invalid utf-8 sequence of 1 bytes from index 20",
            "integrations/more.json#: error: is larger than 1048576 bytes",
            "integrations/most.json#: error: must be a JSON object, not a string",
            "routes/directory.json#: error: is not a regular file",
            "routes/link.json#: error: cannot be read: No such file or directory (os error 2)",
            "routes/loop.json#: error: cannot be read: Too many levels of symbolic links (os error 40)",
            "7 errors, 0 warnings"
        ]
    );
}

/// The bytes of a text in UTF-16 or UTF-32, with its byte order mark or without.
fn encoded(text: &str, width: usize, is_little: bool) -> Vec<u8> {
    let units: Vec<u32> = match width {
        2 => text.encode_utf16().map(u32::from).collect(),
        _ => text.chars().map(u32::from).collect(),
    };
    let bytes = |unit: u32| match is_little {
        true => unit.to_le_bytes()[..width].to_vec(),
        false => unit.to_be_bytes()[4 - width..].to_vec(),
    };
    units.into_iter().flat_map(bytes).collect()
}

#[test]
fn files_in_other_encodings_are_told_by_their_name() {
    let directory = small_api();
    for width in [2, 4] {
        for is_little in [true, false] {
            for mark in ["", "\u{feff}"] {
                let bytes = encoded(&format!("{mark}{{\"Name\": \"a\"}}"), width, is_little);
                std::fs::write(directory.path().join("api.json"), bytes).unwrap();
                let ended = check(&directory);
                let line = format!(
                    "api.json#: error: is UTF-{}, not UTF-8: PowerShell's > writes UTF-16",
                    width * 8
                );
                assert!(
                    ended.stdout[0].starts_with(&line),
                    "{width} {is_little} {mark:?}: {ended:?}"
                );
                assert_eq!((ended.code(), ended.stdout.len()), (1, 2));
            }
        }
    }
}

/// As PowerShell 5 writes all of them.
#[test]
fn files_with_a_byte_order_mark_are_served() {
    let endpoint = Endpoint::ok();
    let directory = Directory::of(&[]);
    for (path, json) in pass_everything(endpoint.address) {
        directory.write(path, &format!("\u{feff}{json}"));
    }
    directory.write("credentials.json", "\u{feff}{\"Credentials\": []}");
    directory.write("ca.pem", &format!("\u{feff}{}", include_str!("ca.pem")));
    let ca = directory.path().join("ca.pem");
    let served = serve(&directory, &["--upstream-ca", ca.to_str().unwrap()]);
    assert_eq!(get(served.address, "/x").status, 200);
    assert_eq!(check(&directory).stdout, ["0 errors, 0 warnings"]);
}

#[test]
fn a_named_pipe_is_refused_and_not_waited_for() {
    let directory = small_api();
    for name in ["routes/x.json", "api.json"] {
        let made = Command::new("mkfifo")
            .arg(directory.path().join(name))
            .status()
            .unwrap();
        assert!(made.success());
    }
    let ended = check(&directory);
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.stdout,
        [
            "api.json#: error: is not a regular file",
            "routes/x.json#: error: is not a regular file",
            "2 errors, 0 warnings"
        ]
    );
}

#[test]
fn a_symbolic_link_to_a_file_is_read() {
    let directory = small_api();
    let elsewhere = Directory::empty();
    elsewhere.write("a", &route("GET /a", "up").to_string());
    std::os::unix::fs::symlink(elsewhere.path().join("a"), directory.path().join("routes/a.json")).unwrap();
    let ended = check(&directory);
    // `GET /a` has no {proxy}, but another route of the integration has.
    assert_eq!((ended.code(), ended.stdout.len()), (0, 1), "{ended:?}");
}

#[test]
fn broken_files_are_told_on_stderr_as_check_tells_them() {
    let directory = small_api();
    directory.write("routes/b.json", "{}");
    directory.write("stages/v0.json", "{\"Colour\": 1}");
    let ended = run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--root",
        directory.path().to_str().unwrap(),
    ]);
    assert_eq!(ended.code(), 1);
    assert_eq!(ended.stdout, [""; 0]);
    let mut told = check(&directory).stdout;
    assert_eq!(told.pop().as_deref(), Some("1 errors, 2 warnings"));
    assert_eq!(ended.stderr, told);
}

#[test]
fn broken_files_are_told_before_anything_is_bound() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let directory = small_api();
    directory.write("routes/b.json", "");
    let address = taken.local_addr().unwrap().to_string();
    let ended = run(&[
        "serve",
        "--listen",
        &address,
        "--admin",
        "off",
        "--root",
        directory.path().to_str().unwrap(),
    ]);
    assert!(ended.refusal().starts_with("routes/b.json#: error: "), "{ended:?}");
}

#[test]
fn check_prints_a_line_a_problem_and_the_counts() {
    let directory = small_api();
    let ended = check(&directory);
    assert_eq!(
        (ended.code(), ended.stdout.as_slice()),
        (0, &["0 errors, 0 warnings".to_owned()][..])
    );
    assert_eq!(ended.stderr, [""; 0]);

    directory.write("api.json", "{\"Colour\": \"red\"}");
    let ended = check(&directory);
    assert_eq!(ended.code(), 0, "a warning is no error");
    assert_eq!(
        ended.stdout,
        ["api.json#/Colour: warning: unknown field", "0 errors, 1 warnings"]
    );

    directory.write(
        "routes/b.json",
        "{\"RouteKey\": \"GET /b/\", \"Target\": \"integrations/up\"}",
    );
    let ended = check(&directory);
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.stdout,
        [
            "api.json#/Colour: warning: unknown field",
            "routes/b.json#/RouteKey: error: the path must not end in '/'",
            "1 errors, 1 warnings"
        ]
    );
    assert_eq!(ended.stderr, [""; 0]);
}

#[test]
fn check_binds_and_writes_nothing() {
    let directory = small_api();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let root = directory.path().to_str().unwrap();
    let ended = run_with(
        &["check", "--root", root],
        &[("APIGATEWAY_LISTEN", &address), ("APIGATEWAY_ADMIN", &address)],
    );
    assert_eq!(ended.code(), 0, "{ended:?}");
    let names = std::fs::read_dir(root).unwrap().count();
    assert_eq!(names, 3);
}

#[test]
fn check_tells_programs_in_json() {
    let directory = small_api();
    directory.write(
        "routes/all.json",
        r#"{"RouteKey": "GET a\u0007", "Target": "integrations/up", "Colour": 1}"#,
    );
    let ended = run(&[
        "check",
        "--format",
        "json",
        "--root",
        directory.path().to_str().unwrap(),
    ]);
    assert_eq!((ended.code(), ended.stdout.len()), (1, 1), "{ended:?}");
    let json: Value = serde_json::from_str(&ended.stdout[0]).unwrap();
    assert_eq!((&json["errors"], &json["warnings"]), (&json!(1), &json!(1)));
    assert_eq!(json["problems"][1]["file"], "routes/all.json");
    assert_eq!(json["problems"][1]["pointer"], "/RouteKey");
    assert_eq!(json["problems"][1]["severity"], "error");
    assert!(json["problems"][1]["text"].as_str().unwrap().len() > 10);
    assert_eq!(json["problems"][0]["severity"], "warning");
    assert_eq!(json["problems"].as_array().unwrap().len(), 2);
    let ended = run(&["check", "--format", "xml"]);
    assert!(ended.refusal().contains("--format"));
}
