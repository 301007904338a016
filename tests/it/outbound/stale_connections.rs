//! A kept connection that was closed or holds left-over bytes is not used for another request.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use super::Expect::Refused;
use super::{OK, Then, check, check_next, failing, fault, request, run, serve, whole, with};
use crate::support::client::{Client, PATIENCE};
use crate::support::endpoint::{Endpoint, Next};

/// Bytes after an answer that would be a fine answer to the next request.
const EVIL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

#[test]
fn what_an_answer_leaves_over_does_not_answer_the_next_request() {
    run(vec![
        fault(
            "204 with a body",
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
            Then::Keep,
            whole(204, ""),
        ),
        fault(
            "204 and an answer",
            format!("HTTP/1.1 204 No Content\r\n\r\n{EVIL}"),
            Then::Keep,
            whole(204, ""),
        ),
        fault(
            "204 in chunks",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            Then::Keep,
            whole(204, ""),
        ),
        fault(
            "304 with a body",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
            Then::Keep,
            whole(304, ""),
        ),
        fault(
            "304 and an answer",
            format!("HTTP/1.1 304 Not Modified\r\n\r\n{EVIL}"),
            Then::Keep,
            whole(304, ""),
        ),
        fault(
            "length too short",
            with("Content-Length: 2", b"ok, and more"),
            Then::Keep,
            whole(200, "ok"),
        ),
        fault(
            "an answer after the answer",
            format!("{OK}{EVIL}"),
            Then::Keep,
            whole(200, "ok"),
        ),
        fault(
            "length 0 and an answer",
            with("Content-Length: 0", EVIL.as_bytes()),
            Then::Keep,
            whole(200, ""),
        ),
        fault(
            "an answer after the chunks",
            with(
                "Transfer-Encoding: chunked",
                format!("2\r\nok\r\n0\r\n\r\n{EVIL}").as_bytes(),
            ),
            Then::Keep,
            whole(200, "ok"),
        ),
        fault(
            "one byte too much",
            with("Content-Length: 2", b"ok\n"),
            Then::Keep,
            whole(200, "ok"),
        ),
    ]);
}

#[test]
fn a_body_after_a_head_does_not_answer_the_next_request() {
    for rest in ["hello", EVIL] {
        let endpoint = failing(with("Content-Length: 5", rest.as_bytes()), Then::Keep);
        let gateway = serve(&endpoint, 15_000);
        let mut client = Client::connect(gateway.address);
        let answer = client
            .send("HEAD /fault HTTP/1.1\r\nHost: gw.test\r\n\r\n")
            .answer_to("HEAD");
        assert_eq!((answer.status, answer.header("content-length")), (200, Some("5")));
        check_next(&gateway).unwrap();
    }
}

/// A server may close a kept connection at any time; the next request must not suffer from it.
#[test]
fn a_connection_that_was_closed_meanwhile_is_not_used_again() {
    for is_reset in [false, true] {
        let (sender, is_closed) = channel();
        let sender = Mutex::new(sender);
        let endpoint = Endpoint::start(move |stream, _| {
            let _ = stream.write_all(OK.as_bytes());
            let _ = stream.flush();
            // Closed by hand, so that it has happened when the test goes on.
            if is_reset {
                crate::support::endpoint::reset(stream);
            }
            sender.lock().unwrap().send(stream.try_clone().unwrap()).unwrap();
            Next::Close
        });
        let gateway = serve(&endpoint, 15_000);
        for method in ["GET", "GET", "POST", "POST", "GET"] {
            let answer = Client::connect(gateway.address)
                .send(request(method, "/ok"))
                .answer_to(method);
            check(&whole(200, "ok"), &answer).unwrap_or_else(|error| panic!("{method}, reset: {is_reset}: {error}"));
            let mut stream: TcpStream = is_closed.recv_timeout(PATIENCE).unwrap();
            let _ = stream.shutdown(std::net::Shutdown::Both);
            let _ = stream.read(&mut [0]);
        }
        assert_eq!(endpoint.connections(), 5);
    }
}

/// No retry but the one that the protocol's own race asks for.
#[test]
fn a_request_that_fails_is_not_sent_twice() {
    for (then, sends) in [
        (Then::Close, ""),
        (Then::Reset, ""),
        (Then::Close, "HTTP/1.1 200 OK\r\nX-"),
    ] {
        let endpoint = failing(sends.into(), then);
        for (method, is_warm) in [("GET", false), ("POST", false), ("POST", true), ("DELETE", true)] {
            let gateway = serve(&endpoint, 15_000);
            if is_warm {
                assert_eq!(gateway.get("/ok").text(), "ok");
            }
            let _ = endpoint.rest();
            let answer = Client::connect(gateway.address)
                .send(request(method, "/fault"))
                .answer_to(method);
            check(&Refused(&[503]), &answer).unwrap();
            let count = endpoint.rest().len();
            assert_eq!(count, 1, "{method}, warm: {is_warm}, {then:?}, {sends:?}");
        }
    }
}

/// R3.19: a server may close a kept connection while the next request is on its way. Such a request is sent once more, on a
/// new connection, where it is safe and has no body.
#[test]
fn a_request_that_meets_the_end_of_its_connection_is_sent_once_more() {
    for is_reset in [false, true] {
        for (method, target, expect, count) in [
            ("GET", "/fault?race", whole(200, "ok"), 2),
            ("HEAD", "/fault?race", whole(200, ""), 2),
            ("OPTIONS", "/fault?race", whole(200, "ok"), 2),
            ("POST", "/fault?race", Refused(&[503]), 1),
            ("DELETE", "/fault?race", Refused(&[503]), 1),
            // The second time is the last.
            ("GET", "/fault", Refused(&[503]), 2),
        ] {
            let endpoint = Endpoint::start(move |stream, recorded| {
                let line = recorded.line();
                if line.contains("/ok") || (recorded.connection > 0 && line.contains("race")) {
                    let is_head = line.starts_with("HEAD");
                    let end = if is_head { OK.len() - 2 } else { OK.len() };
                    let _ = stream.write_all(&OK.as_bytes()[..end]);
                    return Next::KeepAlive;
                }
                if is_reset { Next::Reset } else { Next::Close }
            });
            let gateway = serve(&endpoint, 15_000);
            assert_eq!(gateway.get("/ok").text(), "ok");
            let _ = endpoint.rest();
            let answer = Client::connect(gateway.address)
                .send(request(method, target))
                .answer_to(method);
            let what = format!("{method} {target}, reset: {is_reset}");
            check(&expect, &answer).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(endpoint.rest().len(), count, "{what}");
        }
    }
}
