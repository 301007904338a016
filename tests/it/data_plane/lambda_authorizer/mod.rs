//! These tests of Lambda authorizers are those that cases cannot express: what is remembered and for whom, reloads, and
//! time.

mod cache;
mod answers;

use std::io::Write;

use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::directory::lambda_proxy;
use crate::support::endpoint::{Endpoint, Next, Recorded};
use crate::support::gateway::Gateway;
use crate::support::lambda_authorizer::{authorizer, invoke_uri};

const YES: &str = r#"{"isAuthorized":true,"context":{"n":1}}"#;
const NO: &str = r#"{"isAuthorized":false}"#;

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A function that answers by the event it gets.
fn function(answer: impl Fn(&Value) -> String + Send + Sync + 'static) -> Endpoint {
    Endpoint::start(move |stream, recorded| {
        let event = event(recorded);
        match stream.write_all(ok(&answer(&event)).as_bytes()) {
            Ok(()) => Next::KeepAlive,
            Err(_) => Next::Close,
        }
    })
}

fn event(recorded: &Recorded) -> Value {
    serde_json::from_slice(&recorded.body).unwrap()
}

fn saying(answer: &'static str) -> Endpoint {
    function(move |_| answer.to_owned())
}

pub fn custom(key: &str, authorizer: &str) -> Value {
    json!({"RouteKey": key, "Target": "integrations/up", "AuthorizationType": "CUSTOM", "AuthorizerId": authorizer})
}

/// `/a`, `/b` and `/things/{id}` ask `one`; `/two` asks `two`, which asks the same function.
fn files(function: &Endpoint, up: &Endpoint, one: Value) -> Vec<(&'static str, Value)> {
    let two = one.clone();
    vec![
        ("stages/$default.json", json!({"Name": "$default"})),
        ("stages/beta.json", json!({"Name": "beta"})),
        ("routes/a.json", custom("ANY /a", "one")),
        ("routes/b.json", custom("ANY /b", "one")),
        ("routes/t.json", custom("ANY /things/{id}", "one")),
        ("routes/two.json", custom("ANY /two", "two")),
        ("integrations/up.json", lambda_proxy("up", "2.0")),
        ("authorizers/one.json", one),
        ("authorizers/two.json", two),
        ("functions/auth.json", invoke_uri(function.address)),
        ("functions/up.json", invoke_uri(up.address)),
    ]
}

/// A gateway whose authorizer has that many seconds and these sources.
struct Api {
    gateway: Gateway,
    function: Endpoint,
    up: Endpoint,
}

impl Api {
    fn new(function: Endpoint, authorizer: Value) -> Api {
        let up = saying(r#"{"statusCode":200,"body":"up"}"#);
        let gateway = Gateway::serve(&files(&function, &up, authorizer));
        Api { gateway, function, up }
    }

    fn ask(&self, target: &str, fields: &[(&str, &str)]) -> Answer {
        self.gateway.exchange(request(target, fields))
    }

    /// How often the function has been asked since this was called last.
    fn asked(&self) -> usize {
        self.function.rest().len()
    }
}

fn request(target: &str, fields: &[(&str, &str)]) -> String {
    let mut text = format!("GET {target} HTTP/1.1\r\nHost: gw.test\r\n");
    for (name, value) in fields {
        text += &format!("{name}: {value}\r\n");
    }
    text + "\r\n"
}

const HEADER: &str = "$request.header.Authorization";

fn token(value: &str) -> [(&str, &str); 1] {
    [("Authorization", value)]
}

fn policy(statements: &Value) -> String {
    json!({"principalId": "u", "policyDocument": {"Version": "2012-10-17", "Statement": statements}}).to_string()
}

fn of_policies(name: &str, ttl: u64) -> Value {
    let mut authorizer = authorizer(name, &[HEADER], ttl);
    authorizer["EnableSimpleResponses"] = json!(false);
    authorizer
}
