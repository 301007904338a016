//! A client that goes before it has its answer ends its request: what waits is not begun, what is under way ends, and
//! both are counted and logged with 499.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use apigateway::data_plane::access_log::Destination;
use apigateway::front::listener_limits::{HALF_CLOSE_TIME, WORTH_A_LOOK};
use apigateway::server::Options;
use rustix::net::sockopt::set_socket_linger;
use serde_json::{Value, json};

use super::{holding, number, serve_with, wait_until_queued};
use crate::support::client::{Client, PATIENCE, get};
use crate::support::directory::{Directory, lambda_proxy, pass_everything};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::{Gateway, options};
use crate::support::metrics::metrics_at;

#[test]
fn requests_of_clients_that_are_gone_are_not_carried_out() {
    let (endpoint, release) = holding();
    let gateway = serve_with(&endpoint, |options| {
        // Requests that wait for a worker are the subject.
        options.loops = 0;
        options.workers = number(1);
        options.admin = Some("127.0.0.1:0".to_owned());
    });
    let post = |target: &str| format!("POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
    let mut held = Client::connect(gateway.address);
    held.send(post("/held"));
    assert_eq!(endpoint.next().request(), "POST /held");
    let mut gone = Client::connect(gateway.address);
    gone.send(post("/gone"));
    let mut half = Client::connect(gateway.address);
    half.send(post("/half"));
    half.stream.shutdown(Shutdown::Write).unwrap();
    wait_until_queued(&gateway, 2);
    set_socket_linger(&gone.stream, Some(Duration::ZERO)).unwrap();
    drop(gone);
    // Who has hardly waited is not looked after.
    thread::sleep(2 * WORTH_A_LOOK);
    release.send(()).unwrap();
    assert_eq!(held.answer_to("POST").text(), "/held");
    assert_eq!(half.answer_to("POST").text(), "/half");
    let others: Vec<_> = endpoint.rest().iter().map(|other| other.line().to_owned()).collect();
    assert_eq!(others, ["POST /half HTTP/1.1"]);
}

/// Far less than any timeout that would end an exchange, and far more than the second within which it ends.
const SOON: Duration = Duration::from_secs(8);

/// How a client goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    /// It resets its connection.
    Reset,
    /// It closes it, which looks like an end of its side alone.
    Close,
}

fn leave(client: Client, how: Leave) {
    if how == Leave::Reset {
        set_socket_linger(&client.stream, Some(Duration::ZERO)).unwrap();
    }
    drop(client);
}

/// A gateway with a log of statuses and paths, and with its management pages.
struct Scene {
    gateway: Gateway,
    log: PathBuf,
}

