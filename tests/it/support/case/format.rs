//! Cases as data: resources, a request, and what must come of it, each with the rule that it checks.
//!
//! A file of `tests/cases/<theme>/` is an object with `cases` and what they share (`files`, `routes`, `upstream`);
//! a case may bring its own instead. `{endpoint}` in files and expectations stands for the address of the endpoint,
//! `{endpoint-port}` for its port alone, `{authorizer}` for the address of a second one. Bytes above 127 are written as the characters U+0080 to U+00FF. `{ab*3}` in any
//! text of the file is `ababab`.
//!
//! * `files`: path → resource. Without a stage or an API among them, `$default` serves all routes.
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
//! * `environment`: the variables of AWS's SDKs, and no others are there; without it there is one key, `AKIDEXAMPLE`.
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

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use apigateway::outbound::upstream::url::Url;
use apigateway::server::Options;

use crate::support::directory::{http_proxy, route};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::aws_access;

pub const DEFAULT_ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What does as `upstream` says; none where nobody listens.
pub fn scripted(upstream: &Value) -> Option<Endpoint> {
    match upstream.as_str().unwrap() {
        "refused" => None,
        "closed" => Some(Endpoint::start(|_, _| Next::Close)),
        answer => Some(Endpoint::answering(bytes(answer))),
    }
}

/// Where the endpoints of a case listen.
pub struct Addresses {
    pub endpoint: SocketAddr,
    pub authorizer: SocketAddr,
}

impl Addresses {
    pub fn put_into(&self, value: &Value) -> Value {
        let text = value.to_string().replace("{endpoint}", &self.endpoint.to_string());
        let text = text.replace("{endpoint-port}", &self.endpoint.port().to_string());
        let text = text.replace("{authorizer}", &self.authorizer.to_string());
        serde_json::from_str(&text).unwrap()
    }
}

pub fn set_options(options: &mut Options, given: &Value, environment: &Value) {
    let key = json!({"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"});
    let environment = if environment.is_null() { &key } else { environment };
    let variables = environment.as_object().unwrap().iter();
    let variables: Vec<(&str, &str)> = variables
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    options.settings.aws = aws_access(given["aws-endpoint-url"].as_str(), given["region"].as_str(), &variables);
    for (name, value) in given.as_object().into_iter().flatten() {
        let value = value.as_str().unwrap();
        match name.as_str() {
            "account-id" => options.settings.account_id = value.into(),
            "trusted-proxy" => options.settings.trusted_proxies = value.parse().unwrap(),
            "lambda-endpoint" => options.settings.lambda_endpoint = Some(Url::parse(value).unwrap()),
            "aws-endpoint-url" => {}
            "region" => options.settings.region = value.into(),
            other => panic!("the runner cannot set --{other}"),
        }
    }
}

/// The answer of whoever ran the function; `name` is that of the case's field.
pub fn function_answer(payload: &Value, case: &Value, name: &str) -> Vec<u8> {
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
pub fn repeated(text: &str) -> String {
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

pub fn changed(files: Option<Value>, changes: &Value) -> Option<Value> {
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

pub fn files(given: Option<Value>, keys: &Value, addresses: &Addresses) -> Map<String, Value> {
    let address = addresses.endpoint;
    let files = addresses.put_into(&given.unwrap_or_else(|| json!({})));
    let mut files = files.as_object().unwrap().clone();
    let has_api = |path: &str| {
        ["stages/", "apis/", "domains/"]
            .iter()
            .any(|place| path.starts_with(place))
    };
    if !files.keys().any(|path| has_api(path)) {
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

pub fn bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).unwrap())
        .collect()
}

pub fn request(case: &Value) -> Vec<u8> {
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
