//! Limits inside TLS (T10).

use std::net::TcpStream;
use std::time::{Duration, Instant};

use apigateway::front::listener_limits::MAX_KEPT_ANSWER;

use super::handshakes::{count, with_head_timeout};
use super::{Https, with_admin};
use crate::front::{giving, is_reset};
use crate::support::content::content;
use crate::support::endpoint::Endpoint;
use crate::support::https::TlsClient;
use crate::support::wait::wait_until;

#[test]
fn heads_and_bodies_have_their_limits() {
    let https = Https::start();
    let long = "x".repeat(20_000);
    for (request, expected) in [
        (
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10485761\r\n\r\n".to_owned(),
            413,
        ),
        (format!("GET /a HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), 431),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 431),
        ("GET /a HTTP/1.1\r\nHost: a\r\nno field\r\n\r\n".to_owned(), 400),
    ] {
        let mut client = https.connect("listener.test");
        let answer = client.send(&request).answer();
        assert_eq!(answer.status, expected, "T10: {}", answer.text());
        assert_eq!(client.end(), Ok(()), "T7, T10: a refusal is a whole answer");
    }
    assert!(https.endpoint.rest().is_empty());
}

#[test]
fn heads_have_their_time_and_half_a_record_is_the_beginning_of_one() {
    let https = with_head_timeout(1);
    let mut slow = https.connect("listener.test");
    let begun = Instant::now();
    assert_eq!(slow.send("GET /a HTTP/1.1\r\nHo").answer().status, 408, "T10");
    let mut client = https.connect("listener.test");
    // A record of which a part comes.
    std::io::Write::write_all(&mut client.stream, &[23, 3, 3, 0, 100, 1, 2, 3]).unwrap();
    assert!(client.try_answer().is_ok_and(|answer| answer.status == 408), "T10");
    assert!(begun.elapsed() >= Duration::from_millis(1900), "{:?}", begun.elapsed());
}

#[test]
fn what_waits_before_a_handshake_is_whole_counts_for_the_memory() {
    let https = Https::with(
        Endpoint::telling_the_target(),
        |_, _| {},
        |mut options| {
            options.limits.memory = 1_000_000;
            with_admin(options)
        },
    );
    // Most of a first message of 62 KB.
    let mut message = vec![1, 0, 0xf2, 0x30];
    message.resize(60_000, 0);
    let mut records = Vec::new();
    for part in message.chunks(15_000) {
        records.extend_from_slice(&[22, 3, 1]);
        records.extend_from_slice(&u16::try_from(part.len()).unwrap().to_be_bytes());
        records.extend_from_slice(part);
    }
    let waiting: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(https.gateway.address).unwrap();
            // One that is refused may be closed before it is through.
            let _ = std::io::Write::write_all(&mut stream, &records);
            stream
        })
        .collect();
    wait_until("refused", || count(&https, "failed") >= 40 - 1_000_000 / 60_000);
    let refused = count(&https, "failed");
    assert!(refused < 40, "T10: {refused}");
    drop(waiting);
    let post = format!("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 400_000);
    wait_until("free", || {
        let mut client = https.connect("listener.test");
        let body = content(400_000);
        client.send(&post).send(body).answer().status == 200
    });
}

#[test]
fn sealed_answers_that_wait_count_for_the_memory() {
    let endpoint = giving(content(MAX_KEPT_ANSWER - 100_000));
    let https = Https::with(
        endpoint,
        |_, _| {},
        |mut options| {
            // What is kept for one client is more than half of what may be kept for all.
            options.limits.memory = 44_000_000;
            options.limits.write_timeout = Duration::from_secs(3600);
            options
        },
    );
    let mut clients: Vec<TlsClient> = (0..2).map(|_| https.connect("listener.test")).collect();
    for client in &mut clients {
        client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
        https.endpoint.next();
    }
    // One of those that take nothing gives way.
    wait_until("cut", || clients.iter().any(|client| is_reset(&client.stream)));
    let mut client = https.connect("listener.test");
    assert_eq!(client.get("h", "/one").text(), "/one", "T10");
}
