//! These tests invoke functions that run as child processes or behind a URL.

mod invoke;
mod faults;
mod lifecycle;
mod files;
mod restarts;

use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::{self, Answer, PATIENCE};
use crate::support::runtime;

const ACCEPTED: &str = r#"202 {"status":"OK"}"#;

/// The scripted function, with more fields.
pub fn scripted(fields: Value) -> Value {
    let mut function = json!({"Command": runtime::command(), "Timeout": 60});
    for (name, value) in fields.as_object().unwrap() {
        function[name] = value.clone();
    }
    function
}

/// Asks a function to do something.
pub fn ask(address: SocketAddr, target: &str, event: &Value) -> Answer {
    let body = event.to_string();
    let length = body.len();
    client::exchange(
        address,
        format!(
            "POST {target} HTTP/1.1\r\nHost: gw.test\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ),
    )
}

pub fn told(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_slice(&answer.body).unwrap()
}

pub fn wait_for(path: &Path) {
    let until = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < until, "{} does not come", path.display());
        thread::sleep(Duration::from_millis(2));
    }
}
