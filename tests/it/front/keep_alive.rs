//! A connection takes requests until its last one, and the last response reaches its client whole.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use super::{GET, LARGE, assert_one, check_next, rest, serve, serve_with, with_one_route};
use crate::support::client::{Client, PATIENCE, get};
use crate::support::content::content;
use crate::support::endpoint::{Endpoint, Next};

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
fn a_connection_has_a_last_request() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| options.limits.max_requests = 3);
    let mut client = Client::connect(gateway.address);
    client.send(GET.repeat(4));
    for connection in ["keep-alive", "keep-alive", "close"] {
        let answer = client.answer_to("GET");
        assert_one(&answer);
        assert_eq!(answer.header("connection"), Some(connection));
    }
    assert!(client.is_closed());
}

#[test]
fn the_address_that_a_client_reached_is_told() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| options.listen = "0.0.0.0:0".to_owned());
    let address = SocketAddr::from(([127, 0, 0, 7], gateway.address.port()));
    assert_one(&get(address, "/one"));
    let forwarded = endpoint.next().headers("forwarded").join("");
    assert!(forwarded.starts_with("by=127.0.0.7;for=127.0.0.1;"), "{forwarded}");
}

#[test]
fn what_a_client_sends_behind_its_last_request_does_not_cost_the_answer() {
    let (release, released) = channel();
    let released: Mutex<Receiver<()>> = Mutex::new(released);
    let body = content(LARGE);
    let endpoint = Endpoint::start({
        let body = body.clone();
        move |stream, recorded| {
            let _ = released.lock().unwrap().recv_timeout(PATIENCE);
            let length = match recorded.request() {
                "POST /large" => body.len(),
                _ => 30_000,
            };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            let _ = stream.write_all(&[head.as_bytes(), &body[..length]].concat());
            Next::KeepAlive
        }
    });
    let gateway = serve_with(&endpoint, |_| {});
    for (line, length) in [
        ("POST /large HTTP/1.1\r\nConnection: close", LARGE),
        ("POST /small HTTP/1.1\r\nConnection: close", 30_000),
        ("POST /large HTTP/1.0", LARGE),
        ("POST /small HTTP/1.0", 30_000),
    ] {
        let mut client = Client::connect(gateway.address);
        client.send(format!("{line}\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"));
        endpoint.next();
        // As some old clients do (RFC 9112 §2.2), while the integration works.
        client.send("\r\n");
        release.send(()).unwrap();
        let (got, is_plain) = rest(&mut client);
        assert!(is_plain, "{line}: reset after {} bytes", got.len());
        assert!(got.ends_with(&body[..length]), "{line}: {} bytes", got.len());
    }
}

#[test]
fn a_refused_client_that_still_sends_can_read_why() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |_| {});
    let mut client = Client::connect(gateway.address);
    client.send("POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n");
    // All of it is sent before anything is read.
    client.send(content(20_000_000));
    assert_eq!(client.answer_to("POST").status, 413);
    match client.stream.read(&mut [0]) {
        Ok(count) => assert_eq!(count, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}
