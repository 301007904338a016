//! Responses of more than 64 KiB and event streams: whole for every client, and with loops without a worker.

use std::io::Write;
use std::net::{Shutdown, SocketAddr};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use apigateway::server::Options;
use serde_json::json;

use super::{GET, assert_one, number, rest, serve_with};
use crate::support::client::{Client, PATIENCE, get};
use crate::support::content::{chunked, content};
use crate::support::directory::{Directory, http_proxy, lambda_proxy, route};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::{Gateway, options};
use crate::support::metrics::metrics_at;

/// More than one turn of a loop, and than one reading.
const LENGTH: usize = 3_000_000;
const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// How the end of a response is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length,
    Chunks,
    Close,
}

/// How a client asks for it and takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taker {
    AtOnce,
    /// It reads when the integration has sent everything.
    Late,
    /// It has ended its side.
    HalfClosed,
    /// It speaks HTTP/1.0.
    Old,
    Head,
}

/// Answers `/one` at once, and everything else with that content, `/told` once it is told to; tells when it has sent it.
fn framed(framing: Framing, body: &[u8]) -> (Endpoint, Receiver<bool>, Sender<()>) {
    let (sender, sent) = channel();
    let (tell, told) = channel();
    let told = Mutex::new(told);
    let body = body.to_vec();
    let endpoint = Endpoint::start(move |stream, recorded| {
        if recorded.request().ends_with("/one") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n/one");
            return Next::KeepAlive;
        }
        if recorded.request().ends_with("/told") {
            let _ = told.lock().unwrap().recv_timeout(PATIENCE);
        }
        let (field, coded) = match framing {
            Framing::Length => (format!("Content-Length: {}\r\n", body.len()), body.clone()),
            Framing::Chunks => ("Transfer-Encoding: chunked\r\n".to_owned(), chunked(&body, 10_000)),
            Framing::Close => ("Connection: close\r\n".to_owned(), body.clone()),
        };
        let mut answer = format!("HTTP/1.1 200 OK\r\n{field}\r\n").into_bytes();
        if !recorded.request().starts_with("HEAD") {
            answer.extend_from_slice(&coded);
        }
        let _ = sender.send(stream.write_all(&answer).is_ok());
        match framing {
            Framing::Close => Next::Close,
            _ => Next::KeepAlive,
        }
    });
    (endpoint, sent, tell)
}

#[test]
fn each_client_gets_the_whole_response_and_what_it_asks_for_next() {
    let body = content(LENGTH);
    for framing in [Framing::Length, Framing::Chunks, Framing::Close] {
        let (endpoint, sent, tell) = framed(framing, &body);
        let gateway = serve_with(&endpoint, |_| {});
        for taker in [
            Taker::AtOnce,
            Taker::Late,
            Taker::HalfClosed,
            Taker::Old,
            Taker::Head,
            Taker::AtOnce,
        ] {
            let what = format!("{framing:?} {taker:?}");
            let (method, version) = match taker {
                Taker::Head => ("HEAD", "1.1"),
                Taker::Old => ("GET", "1.0"),
                _ => ("GET", "1.1"),
            };
            let mut client = Client::connect(gateway.address);
            let target = if taker == Taker::HalfClosed { "/told" } else { "/large" };
            client.send(format!("{method} {target} HTTP/{version}\r\nHost: h\r\n\r\n{GET}"));
            if taker == Taker::HalfClosed {
                // Behind the head of its response the end of its side would say that it has gone.
                client.stream.shutdown(Shutdown::Write).unwrap();
                tell.send(()).unwrap();
            }
            if taker == Taker::Late {
                assert_eq!(sent.recv_timeout(PATIENCE), Ok(true), "{what}");
            }
            let answer = client.answer_to(method);
            assert_eq!(answer.status, 200, "{what}");
            if taker != Taker::Head {
                assert!(answer.complete && answer.body == body, "{what}: {}", answer.body.len());
            }
            if taker != Taker::Old {
                assert_one(&client.answer_to("GET"));
            }
        }
    }
}

