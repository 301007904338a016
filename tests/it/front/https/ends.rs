//! Ends of connections that are no ends of messages (T7).

use std::net::Shutdown;

use super::Https;
use crate::support::metrics::metrics_at;

/// How a client ends its side.
#[derive(Clone, Copy, Debug)]
enum End {
    CloseNotify,
    HalfClose,
    Both,
}

#[test]
fn an_end_inside_a_request_cuts_it_and_one_behind_it_does_not() {
    let https = Https::start();
    let post = |length: usize| format!("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\nhalf");
    for end in [End::CloseNotify, End::HalfClose, End::Both] {
        for (request, expected) in [
            (post(10), 400),
            ("GET /a HTTP/1.1\r\nHost: a\r\n".to_owned(), 400),
            (
                "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n".to_owned(),
                400,
            ),
            (post(4), 200),
            ("GET /a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 200),
        ] {
            let mut client = https.connect("listener.test");
            client.send(&request);
            if !matches!(end, End::HalfClose) {
                client.tls.send_close_notify();
                client.tls.write_tls(&mut client.stream).unwrap();
            }
            if !matches!(end, End::CloseNotify) {
                client.stream.shutdown(Shutdown::Write).unwrap();
            }
            assert_eq!(client.answer().status, expected, "T7: {end:?}, {request:?}");
            assert_eq!(client.end(), Ok(()), "T7: {end:?}, {request:?}: close_notify behind it");
            let arrived = https.endpoint.rest();
            assert_eq!(arrived.len(), usize::from(expected == 200), "T7: {end:?}, {request:?}");
        }
    }
}

#[test]
fn an_end_between_requests_is_an_ordinary_one() {
    let https = Https::with(
        crate::support::endpoint::Endpoint::telling_the_target(),
        |_, _| {},
        super::with_admin,
    );
    for end in [End::CloseNotify, End::HalfClose, End::Both] {
        let mut client = https.connect("listener.test");
        assert_eq!(client.get("a", "/a").status, 200);
        if !matches!(end, End::HalfClose) {
            client.tls.send_close_notify();
            client.tls.write_tls(&mut client.stream).unwrap();
        }
        if !matches!(end, End::CloseNotify) {
            client.stream.shutdown(Shutdown::Write).unwrap();
        }
        // No answer to a request that nobody sent.
        assert!(client.try_answer().is_err(), "T7: {end:?}");
    }
    let samples = metrics_at(https.gateway.server.admin_addr().unwrap());
    let count = |name: &str| -> f64 {
        let of_routes = samples.iter().filter(|(series, _)| series.starts_with(name));
        of_routes.map(|(_, count)| count).sum()
    };
    assert_eq!(
        (count("apigateway_requests_total{"), count("apigateway_4xx_total{")),
        (3.0, 0.0),
        "T7: {samples:?}"
    );
}
