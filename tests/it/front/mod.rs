//! These tests are clients: they check bytes in both directions, limits, and what happens to connections at a stop.

mod bodies;
mod limits;
mod keep_alive;
mod loops;
mod long_responses;
mod pipelining;
mod http_1_0;
mod refusals;
mod slow_clients;
mod client_disconnects;
mod memory;
mod drain;
mod hostile;
mod overload;
mod https;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::Value;

use crate::support::client::{Answer, Client, PATIENCE, get};
use crate::support::directory::{Directory, pass_everything, route};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::{Gateway, options};
use crate::support::wait::wait_until;

const TEN_MIB: usize = 10 * 1024 * 1024;

fn serve(endpoint: &Endpoint) -> Gateway {
    Gateway::serve(&pass_everything(endpoint.address))
}

/// One route, so that all else is not found.
fn with_one_route(endpoint: &Endpoint) -> Gateway {
    let mut files: Vec<(&str, Value)> = pass_everything(endpoint.address);
    files[1].1 = route("ANY /{proxy}", "up");
    Gateway::serve(&files)
}

/// Whether the gateway has ended the connection, and sends nothing more.
fn ended(client: &mut Client) -> bool {
    match client.stream.read(&mut [0; 1024]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// A connection of a client that answers say is kept can take another request; else it is closed.
fn check_next(client: &mut Client, answer: &Answer, what: &str) {
    match answer.header("connection") {
        Some("close") => assert!(ended(client), "{what}: not closed"),
        _ => {
            let next = client
                .send("GET /next HTTP/1.1\r\nHost: gw.test\r\n\r\n")
                .answer_to("GET");
            assert_eq!((next.status, next.text().as_str()), (200, "/next"), "{what}");
        }
    }
}

fn message(text: &str) -> String {
    format!("{{\"message\":\"{text}\"}}")
}

fn assert_refused(answer: &Answer, status: u16, text: &str, what: &str) {
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (status, message(text).as_str()),
        "{what}"
    );
    assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
    assert!(answer.complete, "{what}");
}

pub const GET: &str = "GET /one HTTP/1.1\r\nHost: gw.test\r\n\r\n";
/// More than sockets and their buffers hold, less than what is kept for a slow client.
const LARGE: usize = 9 * 1024 * 1024;

pub fn number(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

/// A gateway whose options are changed.
pub fn serve_with(endpoint: &Endpoint, change: impl FnOnce(&mut apigateway::server::Options)) -> Gateway {
    let directory = Directory::of(&pass_everything(endpoint.address));
    let mut options = options(&directory);
    change(&mut options);
    Gateway::start(directory, options)
}

/// Answers `/held` when it is told to, and everything else at once with its target.
pub fn holding() -> (Endpoint, Sender<()>) {
    let (release, released) = channel();
    let released: Mutex<Receiver<()>> = Mutex::new(released);
    let endpoint = Endpoint::start(move |stream, recorded| {
        let target = recorded.request().split_once(' ').unwrap().1;
        if target.starts_with("/held") {
            let _ = released.lock().unwrap().recv_timeout(PATIENCE);
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len());
        let _ = stream.write_all(answer.as_bytes());
        Next::KeepAlive
    });
    (endpoint, release)
}

/// Answers every request with that content.
fn giving(body: Vec<u8>) -> Endpoint {
    Endpoint::start(move |stream, recorded| {
        let answer = if recorded.request().ends_with("/one") {
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n/one".to_vec()
        } else {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            [head.as_bytes(), &body].concat()
        };
        let _ = stream.write_all(&answer);
        Next::KeepAlive
    })
}

pub fn assert_one(answer: &Answer) {
    assert_eq!((answer.status, answer.text().as_str()), (200, "/one"));
}

/// All that comes until the end, and whether the end was a plain one.
fn rest(client: &mut Client) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let result = client.stream.read_to_end(&mut bytes);
    (bytes, result.is_ok())
}

/// Waits until so many requests wait for a worker.
pub fn wait_until_queued(gateway: &Gateway, count: usize) {
    let admin = gateway.server.admin_addr().unwrap();
    let line = format!("apigateway_queue_depth {count}");
    wait_until("queued", || {
        get(admin, "/metrics").text().lines().any(|found| found == line)
    });
}

fn is_reset(stream: &TcpStream) -> bool {
    // Writing does not take anything out of the socket.
    (&*stream).write(b"x").is_err()
}
