//! Bodies pass in both directions byte for byte, as they come, and a cut body never looks whole.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{TEN_MIB, assert_refused, check_next, rest, serve, serve_with, with_one_route};
use crate::support::client::{Client, PATIENCE};
use crate::support::content::{chunked, content};
use crate::support::directory::pass_everything;
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::Gateway;

fn assert_same(expected: &[u8], got: &[u8], what: &str) {
    assert_eq!(expected.len(), got.len(), "{what}: length");
    let difference = expected.iter().zip(got).position(|(a, b)| a != b);
    assert_eq!(difference, None, "{what}: first byte that differs");
}

/// An endpoint's other end: each part is sent when the test says so.
fn sending_when_told(head: &'static str, parts: &'static [&'static str]) -> (Endpoint, Sender<()>) {
    let (sender, receiver) = channel();
    let receiver: Mutex<Receiver<()>> = Mutex::new(receiver);
    let endpoint = Endpoint::start(move |stream, _| {
        let _ = stream.write_all(head.as_bytes());
        for part in parts {
            if receiver.lock().unwrap().recv_timeout(PATIENCE).is_err() {
                return Next::Close;
            }
            let _ = stream.write_all(part.as_bytes());
        }
        Next::Close
    });
    (endpoint, sender)
}

#[test]
fn bodies_pass_byte_for_byte_in_both_directions() {
    let endpoint = Endpoint::start(|stream, recorded| {
        let (framing, body) = if recorded.request().contains("/chunked") {
            ("Transfer-Encoding: chunked".to_owned(), chunked(&recorded.body, 9_973))
        } else {
            (
                format!("Content-Length: {}", recorded.body.len()),
                recorded.body.clone(),
            )
        };
        let head = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
        let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        Next::KeepAlive
    });
    let gateway = serve(&endpoint);
    let mut client = Client::connect(gateway.address);
    for length in [0, 1, 1_024, 1_025, 65_535, 65_536, 65_537, TEN_MIB] {
        let body = content(length);
        for (is_chunked, answer_framing) in [
            (false, "length"),
            (true, "chunked"),
            (true, "length"),
            (false, "chunked"),
        ] {
            let what = format!("{length} bytes, chunked: {is_chunked}, answer by {answer_framing}");
            let (framing, sent) = if is_chunked {
                ("Transfer-Encoding: chunked".to_owned(), chunked(&body, 7_919))
            } else {
                (format!("Content-Length: {length}"), body.clone())
            };
            let head = format!("POST /{answer_framing} HTTP/1.1\r\nHost: gw.test\r\n{framing}\r\n\r\n");
            client.send(head).send(sent);
            let answer = client.answer_to("POST");
            assert_eq!(answer.status, 200, "{what}");
            let recorded = endpoint.next();
            assert!(recorded.complete, "{what}");
            assert_same(&body, &recorded.body, &format!("upstream: {what}"));
            assert!(answer.complete, "{what}");
            assert_same(&body, &answer.body, &format!("client: {what}"));
            let lengths = recorded.headers("content-length").len();
            let codings = recorded.headers("transfer-encoding").len();
            assert_eq!(lengths + codings, 1, "{what}: {}", recorded.head);
        }
    }
}

#[test]
fn an_answer_over_10_mib_is_passed_on() {
    let body = content(TEN_MIB + 1);
    for (what, framing, coded) in [
        ("length", format!("Content-Length: {}", body.len()), body.clone()),
        (
            "chunked",
            "Transfer-Encoding: chunked".to_owned(),
            chunked(&body, 50_000),
        ),
        ("until closed", "Connection: close".to_owned(), body.clone()),
    ] {
        let answer = [format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").as_bytes(), &coded].concat();
        let endpoint = Endpoint::start(move |stream, _| {
            let _ = stream.write_all(&answer);
            Next::Close
        });
        let gateway = serve(&endpoint);
        let answer = gateway.get("/large");
        assert!(answer.complete, "{what}");
        assert_same(&body, &answer.body, what);
    }
}

#[test]
fn an_answer_of_unknown_length_is_passed_on_as_it_comes() {
    const PARTS: &[&str] = &["6\r\nsecond\r\n", "0\r\n\r\n"];
    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
    for version in ["1.1", "1.0"] {
        let (endpoint, go_on) = sending_when_told(HEAD, PARTS);
        let gateway = serve(&endpoint);
        let mut client = Client::connect(gateway.address);
        client.send(format!("GET /parts HTTP/{version}\r\nHost: gw.test\r\n\r\n"));
        let mut seen = Vec::new();
        client.read_until(&mut seen, "first");
        go_on.send(()).unwrap();
        client.read_until(&mut seen, "second");
        go_on.send(()).unwrap();
        let head = String::from_utf8_lossy(&seen).to_ascii_lowercase();
        if version == "1.1" {
            assert!(head.contains("\r\ntransfer-encoding: chunked\r\n"), "{head}");
            client.read_until(&mut seen, "\r\n0\r\n\r\n");
        } else {
            assert!(!head.contains("transfer-encoding"), "{head}");
            assert!(!head.contains("content-length"), "{head}");
            assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
            client.stream.read_to_end(&mut seen).unwrap();
            assert!(
                seen.ends_with(b"\r\n\r\nfirstsecond"),
                "{}",
                String::from_utf8_lossy(&seen)
            );
        }
    }
}

#[test]
fn each_event_reaches_the_client_before_the_next_is_sent() {
    const EVENTS: &[&str] = &[
        "data: one\n\n",
        "data: two\n\n",
        "data: three\n\n",
        "d",
        "ata: four\n\n",
        "",
    ];
    const CHUNKS: &[&str] = &[
        "b\r\ndata: one\n\n\r\n",
        "b\r\ndata: two\n\n\r\n",
        "d\r\ndata: three\n\n\r\n",
        "1\r\nd\r\n",
        "b\r\nata: four\n\n\r\n",
        "0\r\n\r\n",
    ];
    const SEEN: [&str; 5] = [
        "data: one\n\n",
        "data: two\n\n",
        "data: three\n\n",
        "d",
        "ata: four\n\n",
    ];
    const CHUNKED: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
    const UNTIL_CLOSED: &str = "HTTP/1.1 200 OK\r\ncontent-type: Text/Event-Stream\r\n\r\n";
    for (head, parts) in [(CHUNKED, CHUNKS), (UNTIL_CLOSED, EVENTS)] {
        let (endpoint, go_on) = sending_when_told(head, parts);
        let gateway = serve(&endpoint);
        let mut client = Client::connect(gateway.address);
        client.send("GET /events HTTP/1.1\r\nHost: gw.test\r\n\r\n");
        let mut seen = Vec::new();
        client.read_until(&mut seen, "\r\n\r\n");
        for event in SEEN {
            seen.clear();
            go_on.send(()).unwrap();
            client.read_until(&mut seen, event);
        }
        go_on.send(()).unwrap();
        seen.clear();
        client.read_until(&mut seen, "0\r\n\r\n");
    }
}

#[test]
fn the_timeout_bounds_each_wait_for_an_event_and_not_the_whole() {
    const TIMEOUT: Duration = Duration::from_millis(1_000);
    let (held, hold) = channel::<()>();
    let hold = Mutex::new(hold);
    let endpoint = Endpoint::start(move |stream, _| {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        for number in 1..=6 {
            // The pace of the events: more than the timeout in all.
            std::thread::sleep(TIMEOUT * 3 / 10);
            let _ = stream.write_all(format!("9\r\ndata: {number}\n\n\r\n").as_bytes());
        }
        // Silent, but open, until the test is over.
        let _ = hold.lock().unwrap().recv_timeout(PATIENCE);
        Next::Close
    });
    let mut files = pass_everything(endpoint.address);
    files[2].1["TimeoutInMillis"] = json!(TIMEOUT.as_millis() as u64);
    let gateway = Gateway::serve(&files);
    let start = Instant::now();
    let mut client = Client::connect(gateway.address);
    client.send("GET /events HTTP/1.1\r\nHost: gw.test\r\n\r\n");
    let answer = client.answer_to("GET");
    let events: String = (1..=6).map(|number| format!("data: {number}\n\n")).collect();
    assert_eq!((answer.status, answer.text()), (200, events));
    assert!(!answer.complete, "a cut stream looks whole");
    assert!(start.elapsed() > TIMEOUT * 2, "{:?}", start.elapsed());
    drop(held);
}

#[test]
fn a_body_that_nobody_reads_does_not_become_a_request() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = with_one_route(&endpoint);
    let smuggled = b"GET /smuggled HTTP/1.1\r\nHost: gw.test\r\n\r\n";
    for length in [smuggled.len(), 1_000, 100_000, 1_000_000] {
        for is_chunked in [false, true] {
            let what = format!("{length} bytes, chunked: {is_chunked}");
            let body = smuggled.repeat(length / smuggled.len() + 1);
            let body = &body[..length];
            let (framing, sent) = if is_chunked {
                ("Transfer-Encoding: chunked".to_owned(), chunked(body, smuggled.len()))
            } else {
                (format!("Content-Length: {length}"), body.to_vec())
            };
            let mut client = Client::connect(gateway.address);
            client.send(format!("POST /no/where HTTP/1.1\r\nHost: gw.test\r\n{framing}\r\n\r\n"));
            let _ = client.stream.write_all(&sent);
            let answer = client.answer_to("POST");
            assert_refused(&answer, 404, "Not Found", &what);
            check_next(&mut client, &answer, &what);
            assert!(
                endpoint.rest().iter().all(|r| r.request() == "GET /next"),
                "{what}: the body was taken for a request"
            );
        }
    }
}

#[test]
fn a_client_that_expects_100_is_told_to_go_on() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = with_one_route(&endpoint);
    for framing in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let body = if framing.starts_with('C') {
            "hello"
        } else {
            "5\r\nhello\r\n0\r\n\r\n"
        };
        for expect in ["100-continue", "100-Continue"] {
            let what = format!("{framing}, {expect}");
            let mut client = Client::connect(gateway.address);
            client.send(format!(
                "POST /there HTTP/1.1\r\nHost: gw.test\r\nExpect: {expect}\r\n{framing}\r\n\r\n"
            ));
            assert_eq!(client.answer_to("POST").status, 100, "{what}");
            let answer = client.send(body).answer_to("POST");
            assert_eq!((answer.status, answer.text().as_str()), (200, "/there"), "{what}");
            let recorded = endpoint.next();
            assert_eq!(recorded.body, b"hello", "{what}");
            assert_eq!(recorded.headers("expect"), [""; 0], "{what}");
            check_next(&mut client, &answer, &what);
            assert_eq!(endpoint.next().request(), "GET /next");
        }
    }
}

