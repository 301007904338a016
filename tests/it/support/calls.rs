//! A gateway that is configured by calls, and a runner of the scripts in `tests/calls`.
//!
//! A script is a list of steps on one root. A step is one of:
//! * `call`: method and path below the management listener, with `body` (JSON) or `text`; `status`, and of the answer `is`
//!   (all of it), `has` (these members), `lacks` (names), `error` (the exception), `message`, `begins`;
//! * `request`: one to an API, with `host`; `status`, `text`, `header` (name and value);
//! * `write` a file with `json` or `text`; `remove` one;
//! * `file`: what one says after that: `is`, `text`, or nothing, where it is not there;
//! * `check`: the problems of all files, as lines.
//!
//! `{name}` stands for what a step has saved by `save`: names, with the member of the answer. `"*"` stands for any value.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

use apigateway::definition::store::Store;
use apigateway::deployment::configuration::Configuration;
use apigateway::server::Options;
use serde_json::{Map, Value};

use crate::support::client::{self, Answer};
use crate::support::directory::Directory;
use crate::support::endpoint::Endpoint;
use crate::support::gateway::{Gateway, options};

/// A gateway with a control plane.
pub struct ControlPlane {
    pub gateway: Gateway,
    pub admin: SocketAddr,
}

impl ControlPlane {
    pub fn empty() -> ControlPlane {
        ControlPlane::start(Directory::empty(), |_| {})
    }

    pub fn start(directory: Directory, change: impl FnOnce(&mut Options)) -> ControlPlane {
        let mut options = options(&directory);
        options.admin = Some("127.0.0.1:0".to_owned());
        change(&mut options);
        let gateway = Gateway::start(directory, options);
        let admin = gateway.server.admin_addr().unwrap();
        ControlPlane { gateway, admin }
    }

    /// A call without content.
    pub fn call(&self, method: &str, path: &str) -> Answer {
        call(self.admin, method, path, b"")
    }

    /// A call with JSON; the answer must have that status.
    pub fn expect(&self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        expect(self.admin, status, method, path, body)
    }

