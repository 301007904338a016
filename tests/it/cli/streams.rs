//! `serve` writes its listeners and the access log to stdout or a file, and the log to stderr.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::client::{Client, PATIENCE, get};
use crate::support::directory::{Directory, pass_everything};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::metrics::metrics_at;
use crate::support::program::{Running, announced, program, run, serve, small_api};

#[test]
fn stdout_has_a_line_a_listener_and_then_one_a_request() {
    let directory = small_api();
    let served = serve(&directory, &[]);
    assert!(served.address.ip().is_loopback() && served.address.port() != 0);
    assert_ne!(served.address, served.admin);
    let answer = get(served.address, "/x");
    assert_eq!(answer.status, 503);
    assert_eq!(get(served.admin, "/healthz").status, 200);
    served.running.signal(Signal::TERM);
    let expected = [
        format!("listening on http://{}", served.address),
        format!("admin on http://{}", served.admin),
    ];
    let ended = served.running.end();
    assert_eq!(ended.code(), 0);
    assert_eq!(ended.stdout[..2], expected);
    assert_eq!(ended.stdout.len(), 3, "{ended:?}");
    let line: Value = serde_json::from_str(&ended.stdout[2]).unwrap();
    assert_eq!(line["requestId"], answer.header("apigw-requestid").unwrap());
    assert_eq!(
        [
            &line["ip"],
            &line["httpMethod"],
            &line["path"],
            &line["routeKey"],
            &line["status"],
            &line["responseLength"]
        ],
        ["127.0.0.1", "GET", "/x", "ANY /{proxy+}", "503", "33"]
    );
    assert!(
        line["integrationErrorMessage"]
            .as_str()
            .unwrap()
            .contains("no connection to"),
        "{line}"
    );
}

#[test]
fn a_port_that_another_process_has_is_named() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    for (option, more) in [("--listen", "--admin"), ("--admin", "--listen")] {
        let ended = run(&["--root", root, option, &taken, more, "127.0.0.1:0"]);
        assert_eq!(ended.code(), 1, "{ended:?}");
        let line = ended.stderr.last().unwrap();
        assert!(line.contains(&format!("{option} {taken}: Address")), "{line}");
        let hint = format!("): does another gateway run there? {option} chooses another port");
        assert!(line.contains(&hint), "{line}");
    }
}

/// The line without a format tells why a caller was refused, and so does the variable.
#[test]
fn a_refusal_tells_its_reason_in_the_access_log() {
    let directory = small_api();
    let jwt = json!({"AuthorizerType": "JWT", "IdentitySource": ["$request.header.Authorization"],
        "JwtConfiguration": {"Issuer": "http://127.0.0.1:9", "Audience": ["a"]}});
    directory.write("authorizers/jwt.json", &jwt.to_string());
    for (path, authorization) in [
        (
            "routes/jwt.json",
            json!({"AuthorizationType": "JWT", "AuthorizerId": "jwt"}),
        ),
        ("routes/iam.json", json!({"AuthorizationType": "AWS_IAM"})),
    ] {
        let mut route = authorization;
        route["RouteKey"] = json!(format!("GET /{}", &path[7..10]));
        route["Target"] = json!("integrations/up");
        directory.write(path, &route.to_string());
    }
    let served = serve(&directory, &[]);
    for (path, status) in [("/jwt", 401), ("/iam", 403), ("/none", 503)] {
        assert_eq!(get(served.address, path).status, status, "{path}");
    }
    served.running.signal(Signal::TERM);
    let ended = served.running.end();
    let lines: Vec<Value> = ended.stdout[2..]
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let reason = |path: &str| {
        let line = lines.iter().find(|line| line["path"] == path).unwrap();
        line["authorizerError"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason("/jwt"), "missing: token not provided");
    assert!(reason("/iam").len() > 1, "{lines:?}");
    assert_eq!(reason("/none"), "-");
}

/// A browser ends an event stream by leaving.
#[test]
fn a_client_that_leaves_an_event_stream_is_no_warning() {
    let endpoint = Endpoint::start(|stream, _| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.read(&mut [0]);
        Next::Close
    });
    for resets in [false, true] {
        let directory = Directory::of(&pass_everything(endpoint.address));
        let served = serve(&directory, &[]);
        let mut client = Client::connect(served.address);
        client.send("GET /x HTTP/1.1\r\nHost: gw.test\r\n\r\n");
        let mut got = Vec::new();
        client.read_until(&mut got, "data: 1");
        if resets {
            set_socket_linger(&client.stream, Some(Duration::ZERO)).unwrap();
        }
        drop(client);
        let until = Instant::now() + PATIENCE;
        while metrics_at(served.admin)["apigateway_requests_abandoned_total"] < 1.0 {
            assert!(Instant::now() < until, "resets: {resets}");
            thread::sleep(Duration::from_millis(20));
        }
        served.running.signal(Signal::TERM);
        let ended = served.running.end();
        let warnings: Vec<&String> = ended.stderr.iter().filter(|line| line.contains("warn")).collect();
        assert!(warnings.is_empty(), "resets: {resets}: {warnings:?}");
    }
}