/// Sends a part of a body and closes, and sees that the endpoint gets no whole request.
fn check_cut(cases: &[(&str, &str, &[u8])]) {
    let mut failures = Vec::new();
    for (what, framing, sent) in cases {
        let endpoint = Endpoint::telling_the_target();
        let gateway = serve(&endpoint);
        let mut client = Client::connect(gateway.address);
        client.send(format!("POST /cut HTTP/1.1\r\nHost: gw.test\r\n{framing}\r\n\r\n"));
        client.send(sent);
        client.stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = client.stream.read_to_end(&mut answer);
        assert_eq!(gateway.get("/mark").text(), "/mark", "{what}");
        loop {
            let recorded = endpoint.next();
            if recorded.line().contains("/mark") {
                break;
            }
            if recorded.complete {
                failures.push(format!("{what}: {} bytes looked whole", recorded.body.len()));
            }
        }
        let answer = String::from_utf8_lossy(&answer);
        if answer.starts_with("HTTP/1.1 2") {
            failures.push(format!("{what}: {answer:?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_sized_body_cut_by_the_client_never_looks_whole_upstream() {
    let large = content(1_000_000);
    check_cut(&[
        ("nothing of 100 bytes", "Content-Length: 100", b""),
        ("50 of 100 bytes", "Content-Length: 100", &large[..50]),
        ("half of 1 MB", "Content-Length: 1000000", &large[..500_000]),
        ("all but a byte of 1 MB", "Content-Length: 1000000", &large[..999_999]),
    ]);
}

#[test]
fn chunks_may_have_extensions_and_trailers() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    for chunks in [
        "5;a=b\r\nhello\r\n0\r\n\r\n",
        "005\r\nhello\r\n000;c\r\n\r\n",
        "5;name=\"a value of more than twenty bytes\"\r\nhello\r\n0\r\n\r\n",
    ] {
        let mut client = Client::connect(gateway.address);
        client.send("POST /chunks HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n");
        let answer = client.send(chunks).answer_to("POST");
        assert_eq!(answer.status, 200, "{chunks:?}");
        let recorded = endpoint.next();
        assert_eq!(recorded.body, b"hello", "{chunks:?}");
        check_next(&mut client, &answer, chunks);
        assert_eq!(endpoint.next().request(), "GET /next");
    }
}

#[test]
fn an_answer_that_breaks_off_never_looks_whole() {
    let endpoint = Endpoint::start(|stream, recorded| {
        let framing = match recorded.request().split_once(' ').unwrap().1 {
            "/length" => "Content-Length: 200000",
            "/chunked" => "Transfer-Encoding: chunked",
            _ => "Connection: close",
        };
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").as_bytes());
        if framing.ends_with("chunked") {
            let _ = stream.write_all(b"20000\r\n");
        }
        let _ = stream.write_all(&content(100_000));
        Next::Reset
    });
    let gateway = serve_with(&endpoint, |_| {});
    for target in ["/length", "/chunked", "/closed"] {
        for version in ["1.0", "1.1"] {
            let mut client = Client::connect(gateway.address);
            client.send(format!("GET {target} HTTP/{version}\r\nHost: h\r\n\r\n"));
            let (got, is_plain) = rest(&mut client);
            let text = String::from_utf8_lossy(&got);
            let head = text.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
            if !head.starts_with("http/1.1 200") {
                // It broke before anything was passed on.
                assert!(head.starts_with("http/1.1 503"), "{target} {version}: {head}");
            } else if head.contains("content-length") {
                assert!(got.len() < 200_000, "{target} {version}");
            } else if head.contains("chunked") {
                assert!(!got.ends_with(b"0\r\n\r\n"), "{target} {version}");
            } else {
                assert!(!is_plain, "{target} {version}: a plain end is the end of the content");
            }
        }
    }
}
