//! Hostile requests as data, `tests/hostile/*.json`: what leads two readers of HTTP to different requests, and what
//! tries to get past the limits of one.
//!
//! A case has
//! * `name`, and `rfc`, the section that it is about;
//! * `send`: the bytes, a character each (so none is beyond `\u00ff`); or a list of such texts, in which `["x", 9]` is
//!   a text so many times;
//! * `answer`: the status that must come, or a list of those that may (0 is no answer); or a list of such lists, one
//!   for each request;
//! * `behind`: whether a good request that is sent right behind is answered. If not, the connection is closed with the
//!   last answer, and that answer says so. Left out, none is sent, and the client ends its side;
//! * `integration`: what reaches the integration, in order; nothing, if it is left out. Each request has its `line`,
//!   and may have fields that it `has` (`"name: value"`, or a name alone), those that it `lacks`, and its `body`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use serde_json::Value;

use crate::support::client::{Answer, PATIENCE, parse};
use crate::support::directory::pass_everything;
use crate::support::endpoint::{Endpoint, Recorded};
use crate::support::gateway::Gateway;
use crate::support::repository::root;

/// A good request: the last one of its connection.
const BEHIND: &str = "GET /behind HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n\r\n";

fn bytes_of(send: &Value) -> Vec<u8> {
    match send {
        Value::String(text) => text.chars().map(|c| u8::try_from(c).unwrap()).collect(),
        Value::Array(parts) => match parts.as_slice() {
            [text, Value::Number(count)] => bytes_of(text).repeat(count.as_u64().unwrap().try_into().unwrap()),
            parts => parts.iter().flat_map(bytes_of).collect(),
        },
        other => panic!("these are no bytes: {other}"),
    }
}

/// The statuses that may come, for each request.
fn expected(answer: &Value) -> Vec<Vec<u64>> {
    match answer {
        Value::Array(answers) if answers.iter().all(Value::is_array) => answers.iter().flat_map(expected).collect(),
        Value::Array(either) => vec![either.iter().map(|status| status.as_u64().unwrap()).collect()],
        status => vec![vec![status.as_u64().unwrap()]],
    }
}

/// All that comes on a connection until the gateway closes it.
fn exchange(gateway: &Gateway, send: &[u8], ends: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Who is refused may find the connection closed before all is sent.
    let _ = stream.write_all(send);
    if ends {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut came = Vec::new();
    let mut part = [0; 4096];
    loop {
        match stream.read(&mut part) {
            Ok(0) => return came,
            Ok(count) => came.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return came,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("the connection stays open: {error}"),
        }
    }
}

/// The final answers in what came.
fn answers(mut came: &[u8], first_method: &str) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    while !came.is_empty() {
        let method = if answers.is_empty() { first_method } else { "GET" };
        let (answer, used) = parse(came, method, true).expect("an answer");
        came = &came[used..];
        if answer.status >= 200 {
            answers.push(answer);
        }
    }
    answers
}

fn check_arrived(wanted: &Value, recorded: &Recorded, wrong: &mut String) {
    let lower = recorded.head.to_ascii_lowercase();
    let fields: Vec<&str> = lower.split("\r\n").skip(1).collect();
    let is_there = |field: &str| {
        fields
            .iter()
            .any(|line| *line == field || line.split_once(": ").is_some_and(|(name, _)| name == field))
    };
    if wanted["line"] != recorded.line() {
        let _ = writeln!(wrong, "  the integration got {:?}", recorded.line());
    }
    let list = |name: &str| wanted[name].as_array().cloned().unwrap_or_default();
    for field in list("has") {
        if !is_there(field.as_str().unwrap()) {
            let _ = writeln!(wrong, "  the integration did not get {field}, but {fields:?}");
        }
    }
    for field in list("lacks") {
        if is_there(field.as_str().unwrap()) {
            let _ = writeln!(wrong, "  the integration got {field}");
        }
    }
    let body: String = recorded.body.iter().map(|byte| char::from(*byte)).collect();
    if wanted["body"].as_str().is_some_and(|wanted| wanted != body) || !recorded.complete {
        let _ = writeln!(wrong, "  the integration got the body {body:?}");
    }
    for once in ["host", "content-length", "transfer-encoding"] {
        if recorded.headers(once).len() > 1 {
            let _ = writeln!(wrong, "  the integration got {once} more than once");
        }
    }
}

