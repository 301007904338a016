//! Over TLS an integration must prove its name, and the end of its response.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::Expect::{Refused, RefusedOrCut};
use super::{MEGABYTE, OK, SOON, check, check_next, files, request, whole};
use crate::support::client::{Client, PATIENCE};
use crate::support::content::{chunked, content};
use crate::support::directory::{Directory, http_proxy, lambda_proxy, route};
use crate::support::endpoint::Endpoint;
use crate::support::gateway::{Gateway, options};
use crate::support::metrics::metrics_at;
use crate::support::tls::{Authority, TlsEnd, TlsServer};
use crate::support::wait::wait_until;

/// A gateway that trusts that authority, and whose `/fault` goes over TLS.
fn serve_over_tls(uri: &str, timeout: u64, ok: SocketAddr, trusted: Option<&Authority>) -> (Gateway, Directory) {
    let directory = Directory::of(&files(uri, timeout, ok));
    let roots = Directory::empty();
    let mut options = options(&directory);
    if let Some(authority) = trusted {
        roots.write("roots.pem", &authority.pem);
        options.upstream_ca = Some(roots.path().join("roots.pem"));
    }
    (Gateway::start(directory, options), roots)
}

#[test]
fn an_authority_of_upstream_ca_is_trusted() {
    let authority = Authority::new();
    let endpoint = Endpoint::ok();
    for host in ["localhost", "127.0.0.1"] {
        let server = TlsServer::start(authority.server(host, 4000), OK, TlsEnd::Open);
        let uri = format!("https://{host}:{}/fault", server.address.port());
        let (gateway, _roots) = serve_over_tls(&uri, 15_000, endpoint.address, Some(&authority));
        for _ in 0..3 {
            check(&whole(200, "ok"), &gateway.get("/fault")).unwrap_or_else(|error| panic!("{host}: {error}"));
            // All on one connection.
            let expected = (0, "GET /fault HTTP/1.1".to_owned());
            assert_eq!(server.lines.recv_timeout(PATIENCE).unwrap(), expected, "{host}");
        }
        check_next(&gateway).unwrap();
    }
}

#[test]
fn a_certificate_that_proves_nothing_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let endpoint = Endpoint::ok();
    for (what, config, trusted) in [
        ("nobody trusted", authority.server("localhost", 4000), None),
        ("another trusted", other.server("localhost", 4000), Some(&authority)),
        ("another name", authority.server("other.test", 4000), Some(&authority)),
        (
            "an address as name",
            authority.server("127.0.0.1", 4000),
            Some(&authority),
        ),
        ("expired", authority.server("localhost", 2020), Some(&authority)),
    ] {
        let server = TlsServer::start(config, OK, TlsEnd::Open);
        let uri = format!("https://localhost:{}/fault", server.address.port());
        let (gateway, _roots) = serve_over_tls(&uri, 15_000, endpoint.address, trusted);
        for method in ["GET", "POST"] {
            let answer = Client::connect(gateway.address)
                .send(request(method, "/fault"))
                .answer_to(method);
            check(&Refused(&[500]), &answer).unwrap_or_else(|error| panic!("{what}: {error}"));
            check_next(&gateway).unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        assert!(server.lines.try_recv().is_err(), "{what}: the request was sent");
    }
}

/// `TlsConfig.ServerNameToVerify`: the name in the greeting, and the one that the certificate must be for.
#[test]
fn a_server_name_to_verify_takes_the_place_of_the_host() {
    let authority = Authority::new();
    let endpoint = Endpoint::ok();
    for (what, certificate, name, scheme, expect) in [
        ("the name", "api.internal", "api.internal", "https", whole(200, "ok")),
        ("the host's name", "localhost", "api.internal", "https", Refused(&[500])),
        (
            "another name",
            "other.internal",
            "api.internal",
            "https",
            Refused(&[500]),
        ),
        ("a plain URI", "api.internal", "api.internal", "http", whole(200, "ok")),
        ("an address", "10.1.2.3", "10.1.2.3", "https", whole(200, "ok")),
    ] {
        let server = TlsServer::start(authority.server(certificate, 4000), OK, TlsEnd::Open);
        let mut integration = http_proxy(format!("{scheme}://localhost:{}/fault", server.address.port()));
        integration["TlsConfig"] = json!({"ServerNameToVerify": name});
        for kind in ["INTERNET", "VPC_LINK"] {
            integration["ConnectionType"] = json!(kind);
            if kind == "VPC_LINK" {
                integration["ConnectionId"] = json!("link");
                integration["IntegrationUri"] = json!(format!("{scheme}://localhost:{}", server.address.port()));
            }
            let (gateway, _roots) = serve_integration_over_tls(&integration, endpoint.address, &authority);
            for _ in 0..2 {
                check(&expect, &gateway.get("/fault")).unwrap_or_else(|error| panic!("{what}, {kind}: {error}"));
            }
            check_next(&gateway).unwrap();
        }
    }
}