#[test]
fn without_an_access_log_stdout_has_a_line_a_listener_and_no_more() {
    let directory = small_api();
    let served = serve(&directory, &["--access-log", "off"]);
    assert_eq!(get(served.address, "/x").status, 503);
    served.running.signal(Signal::TERM);
    let ended = served.running.end();
    assert_eq!(ended.stdout.len(), 2, "{ended:?}");
}

/// Waits until a file has that many lines.
fn lines_of(path: &Path, count: usize) -> Vec<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(Instant::now() < until, "{lines:?}");
        thread::yield_now();
    }
}

#[test]
fn the_access_log_goes_on_in_a_new_file_after_sigusr1() {
    let directory = small_api();
    let (log, moved) = (
        directory.path().join("access.log"),
        directory.path().join("access.log.1"),
    );
    std::fs::write(&log, "before\n").unwrap();
    let mut served = serve(&directory, &["--access-log", log.to_str().unwrap()]);
    get(served.address, "/one");
    assert!(lines_of(&log, 2)[1].contains("\"/one\""));
    std::fs::rename(&log, &moved).unwrap();
    get(served.address, "/two");
    assert!(lines_of(&moved, 3)[2].contains("\"/two\""));
    served.running.signal(Signal::USR1);
    served.running.complains("opened anew");
    get(served.address, "/three");
    assert!(lines_of(&log, 1)[0].contains("\"/three\""));
    assert_eq!(lines_of(&moved, 3).len(), 3);
    // A second one, after a stop that must lose nothing.
    get(served.address, "/four");
    served.running.signal(Signal::TERM);
    served.running.end();
    assert_eq!(lines_of(&log, 2).len(), 2);
}

#[test]
fn a_log_that_is_a_pipe_is_written_and_one_that_nobody_reads_is_refused() {
    let directory = small_api();
    let pipe = directory.path().join("log");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (root, log) = (directory.path().to_str().unwrap(), pipe.to_str().unwrap());
    let ended = run(&[
        "serve",
        "--root",
        root,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "off",
        "--access-log",
        log,
    ]);
    assert!(ended.refusal().contains(log));
    // A reader that also writes opens a pipe without waiting.
    let reader = std::fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let served = serve(&directory, &["--access-log", log]);
    get(served.address, "/x");
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    assert!(line.contains("\"/x\""), "{line}");
}

#[test]
fn sigusr1_is_harmless_without_a_file() {
    let directory = small_api();
    let served = serve(&directory, &[]);
    served.running.signal(Signal::USR1);
    // A second request, so that a process which the signal kills has had the time to end.
    get(served.admin, "/healthz");
    assert_eq!(get(served.admin, "/healthz").status, 200);
}

