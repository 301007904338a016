//! Cases as data: resources, a request, and what must come of it, each with the rule that it checks.
//!
//! A file of `tests/cases/<theme>/` is an object with `cases` and what they share (`files`, `routes`, `upstream`);
//! a case may bring its own instead. `{endpoint}` in files and expectations stands for the address of the endpoint,
//! `{endpoint-port}` for its port alone. Bytes above 127 are written as the characters U+0080 to U+00FF.
//!
//! * `files`: path → resource. Without a stage among them, `$default` serves all routes.
//! * `routes`: a list of route keys. Each goes to `http://{endpoint}/<its number>?<variable>={<variable>}…`, so that
//!   `expect.route` and `expect.variables` can tell which was chosen.
//! * `upstream`: the endpoint's answer as bytes (`\r\n` written out), or `refused`.
//! * `request`: the request line's method and target; `headers` and `body` with it; `raw` instead of all.
//!   `head_length`: a field `X-Fill` makes the head that long.
//! * `expect`: `status`, `headers` (null: absent; a list: all values in order; `{"not": x}`: once, but not x), `body`,
//!   `route`, `variables`, `upstream` (`request`, `headers`, `body`; null: nothing arrives), `problems` (all lines of
//!   `check`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde_json::{Map, Value, json};

use apigateway::deployment::Deployment;
use apigateway::store::Store;

use super::client::{self, Answer};
use super::directory::{Directory, http_proxy, route};
use super::endpoint::{Endpoint, Recorded, nobody};
use super::gateway::Gateway;

const DEFAULT_ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Runs every case of a theme, and fails with all that went wrong.
pub fn run_theme(theme: &str, at_least: usize) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(theme);
    let mut paths: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let (mut count, mut failed, mut failures) = (0, 0, Vec::new());
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in file["cases"].as_array().unwrap() {
            count += 1;
            let name = case["name"].as_str().expect("a case has a name");
            assert!(case["rule"].is_string(), "{name}: a case names its rule");
            let mut differences = Differences::default();
            // A gateway that does not answer, or not in HTTP, fails this case only.
            if catch_unwind(AssertUnwindSafe(|| run(&file, case, &mut differences))).is_err() {
                differences.0.push("the runner panicked, see above".to_owned());
            }
            failed += usize::from(!differences.0.is_empty());
            for difference in differences.0 {
                failures.push(format!(
                    "{theme}/{}: {name}: {difference}",
                    path.file_name().unwrap().display()
                ));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{failed} of {count} cases fail:\n{}",
        failures.join("\n")
    );
    assert!(count >= at_least, "{theme} has {count} cases, {at_least} at least");
}

/// Pointer, expected and got of all that differs.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn check(&mut self, pointer: &str, expected: &Value, got: impl Into<Value>) {
        let got = got.into();
        if *expected != got {
            self.0
                .push(format!("/expect/{pointer}\n  expected {expected}\n  got      {got}"));
        }
    }
}

fn run(file: &Value, case: &Value, differences: &mut Differences) {
    let shared = |name: &str| case.get(name).or_else(|| file.get(name)).cloned();
    let unknown = |object: &Value, known: &[&str]| {
        let names = object.as_object().into_iter().flatten().map(|(name, _)| name.clone());
        names.filter(|name| !known.contains(&name.as_str())).collect::<Vec<_>>()
    };
    let known = [
        "name",
        "rule",
        "assumed",
        "files",
        "routes",
        "upstream",
        "request",
        "headers",
        "body",
        "head_length",
        "raw",
        "expect",
    ];
    assert_eq!(unknown(case, &known), [""; 0], "{case}");
    let known = [
        "status",
        "headers",
        "body",
        "route",
        "variables",
        "upstream",
        "problems",
    ];
    assert_eq!(unknown(&case["expect"], &known), [""; 0], "{case}");

    let (endpoint, address) = match shared("upstream") {
        Some(Value::String(text)) if text == "refused" => (None, nobody()),
        answer => {
            let answer = answer
                .as_ref()
                .map_or(DEFAULT_ANSWER, |answer| answer.as_str().unwrap());
            let endpoint = Endpoint::answering(bytes(answer));
            let address = endpoint.address;
            (Some(endpoint), address)
        }
    };
    let keys = shared("routes").unwrap_or_else(|| json!([]));
    let expect = &with_address(&case["expect"], address);
    let files = files(shared("files"), &keys, address);
    let directory = Directory::of(&[]);
    for (path, content) in &files {
        directory.write(path, content.as_str().unwrap_or(&content.to_string()));
    }
    if let Some(problems) = expect.get("problems") {
        let (_, got) = Deployment::of(&Store::at(directory.path()).load());
        let got: Vec<String> = got.iter().map(ToString::to_string).collect();
        differences.check("problems", problems, got);
        return;
    }
    let options = super::gateway::options(&directory);
    let gateway = Gateway::start(directory, options);
    let answer = client::exchange(gateway.address, request(case));
    let arrived = endpoint.map(|endpoint| endpoint.rest()).unwrap_or_default();
    compare_answer(expect, &answer, differences);
    compare_upstream(expect, &keys, &arrived, differences);
}

