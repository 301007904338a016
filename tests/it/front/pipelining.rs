//! Pipelined requests are answered in order.

use std::net::Shutdown;

use super::{GET, assert_one, holding, serve, serve_with};
use crate::support::client::Client;
use crate::support::endpoint::Endpoint;

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
fn requests_are_answered_in_order_and_a_bad_one_does_not_take_the_good_ones_with_it() {
    let (endpoint, release) = holding();
    let gateway = serve_with(&endpoint, |_| {});
    let held = "GET /held HTTP/1.1\r\nHost: h\r\n\r\n";
    for (bad, status) in [
        ("GET /bad HTTP/1.1\r\n\r\n", 400),
        (
            "POST /bad HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\nx",
            413,
        ),
        ("\0", 400),
    ] {
        let mut client = Client::connect(gateway.address);
        client.send(format!("{held}{GET}{bad}{GET}"));
        release.send(()).unwrap();
        assert_eq!(client.answer_to("GET").text(), "/held");
        assert_one(&client.answer_to("GET"));
        let answer = client.answer_to("GET");
        assert_eq!(
            (answer.status, answer.header("connection")),
            (status, Some("close")),
            "{bad:?}"
        );
        assert!(client.is_closed(), "{bad:?}");
    }
}

#[test]
fn a_client_may_end_its_side_and_still_get_its_answers() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |_| {});
    let mut client = Client::connect(gateway.address);
    client.send(GET.repeat(3));
    client.stream.shutdown(Shutdown::Write).unwrap();
    for _ in 0..3 {
        assert_one(&client.answer_to("GET"));
    }
    assert!(client.is_closed());
}

#[test]
fn one_empty_line_before_a_request_is_nothing() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |_| {});
    let mut client = Client::connect(gateway.address);
    assert_one(&client.send(format!("\r\n{GET}")).answer_to("GET"));
    assert_one(&client.send("\r").send(format!("\n{GET}")).answer_to("GET"));
    assert_eq!(client.send(format!("\r\n\r\n{GET}")).answer_to("GET").status, 400);
}