#[test]
fn a_reader_of_stdout_that_stops_reading_stalls_no_request() {
    let directory = small_api();
    let mut command = program();
    command
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "off",
            "--log-level",
            "warn",
            "--root",
        ])
        .arg(directory.path());
    let mut child = command.spawn().unwrap();
    // Its stdout is read to the first line only, and its stderr not at all.
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let address = announced(line.trim_end(), "listening on http://");
    let fill = "x".repeat(7000);
    let mut client = Client::connect(address);
    for _ in 0..200 {
        client.send(format!("GET /{fill} HTTP/1.1\r\nHost: gw.test\r\n\r\n"));
        assert_eq!(client.answer_to("GET").status, 503);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_log_is_json_where_nobody_watches_and_text_where_it_is_asked_for() {
    let directory = small_api();
    let mut served = serve(&directory, &[]);
    let line: Value = serde_json::from_str(&served.running.complains("serving")).unwrap();
    assert_eq!(line["level"], "info");
    assert!(
        line["message"]
            .as_str()
            .unwrap()
            .starts_with("serving an API without a name from ")
    );
    let mut served = serve(&directory, &["--log-format", "text"]);
    assert!(served.running.complains("serving").starts_with("info: serving "));
    let served = serve(&directory, &["--log-level", "error"]);
    get(served.address, "/x");
    served.running.signal(Signal::TERM);
    assert_eq!(served.running.end().stderr, [""; 0]);
    let mut served = serve(&directory, &["--log-level", "debug"]);
    get(served.address, "/%zz");
    served
        .running
        .complains(": 400 the path has a '%' without two hex digits");
    Client::connect(served.address).send("TRACE / HTTP/1.1\r\nHost: gw.test\r\n\r\n");
    served.running.complains(": 404 Not Found");
}

#[test]
fn failures_of_an_integration_do_not_flood_the_log() {
    let directory = small_api();
    let served = serve(&directory, &["--log-format", "text"]);
    let mut client = Client::connect(served.address);
    let began = Instant::now();
    for _ in 0..100 {
        client.send("GET /x HTTP/1.1\r\nHost: gw.test\r\n\r\n").answer_to("GET");
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    served.running.signal(Signal::TERM);
    let ended = served.running.end();
    let failures: Vec<&String> = ended
        .stderr
        .iter()
        .filter(|line| line.contains("no connection to"))
        .collect();
    assert!((1..=seconds + 2).contains(&failures.len()), "{failures:?}");
    assert!(failures[0].starts_with("warn: request ") && failures[0].contains("integrations/up.json"));
}

#[test]
fn a_reload_tells_what_has_changed() {
    let directory = small_api();
    let mut served = serve(&directory, &["--log-format", "text"]);
    directory.write("stages/$default.json", r#"{"Description": "another"}"#);
    let line = served.running.complains("reloaded");
    assert!(line.ends_with(": changed stages/$default.json"), "{line}");
    served.running.signal(Signal::HUP);
    get(served.address, "/x");
    let line = served.running.complains("reloaded");
    assert!(line.ends_with(": no file has changed"), "{line}");
}

#[test]
fn a_reload_tells_all_that_differs_from_what_was_served() {
    let directory = small_api();
    let mut served = serve(&directory, &["--log-format", "text"]);
    let new = r#"{"RouteKey": "GET /new", "Target": "integrations/up"}"#;
    for (path, text, start, ending) in [
        ("api.json", "{", "error: not reloaded", ": added api.json"),
        (
            "routes/new.json",
            new,
            "error: not reloaded",
            ": added api.json, routes/new.json",
        ),
        (
            "api.json",
            r#"{"Name": "new"}"#,
            "info: reloaded",
            ": added api.json, routes/new.json",
        ),
        ("api.json", "{", "error: not reloaded", ": changed api.json"),
        // Back to what is served.
        (
            "api.json",
            r#"{"Name": "new"}"#,
            "info: reloaded",
            ": no file has changed",
        ),
        ("api.json", "{}", "info: reloaded", ": changed api.json"),
    ] {
        directory.write(path, text);
        // A file may be seen before all of its text is there, so there may be another line first.
        let is_meant = |line: &str| line.starts_with(start) && line.ends_with(ending);
        while !is_meant(&served.running.complains("reloaded")) {}
    }
}

#[test]
fn without_admin_there_is_one_line() {
    let directory = small_api();
    let mut command = program();
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--root"])
        .arg(directory.path());
    let mut running = Running::spawn(command);
    let line = running.says();
    announced(&line, "listening on http://");
    running.signal(Signal::TERM);
    let ended = running.end();
    assert_eq!(ended.code(), 0);
    assert_eq!(ended.stdout, [line]);
}

#[test]
fn warnings_do_not_keep_it_from_serving_and_go_to_stderr() {
    let directory = small_api();
    directory.write("api.json", "{\"Colour\": \"red\"}");
    let mut served = serve(&directory, &[]);
    served.running.complains("api.json#/Colour: warning: unknown field");
    assert_eq!(get(served.address, "/x").status, 503);
}

#[test]
fn an_ipv6_address_is_announced_as_a_url_has_it() {
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let directory = small_api();
    let mut command = program();
    command
        .args(["serve", "--listen", "[::1]:0", "--admin", "off", "--root"])
        .arg(directory.path());
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), "listening on http://");
    assert!(address.is_ipv6());
    assert_eq!(get(address, "/x").status, 503);
}