/// What is wrong with a case; nothing, if it is as it must be.
fn run(gateway: &Gateway, endpoint: &Endpoint, case: &Value) -> String {
    let mut wrong = String::new();
    let behind = case["behind"].as_bool();
    let mut send = bytes_of(&case["send"]);
    let is_head = send.starts_with(b"HEAD ");
    if behind.is_some() {
        send.extend_from_slice(BEHIND.as_bytes());
    }
    let came = exchange(gateway, &send, behind.is_none());
    let answers = answers(&came, if is_head { "HEAD" } else { "GET" });
    let mut statuses = expected(&case["answer"]);
    if behind == Some(true) {
        statuses.push(vec![200]);
    }
    if statuses == [[0, 400]] && answers.is_empty() {
        statuses.clear();
    }
    let got: Vec<u64> = answers.iter().map(|answer| answer.status.into()).collect();
    if got.len() != statuses.len() || !got.iter().zip(&statuses).all(|(got, may)| may.contains(got)) {
        let _ = writeln!(wrong, "  answered {got:?}, not {statuses:?}");
    }
    for answer in &answers {
        let is_refusal = answer.status >= 400 && !answer.text().starts_with("{\"message\":\"");
        if is_refusal || !answer.complete {
            let _ = writeln!(wrong, "  an answer is {:?}", answer.text());
        }
    }
    if let Some(last) = answers.last().filter(|_| behind.is_some())
        && last.header("connection") != Some("close")
    {
        let _ = writeln!(wrong, "  closed without a word: {}", last.head);
    }
    // On a connection of its own, and after all that the case could have sent to the integration.
    let next = gateway.get("/mark");
    assert_eq!((next.status, next.text().as_str()), (200, "/mark"), "{case}");
    let mut arrived = Vec::new();
    loop {
        let recorded = endpoint.next();
        match recorded.request() {
            "GET /mark" => break,
            "GET /behind" if behind == Some(true) => {}
            _ => arrived.push(recorded),
        }
    }
    let wanted = case["integration"].as_array().cloned().unwrap_or_default();
    if arrived.len() != wanted.len() {
        let lines: Vec<&str> = arrived.iter().map(Recorded::line).collect();
        let _ = writeln!(wrong, "  the integration got {lines:?}");
    }
    for (wanted, recorded) in wanted.iter().zip(&arrived) {
        check_arrived(wanted, recorded, &mut wrong);
    }
    wrong
}

#[test]
fn hostile_requests_are_refused_or_understood_in_one_way() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = Gateway::serve(&pass_everything(endpoint.address));
    let directory = root().join("tests/hostile");
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut failures = String::new();
    let mut names = BTreeSet::new();
    for file in files {
        let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        for case in cases {
            let known = ["name", "rfc", "send", "answer", "behind", "integration"];
            let unknown = case
                .as_object()
                .unwrap()
                .keys()
                .find(|key| !known.contains(&key.as_str()));
            assert_eq!(unknown, None, "{case}");
            let name = case["name"].as_str().unwrap();
            let title = format!(
                "{}: {name} ({})",
                file.file_stem().unwrap().display(),
                case["rfc"].as_str().unwrap()
            );
            assert!(names.insert(title.clone()), "twice: {title}");
            let wrong = run(&gateway, &endpoint, &case);
            if !wrong.is_empty() {
                let _ = writeln!(failures, "{title}\n{wrong}");
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    assert!(names.len() >= 150, "{}", names.len());
}
