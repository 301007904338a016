//! A request whose end or whose host is not certain is refused, and every refusal has an id and a body.

use std::io::Write;

use super::{assert_refused, check_next, ended, message, serve, with_one_route};
use crate::support::client::Client;
use crate::support::endpoint::Endpoint;

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
