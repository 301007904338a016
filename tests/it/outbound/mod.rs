//! These tests play integrations that do wrong, and check that none of it hurts the next request.

mod broken_responses;
mod response_framing;
mod strict_responses;
mod stale_connections;
mod errands;
mod deadlines;
mod early_responses;
mod tls;
mod function;
mod destination_shares;
mod slots;
mod surplus_bytes;
mod own_certificates;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::{Answer, Client, PATIENCE};
use crate::support::directory::{Directory, http_proxy, route};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::{Gateway, options};
use Expect::{Cut, Refused, RefusedOrCut, Whole};

pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const MEGABYTE: usize = 1_000_000;
/// Far more than any timeout that a test sets, far less than the default one.
const SOON: Duration = Duration::from_secs(8);

/// What the endpoint does after it has sent its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Keep,
    Close,
    Reset,
    /// Silence, until the gateway ends the connection.
    Stall,
}

/// What the client must get.
#[derive(Clone, Debug)]
enum Expect {
    /// A whole answer, and the first bytes of its body.
    Whole(u16, Vec<u8>),
    /// One of these refusals.
    Refused(&'static [u16]),
    /// Status 200 and an end that can be seen not to be one.
    Cut,
    /// One or the other.
    RefusedOrCut(&'static [u16]),
}

struct Fault {
    name: &'static str,
    sends: Vec<u8>,
    then: Then,
    timeout: u64,
    expect: Expect,
}

fn fault(name: &'static str, sends: impl AsRef<[u8]>, then: Then, expect: Expect) -> Fault {
    Fault {
        name,
        sends: sends.as_ref().to_vec(),
        then,
        timeout: 15_000,
        expect,
    }
}

fn within(timeout: u64, fault: Fault) -> Fault {
    Fault { timeout, ..fault }
}

fn whole(status: u16, body: impl AsRef<[u8]>) -> Expect {
    Whole(status, body.as_ref().to_vec())
}

fn head(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n")
}

fn with(fields: &str, body: &[u8]) -> Vec<u8> {
    [head(fields).as_bytes(), body].concat()
}

/// `/fault` goes to one address, with a timeout, and `/ok` to another.
pub fn files(fault: &str, timeout: u64, ok: SocketAddr) -> Vec<(&'static str, Value)> {
    let mut integration = http_proxy(fault);
    integration["TimeoutInMillis"] = json!(timeout);
    vec![
        ("stages/$default.json", json!({"Name": "$default"})),
        ("routes/fault.json", route("ANY /fault", "fault")),
        ("routes/ok.json", route("ANY /ok", "ok")),
        ("integrations/fault.json", integration),
        ("integrations/ok.json", http_proxy(format!("http://{ok}/ok"))),
    ]
}

fn serve(endpoint: &Endpoint, timeout: u64) -> Gateway {
    let uri = format!("http://{}/fault", endpoint.address);
    let directory = Directory::of(&files(&uri, timeout, endpoint.address));
    let mut options = options(&directory);
    // Each loop keeps connections of its own, and tests count them.
    options.loops = options.loops.min(1);
    Gateway::start(directory, options)
}

/// Does what the fault says for `/fault`, and answers all else.
fn failing(sends: Vec<u8>, then: Then) -> Endpoint {
    Endpoint::start(move |stream, recorded| {
        if !recorded.line().contains("/fault") {
            let _ = stream.write_all(OK.as_bytes());
            return Next::KeepAlive;
        }
        let _ = stream.write_all(&sends);
        match then {
            Then::Keep => Next::KeepAlive,
            Then::Close => Next::Close,
            Then::Reset => Next::Reset,
            Then::Stall => {
                let _ = stream.set_read_timeout(Some(PATIENCE));
                let _ = stream.read(&mut [0]);
                Next::Close
            }
        }
    })
}

fn request(method: &str, target: &str) -> String {
    let body = if method == "POST" {
        "Content-Length: 4\r\n\r\nbody"
    } else {
        "\r\n"
    };
    format!("{method} {target} HTTP/1.1\r\nHost: gw.test\r\n{body}")
}

fn check(expect: &Expect, answer: &Answer) -> Result<(), String> {
    let refused = |statuses: &[u16]| {
        let message = match answer.status {
            500 => r#"{"message":"Internal Server Error"}"#,
            503 => r#"{"message":"Service Unavailable"}"#,
            _ => "",
        };
        statuses.contains(&answer.status)
            && answer.text() == message
            && answer.complete
            && answer.header("content-type") == Some("application/json")
            && answer.header("apigw-requestid").is_some()
    };
    let is_cut = answer.status == 200 && !answer.complete;
    let holds = match expect {
        Whole(status, body) => answer.status == *status && answer.body == *body && answer.complete,
        Refused(statuses) => refused(statuses),
        Cut => is_cut,
        RefusedOrCut(statuses) => refused(statuses) || is_cut,
    };
    if holds {
        return Ok(());
    }
    let shown: String = answer.text().chars().take(80).collect();
    let (got, length) = (answer.status, answer.body.len());
    let expected: String = format!("{expect:?}").chars().take(60).collect();
    Err(format!(
        "expected {expected}; got {got}, {length} bytes, complete: {}, {shown:?}",
        answer.complete
    ))
}

/// The requests after a fault are answered by their own answers.
fn check_next(gateway: &Gateway) -> Result<(), String> {
    let mut client = Client::connect(gateway.address);
    for method in ["GET", "POST", "GET"] {
        let answer = client.send(request(method, "/ok")).answer_to(method);
        check(&whole(200, "ok"), &answer).map_err(|error| format!("the {method} after it: {error}"))?;
    }
    Ok(())
}

/// Meets each fault with a GET and a POST, on a new and on a kept connection upstream.
fn run(faults: Vec<Fault>) {
    let mut failures = Vec::new();
    for fault in faults {
        let endpoint = failing(fault.sends.clone(), fault.then);
        for (method, is_warm) in [("GET", false), ("GET", true), ("POST", true)] {
            let gateway = serve(&endpoint, fault.timeout);
            if is_warm {
                assert_eq!(gateway.get("/ok").text(), "ok");
            }
            let start = Instant::now();
            let mut client = Client::connect(gateway.address);
            let answer = client.send(request(method, "/fault")).answer_to(method);
            let mut outcome = check(&fault.expect, &answer);
            if start.elapsed() > SOON {
                outcome = outcome.and(Err(format!("took {:?}", start.elapsed())));
            }
            if let Err(error) = outcome.and_then(|()| check_next(&gateway)) {
                failures.push(format!("{}, {method}, warm: {is_warm}: {error}", fault.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
}