/// A connection that was verified for one name is not used for another, though the address is the same.
#[test]
fn a_kept_connection_is_one_of_its_server_name() {
    let authority = Authority::new();
    let endpoint = Endpoint::ok();
    let server = TlsServer::start(authority.server("api.internal", 4000), OK, TlsEnd::Open);
    let uri = format!("https://localhost:{}/fault", server.address.port());
    let mut integration = http_proxy(&uri);
    integration["TlsConfig"] = json!({"ServerNameToVerify": "api.internal"});
    let (gateway, _roots) = serve_integration_over_tls(&integration, endpoint.address, &authority);
    check(&whole(200, "ok"), &gateway.get("/fault")).unwrap();
    for name in [None, Some("other.internal")] {
        let mut integration = http_proxy(&uri);
        if let Some(name) = name {
            integration["TlsConfig"] = json!({"ServerNameToVerify": name});
        }
        gateway
            .directory
            .write("integrations/fault.json", &integration.to_string());
        gateway.server.reload();
        check(&Refused(&[500]), &gateway.get("/fault")).unwrap_or_else(|error| panic!("{name:?}: {error}"));
    }
}

fn serve_integration_over_tls(integration: &Value, ok: SocketAddr, trusted: &Authority) -> (Gateway, Directory) {
    let directory = Directory::of(&files("http://localhost", 15_000, ok));
    directory.write("integrations/fault.json", &integration.to_string());
    let roots = Directory::empty();
    roots.write("roots.pem", &trusted.pem);
    let mut options = options(&directory);
    options.upstream_ca = Some(roots.path().join("roots.pem"));
    (Gateway::start(directory, options), roots)
}

