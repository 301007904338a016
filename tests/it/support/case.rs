//! Cases as data: resources, a request, and what must come of it, each with the rule that it checks.
//!
//! A file of `tests/cases/<theme>/` is an object with `cases` and what they share (`files`, `routes`, `upstream`);
//! a case may bring its own instead. `{endpoint}` in files and expectations stands for the address of the endpoint,
//! `{endpoint-port}` for its port alone, `{authorizer}` for the address of a second one. Bytes above 127 are written as the characters U+0080 to U+00FF. `{ab*3}` in any
//! text of the file is `ababab`.
//!
//! * `files`: path → resource. Without a stage among them, `$default` serves all routes.
//! * `change`: path → fields that are laid over those of the file at that path, or make one.
//! * `routes`: a list of route keys. Each goes to `http://{endpoint}/<its number>?`, and its variables are mapped to the
//!   query, so that `expect.route` and `expect.variables` can tell which was chosen and what mappings read.
//! * `upstream`: the endpoint's answer as bytes (`\r\n` written out), or `refused`, or `closed`; empty: it never comes.
//! * `function`: what a function returns, instead of `upstream`: its payload as bytes, or a value that is no text as
//!   compact JSON. `function_status` (200 if left out) and `function_headers` (pairs) are those of the answer it comes in.
//! * `authorizer`, `authorizer_status`, `authorizer_headers`: the same of an authorizer's function, at `{authorizer}`;
//!   `authorizer_upstream`: as `upstream`, instead. Without any of them nobody listens there.
//! * `not_tiny_http`: why the front on tiny_http cannot do what the case asks; it is left out there.
//! * `options`: options of `serve` by their names without `--`.
//! * `request`: the request line's method and target; `headers` and `body` with it; `raw` instead of all.
//!   `head_length`: a field `X-Fill` makes the head that long.
//! * `unused`: true where `problems` tell of files that nothing uses; elsewhere those lines are left out, since most
//!   cases are about one file.
//! * `programs`: true where `problems` tell of functions that cannot start; elsewhere those lines are left out, since which
//!   programs there are is the machine's business.
//! * `expect`: `status`, `headers` (null: absent; a list: all values in order; `{"not": x}`: once, but not x), `lines` (of
//!   the head, exactly so), `body`, `route`, `variables`, `upstream` (of the first request that arrives: `request`,
//!   `headers`, `lines`, `body`; `count`: how many arrive; null: nothing does), `event` (the body that arrives, as JSON:
//!   of an object what is listed, anything else whole; `{"absent": true}`: no such member; `{"exactly": x}`: an object
//!   with nothing besides), `event_text` (that body to the letter, as UTF-8), `authorizer`, `authorizer_event` and
//!   `authorizer_event_text` (as `upstream`, `event` and `event_text`, of what came to the authorizer), `problems` (all lines of `check`, in their
//!   order; `{"starts": x, "contains": [y]}` where the sentence may be any), `log` (the line of the access log).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde_json::{Map, Value, json};

use apigateway::data_plane::access_log::Destination;
use apigateway::definition::store::Store;
use apigateway::deployment::Deployment;
use apigateway::outbound::upstream::url::Url;
use apigateway::server::{FrontKind, Options};

use super::client::{self, Answer, PATIENCE};
use super::directory::{Directory, http_proxy, route};
use super::endpoint::{Endpoint, Next, Recorded, nobody};
use super::gateway::Gateway;

const DEFAULT_ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Runs every case of a theme, and fails with all that went wrong.
pub fn run_theme(theme: &str, at_least: usize) {
    run_theme_on(FrontKind::default(), theme, at_least);
}

/// As [`run_theme`], with what listens to clients.
pub fn run_theme_on(front: FrontKind, theme: &str, at_least: usize) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(theme);
    let mut paths: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let (mut count, mut failed, mut failures) = (0, 0, Vec::new());
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: Value =
            serde_json::from_str(&repeated(&text)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for case in file["cases"].as_array().unwrap() {
            count += 1;
            let name = case["name"].as_str().expect("a case has a name");
            assert!(case["rule"].is_string(), "{name}: a case names its rule");
            // Why the front on tiny_http cannot do that.
            if case.get("not_tiny_http").is_some() && front != FrontKind::Own {
                continue;
            }
            let mut differences = Differences::default();
            // A gateway that does not answer, or not in HTTP, fails this case only.
            if catch_unwind(AssertUnwindSafe(|| run(front, &file, case, &mut differences))).is_err() {
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
            let (expected, got) = (shortened(expected), shortened(&got));
            self.0
                .push(format!("/expect/{pointer}\n  expected {expected}\n  got      {got}"));
        }
    }
}

