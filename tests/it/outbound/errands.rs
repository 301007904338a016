//! The gateway's own errands have the same outcome whether ureq or an exchange runs them.

use std::io::Write;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use apigateway::http1::message::BodyError;
use apigateway::outbound::upstream::url::Url;
use apigateway::outbound::upstream::{DNS_TTL, Settings, Upstream, UpstreamError, tls};

use super::SOON;
use crate::support::endpoint::{Endpoint, Next, nobody};
use crate::support::tls::{Authority, TlsEnd, TlsServer};

fn upstream(trusted: Option<&Authority>) -> Upstream {
    Upstream::new(Settings {
        tls: tls::client_config(trusted.map(|authority| authority.pem.as_bytes())).unwrap(),
        most_connections: 16,
        most_on_loops: 16,
        share_on_loops: NonZeroUsize::MAX,
        share: NonZeroUsize::MAX,
        dns_ttl: DNS_TTL,
    })
}

/// The status with a field and the content, or of which kind the failure is.
fn outcome(upstream: &Upstream, url: &str, timeout: u64) -> Result<(u16, Option<String>, String), &'static str> {
    let url = Url::parse(url).unwrap();
    let slot = upstream.take_slot(url.scheme, &url.authority).unwrap();
    let kind = |error: &UpstreamError| match error {
        UpstreamError::TimedOut(_) => "timed out",
        // ureq does not tell them apart.
        UpstreamError::NotResolved { .. } | UpstreamError::NotConnected { .. } => "not connected",
        UpstreamError::Tls { .. } => "no TLS",
        UpstreamError::Broken(_) => "broken",
        UpstreamError::Malformed(_) => "malformed",
        _ => "something else",
    };
    let fields = [("accept", "application/json")];
    let timeout = Duration::from_millis(timeout);
    let answer = upstream
        .get_document(&slot, &url, &fields, timeout)
        .map_err(|error| kind(&error))?;
    let field = answer
        .headers
        .get("x-a")
        .map(|value| String::from_utf8(value.to_vec()).unwrap());
    let content = answer.body.into_bytes(1_000).map_err(|error| match error {
        BodyError::TooLarge => "too large",
        BodyError::Io(error) => error
            .downcast::<UpstreamError>()
            .map_or("unknown", |error| kind(&error)),
    })?;
    Ok((answer.status, field, String::from_utf8(content).unwrap()))
}

#[test]
fn an_errand_has_one_outcome_by_ureq_and_by_an_exchange() {
    let authority = Authority::new();
    let (by_ureq, by_exchange) = (upstream(None), upstream(Some(&authority)));
    let found = |status, content: &str| Ok((status, Some("b".to_owned()), content.to_owned()));
    let head = |status: &str| format!("HTTP/1.1 {status}\r\nX-A: b\r\n");
    let close = "Connection: close\r\n";
    for (what, answer, expected) in [
        (
            "sized",
            head("200 OK") + "Content-Length: 2\r\n\r\nok",
            found(200, "ok"),
        ),
        (
            "chunked",
            head("200 OK") + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            found(200, "ok"),
        ),
        (
            "elsewhere",
            head("302 Found") + "Location: /other\r\nContent-Length: 0\r\n\r\n",
            found(302, ""),
        ),
        (
            "not found",
            head("404 Not Found") + "Content-Length: 2\r\n\r\nno",
            found(404, "no"),
        ),
        (
            "too large",
            head("200 OK") + &format!("Content-Length: 1001\r\n\r\n{}", "x".repeat(1_001)),
            Err("too large"),
        ),
        (
            "cut",
            head("200 OK") + close + "Content-Length: 3\r\n\r\nok",
            Err("broken"),
        ),
        ("nothing", String::new(), Err("broken")),
        ("garbage", "garbage\r\n\r\n".to_owned(), Err("malformed")),
        (
            "both framings",
            head("200 OK") + "Content-Length: 2\r\nTransfer-Encoding: gzip, chunked\r\n\r\nok",
            Err("malformed"),
        ),
    ] {
        for (by, upstream) in [("ureq", &by_ureq), ("exchange", &by_exchange)] {
            let sends = answer.clone();
            let endpoint = Endpoint::start(move |stream, _| {
                let _ = stream.write_all(sends.as_bytes());
                Next::Close
            });
            let url = format!("http://{}/a?b=c", endpoint.address);
            assert_eq!(outcome(upstream, &url, 10_000), expected, "{what} by {by}");
            let recorded = endpoint.next();
            assert_eq!(recorded.request(), "GET /a?b=c", "{what} by {by}");
            assert_eq!(recorded.headers("accept"), ["application/json"], "{what} by {by}");
            assert_eq!(recorded.headers("user-agent"), [""; 0], "{what} by {by}");
        }
    }
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = nobody();
    let address = silent.local_addr().unwrap();
    for (what, url, timeout, expected) in [
        ("nobody there", format!("http://{nobody}/"), 10_000, "not connected"),
        (
            "no such name",
            "http://nobody.invalid/".to_owned(),
            10_000,
            "not connected",
        ),
        ("silent", format!("http://{}/", address), 100, "timed out"),
        ("silent over TLS", format!("https://{}/", address), 100, "timed out"),
    ] {
        for (by, upstream) in [("ureq", &by_ureq), ("exchange", &by_exchange)] {
            let start = Instant::now();
            assert_eq!(outcome(upstream, &url, timeout), Err(expected), "{what} by {by}");
            assert!(start.elapsed() < SOON, "{what} by {by}: {:?}", start.elapsed());
        }
    }
}

/// `--upstream-ca` counts for issuers, too (contract §3).
#[test]
fn an_errand_over_tls_trusts_what_integrations_trust() {
    let authority = Authority::new();
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let server = TlsServer::start(authority.server("localhost", 4000), answer, TlsEnd::Open);
    let url = format!("https://localhost:{}/", server.address.port());
    let found = Ok((200, None, "ok".to_owned()));
    assert_eq!(outcome(&upstream(Some(&authority)), &url, 10_000), found);
    for trusted in [None, Some(&Authority::new())] {
        assert_eq!(outcome(&upstream(trusted), &url, 10_000), Err("no TLS"));
    }
}
