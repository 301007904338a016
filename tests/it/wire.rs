//! Bytes on both sides of the gateway: framing, lengths, keep-alive, streaming.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::{Answer, Client, PATIENCE, exchange};
use crate::support::directory::{pass_everything, route};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::Gateway;

const TEN_MIB: usize = 10 * 1024 * 1024;

/// Bytes without a pattern that a lost, doubled or shifted part could hide in.
pub fn content(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The content in chunks of that many bytes.
pub fn chunked(content: &[u8], part: usize) -> Vec<u8> {
    let mut coded = Vec::with_capacity(content.len() + content.len() / part * 16 + 16);
    for chunk in content.chunks(part) {
        coded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        coded.extend_from_slice(chunk);
        coded.extend_from_slice(b"\r\n");
    }
    coded.extend_from_slice(b"0\r\n\r\n");
    coded
}

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

fn assert_same(expected: &[u8], got: &[u8], what: &str) {
    assert_eq!(expected.len(), got.len(), "{what}: length");
    let difference = expected.iter().zip(got).position(|(a, b)| a != b);
    assert_eq!(difference, None, "{what}: first byte that differs");
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

/// Reads until the text is there.
fn read_until(client: &mut Client, seen: &mut Vec<u8>, text: &str) {
    while !seen.windows(text.len()).any(|window| window == text.as_bytes()) {
        let more = client.next_bytes();
        assert!(
            !more.is_empty(),
            "closed before {text:?}: {:?}",
            String::from_utf8_lossy(seen)
        );
        seen.extend_from_slice(&more);
    }
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
fn a_length_over_10_mib_is_refused_before_the_body_comes() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    for length in [TEN_MIB as u64 + 1, 1 << 31, 1 << 62, u64::MAX] {
        for part in [0, 100_000] {
            let what = format!("{length} bytes, {part} sent");
            let mut client = Client::connect(gateway.address);
            client.send(format!(
                "POST /large HTTP/1.1\r\nHost: gw.test\r\nContent-Length: {length}\r\n\r\n"
            ));
            // The gateway may have ended the connection already.
            let _ = client.stream.write_all(&content(part));
            let answer = client.answer_to("POST");
            assert_refused(&answer, 413, "Request Entity Too Large", &what);
            assert!(ended(&mut client), "{what}");
        }
    }
    assert_eq!(gateway.get("/later").text(), "/later");
    let arrived: Vec<String> = endpoint.rest().iter().map(|r| r.request().to_owned()).collect();
    assert_eq!(arrived, ["GET /later"]);
}

#[test]
fn a_length_beyond_any_number_does_no_harm() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    let mut client = Client::connect(gateway.address);
    client.send("POST /large HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 99999999999999999999999\r\n\r\n");
    let answer = client.answer_to("POST");
    assert!([400, 413].contains(&answer.status), "{}", answer.status);
    assert!(ended(&mut client));
    assert_eq!(gateway.get("/later").text(), "/later");
}

#[test]
fn chunks_over_10_mib_are_refused_and_never_look_whole_upstream() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    let mut client = Client::connect(gateway.address);
    client.send("POST /large HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    let _ = client.stream.write_all(&chunked(&content(TEN_MIB + 1), 65_536));
    let answer = client.answer_to("POST");
    assert_refused(&answer, 413, "Request Entity Too Large", "chunked");
    check_next(&mut client, &answer, "chunked");
    assert_no_whole(&endpoint, &gateway, "/large");
}

/// Sends a request as a mark, and sees that before it nothing whole with that target came to the endpoint.
fn assert_no_whole(endpoint: &Endpoint, gateway: &Gateway, target: &str) {
    assert_eq!(gateway.get("/mark").text(), "/mark");
    loop {
        let recorded = endpoint.next();
        if recorded.line().contains("/mark") {
            return;
        }
        assert!(
            !recorded.complete || !recorded.line().contains(target),
            "upstream took this for whole: {}",
            recorded.head
        );
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
        read_until(&mut client, &mut seen, "first");
        go_on.send(()).unwrap();
        read_until(&mut client, &mut seen, "second");
        go_on.send(()).unwrap();
        let head = String::from_utf8_lossy(&seen).to_ascii_lowercase();
        if version == "1.1" {
            assert!(head.contains("\r\ntransfer-encoding: chunked\r\n"), "{head}");
            read_until(&mut client, &mut seen, "\r\n0\r\n\r\n");
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
        read_until(&mut client, &mut seen, "\r\n\r\n");
        for event in SEEN {
            seen.clear();
            go_on.send(()).unwrap();
            read_until(&mut client, &mut seen, event);
        }
        go_on.send(()).unwrap();
        seen.clear();
        read_until(&mut client, &mut seen, "0\r\n\r\n");
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
fn one_connection_takes_many_requests_and_so_does_the_one_upstream() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    let mut client = Client::connect(gateway.address);
    for number in 0..20 {
        let request = match number % 3 {
            0 => format!("GET /{number} HTTP/1.1\r\nHost: gw.test\r\n\r\n"),
            1 => format!("POST /{number} HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 4\r\n\r\nbody"),
            _ => format!(
                "PUT /{number} HTTP/1.1\r\nHost: gw.test\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"
            ),
        };
        let answer = client.send(request).answer_to("GET");
        assert_eq!(answer.text(), format!("/{number}"));
        assert_eq!(answer.header("connection"), Some("keep-alive"));
    }
    assert_eq!(endpoint.connections(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    let mut client = Client::connect(gateway.address);
    client.send(concat!(
        "POST /1 HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 26\r\n\r\nGET /wrong HTTP/1.1\r\nx: y\n",
        "GET /2 HTTP/1.1\r\nHost: gw.test\r\n\r\n",
    ));
    assert_eq!(client.answer_to("POST").text(), "/1");
    assert_eq!(client.answer_to("GET").text(), "/2");
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    client.send(format!(
        "POST /3 HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}\
         GET /4 HTTP/1.1\r\nHost: gw.test\r\n\r\n"
    ));
    assert_eq!(client.answer_to("POST").text(), "/3");
    assert_eq!(client.answer_to("GET").text(), "/4");
    let arrived: Vec<String> = endpoint.rest().iter().map(|r| r.request().to_owned()).collect();
    assert_eq!(arrived.len(), 4, "{arrived:?}");
}

#[test]
fn a_connection_lasts_as_long_as_the_client_wants() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = with_one_route(&endpoint);
    for (version, fields, is_kept) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: CLOSE\r\n", false),
        ("1.1", "Connection: x-hop, close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: close\r\n", false),
    ] {
        for (target, status) in [("/there", 200), ("/no/where", 404)] {
            let what = format!("{version} {fields:?} {target}");
            let mut client = Client::connect(gateway.address);
            let answer = client
                .send(format!("GET {target} HTTP/{version}\r\nHost: gw.test\r\n{fields}\r\n"))
                .answer_to("GET");
            assert_eq!(answer.status, status, "{what}");
            let expected = if is_kept { "keep-alive" } else { "close" };
            assert_eq!(answer.header("connection"), Some(expected), "{what}");
            check_next(&mut client, &answer, &what);
        }
    }
}

#[test]
fn http_1_0_needs_no_host() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    assert_eq!(exchange(gateway.address, "GET /old HTTP/1.0\r\n\r\n").text(), "/old");
}

/// A URL of http has a host (RFC 9110 §4.2.1), so there is none for which an empty one could stand.
#[test]
fn an_empty_host_is_refused() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    for head in [
        "GET /x HTTP/1.1\r\nHost:",
        "GET /x HTTP/1.1\r\nHost: \t ",
        "GET /x HTTP/1.1\r\nhost: :80",
        "GET /x HTTP/1.0\r\nHost:",
        "GET http://gw.test/x HTTP/1.1\r\nHost:",
        "OPTIONS * HTTP/1.1\r\nHost:",
    ] {
        let mut client = Client::connect(gateway.address);
        let answer = client.send(format!("{head}\r\n\r\n")).answer_to("GET");
        assert_refused(&answer, 400, "Bad Request", head);
        assert!(ended(&mut client), "{head:?}");
    }
    assert_eq!(endpoint.rest(), []);
}

#[test]
fn answers_without_content_keep_the_connection_in_step() {
    let endpoint = Endpoint::start(|stream, recorded| {
        let target = recorded.request().split_once(' ').unwrap().1;
        let answer = match target {
            "/next" => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n/next",
            "/length" => "HTTP/1.1 200 OK\r\nContent-Length: 1234567\r\n\r\n",
            "/chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "/untold" => "HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n",
            "/204" => "HTTP/1.1 204 No Content\r\n\r\n",
            "/304" => "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
            "/304-length" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
            "/0" => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "/205" => "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
            _ => unreachable!(),
        };
        let _ = stream.write_all(answer.as_bytes());
        Next::KeepAlive
    });
    let gateway = serve(&endpoint);
    let mut client = Client::connect(gateway.address);
    for (method, target, status, length) in [
        ("HEAD", "/length", 200, Some("1234567")),
        ("HEAD", "/chunked", 200, None),
        ("HEAD", "/untold", 200, None),
        ("HEAD", "/204", 204, None),
        ("HEAD", "/304-length", 304, Some("99")),
        ("GET", "/204", 204, None),
        ("GET", "/304", 304, None),
        ("GET", "/304-length", 304, Some("99")),
        ("GET", "/0", 200, Some("0")),
        ("GET", "/205", 205, Some("0")),
    ] {
        let what = format!("{method} {target}");
        let answer = client
            .send(format!("{method} {target} HTTP/1.1\r\nHost: gw.test\r\n\r\n"))
            .answer_to(method);
        assert_eq!(answer.status, status, "{what}");
        assert_eq!(answer.header("content-length"), length, "{what}");
        assert_eq!(answer.header("transfer-encoding"), None, "{what}");
        assert_eq!(answer.header("connection"), Some("keep-alive"), "{what}");
        check_next(&mut client, &answer, &what);
    }
}

#[test]
fn a_head_error_has_the_fields_of_the_get_error_and_no_body() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = with_one_route(&endpoint);
    let mut client = Client::connect(gateway.address);
    let answer = client
        .send("HEAD /no/where HTTP/1.1\r\nHost: gw.test\r\n\r\n")
        .answer_to("HEAD");
    assert_eq!((answer.status, answer.header("content-length")), (404, Some("23")));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    check_next(&mut client, &answer, "HEAD");
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

#[test]
fn a_client_that_expects_100_gets_its_refusal() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = with_one_route(&endpoint);
    let mut client = Client::connect(gateway.address);
    client.send("POST /no/where HTTP/1.1\r\nHost: gw.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    let mut answer = client.answer_to("POST");
    let mut has_sent = false;
    if answer.status == 100 {
        has_sent = true;
        answer = client.send("hello").answer_to("POST");
    }
    assert_refused(&answer, 404, "Not Found", "not found");
    // A client that was refused may go on without the body, so nothing can be told of the connection then.
    if has_sent {
        check_next(&mut client, &answer, "not found");
    }

    let mut client = Client::connect(gateway.address);
    client.send("POST /there HTTP/1.1\r\nHost: gw.test\r\nExpect: 100-continue\r\nContent-Length: 10485761\r\n\r\n");
    assert_refused(
        &client.answer_to("POST"),
        413,
        "Request Entity Too Large",
        "without 100",
    );
    assert!(ended(&mut client));
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

/// Fields of a request whose end, or whose addressee, is not certain.
const UNCERTAIN: [(&str, &str); 19] = [
    (
        "both",
        "Host: gw.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
    ),
    (
        "both, the other order",
        "Host: gw.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
    ),
    ("two lengths", "Host: gw.test\r\nContent-Length: 5\r\nContent-Length: 6"),
    (
        "the same length twice",
        "Host: gw.test\r\nContent-Length: 5\r\nContent-Length: 5",
    ),
    ("+5", "Host: gw.test\r\nContent-Length: +5"),
    ("5,5", "Host: gw.test\r\nContent-Length: 5,5"),
    ("5, 5", "Host: gw.test\r\nContent-Length: 5, 5"),
    ("-1", "Host: gw.test\r\nContent-Length: -1"),
    ("0x5", "Host: gw.test\r\nContent-Length: 0x5"),
    ("5 5", "Host: gw.test\r\nContent-Length: 5 5"),
    ("no digits", "Host: gw.test\r\nContent-Length:"),
    ("gzip, chunked", "Host: gw.test\r\nTransfer-Encoding: gzip, chunked"),
    ("chunked, gzip", "Host: gw.test\r\nTransfer-Encoding: chunked, gzip"),
    ("identity", "Host: gw.test\r\nTransfer-Encoding: identity"),
    ("xchunked", "Host: gw.test\r\nTransfer-Encoding: xchunked"),
    (
        "chunked twice",
        "Host: gw.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ),
    ("no Host", "X-A: b"),
    ("two Hosts", "Host: gw.test\r\nHost: other.test"),
    ("the same Host twice", "Host: gw.test\r\nHost: gw.test"),
];

#[test]
fn a_request_whose_end_is_not_certain_is_refused() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    for (what, fields) in UNCERTAIN {
        let mut client = Client::connect(gateway.address);
        let answer = client
            // Five bytes, and the last chunk, whichever was meant.
            .send(format!("POST /refused HTTP/1.1\r\n{fields}\r\n\r\n0\r\n\r\n"))
            .answer_to("POST");
        assert_refused(&answer, 400, "Bad Request", what);
        assert_eq!(answer.header("connection"), Some("close"), "{what}");
        assert!(ended(&mut client), "{what}: not closed");
    }
    assert_eq!(gateway.get("/mark").text(), "/mark");
    assert_eq!(endpoint.rest().len(), 1);
}

#[test]
fn every_refusal_has_an_id() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = with_one_route(&endpoint);
    for (request, status) in [
        ("GET /no/where HTTP/1.1\r\nHost: gw.test\r\n\r\n", 404),
        ("TRACE /there HTTP/1.1\r\nHost: gw.test\r\n\r\n", 404),
        ("GET /%zz HTTP/1.1\r\nHost: gw.test\r\n\r\n", 400),
        (
            "POST /there HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 99999999\r\n\r\n",
            413,
        ),
        (
            "POST /there HTTP/1.1\r\nHost: gw.test\r\nContent-Length: x\r\n\r\n",
            400,
        ),
        ("GET /there HTTP/1.1\r\n\r\n", 400),
    ] {
        let answer = gateway.exchange(request);
        assert_eq!(answer.status, status, "{request}");
        assert!(
            answer.header("apigw-requestid").is_some_and(|id| id.len() == 16),
            "{request}: {}",
            answer.head
        );
    }
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
fn chunks_that_are_none_are_refused() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    let mut failures = Vec::new();
    for chunks in [
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "zz\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "3\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff5\r\nhello\r\n0\r\n\r\n",
    ] {
        let mut client = Client::connect(gateway.address);
        client.send("POST /bad HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n");
        let _ = client.stream.write_all(chunks.as_bytes());
        let answer = client.answer_to("POST");
        if (answer.status, answer.text()) != (400, message("Bad Request")) {
            failures.push(format!("{chunks:?}: {} {}", answer.status, answer.text()));
        }
        if !ended(&mut client) {
            failures.push(format!("{chunks:?}: not closed"));
        }
        assert_eq!(gateway.get("/mark").text(), "/mark", "{chunks:?}");
        for recorded in endpoint.rest() {
            if recorded.complete && !recorded.line().contains("/mark") {
                failures.push(format!("{chunks:?}: upstream got {}", recorded.line()));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn an_old_client_cannot_send_chunks() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    let mut client = Client::connect(gateway.address);
    client.send("POST /old HTTP/1.0\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!(client.answer_to("POST").status, 400);
    assert!(ended(&mut client));
}

#[test]
fn a_target_in_absolute_form_is_served_by_its_path() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    for (target, expected) in [
        ("http://other.test/pets?x=1", "/pets?x=1"),
        ("HTTP://other.test:8080/pets", "/pets"),
        ("https://other.test/a/b%20c", "/a/b%20c"),
        ("/http://other.test/pets", "/http://other.test/pets"),
    ] {
        let answer = gateway.get(target);
        assert_eq!((answer.status, answer.text().as_str()), (200, expected), "{target}");
    }
}

/// A request whose head has that many bytes, all lines counted.
fn head_of(length: usize, padding: &str) -> String {
    let start = "GET /head HTTP/1.1\r\nHost: gw.test\r\nX-Long: ";
    let end = "\r\n\r\n";
    let rest = length - start.len() - end.len();
    let value = match padding {
        "value" => "a".repeat(rest),
        "spaces" => format!("{}a", " ".repeat(rest - 1)),
        _ => {
            let mut fields = String::from("a");
            while fields.len() + 80 < rest {
                fields += &format!("\r\nX-N: {}", "b".repeat(70));
            }
            let missing = rest - fields.len();
            fields + &"b".repeat(missing)
        }
    };
    format!("{start}{value}{end}")
}

#[test]
fn a_head_may_have_10240_bytes() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    check_heads(&gateway, &["value", "fields"]);
    let long = "a".repeat(10_300);
    let answer = gateway.get(&format!("/{long}"));
    assert_refused(&answer, 431, "Request Header Fields Too Large", "target");
}

fn check_heads(gateway: &Gateway, paddings: &[&str]) {
    for padding in paddings {
        for (length, status) in [(10_240, 200), (10_241, 431), (40_000, 431)] {
            let request = head_of(length, padding);
            assert_eq!(request.len(), length);
            let mut client = Client::connect(gateway.address);
            let answer = client.send(request).answer_to("GET");
            assert_eq!(answer.status, status, "{length} bytes by {padding}");
            if status == 431 {
                assert_refused(&answer, 431, "Request Header Fields Too Large", padding);
            }
        }
    }
}

#[test]
fn a_hundred_fields_pass_in_both_directions() {
    let endpoint = Endpoint::start(|stream, recorded| {
        let fields: String = recorded
            .head
            .split_inclusive("\r\n")
            .filter(|line| line.to_ascii_lowercase().starts_with("x-field"))
            .collect();
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n").as_bytes());
        Next::KeepAlive
    });
    let gateway = serve(&endpoint);
    let fields: String = (0..100)
        .map(|number| format!("X-Field-{number}: {number}\r\n"))
        .collect();
    let answer = gateway.exchange(format!("GET /many HTTP/1.1\r\nHost: gw.test\r\n{fields}\r\n"));
    assert_eq!(answer.status, 200);
    let recorded = endpoint.next();
    for number in 0..100 {
        let name = format!("x-field-{number}");
        let value = number.to_string();
        assert_eq!(recorded.headers(&name), [value.as_str()]);
        assert_eq!(answer.header(&name), Some(value.as_str()));
    }
}