/// A value as it is shown: events may have megabytes.
fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(2000) {
        Some((end, _)) => format!("{} ... {} bytes in all", &text[..end], text.len()),
        None => text,
    }
}

fn run(front: FrontKind, file: &Value, case: &Value, differences: &mut Differences) {
    let shared = |name: &str| case.get(name).or_else(|| file.get(name)).cloned();
    let unknown = |object: &Value, known: &[&str]| {
        let names = object.as_object().into_iter().flatten().map(|(name, _)| name.clone());
        names.filter(|name| !known.contains(&name.as_str())).collect::<Vec<_>>()
    };
    let known = [
        "name",
        "rule",
        "assumed",
        "not_tiny_http",
        "files",
        "change",
        "routes",
        "upstream",
        "function",
        "function_status",
        "function_headers",
        "authorizer",
        "authorizer_status",
        "authorizer_headers",
        "authorizer_upstream",
        "options",
        "request",
        "headers",
        "body",
        "head_length",
        "raw",
        "unused",
        "programs",
        "expect",
    ];
    assert_eq!(unknown(case, &known), [""; 0], "{case}");
    let known = [
        "status",
        "headers",
        "lines",
        "body",
        "route",
        "variables",
        "upstream",
        "event",
        "event_text",
        "authorizer",
        "authorizer_event",
        "authorizer_event_text",
        "problems",
        "log",
    ];
    assert_eq!(unknown(&case["expect"], &known), [""; 0], "{case}");

    let upstream = shared("upstream").unwrap_or_else(|| json!(DEFAULT_ANSWER));
    let endpoint = match case.get("function") {
        Some(payload) => Some(Endpoint::answering(function_answer(payload, case, "function"))),
        None => scripted(&upstream),
    };
    let authorizer = match (shared("authorizer_upstream"), shared("authorizer")) {
        (Some(upstream), _) => scripted(&upstream),
        (None, Some(payload)) => Some(Endpoint::answering(function_answer(&payload, case, "authorizer"))),
        (None, None) => None,
    };
    let address_of = |endpoint: &Option<Endpoint>| endpoint.as_ref().map_or_else(nobody, |endpoint| endpoint.address);
    let addresses = Addresses {
        endpoint: address_of(&endpoint),
        authorizer: address_of(&authorizer),
    };
    let keys = shared("routes").unwrap_or_else(|| json!([]));
    let expect = &addresses.put_into(&case["expect"]);
    let files = files(changed(shared("files"), &case["change"]), &keys, &addresses);
    let directory = Directory::of(&[]);
    for (path, content) in &files {
        directory.write(path, content.as_str().unwrap_or(&content.to_string()));
    }
    if let Some(problems) = expect.get("problems") {
        let (_, got) = Deployment::of(&Store::at(directory.path()).load());
        let mut got: Vec<String> = got.iter().map(ToString::to_string).collect();
        if case["unused"] != json!(true) {
            got.retain(|line| !line.contains(": warning: not used: "));
        }
        if case["programs"] != json!(true) {
            got.retain(|line| !line.contains(": warning: the function cannot start: "));
        }
        compare_problems(problems, &got, differences);
        return;
    }
    let log = directory.path().join("access.log");
    let mut options = super::gateway::options(&directory);
    options.front = front;
    set_options(&mut options, &addresses.put_into(&case["options"]));
    if expect.get("log").is_some() {
        options.access_log = Destination::File(log.clone());
    }
    let gateway = Gateway::start(directory, options);
    let answer = client::exchange(gateway.address, request(case));
    let rest = |endpoint: Option<Endpoint>| endpoint.map(|endpoint| endpoint.rest()).unwrap_or_default();
    let (arrived, asked) = (rest(endpoint), rest(authorizer));
    compare_answer(expect, &answer, differences);
    compare_route(expect, &keys, &arrived, differences);
    compare_upstream("upstream", expect, &arrived, differences);
    compare_event("event", expect, arrived.first(), differences);
    compare_upstream("authorizer", expect, &asked, differences);
    compare_event("authorizer_event", expect, asked.first(), differences);
    if let Some(line) = expect.get("log") {
        gateway.server.stop(PATIENCE);
        let text = std::fs::read_to_string(log).unwrap();
        differences.check("log", line, text.strip_suffix('\n').unwrap_or(&text));
    }
}