/// An integration that is faster than a client waits for it once more than is kept has come.
#[test]
fn no_more_than_ten_megabytes_are_read_ahead_of_a_client() {
    const MUCH: usize = 64 * 1024 * 1024;
    let (sender, blocked) = channel();
    let body = content(MUCH);
    for framing in [Framing::Length, Framing::Chunks] {
        let (body, sender) = (body.clone(), sender.clone());
        let endpoint = Endpoint::start({
            let body = body.clone();
            move |stream, _| {
                let (field, coded) = match framing {
                    Framing::Length => (format!("Content-Length: {MUCH}"), body.clone()),
                    _ => ("Transfer-Encoding: chunked".to_owned(), chunked(&body, 60_000)),
                };
                let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n").as_bytes());
                stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
                let mut sent = 0;
                while sent < coded.len() {
                    match stream.write(&coded[sent..]) {
                        Ok(count) => sent += count,
                        // Nothing went for that time.
                        Err(_) => drop(sender.send(sent)),
                    }
                }
                Next::KeepAlive
            }
        });
        let gateway = serve_with(&endpoint, |_| {});
        let mut client = Client::connect(gateway.address);
        // By HTTP/1.0 the content comes as it is.
        client.send("GET /large HTTP/1.0\r\nHost: h\r\n\r\n");
        let sent = blocked.recv_timeout(PATIENCE).unwrap();
        assert!(sent < MUCH / 2, "{framing:?}: {sent} bytes were taken");
        let (got, is_whole) = rest(&mut client);
        assert!(is_whole && got.ends_with(&body), "{framing:?}: {}", got.len());
        while blocked.try_recv().is_ok() {}
    }
}

/// `/held` holds the only worker there is, everything else is answered by the other.
fn with_a_held_worker(held: SocketAddr, other: SocketAddr) -> (Gateway, Client) {
    let directory = Directory::of(&[
        ("stages/$default.json", json!({"Name": "$default"})),
        ("routes/held.json", route("ANY /held", "held")),
        ("integrations/held.json", lambda_proxy("held", "2.0")),
        (
            "functions/held.json",
            json!({"InvokeUri": format!("http://{held}/held")}),
        ),
        ("routes/other.json", route("$default", "other")),
        ("integrations/other.json", http_proxy(format!("http://{other}"))),
    ]);
    let mut options: Options = options(&directory);
    options.loops = 2;
    options.workers = number(1);
    options.admin = Some("127.0.0.1:0".to_owned());
    let gateway = Gateway::start(directory, options);
    let mut client = Client::connect(gateway.address);
    client.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
    (gateway, client)
}

/// Answers when it is told to.
fn held() -> (Endpoint, Sender<()>) {
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let endpoint = Endpoint::start(move |stream, _| {
        let _ = released.lock().unwrap().recv_timeout(PATIENCE);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"statusCode\":202}");
        Next::Close
    });
    (endpoint, release)
}

#[test]
fn no_worker_is_needed_for_a_long_response() {
    const CLIENTS: usize = 12;
    let body = content(LENGTH);
    for framing in [Framing::Length, Framing::Chunks, Framing::Close] {
        let (holding, release) = held();
        let (endpoint, sent, _tell) = framed(framing, &body);
        let (gateway, mut first) = with_a_held_worker(holding.address, endpoint.address);
        holding.next();
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::connect(gateway.address)).collect();
        for client in &mut clients {
            client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n").send(GET);
        }
        // None of them reads before all of them are sent.
        for _ in 0..CLIENTS {
            assert_eq!(sent.recv_timeout(PATIENCE), Ok(true), "{framing:?}");
        }
        assert_one(&get(gateway.address, "/one"));
        for client in &mut clients {
            let answer = client.answer_to("GET");
            assert!(answer.complete && answer.body == body, "{framing:?}");
            assert_one(&client.answer_to("GET"));
        }
        release.send(()).unwrap();
        assert_eq!(first.answer_to("GET").status, 202);
    }
}

