//! Clients that speak HTTP/1.0 need no `Host`, and cannot send chunks.

use super::{ended, serve};
use crate::support::client::{Client, exchange};
use crate::support::endpoint::Endpoint;

#[test]
fn http_1_0_needs_no_host() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve(&endpoint);
    assert_eq!(exchange(gateway.address, "GET /old HTTP/1.0\r\n\r\n").text(), "/old");
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