/// What does as `upstream` says; none where nobody listens.
fn scripted(upstream: &Value) -> Option<Endpoint> {
    match upstream.as_str().unwrap() {
        "refused" => None,
        "closed" => Some(Endpoint::start(|_, _| Next::Close)),
        answer => Some(Endpoint::answering(bytes(answer))),
    }
}

/// Where the endpoints of a case listen.
struct Addresses {
    endpoint: SocketAddr,
    authorizer: SocketAddr,
}

impl Addresses {
    fn put_into(&self, value: &Value) -> Value {
        let text = value.to_string().replace("{endpoint}", &self.endpoint.to_string());
        let text = text.replace("{endpoint-port}", &self.endpoint.port().to_string());
        let text = text.replace("{authorizer}", &self.authorizer.to_string());
        serde_json::from_str(&text).unwrap()
    }
}

fn set_options(options: &mut Options, given: &Value) {
    for (name, value) in given.as_object().into_iter().flatten() {
        let value = value.as_str().unwrap();
        match name.as_str() {
            "account-id" => options.settings.account_id = value.into(),
            "trusted-proxy" => options.settings.trusted_proxies = value.parse().unwrap(),
            "lambda-endpoint" => options.settings.lambda_endpoint = Some(Url::parse(value).unwrap()),
            "region" => options.settings.region = value.into(),
            other => panic!("the runner cannot set --{other}"),
        }
    }
}

/// The answer of whoever ran the function; `name` is that of the case's field.
fn function_answer(payload: &Value, case: &Value, name: &str) -> Vec<u8> {
    let payload = payload.as_str().map_or_else(|| payload.to_string().into_bytes(), bytes);
    let status = case
        .get(format!("{name}_status"))
        .map_or(200, |status| status.as_u64().unwrap());
    let mut head = format!("HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n", payload.len());
    for pair in case[format!("{name}_headers")].as_array().into_iter().flatten() {
        head += &format!("{}: {}\r\n", pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
    }
    [bytes(&(head + "\r\n")), payload].concat()
}

/// `{ab*3}` as `ababab`.
fn repeated(text: &str) -> String {
    let mut parts = text.split('{');
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let found = part.split_once('}').and_then(|(inside, rest)| {
            let (what, count) = inside.split_once('*')?;
            Some((what.repeat(count.parse().ok()?), rest))
        });
        let (what, rest) = found.unwrap_or_else(|| ("{".to_owned(), part));
        result += &what;
        result += rest;
    }
    result
}

fn changed(files: Option<Value>, changes: &Value) -> Option<Value> {
    let Some(changes) = changes.as_object() else {
        return files;
    };
    let mut files = files.unwrap_or_else(|| json!({}));
    for (path, fields) in changes {
        for (name, value) in fields.as_object().unwrap() {
            files[path][name] = value.clone();
        }
    }
    Some(files)
}

