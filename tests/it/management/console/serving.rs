//! The page, its parts and their fields (N1–N3), and where there is none (N2).

use std::io::Write;

use serde_json::Value;

use crate::management::console::Console;
use crate::support::client::{self, Answer};
use crate::support::directory::Directory;
use crate::support::endpoint::Endpoint;
use crate::support::program;

const PARTS: [(&str, &str); 4] = [
    ("/", "text/html; charset=utf-8"),
    ("/console/app.js", "text/javascript; charset=utf-8"),
    ("/console/app.css", "text/css; charset=utf-8"),
    ("/console/icon.svg", "image/svg+xml"),
];

fn get(console: &Console, path: &str, fields: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    client::exchange(console.admin(), request)
}

/// N3.
fn assert_protected(answer: &Answer, what: &str) {
    for (name, value) in [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{what}");
    }
    assert!(!answer.head.to_lowercase().contains("\r\naccess-control-"), "{what}");
    assert!(answer.header("set-cookie").is_none(), "{what}");
}

#[test]
fn the_page_and_its_parts() {
    let console = Console::start();
    for (path, content_type) in PARTS {
        let answer = get(&console, path, "");
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some(content_type), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{path}");
        assert_protected(&answer, path);
        assert!(!answer.body.is_empty());
        let etag = answer.header("etag").unwrap().to_owned();
        for (known, status) in [
            (etag.clone(), 304),
            (format!("W/{etag}"), 304),
            (format!("\"x\", {etag}"), 304),
            ("*".to_owned(), 304),
            ("\"x\"".to_owned(), 200),
        ] {
            let answer = get(&console, path, &format!("If-None-Match: {known}\r\n"));
            assert_eq!(answer.status, status, "{path} {known}");
            assert_eq!(answer.header("etag"), Some(etag.as_str()));
            assert_protected(&answer, path);
        }
        let posted = client::exchange(
            console.admin(),
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
        );
        assert_eq!(posted.status, 405, "{path}");
        assert_protected(&posted, path);
    }
    for path in [
        "/console/",
        "/console/app.jsx",
        "/console/../etc/passwd",
        "/console/api/",
        "/console/api/nothing",
    ] {
        let answer = get(&console, path, "");
        assert_eq!(answer.status, 404, "{path}");
        assert_protected(&answer, path);
    }
}

/// N3: also what is no request, and what leads nowhere, whether there is a console or not.
#[test]
fn refusals_before_there_is_a_path_are_protected() {
    for is_on in [true, false] {
        let console = Console::with(Endpoint::ok(), |options| options.console.is_on = Some(is_on));
        for (request, status) in [
            ("GET /console HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 404),
            ("GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 404),
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
            ("GET /console/a b HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 400),
            (
                format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(20_000)),
                431,
            ),
        ] {
            let answer = client::exchange(console.admin(), &request);
            let what = request.get(..30).unwrap_or(&request);
            assert_eq!(answer.status, status, "{what}");
            assert_protected(&answer, what);
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        }
    }
}

/// N3: JSON is not kept.
#[test]
fn json_is_not_kept() {
    let console = Console::start();
    for path in [
        "overview",
        "problems",
        "requests",
        "metrics",
        "requests/none",
        "nothing",
    ] {
        let answer = console.call("GET", path, "");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        assert_protected(&answer, path);
        assert!(serde_json::from_slice::<Value>(&answer.body).is_ok(), "{path}");
    }
    assert_protected(&console.call("DELETE", "requests", ""), "DELETE");
    let large = console.call("POST", "send", &"x".repeat(10 * 1024 * 1024 + 1));
    assert_eq!(large.status, 413);
    assert_protected(&large, "too large");
}

/// N1: all parts together are small.
#[test]
fn the_parts_are_small() {
    let console = Console::start();
    let mut sum = 0;
    for (path, _) in PARTS {
        let mut gzip = std::process::Command::new("gzip")
            .args(["-9", "-c"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let body = get(&console, path, "").body;
        let mut stdin = gzip.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(&body).unwrap());
        sum += gzip.wait_with_output().unwrap().stdout.len();
        writer.join().unwrap();
    }
    assert!(sum <= 60 * 1024, "{sum}");
}

/// N2.
#[test]
fn off_there_is_no_console() {
    let console = Console::with(Endpoint::ok(), |options| {
        options.console.is_on = Some(false);
    });
    for path in ["/", "/console/", "/console/app.js", "/console/api/overview"] {
        let answer = get(&console, path, "");
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (404, r#"{"message":"Not Found"}"#),
            "{path}"
        );
        assert_protected(&answer, path);
    }
    assert_eq!(get(&console, "/healthz", "").status, 200);
    // The default of a listener that others can reach.
    for (is_on, status) in [(None, 404), (Some(true), 200)] {
        let console = Console::with(Endpoint::ok(), |options| {
            options.admin = Some("0.0.0.0:0".to_owned());
            options.console.is_on = is_on;
        });
        let port = console.admin().port();
        let answer = client::exchange(
            ([127, 0, 0, 1], port).into(),
            "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        );
        assert_eq!(answer.status, status, "{is_on:?}");
    }
}

/// N2, N8, N9: options that cannot be meant are refused at the start.
#[test]
fn options_of_the_console() {
    let root = Directory::empty();
    let root = root.path().to_str().unwrap();
    for (arguments, part) in [
        (&["--console", "yes"][..], "--console: \"yes\" is not on or off"),
        (
            &["--capture", "sometimes"],
            "--capture: \"sometimes\" is not one of auto, always, off",
        ),
        (
            &["--admin", "off", "--console", "on"],
            "--console: it is served by the management listener",
        ),
        (
            &["--admin", "0.0.0.0:0", "--capture-secrets"],
            "--capture-secrets: secrets are kept only where --admin is a loopback address",
        ),
        (
            &["--admin", "off", "--capture-secrets"],
            "--capture-secrets: secrets are kept only",
        ),
    ] {
        let fixed = [
            "serve",
            "--root",
            root,
            "--listen",
            "127.0.0.1:0",
            "--access-log",
            "off",
        ];
        let ended = program::run(&[&fixed, arguments].concat());
        assert_eq!(ended.code(), 1, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.join("\n").contains(part), "{arguments:?}: {ended:?}");
    }
}
