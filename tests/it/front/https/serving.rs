//! Requests inside TLS: versions, bodies, streams, pipelining, ends (T2, T6, T7, T8, T10).

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use rustls::version::{TLS12, TLS13};

use super::Https;
use crate::support::client::{Client, PATIENCE};
use crate::support::directory::pass_everything;
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::Gateway;
use crate::support::https::{TlsClient, client_config_of};

const TEN_MB: usize = 10_000_000;

#[test]
fn both_versions_are_spoken_and_proto_is_https() {
    let https = Https::start();
    for version in [&TLS12, &TLS13] {
        let config = client_config_of(&[&https.authority], &[], &[version]);
        let mut client = TlsClient::connect(https.gateway.address, "listener.test", &config);
        for target in ["/a", "/b?x=1"] {
            let answer = client.get("listener.test:8443", target);
            assert_eq!((answer.status, answer.text()), (200, target.to_owned()));
            let recorded = https.endpoint.next();
            let forwarded = recorded.headers("forwarded")[0].to_owned();
            assert!(
                forwarded.ends_with("host=\"listener.test:8443\";proto=https"),
                "T8: {forwarded}"
            );
        }
    }
}

#[test]
fn alpn_is_http_1_1_or_absent() {
    let https = Https::start();
    for (offered, expected) in [
        (&[][..], Ok(None)),
        (&[&b"http/1.1"[..]], Ok(Some(&b"http/1.1"[..]))),
        (&[&b"h2"[..], b"http/1.1"], Ok(Some(b"http/1.1"))),
        (&[&b"h2"[..]], Err(())),
    ] {
        let mut config = (*https.config()).clone();
        config.alpn_protocols = offered.iter().map(|protocol| protocol.to_vec()).collect();
        let client = TlsClient::try_connect(https.gateway.address, "listener.test", &config.into());
        match (client, expected) {
            (Ok(mut client), Ok(chosen)) => {
                assert_eq!(client.get("listener.test", "/a").status, 200);
                assert_eq!(client.tls.alpn_protocol(), chosen, "T2");
            }
            (Err(error), Err(())) => assert!(error.to_string().contains("NoApplicationProtocol"), "T2: {error}"),
            (client, expected) => panic!("{offered:?}: {expected:?}, {:?}", client.err()),
        }
    }
}

#[test]
fn plain_http_is_told_that_this_is_https() {
    let https = Https::start();
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.0\r\nContent-Length: 9\r\n\r\nabc",
        "x",
    ] {
        let mut client = Client::connect(https.gateway.address);
        let answer = client.send(request).answer_to("GET");
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (400, r#"{"message":"This port speaks HTTPS"}"#),
            "T6"
        );
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(answer.header("apigw-requestid").is_some() && answer.header("date").is_some());
        assert!(client.is_closed());
    }
    // Neither HTTP nor TLS: an alert at most, and the end.
    for bytes in [
        &b"\x00\x01\x02\x03\x04\x05"[..],
        b"\x80\x2e\x01\x03\x01\x00\x15",
        b"\x16\x02\x00\x00\x01\x01",
        b" GET",
    ] {
        let mut stream = TcpStream::connect(https.gateway.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer[0] == 21, "T6: {answer:?}");
    }
}