#[test]
fn plain_http_is_no_tls_and_tls_no_plain_http() {
    let authority = Authority::new();
    let endpoint = Endpoint::ok();
    // An endpoint that reads until the greeting's end of line would wait for ever, so this one answers anything.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = plain.local_addr().unwrap();
    thread::spawn(move || {
        for stream in plain.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let tls = TlsServer::start(authority.server("127.0.0.1", 4000), OK, TlsEnd::Open);
    for uri in [
        format!("https://{address}/fault"),
        format!("http://{}/fault", tls.address),
    ] {
        let (gateway, _roots) = serve_over_tls(&uri, 15_000, endpoint.address, Some(&authority));
        check(&Refused(&[500]), &gateway.get("/fault")).unwrap_or_else(|error| panic!("{uri}: {error}"));
        check_next(&gateway).unwrap();
    }
}

#[test]
fn a_greeting_that_nobody_answers_is_a_timeout() {
    let endpoint = Endpoint::ok();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("https://{}/fault", silent.local_addr().unwrap());
    let gateway = Gateway::serve(&files(&uri, 100, endpoint.address));
    let start = Instant::now();
    let answer = gateway.get("/fault");
    assert!(start.elapsed() < SOON);
    check(&Refused(&[503]), &answer).unwrap();
    check_next(&gateway).unwrap();
}

/// Without `close_notify`, anybody on the way could have ended the answer.
#[test]
fn the_end_of_an_answer_over_tls_must_be_proven() {
    let authority = Authority::new();
    let endpoint = Endpoint::ok();
    let until_closed = "HTTP/1.1 200 OK\r\n\r\nok";
    for (what, answer, end, expect) in [
        ("notified", until_closed, TlsEnd::Notified, whole(200, "ok")),
        ("cut", until_closed, TlsEnd::Cut, RefusedOrCut(&[503])),
        ("cut after a length", OK, TlsEnd::Cut, whole(200, "ok")),
        ("notified after a length", OK, TlsEnd::Notified, whole(200, "ok")),
        (
            "cut in a length",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            TlsEnd::Cut,
            Refused(&[503]),
        ),
        (
            "notified in a length",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            TlsEnd::Notified,
            Refused(&[503]),
        ),
        ("nothing", "", TlsEnd::Notified, Refused(&[503])),
    ] {
        let server = TlsServer::start(authority.server("127.0.0.1", 4000), answer, end);
        let uri = format!("https://{}/fault", server.address);
        let (gateway, _roots) = serve_over_tls(&uri, 15_000, endpoint.address, Some(&authority));
        for _ in 0..2 {
            check(&expect, &gateway.get("/fault")).unwrap_or_else(|error| panic!("{what}: {error}"));
            check_next(&gateway).unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    }
}

/// The end of a TLS connection comes with what is before it, and the socket tells of nothing more.
#[test]
fn an_end_that_came_with_the_answer_is_not_waited_for() {
    let authority = Authority::new();
    let endpoint = Endpoint::ok();
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
    ] {
        let server = TlsServer::start(authority.server("127.0.0.1", 4000), answer, TlsEnd::NotifiedAndOpen);
        let uri = format!("https://{}/fault", server.address);
        let (gateway, _roots) = serve_over_tls(&uri, 30_000, endpoint.address, Some(&authority));
        let start = Instant::now();
        check(&Refused(&[503]), &gateway.get("/fault")).unwrap_or_else(|error| panic!("{answer:?}: {error}"));
        assert!(start.elapsed() < SOON, "{answer:?}: {:?}", start.elapsed());
        check_next(&gateway).unwrap();
    }
}

/// A new connection is made by a worker. Once it is kept, loops use it, and no worker is needed.
#[test]
fn loops_use_connections_over_tls_that_are_kept() {
    const LINE: &str = "GET /fault HTTP/1.1";
    let large = content(MEGABYTE);
    let length = |body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let in_chunks = |fields: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}Transfer-Encoding: chunked\r\n\r\n");
        [head.as_bytes(), &chunked(body, 10_000)].concat()
    };
    let cases = [
        ("short", length(b"ok"), b"ok".to_vec()),
        ("long", length(&large), large.clone()),
        ("in chunks", in_chunks("", &large), large.clone()),
        (
            "events",
            in_chunks("Content-Type: text/event-stream\r\n", b"data: 1\n\n"),
            b"data: 1\n\n".to_vec(),
        ),
    ];
    let authority = Authority::new();
    for (what, answer, body) in cases {
        let server = TlsServer::start(authority.server("localhost", 4000), answer, TlsEnd::Open);
        let endpoint = Endpoint::ok();
        let uri = format!("https://localhost:{}/fault", server.address.port());
        let mut files = files(&uri, 15_000, endpoint.address);
        files.push(("routes/held.json", route("ANY /held", "held")));
        files.push(("integrations/held.json", lambda_proxy("held", "2.0")));
        // It never asks for its event.
        files.push(("functions/held.json", json!({"Command": ["sleep", "1000"]})));
        let directory = Directory::of(&files);
        directory.write("roots.pem", &authority.pem);
        let mut options = options(&directory);
        options.upstream_ca = Some(directory.path().join("roots.pem"));
        options.loops = 2;
        options.workers = NonZeroUsize::MIN;
        options.admin = Some("127.0.0.1:0".to_owned());
        let gateway = Gateway::start(directory, options);
        assert!(gateway.get("/fault").body == body, "{what}");
        assert_eq!(server.lines.recv_timeout(PATIENCE).unwrap(), (0, LINE.to_owned()));
        let admin = gateway.server.admin_addr().unwrap();
        wait_until("free", || metrics_at(admin)["apigateway_workers_busy"] == 0.0);
        let mut holding = Client::connect(gateway.address);
        holding.send(request("GET", "/held"));
        wait_until("held", || metrics_at(admin)["apigateway_workers_busy"] == 1.0);
        // Each of them on whichever loop its client is dealt to, and on the same connection.
        for _ in 0..4 {
            let answer = gateway.get("/fault");
            assert!(
                answer.complete && answer.body == body,
                "{what}: {}, {} bytes",
                answer.status,
                answer.body.len()
            );
            assert_eq!(server.lines.recv_timeout(PATIENCE).unwrap(), (0, LINE.to_owned()));
        }
    }
}

/// A connection that the server has closed is as good as none: a worker makes another one.
#[test]
fn a_connection_over_tls_that_was_closed_is_made_again() {
    let authority = Authority::new();
    let endpoint = Endpoint::ok();
    for end in [TlsEnd::Notified, TlsEnd::Cut] {
        let server = TlsServer::start(authority.server("localhost", 4000), OK, end);
        let uri = format!("https://localhost:{}/fault", server.address.port());
        let (gateway, _roots) = serve_over_tls(&uri, 15_000, endpoint.address, Some(&authority));
        let mut client = Client::connect(gateway.address);
        for number in 0..5 {
            let answer = client.send(request("GET", "/fault")).answer_to("GET");
            assert_eq!((answer.status, answer.text().as_str()), (200, "ok"), "{number}");
        }
    }
}