impl Scene {
    fn of(mut files: Vec<(&'static str, Value)>, change: impl FnOnce(&mut Options)) -> Scene {
        let stage = json!({"Name": "$default", "AccessLogSettings": {"Format": "$context.status $context.path $context.requestId"}});
        files.retain(|(path, _)| *path != "stages/$default.json");
        files.push(("stages/$default.json", stage));
        let directory = Directory::of(&files);
        let log = directory.path().join("access.log");
        let mut options = options(&directory);
        options.access_log = Destination::File(log.clone());
        options.admin = Some("127.0.0.1:0".to_owned());
        change(&mut options);
        let gateway = Gateway::start(directory, options);
        Scene { gateway, log }
    }

    fn metric(&self, name: &str) -> f64 {
        metrics_at(self.gateway.server.admin_addr().unwrap())[name]
    }

    fn wait_for(&self, metric: &str, value: f64) {
        let until = Instant::now() + PATIENCE;
        while (self.metric(metric) - value).abs() > 0.1 {
            assert!(
                Instant::now() < until,
                "{metric} is {}, not {value}",
                self.metric(metric)
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn client(&self, request: &str) -> Client {
        let mut client = Client::connect(self.gateway.address);
        client.send(request);
        client
    }

    /// The lines of the log without the ids, sorted.
    fn end(self) -> Vec<String> {
        self.gateway.server.stop(PATIENCE);
        let text = std::fs::read_to_string(self.log).unwrap();
        let mut lines: Vec<String> = text
            .lines()
            .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
            .collect();
        lines.sort();
        lines
    }
}

const ABANDONED: &str = "apigateway_requests_abandoned_total";

fn request(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: gw.test\r\n\r\n")
}

/// Sends these bytes for each request but those for `/ok`, and then nothing; tells when the gateway has ended the
/// connection.
fn stalling(bytes: Vec<u8>) -> (Endpoint, Receiver<()>) {
    let (sender, ended) = channel();
    let endpoint = Endpoint::start(move |stream, recorded| {
        if recorded.request() == "GET /ok" {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                .unwrap();
            return Next::KeepAlive;
        }
        let _ = stream.write_all(&bytes);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.read(&mut [0]);
        let _ = sender.send(());
        Next::Close
    });
    (endpoint, ended)
}

/// Contract §3: a queued request is not begun; a FIN right behind a request is a half-close.
#[test]
fn a_request_that_waits_for_a_worker_is_not_begun_for_nobody() {
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let endpoint = Endpoint::start(move |stream, recorded| {
        if recorded.request() == "GET /held" {
            let _ = released.lock().unwrap().recv_timeout(PATIENCE);
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Next::KeepAlive
    });
    let scene = Scene::of(pass_everything(endpoint.address), |options| {
        // Requests that wait for a worker are the subject.
        options.loops = 0;
        options.workers = 1.try_into().unwrap();
    });
    let mut held = scene.client(&request("/held"));
    assert_eq!(endpoint.next().request(), "GET /held");
    let mut half = scene.client(&request("/half"));
    half.stream.shutdown(Shutdown::Write).unwrap();
    let reset = scene.client(&request("/reset"));
    let closed = scene.client(&request("/closed"));
    scene.wait_for("apigateway_queue_depth", 3.0);
    // An end so soon behind the request would be a half-close.
    thread::sleep(2 * HALF_CLOSE_TIME);
    leave(reset, Leave::Reset);
    leave(closed, Leave::Close);
    // Until the gateway's system has both.
    thread::sleep(HALF_CLOSE_TIME);
    release.send(()).unwrap();
    assert_eq!(held.answer_to("GET").status, 200);
    assert_eq!(half.answer_to("GET").status, 200);
    scene.wait_for(ABANDONED, 2.0);
    assert_eq!(endpoint.next().request(), "GET /half");
    assert!(endpoint.rest().is_empty());
    assert_eq!(scene.end(), ["200 /half", "200 /held", "499 /closed", "499 /reset"]);
}

/// Contract §3: the exchange and the upstream's connection end within a second.
#[test]
fn an_exchange_ends_when_its_client_is_gone() {
    // What is read of an answer is counted by this.
    let marks = |count: usize| "!".repeat(count);
    let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n!\r\n";
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n{}", marks(200_000));
    let begun = format!("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n{}", marks(20_000));
    for (what, bytes, how) in [
        ("before a head", "", Leave::Reset),
        ("inside a head", "HTTP/1.1 200 OK\r\nX: ", Leave::Reset),
        (
            "inside a small body",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
            Leave::Reset,
        ),
        ("in a body that has begun", &begun, Leave::Reset),
        ("in a body that has begun, by a close", &begun, Leave::Close),
        ("in a long body", &long, Leave::Reset),
        ("in a long body, by a close", &long, Leave::Close),
        ("in an event stream", events, Leave::Reset),
        ("in an event stream, by a close", events, Leave::Close),
    ] {
        let (endpoint, ended) = stalling(bytes.as_bytes().to_vec());
        let scene = Scene::of(pass_everything(endpoint.address), |_| {});
        let mut client = scene.client(&request("/slow"));
        endpoint.next();
        // All of it: what is left unread would turn a close into a reset.
        let mut left = bytes.matches('!').count();
        while left > 0 {
            left -= client.next_bytes().iter().filter(|byte| **byte == b'!').count();
        }
        leave(client, how);
        assert!(
            ended.recv_timeout(SOON).is_ok(),
            "{what}: the upstream's connection goes on"
        );
        scene.wait_for(ABANDONED, 1.0);
        scene.wait_for("apigateway_workers_busy", 0.0);
        assert_eq!(get(scene.gateway.address, "/ok").status, 200, "{what}");
        assert_eq!(scene.end(), ["200 /ok", "499 /slow"], "{what}");
    }
}

/// An integration that sends all the time is never waited for, and its client may go all the same.
#[test]
fn an_answer_that_never_pauses_ends_when_its_client_is_gone() {
    for head in [
        "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked",
    ] {
        let (sender, ended) = channel();
        let endpoint = Endpoint::start(move |stream, _| {
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes());
            let until = Instant::now() + PATIENCE;
            while Instant::now() < until && stream.write_all(b"1\r\n!\r\n").is_ok() {
                // The pace is the subject here.
                thread::sleep(Duration::from_millis(50));
            }
            let _ = sender.send(Instant::now() < until);
            Next::Close
        });
        let scene = Scene::of(pass_everything(endpoint.address), |_| {});
        let mut client = scene.client(&request("/ticks"));
        assert!(client.next_bytes().starts_with(b"HTTP/1.1 200 "));
        // Its system goes on to take what comes, so that nothing but the end tells of it.
        client.stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(ended.recv_timeout(2 * PATIENCE), Ok(true), "{head}");
        scene.wait_for(ABANDONED, 1.0);
        assert_eq!(scene.end(), ["499 /ticks"]);
    }
}

/// Who goes in the middle of its request is gone too; who ends its side there can still read why it is refused.
#[test]
fn a_client_that_resets_its_upload_is_logged_as_gone() {
    let endpoint = Endpoint::ok();
    let scene = Scene::of(pass_everything(endpoint.address), |_| {});
    let upload = |target: &str| format!("POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
    let mut ended = scene.client(&upload("/ended"));
    ended.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(ended.answer_to("POST").status, 400);
    leave(scene.client(&upload("/reset")), Leave::Reset);
    scene.wait_for(ABANDONED, 1.0);
    assert_eq!(scene.end(), ["400 /ended", "499 /reset"]);
    assert!(endpoint.rest().is_empty());
}

/// Contract §3: who ends its side with its request, or before the head of its answer, still reads the answer.
#[test]
fn who_has_only_ended_its_side_gets_its_answer() {
    let parts = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "ok"),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
            "data: 1\n\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "2\r\nok\r\n0\r\n\r\n",
        ),
    ];
    for (head, body) in parts {
        let endpoint = Endpoint::start(move |stream, _| {
            // Longer than it takes until it is looked whether the client is there; the wait is the subject here.
            for part in [head, body] {
                thread::sleep(Duration::from_millis(700));
                stream.write_all(part.as_bytes()).unwrap();
            }
            Next::Close
        });
        let scene = Scene::of(pass_everything(endpoint.address), |_| {});
        let mut client = scene.client(&request("/slow"));
        client.stream.shutdown(Shutdown::Write).unwrap();
        let answer = client.answer_to("GET");
        assert_eq!(answer.status, 200);
        assert!(answer.complete && !answer.body.is_empty(), "{head}");
        assert!(scene.metric(ABANDONED) < 0.1);
        assert_eq!(scene.end(), ["200 /slow"]);
    }
}

/// An upstream that takes no connection, nor the content of a request, is not waited for either.
#[test]
fn a_client_that_is_gone_ends_the_wait_to_connect_and_to_send() {
    // The kernel's queue of a listener that never accepts is full after some connections.
    let full = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let address = full.local_addr().unwrap();
    let mut fillers = Vec::new();
    while let Ok(filler) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        fillers.push(filler);
        assert!(fillers.len() < 100, "the queue has no end");
    }
    let scene = Scene::of(pass_everything(address), |_| {});
    let client = scene.client(&request("/connects"));
    scene.wait_for("apigateway_requests_in_flight", 1.0);
    leave(client, Leave::Reset);
    let start = Instant::now();
    scene.wait_for("apigateway_requests_in_flight", 0.0);
    assert!(start.elapsed() < SOON);
    assert_eq!(scene.end(), ["499 /connects"]);

    // Nobody reads what is sent.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let scene = Scene::of(pass_everything(silent.local_addr().unwrap()), |_| {});
    let body = vec![b'x'; 9_000_000];
    let head = format!(
        "POST /sends HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut client = Client::connect(scene.gateway.address);
    client.send(head).send(&body);
    let (accepted, _) = silent.accept().unwrap();
    leave(client, Leave::Reset);
    let start = Instant::now();
    scene.wait_for("apigateway_requests_in_flight", 0.0);
    assert!(start.elapsed() < SOON);
    drop(accepted);
    assert_eq!(scene.end(), ["499 /sends"]);
}

/// A long answer that waits for its turn keeps nothing for a client that is gone.
#[test]
fn an_answer_that_waits_for_its_turn_ends_with_its_client() {
    let long = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n{}",
        "x".repeat(300_000)
    );
    let (endpoint, ended) = stalling(long.into_bytes());
    let scene = Scene::of(pass_everything(endpoint.address), |options| {
        // Turns of workers are the subject.
        options.loops = 0;
        options.workers = 8.try_into().unwrap();
    });
    // Five have a turn: of eight workers six may, and one of these is left to other destinations.
    let clients: Vec<Client> = (0..7)
        .map(|number| {
            let mut client = scene.client(&request(&format!("/{number}")));
            endpoint.next();
            // All that comes of it before its turn, or with it.
            let mut beginning = vec![0; 60_000];
            client.stream.read_exact(&mut beginning).unwrap();
            client
        })
        .collect();
    scene.wait_for("apigateway_workers_busy", 5.0);
    assert!(ended.try_recv().is_err());
    let mut clients = clients.into_iter().rev();
    leave(clients.next().unwrap(), Leave::Reset);
    assert!(ended.recv_timeout(SOON).is_ok());
    scene.wait_for(ABANDONED, 1.0);
    scene.wait_for("apigateway_workers_busy", 5.0);
    for client in clients {
        leave(client, Leave::Close);
    }
    scene.wait_for(ABANDONED, 7.0);
}

/// Contract §3: a function's invocation that has begun runs on.
#[test]
fn an_invocation_that_has_begun_runs_on() {
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let (sender, outcomes) = channel();
    let function = Endpoint::start(move |stream, _| {
        let _ = released.lock().unwrap().recv_timeout(PATIENCE);
        let sent = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"statusCode\":200}");
        // Who had ended the connection would have it reset by this.
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let has_ended = matches!(stream.read(&mut [0]), Ok(0)) || sent.is_err();
        let _ = sender.send(has_ended);
        Next::Close
    });
    let files = vec![
        (
            "routes/f.json",
            json!({"RouteKey": "ANY /f", "Target": "integrations/f"}),
        ),
        ("integrations/f.json", lambda_proxy("f", "2.0")),
        (
            "functions/f.json",
            json!({"InvokeUri": format!("http://{}/", function.address)}),
        ),
    ];
    let scene = Scene::of(files, |_| {});
    let client = scene.client(&request("/f"));
    function.next();
    leave(client, Leave::Reset);
    // Longer than it takes until it is looked whether the client is there; the wait is the subject here.
    thread::sleep(Duration::from_millis(1_200));
    release.send(()).unwrap();
    assert_eq!(outcomes.recv_timeout(PATIENCE), Ok(false), "the invocation was cut");
    scene.wait_for(ABANDONED, 1.0);
    assert_eq!(scene.end(), ["499 /f"]);
}
