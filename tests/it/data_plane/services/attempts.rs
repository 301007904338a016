//! A call is made once (contract S13): whatever becomes of its connection, a service sees it no second time.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::channel;

use super::{FLAGS, KEY, SEND, serve};
use crate::support::client::PATIENCE;
use crate::support::endpoint::{Endpoint, Next};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Answers the first request of a connection, and does `then` with the second.
fn answering_once(then: Next, sends: &'static str) -> Endpoint {
    let seen = Mutex::new(Vec::new());
    Endpoint::start(move |stream, recorded| {
        let mut seen = seen.lock().unwrap();
        let is_first = !seen.contains(&recorded.connection);
        seen.push(recorded.connection);
        let _ = stream.write_all(if is_first { OK } else { sends }.as_bytes());
        if is_first { Next::KeepAlive } else { then }
    })
}

#[test]
fn a_kept_connection_that_dies_costs_the_call_and_is_no_reason_for_a_second() {
    for (then, sends) in [(Next::Close, ""), (Next::Reset, ""), (Next::Close, "HTTP/1.1 2")] {
        // A GET without a body, too, which any other integration would repeat.
        for sent in [SEND, FLAGS] {
            let endpoint = answering_once(then, sends);
            let gateway = serve(endpoint.address, &KEY);
            assert_eq!(gateway.exchange(sent).status, 200);
            let answer = gateway.exchange(sent);
            assert_eq!(
                (answer.status, answer.text()),
                (503, r#"{"message":"Service Unavailable"}"#.into())
            );
            assert_eq!(
                endpoint.rest().len(),
                2,
                "{then:?} {sends:?} {sent}: each call arrived once"
            );
            assert_eq!(endpoint.connections(), 1);
            // The next one has a connection of its own.
            assert_eq!(gateway.exchange(sent).status, 200);
            assert_eq!(endpoint.connections(), 2);
        }
    }
}

#[test]
fn a_call_that_fails_on_a_new_connection_arrives_once() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
    let cut_error = "HTTP/1.1 400 X\r\nContent-Length: 9\r\n\r\nhalf";
    for (next, sends) in [
        (Next::Close, ""),
        (Next::Reset, ""),
        (Next::Close, cut),
        (Next::Close, cut_error),
    ] {
        let endpoint = Endpoint::start(move |stream, _| {
            let _ = stream.write_all(sends.as_bytes());
            next
        });
        let gateway = serve(endpoint.address, &KEY);
        for sent in [SEND, FLAGS] {
            assert_eq!(gateway.exchange(sent).status, 503);
            assert_eq!(endpoint.rest().len(), 1, "{sent}");
        }
    }
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_not_used() {
    let (sender, closed) = channel::<TcpStream>();
    let sender = Mutex::new(sender);
    let endpoint = Endpoint::start(move |stream, _| {
        let _ = stream.write_all(OK.as_bytes());
        sender.lock().unwrap().send(stream.try_clone().unwrap()).unwrap();
        Next::KeepAlive
    });
    let gateway = serve(endpoint.address, &KEY);
    for call in 1..4 {
        assert_eq!(gateway.exchange(SEND).status, 200, "call {call}");
        // The gateway's side can be read from then on.
        let stream = closed.recv_timeout(PATIENCE).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        let answer = gateway.exchange(SEND);
        assert_eq!(answer.status, 200, "call {call}");
        drop(closed.recv_timeout(PATIENCE).unwrap());
    }
    assert_eq!(endpoint.rest().len(), 6);
}