fn files(given: Option<Value>, keys: &Value, addresses: &Addresses) -> Map<String, Value> {
    let address = addresses.endpoint;
    let files = addresses.put_into(&given.unwrap_or_else(|| json!({})));
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
        let mut integration = http_proxy(format!("http://{address}/{number}?"));
        for name in names {
            let value = json!(format!("$request.path.{name}"));
            integration["RequestParameters"][format!("append:querystring.{name}")] = value;
        }
        files.insert(format!("routes/r{number}.json"), route(key, &format!("i{number}")));
        files.insert(format!("integrations/i{number}.json"), integration);
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

fn compare_problems(expected: &Value, got: &[String], differences: &mut Differences) {
    let is_met = |(expected, got): (&Value, &String)| match expected {
        Value::String(line) => line == got,
        other => {
            let mut texts = other["contains"].as_array().into_iter().flatten();
            got.starts_with(other["starts"].as_str().unwrap()) && texts.all(|text| got.contains(text.as_str().unwrap()))
        }
    };
    let lines = expected.as_array().unwrap();
    if lines.len() != got.len() || !lines.iter().zip(got).all(is_met) {
        differences.check("problems", expected, got);
    }
}

fn compare_lines(pointer: &str, expect: &Value, head: &str, differences: &mut Differences) {
    for line in expect["lines"].as_array().into_iter().flatten() {
        let is_there = head.split("\r\n").any(|found| found == line);
        let got = if is_there { line.clone() } else { json!(head) };
        differences.check(pointer, line, got);
    }
}

fn compare_answer(expect: &Value, answer: &Answer, differences: &mut Differences) {
    if let Some(status) = expect.get("status") {
        differences.check("status", status, answer.status);
    }
    if let Some(body) = expect.get("body") {
        differences.check("body", body, latin1(&answer.body));
    }
    differences.check("complete", &json!(true), answer.complete);
    compare_lines("lines", expect, &answer.head, differences);
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

fn compare_route(expect: &Value, keys: &Value, arrived: &[Recorded], differences: &mut Differences) {
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
}

/// What arrived at the endpoint that `name` is about.
fn compare_upstream(name: &str, expect: &Value, arrived: &[Recorded], differences: &mut Differences) {
    let first = arrived.first();
    let Some(upstream) = expect.get(name) else {
        return;
    };
    if upstream.is_null() || first.is_none() {
        let got: Vec<&str> = arrived.iter().map(Recorded::request).collect();
        differences.check(name, upstream, if got.is_empty() { Value::Null } else { json!(got) });
        return;
    }
    let recorded = first.unwrap();
    if let Some(count) = upstream.get("count") {
        differences.check(&format!("{name}/count"), count, arrived.len());
    }
    compare_lines(&format!("{name}/lines"), upstream, &recorded.head, differences);
    if let Some(line) = upstream.get("request") {
        differences.check(&format!("{name}/request"), line, recorded.request());
    }
    if let Some(body) = upstream.get("body") {
        differences.check(&format!("{name}/body"), body, latin1(&recorded.body));
    }
    let fields: Vec<(&str, &str)> = recorded
        .head
        .split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .collect();
    compare_headers(
        &format!("{name}/headers"),
        upstream.get("headers"),
        &fields,
        differences,
    );
}

fn compare_event(name: &str, expect: &Value, arrived: Option<&Recorded>, differences: &mut Differences) {
    let body = arrived.map(|recorded| String::from_utf8_lossy(&recorded.body).into_owned());
    let to_the_letter = format!("{name}_text");
    if let Some(text) = expect.get(&to_the_letter) {
        differences.check(&to_the_letter, text, json!(body));
    }
    let Some(event) = expect.get(name) else {
        return;
    };
    match body.as_deref().map(serde_json::from_str::<Value>) {
        Some(Ok(got)) => compare_member(name, event, Some(&got), differences),
        _ => differences.check(name, event, json!(body)),
    }
}

/// What is there at a place of the event.
fn compare_member(pointer: &str, expected: &Value, got: Option<&Value>, differences: &mut Differences) {
    let marks = |name: &str| expected.as_object().filter(|object| object.len() == 1)?.get(name);
    if marks("absent") == Some(&json!(true)) {
        if let Some(got) = got {
            differences.check(pointer, expected, got.clone());
        }
        return;
    }
    let Some(got) = got else {
        return differences.check(pointer, expected, json!({"absent": true}));
    };
    if let Some(whole) = marks("exactly") {
        return differences.check(pointer, whole, got.clone());
    }
    match (expected, got) {
        (Value::Object(members), Value::Object(_)) => {
            for (name, member) in members {
                compare_member(&format!("{pointer}/{name}"), member, got.get(name), differences);
            }
        }
        _ => differences.check(pointer, expected, got.clone()),
    }
}