#[test]
fn ten_megabytes_go_both_ways_also_to_a_slow_client() {
    let body: Vec<u8> = (0..TEN_MB).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let sent = body.clone();
    let endpoint = Endpoint::start(move |stream, recorded| {
        assert!(recorded.body.is_empty() || recorded.body == sent);
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {TEN_MB}\r\n\r\n");
        match stream.write_all(&sent) {
            Ok(()) => Next::KeepAlive,
            Err(_) => Next::Close,
        }
    });
    let https = Https::with(endpoint, |_, _| {}, |options| options);
    for version in [&TLS12, &TLS13] {
        let config = client_config_of(&[&https.authority], &[], &[version]);
        let mut client = TlsClient::connect(https.gateway.address, "listener.test", &config);
        client.send(format!(
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {TEN_MB}\r\n\r\n"
        ));
        let answer = client.send(&body).answer();
        assert!(answer.status == 200 && answer.body == body);
    }
    // Slow clients take theirs while others are answered; what waits for them is sealed already.
    let mut slow: Vec<TlsClient> = (0..4).map(|_| https.connect("listener.test")).collect();
    for client in &mut slow {
        client.send("GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    assert!(https.connect("listener.test").get("a", "/fast").body == body);
    for client in &mut slow {
        assert!(client.answer().body == body);
        assert_eq!(client.end(), Ok(()), "T7: close_notify behind a whole answer");
    }
}

#[test]
fn requests_are_pipelined_inside_a_record_and_across_records() {
    let https = Https::start();
    let mut client = https.connect("listener.test");
    let requests: String = (0..20)
        .map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    client.send(&requests);
    for n in 0..20 {
        assert_eq!(client.answer().text(), format!("/{n}"));
    }
    // Each byte in a record of its own.
    for byte in b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" {
        client.send([*byte]);
    }
    assert_eq!(client.answer().text(), "/slow");
}

#[test]
fn a_close_notify_behind_a_whole_request_costs_no_answer() {
    let https = Https::start();
    for half_closes in [false, true] {
        let mut client = https.connect("listener.test");
        client.send("GET /last HTTP/1.1\r\nHost: a\r\n\r\n");
        client.tls.send_close_notify();
        client.tls.write_tls(&mut client.stream).unwrap();
        if half_closes {
            client.stream.shutdown(Shutdown::Write).unwrap();
        }
        assert_eq!(client.answer().text(), "/last", "T7");
    }
}

#[test]
fn an_answer_that_is_cut_ends_without_close_notify() {
    let endpoint = Endpoint::start(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n");
        let _ = stream.write_all(&[b'x'; 500_000]);
        Next::Close
    });
    let https = Https::with(endpoint, |_, _| {}, |options| options);
    let mut client = https.connect("listener.test");
    client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.end(), Err(ErrorKind::UnexpectedEof), "T7");
}

#[test]
fn a_body_that_is_cut_inside_tls_is_no_request() {
    let https = Https::start();
    let mut client = https.connect("listener.test");
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    client.tls.send_close_notify();
    client.tls.write_tls(&mut client.stream).unwrap();
    assert_eq!(client.answer().status, 400, "T7");
    assert!(https.endpoint.rest().is_empty());
}

#[test]
fn events_come_when_they_are_sent() {
    let (sender, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let endpoint = Endpoint::start(move |stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        for n in 0..3 {
            // At once: what is written in pieces comes in pieces.
            let _ = stream.write_all(format!("data: {n}\n\n").as_bytes());
            let _ = gate.lock().unwrap().recv_timeout(PATIENCE);
        }
        Next::Close
    });
    let https = Https::with(endpoint, |_, _| {}, |options| options);
    let mut client = https.connect("listener.test");
    client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut seen = String::new();
    for n in 0..3 {
        while !seen.contains(&format!("data: {n}\n\n")) {
            let mut part = [0; 4096];
            let count = rustls::Stream::new(&mut client.tls, &mut client.stream)
                .read(&mut part)
                .unwrap_or_else(|error| panic!("{error}, after {seen:?}"));
            assert!(count > 0, "{seen}");
            seen.push_str(&String::from_utf8_lossy(&part[..count]));
        }
        sender.send(()).unwrap();
    }
}

#[test]
fn without_a_certificate_the_listener_speaks_plain_text() {
    let endpoint = Endpoint::ok();
    let gateway = Gateway::serve(&pass_everything(endpoint.address));
    assert_eq!((gateway.server.scheme(), gateway.get("/a").status), ("http", 200));
}