/// Each event comes when it is sent, for more streams than there are workers.
#[test]
fn no_worker_is_needed_for_event_streams() {
    const STREAMS: usize = 20;
    let (holding, release) = held();
    let (tick, ticks) = channel::<()>();
    let ticks = Mutex::new(ticks);
    let endpoint = Endpoint::start(move |stream, recorded| {
        if recorded.request().ends_with("/one") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n/one");
            return Next::KeepAlive;
        }
        let _ = stream.write_all(EVENTS.as_bytes());
        while ticks.lock().unwrap().recv_timeout(PATIENCE).is_ok() {
            stream.write_all(b"1\r\n!\r\n").unwrap();
        }
        let _ = stream.write_all(b"0\r\n\r\n");
        Next::KeepAlive
    });
    let (gateway, mut first) = with_a_held_worker(holding.address, endpoint.address);
    holding.next();
    let mut clients: Vec<Client> = (0..STREAMS).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(client.next_bytes().starts_with(b"HTTP/1.1 200 "));
    }
    // One of them gets it, whichever that is.
    for _ in 0..3 * STREAMS {
        tick.send(()).unwrap();
    }
    let admin = gateway.server.admin_addr().unwrap();
    assert!((metrics_at(admin)["apigateway_workers_busy"] - 1.0).abs() < 0.1);
    assert_one(&get(gateway.address, "/one"));
    drop(tick);
    let mut events = 0;
    for client in &mut clients {
        let mut seen = Vec::new();
        client.read_until(&mut seen, "0\r\n\r\n");
        events += seen.iter().filter(|byte| **byte == b'!').count();
        assert_one(&client.send(GET).answer_to("GET"));
    }
    assert_eq!(events, 3 * STREAMS);
    release.send(()).unwrap();
    assert_eq!(first.answer_to("GET").status, 202);
}

/// The time of an integration bounds each wait for an event, and not the whole stream.
#[test]
fn an_event_stream_may_be_silent_now_and_then() {
    const TIMEOUT: u64 = 1_000;
    let endpoint = Endpoint::start(move |stream, recorded| {
        let _ = stream.write_all(EVENTS.as_bytes());
        for _ in 0..4 {
            // The pace is the subject here: less than the timeout, and in all more.
            thread::sleep(Duration::from_millis(TIMEOUT / 2));
            let _ = stream.write_all(b"1\r\n!\r\n");
        }
        if recorded.request().ends_with("/ends") {
            let _ = stream.write_all(b"0\r\n\r\n");
            return Next::KeepAlive;
        }
        thread::sleep(Duration::from_millis(TIMEOUT * 3));
        let _ = stream.write_all(b"1\r\n?\r\n0\r\n\r\n");
        Next::Close
    });
    let directory = Directory::of(&[
        ("stages/$default.json", json!({"Name": "$default"})),
        ("routes/all.json", route("$default", "all")),
        (
            "integrations/all.json",
            json!({"IntegrationType": "HTTP_PROXY", "IntegrationMethod": "ANY", "PayloadFormatVersion": "1.0",
                   "IntegrationUri": format!("http://{}", endpoint.address), "TimeoutInMillis": TIMEOUT}),
        ),
    ]);
    let options = options(&directory);
    let gateway = Gateway::start(directory, options);
    for (target, is_complete) in [("/ends", true), ("/hangs", false)] {
        let answer = get(gateway.address, target);
        assert_eq!(
            (answer.text().as_str(), answer.complete),
            ("!!!!", is_complete),
            "{target}"
        );
    }
}

/// A stop tells of streams that it cuts.
#[test]
fn a_stop_counts_streams_that_have_no_end() {
    let body = content(200_000);
    for head in [EVENTS, "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n"] {
        let (_release, released) = channel::<()>();
        let released = Mutex::new(released);
        let part = match head == EVENTS {
            true => b"1\r\n!\r\n".to_vec(),
            false => body.clone(),
        };
        let endpoint = Endpoint::start(move |stream, _| {
            let _ = stream.write_all(&[head.as_bytes(), &part].concat());
            let _ = released.lock().unwrap().recv_timeout(PATIENCE);
            Next::Close
        });
        let gateway = serve_with(&endpoint, |_| {});
        let mut client = Client::connect(gateway.address);
        client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(client.next_bytes().starts_with(b"HTTP/1.1 200 "));
        assert_eq!(gateway.server.stop(Duration::from_millis(300)), 1, "{head}");
    }
}

/// Where memory is spent, nothing more is read than clients take, and everything is whole in the end.
#[test]
fn without_memory_long_responses_go_on_as_their_clients_take_them() {
    const CLIENTS: usize = 8;
    let body = content(9_000_000);
    let (endpoint, _sent, _tell) = framed(Framing::Length, &body);
    let gateway = serve_with(&endpoint, |options| {
        options.workers = number(32);
        options.limits.memory = 2_000_000;
    });
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n").send(GET);
        endpoint.next();
    }
    assert_one(&get(gateway.address, "/one"));
    for client in &mut clients {
        let answer = client.answer_to("GET");
        assert!(answer.complete && answer.body == body, "{}", answer.body.len());
        assert_one(&client.answer_to("GET"));
    }
}
