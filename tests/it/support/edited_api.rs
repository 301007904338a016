//! An API of one route for tests that edit or stop it, with an endpoint that answers late when it is told to.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::{Client, PATIENCE};
use crate::support::directory::{Directory, http_proxy, route};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::{Gateway, options};

/// An edit takes effect within a second; the machine may be slow.
pub const SOON: Duration = Duration::from_secs(5);

/// As before, but an answer to `/slow…` waits until the test says so.
pub fn telling_slowly() -> (Endpoint, Sender<()>) {
    let (go_on, waiting) = channel();
    let waiting = Mutex::new(waiting);
    let endpoint = Endpoint::start(move |stream, recorded| {
        let target = recorded.request().split_once(' ').unwrap().1;
        if target.starts_with("/slow") && waiting.lock().unwrap().recv_timeout(PATIENCE).is_err() {
            return Next::Close;
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len());
        let _ = stream.write_all(answer.as_bytes());
        Next::KeepAlive
    });
    (endpoint, go_on)
}

pub fn integration(endpoint: &Endpoint, version: &str) -> String {
    http_proxy(format!("http://{}/{version}", endpoint.address)).to_string()
}

/// `GET /a` goes to `/v1` of the endpoint.
pub fn files(endpoint: &Endpoint) -> Vec<(&'static str, Value)> {
    vec![
        ("stages/$default.json", json!({"Name": "$default"})),
        ("routes/a.json", route("GET /a", "up")),
        (
            "integrations/up.json",
            http_proxy(format!("http://{}/v1", endpoint.address)),
        ),
    ]
}

pub fn served() -> (Endpoint, Gateway) {
    let endpoint = Endpoint::telling_the_target();
    let directory = Directory::of(&files(&endpoint));
    let mut options = options(&directory);
    // An address of its own, so that nobody else listens there once it has stopped. Linux has millions for the loopback.
    if cfg!(target_os = "linux") {
        options.listen = "127.0.0.54:0".to_owned();
    }
    let gateway = Gateway::start(directory, options);
    assert_eq!(gateway.get("/a").text(), "/v1");
    (endpoint, gateway)
}

/// An API whose route goes to `/slow` of the endpoint, which answers there when the sender says so.
pub fn served_slowly() -> (Endpoint, Sender<()>, Gateway) {
    let (endpoint, go_on) = telling_slowly();
    let gateway = Gateway::serve(&files(&endpoint));
    point_to(&gateway, &endpoint, "slow");
    gateway.server.reload();
    (endpoint, go_on, gateway)
}

/// A client whose request waits at `/slow`.
pub fn waiting_client(gateway: &Gateway, endpoint: &Endpoint) -> Client {
    let mut client = Client::connect(gateway.address);
    client.send("GET /a HTTP/1.1\r\nHost: gw.test\r\n\r\n");
    assert_eq!(endpoint.next().request(), "GET /slow");
    client
}

/// Edits the integration, so that it goes to that path of the endpoint.
pub fn point_to(gateway: &Gateway, endpoint: &Endpoint, version: &str) {
    gateway
        .directory
        .write("integrations/up.json", &integration(endpoint, version));
}

/// Whether a new connection is refused.
pub fn is_refused(address: std::net::SocketAddr) -> bool {
    TcpStream::connect(address).is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}