fn with_address(value: &Value, address: SocketAddr) -> Value {
    let text = value.to_string().replace("{endpoint}", &address.to_string());
    let text = text.replace("{endpoint-port}", &address.port().to_string());
    serde_json::from_str(&text).unwrap()
}

fn files(given: Option<Value>, keys: &Value, address: SocketAddr) -> Map<String, Value> {
    let files = with_address(&given.unwrap_or_else(|| json!({})), address);
    let mut files = files.as_object().unwrap().clone();
    if !files.keys().any(|path| path.starts_with("stages/")) {
        files.insert("stages/$default.json".into(), json!({"Name": "$default"}));
    }
    for (number, key) in keys.as_array().unwrap().iter().enumerate() {
        let key = key.as_str().unwrap();
        let names = key
            .split('{')
            .skip(1)
            .map(|rest| rest.split('}').next().unwrap().trim_end_matches('+'));
        let query: Vec<String> = names.map(|name| format!("{name}={{{name}}}")).collect();
        let uri = format!("http://{address}/{number}?{}", query.join("&"));
        files.insert(format!("routes/r{number}.json"), route(key, &format!("i{number}")));
        files.insert(format!("integrations/i{number}.json"), http_proxy(uri));
    }
    files
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).unwrap())
        .collect()
}

fn request(case: &Value) -> Vec<u8> {
    if let Some(raw) = case["raw"].as_str() {
        return bytes(raw);
    }
    let mut text = format!(
        "{} HTTP/1.1\r\nHost: gw.test\r\n",
        case["request"].as_str().expect("a request")
    );
    for pair in case["headers"].as_array().into_iter().flatten() {
        text += &format!("{}: {}\r\n", pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
    }
    let body = case["body"].as_str().unwrap_or_default();
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.chars().count());
    }
    if let Some(length) = case["head_length"].as_u64() {
        let fill = usize::try_from(length).unwrap() - text.len() - "X-Fill: \r\n\r\n".len();
        text += &format!("X-Fill: {}\r\n", "x".repeat(fill));
    }
    bytes(&(text + "\r\n" + body))
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn compare_answer(expect: &Value, answer: &Answer, differences: &mut Differences) {
    if let Some(status) = expect.get("status") {
        differences.check("status", status, answer.status);
    }
    if let Some(body) = expect.get("body") {
        differences.check("body", body, latin1(&answer.body));
    }
    differences.check("complete", &json!(true), answer.complete);
    let fields: Vec<(&str, &str)> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    compare_headers("headers", expect.get("headers"), &fields, differences);
}

fn compare_headers(pointer: &str, expect: Option<&Value>, fields: &[(&str, &str)], differences: &mut Differences) {
    for (name, expected) in expect.and_then(Value::as_object).into_iter().flatten() {
        let mut values: Vec<Value> = fields
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| json!(value))
            .collect();
        let got = match (expected, values.len()) {
            (Value::Array(_), _) => Value::Array(values),
            (_, 0) => Value::Null,
            (_, 1) => values.remove(0),
            _ => Value::Array(values),
        };
        let is_another = expected.get("not").is_some_and(|not| got.is_string() && got != *not);
        let expected = if is_another { &got.clone() } else { expected };
        differences.check(&format!("{pointer}/{name}"), expected, got);
    }
}

fn compare_upstream(expect: &Value, keys: &Value, arrived: &[Recorded], differences: &mut Differences) {
    let first = arrived.first();
    if let Some(key) = expect.get("route") {
        let target = first.map(|recorded| recorded.request().split_once(' ').unwrap().1.to_owned());
        let (number, query) = target
            .as_deref()
            .map_or(("", ""), |target| target[1..].split_once('?').unwrap());
        // `$default` appends the path of the request.
        let number = number.split('/').next().unwrap();
        let got = number
            .parse::<usize>()
            .ok()
            .map_or(Value::Null, |number| keys[number].clone());
        differences.check("route", key, got);
        if let Some(variables) = expect.get("variables") {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let decoded = |text: &str| {
                percent_encoding::percent_decode_str(text)
                    .decode_utf8()
                    .unwrap()
                    .into_owned()
            };
            let got: BTreeMap<String, String> = pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
            differences.check("variables", variables, json!(got));
        }
    }
    let Some(upstream) = expect.get("upstream") else {
        return;
    };
    if upstream.is_null() || first.is_none() {
        let got: Vec<&str> = arrived.iter().map(Recorded::request).collect();
        differences.check(
            "upstream",
            upstream,
            if got.is_empty() { Value::Null } else { json!(got) },
        );
        return;
    }
    let recorded = first.unwrap();
    if let Some(line) = upstream.get("request") {
        differences.check("upstream/request", line, recorded.request());
    }
    if let Some(body) = upstream.get("body") {
        differences.check("upstream/body", body, latin1(&recorded.body));
    }
    let fields: Vec<(&str, &str)> = recorded
        .head
        .split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .collect();
    compare_headers("upstream/headers", upstream.get("headers"), &fields, differences);
}