    /// A request to an API.
    pub fn request(&self, host: &str, line: &str) -> Answer {
        client::exchange(self.gateway.address, format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    }
}

/// A call with JSON; the answer must have that status.
pub fn expect(admin: SocketAddr, status: u16, method: &str, path: &str, body: &Value) -> Value {
    let answer = call(admin, method, path, body.to_string().as_bytes());
    assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// A call with content.
pub fn call(admin: SocketAddr, method: &str, path: &str, content: &[u8]) -> Answer {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {admin}\r\nContent-Length: {}\r\n\r\n",
        content.len()
    );
    client::exchange(admin, [head.as_bytes(), content].concat())
}

/// One run of a script.
struct Run {
    plane: ControlPlane,
    saved: BTreeMap<String, String>,
    name: String,
}

/// Runs the scripts of a file.
pub fn run_file(name: &str) {
    let path = crate::support::repository::root().join(format!("tests/calls/{name}.json"));
    let text = fs::read_to_string(&path).unwrap();
    let scripts: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(!scripts.is_empty());
    for script in scripts {
        run(name, &script);
    }
}

fn run(file: &str, script: &Value) {
    let name = format!("{file}: {}", script["name"].as_str().expect("a name"));
    let directory = Directory::empty();
    for (path, content) in script["files"].as_object().into_iter().flatten() {
        directory.write(path, &content.to_string());
    }
    let endpoint = Endpoint::ok();
    let plane = ControlPlane::start(directory, |_| {});
    let saved = BTreeMap::from([
        ("upstream".to_owned(), endpoint.address.to_string()),
        ("port".to_owned(), plane.gateway.address.port().to_string()),
    ]);
    let mut run = Run { plane, saved, name };
    for (number, step) in script["steps"].as_array().expect("steps").iter().enumerate() {
        let step = run.filled(step);
        let step = step.as_object().unwrap();
        let place = format!("{}, step {}: {}", run.name, number + 1, Value::Object(step.clone()));
        run.step(step, &place);
    }
}

impl Run {
    /// A step with what was saved put in.
    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let mut text = text.clone();
                for (name, saved) in &self.saved {
                    text = text.replace(&format!("{{{name}}}"), saved);
                }
                Value::String(text)
            }
            Value::Array(items) => Value::Array(items.iter().map(|item| self.filled(item)).collect()),
            Value::Object(members) => {
                let member = |(name, value): (&String, &Value)| {
                    let Value::String(name) = self.filled(&Value::String(name.clone())) else {
                        unreachable!()
                    };
                    (name, self.filled(value))
                };
                Value::Object(members.iter().map(member).collect())
            }
            other => other.clone(),
        }
    }

    fn step(&mut self, step: &Map<String, Value>, place: &str) {
        let text = |name: &str| {
            step.get(name)
                .map(|value| value.as_str().unwrap_or_else(|| panic!("{place}: {name}")))
        };
        let directory = self.plane.gateway.directory.path().to_owned();
        if let Some(call) = text("call") {
            self.call(call, step, place);
        } else if let Some(line) = text("request") {
            let answer = self.plane.request(text("host").unwrap_or("localhost"), line);
            assert_eq!(
                Some(u64::from(answer.status)),
                step["status"].as_u64(),
                "{place}: {}",
                answer.text()
            );
            if let Some(expected) = text("text") {
                assert_eq!(answer.text(), expected, "{place}");
            }
            if let Some([name, value]) = step.get("header").map(|pair| [pair[0].as_str(), pair[1].as_str()]) {
                assert_eq!(answer.header(name.unwrap()), value, "{place}");
            }
        } else if let Some(path) = text("write") {
            let content = text("text").map_or_else(|| step["json"].to_string(), str::to_owned);
            self.plane.gateway.directory.write(path, &content);
        } else if let Some(path) = text("remove") {
            self.plane.gateway.directory.remove(path);
        } else if let Some(path) = text("file") {
            let found = fs::read_to_string(directory.join(path)).ok();
            if let Some(expected) = text("text") {
                assert_eq!(found.as_deref(), Some(expected), "{place}");
            } else if let Some(expected) = step.get("is") {
                let found = found.unwrap_or_else(|| panic!("{place}: no such file"));
                let json: Value = serde_json::from_str(&found).unwrap();
                assert!(is_like(expected, &json), "{place}: {json}");
            } else {
                assert_eq!(found, None, "{place}");
            }
        } else if let Some(expected) = step.get("check") {
            let (_, problems) = Configuration::of(&Store::at(directory).load());
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(*expected, Value::from(lines), "{place}");
        } else {
            panic!("{place}: no step");
        }
    }

    fn call(&mut self, line: &str, step: &Map<String, Value>, place: &str) {
        let (method, path) = line.split_once(' ').unwrap();
        let content = match (step.get("body"), step.get("text")) {
            (Some(body), _) => body.to_string(),
            (None, Some(text)) => text.as_str().unwrap().to_owned(),
            (None, None) => String::new(),
        };
        let answer = call(self.plane.admin, method, path, content.as_bytes());
        let shown = answer.text();
        assert_eq!(
            Some(u64::from(answer.status)),
            step["status"].as_u64(),
            "{place}: {shown}"
        );
        let id = answer.header("x-amzn-requestid").unwrap_or_default();
        assert_eq!(id.len(), 36, "{place}: x-amzn-RequestId {id:?}");
        let error = answer.header("x-amzn-errortype");
        assert_eq!(
            error,
            step.get("error").map(|error| error.as_str().unwrap()),
            "{place}: {shown}"
        );
        if matches!(answer.status, 202 | 204) || method == "HEAD" {
            assert_eq!(shown, "", "{place}");
            return;
        }
        assert_eq!(answer.header("content-type"), Some("application/json"), "{place}");
        let json: Value = serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{place}: {error}: {shown}"));
        if error.is_some() {
            let message = json["message"].as_str().unwrap_or_else(|| panic!("{place}: {shown}"));
            if let Some(expected) = step.get("message") {
                assert_eq!(message, expected.as_str().unwrap(), "{place}");
            }
            if let Some(begin) = step.get("begins") {
                assert!(message.starts_with(begin.as_str().unwrap()), "{place}: {message}");
            }
            assert!(
                step.contains_key("message") || step.contains_key("begins"),
                "{place}: {message}"
            );
        }
        if let Some(expected) = step.get("is") {
            assert!(is_like(expected, &json), "{place}: {json}");
        }
        for (name, expected) in step.get("has").and_then(Value::as_object).into_iter().flatten() {
            assert!(
                json.get(name).is_some_and(|found| is_like(expected, found)),
                "{place}: {name}: {json}"
            );
        }
        for name in step.get("lacks").and_then(Value::as_array).into_iter().flatten() {
            assert!(json.get(name.as_str().unwrap()).is_none(), "{place}: {name}: {json}");
        }
        for (name, member) in step.get("save").and_then(Value::as_object).into_iter().flatten() {
            let found = json.pointer(&format!("/{}", member.as_str().unwrap()));
            let found = found
                .and_then(Value::as_str)
                .unwrap_or_else(|| panic!("{place}: {json}"));
            self.saved.insert(name.clone(), found.to_owned());
        }
    }
}

/// Whether a value is that which is expected; `"*"` is any.
fn is_like(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(any), _) if any == "*" => true,
        (Value::Object(expected), Value::Object(found)) => {
            expected.len() == found.len()
                && expected
                    .iter()
                    .all(|(name, value)| found.get(name).is_some_and(|found| is_like(value, found)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(one, other)| is_like(one, other))
        }
        _ => expected == found,
    }
}
