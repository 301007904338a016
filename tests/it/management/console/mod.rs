//! These tests speak to the console's own calls, as its page does (N1–N9, N20).

mod serving;
mod guards;
mod calls;
mod requests;
mod bounds;
mod redaction;
mod events;
mod sending;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use apigateway::data_plane::capture::Mode;
use apigateway::platform::clock::Clock;
use apigateway::server::Options;
use serde_json::{Value, json};

use crate::support::calls::ControlPlane;
use crate::support::client::{self, Answer, Client, PATIENCE};
use crate::support::directory::{Directory, http_proxy, route};
use crate::support::endpoint::Endpoint;

/// A gateway with a console, and what its API calls.
struct Console {
    plane: ControlPlane,
    endpoint: Endpoint,
}

impl Console {
    /// Passes everything on to what answers `ok`.
    fn start() -> Console {
        Console::with(Endpoint::ok(), |_| {})
    }

    /// The same, which captures heads and bodies though no page watches.
    fn capturing() -> Console {
        Console::with(Endpoint::ok(), |options| options.console.capture = Mode::Always)
    }

    fn with(endpoint: Endpoint, change: impl FnOnce(&mut Options)) -> Console {
        let directory = everything(&endpoint);
        Console::of(directory, endpoint, change)
    }

    fn of(directory: Directory, endpoint: Endpoint, change: impl FnOnce(&mut Options)) -> Console {
        let plane = ControlPlane::start(directory, |options| {
            // Requests are told apart by their ids.
            options.settings.clock = Clock::system();
            change(options);
        });
        Console { plane, endpoint }
    }

    /// Two routes of which one outranks the other.
    fn with_pets() -> Console {
        let endpoint = Endpoint::ok();
        let uri = format!("http://{}/", endpoint.address);
        let directory = Directory::of(&[
            ("stages/$default.json", json!({})),
            ("integrations/pets.json", http_proxy(&uri)),
            ("routes/any.json", route("ANY /{proxy+}", "pets")),
            ("routes/pet.json", route("GET /pets/{id}", "pets")),
        ]);
        Console::of(directory, endpoint, |options| options.console.capture = Mode::Always)
    }

    fn admin(&self) -> SocketAddr {
        self.plane.admin
    }

    fn api(&self) -> SocketAddr {
        self.plane.gateway.address
    }

    /// A call as the page sends it; the path is below `/console/api/`.
    fn call(&self, method: &str, path: &str, content: &str) -> Answer {
        let head = format!(
            "{method} /console/api/{path} HTTP/1.1\r\nHost: {}\r\nX-Apigateway-Console: 1\r\nContent-Length: {}\r\n\r\n",
            self.admin(),
            content.len()
        );
        client::exchange(self.admin(), head + content)
    }

    fn json(&self, method: &str, path: &str, content: &Value) -> Value {
        let content = if content.is_null() {
            String::new()
        } else {
            content.to_string()
        };
        let answer = self.call(method, path, &content);
        assert_eq!(answer.status, 200, "{method} {path} {content}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    fn get(&self, path: &str) -> Value {
        self.json("GET", path, &Value::Null)
    }

    /// A request to the API.
    fn request(&self, request: impl AsRef<[u8]>) -> Answer {
        client::exchange(self.api(), request)
    }

    fn summaries(&self) -> Vec<Value> {
        self.get("requests").as_array().unwrap().clone()
    }

    /// What is captured of the request that has this answer. Its end may be noted a moment after the client has it.
    fn captured(&self, answer: &Answer) -> Value {
        let id = answer.header("apigw-requestid").unwrap();
        let path = format!("requests/{id}");
        let mut found = Value::Null;
        eventually(|| {
            found = self.get(&path);
            found["state"] == "done"
        });
        found
    }

    /// Opens a stream of events, and reads its head.
    fn events(&self, fields: &str) -> Events {
        let mut client = Client::connect(self.admin());
        client.send(format!(
            "GET /console/api/events HTTP/1.1\r\nHost: {}\r\n{fields}\r\n",
            self.admin()
        ));
        let mut events = Events {
            client,
            seen: Vec::new(),
            at: 0,
        };
        events.read_until("\n\n");
        events
    }
}

/// An API that passes everything to `/` of an endpoint.
fn everything(endpoint: &Endpoint) -> Directory {
    Directory::of(&[
        ("stages/$default.json", json!({})),
        (
            "integrations/all.json",
            http_proxy(format!("http://{}/", endpoint.address)),
        ),
        ("routes/all.json", route("$default", "all")),
    ])
}

/// A stream of events.
struct Events {
    client: Client,
    seen: Vec<u8>,
    at: usize,
}

/// One event.
#[derive(Clone, Debug)]
struct Event {
    id: Option<u64>,
    name: String,
    data: Value,
}

impl Events {
    fn read_until(&mut self, text: &str) {
        self.client.read_until(&mut self.seen, text);
    }

    fn head(&self) -> String {
        let text = String::from_utf8_lossy(&self.seen).into_owned();
        text.split("\r\n\r\n").next().unwrap().to_owned()
    }

    /// The next event; comments are left out.
    fn next(&mut self) -> Event {
        loop {
            let text = String::from_utf8_lossy(&self.seen).into_owned();
            let mut events = text.match_indices("event: ").skip(self.at);
            if let Some((start, _)) = events.next()
                && let Some(length) = text[start..].find("\n\n")
            {
                self.at += 1;
                let mut lines = text[start..start + length].lines();
                let name = lines.next().unwrap().strip_prefix("event: ").unwrap();
                let data = lines.next().unwrap().strip_prefix("data: ").unwrap();
                assert_eq!(lines.next(), None, "data is one line");
                let before = text[..start].lines().last().unwrap_or_default();
                return Event {
                    id: before.strip_prefix("id: ").map(|id| id.parse().unwrap()),
                    name: name.to_owned(),
                    data: serde_json::from_str(data).unwrap(),
                };
            }
            let more = self.client.next_bytes();
            assert!(!more.is_empty(), "the stream ended: {text}");
            self.seen.extend_from_slice(&more);
        }
    }
}

/// Waits until something holds, which it does soon.
fn eventually(mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "it does not hold in time");
        std::thread::sleep(Duration::from_millis(2));
    }
}
