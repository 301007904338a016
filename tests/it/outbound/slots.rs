//! A slot of a destination comes back however the exchange ends.

use std::io::{ErrorKind, Read};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use apigateway::http1::message::{Body, Headers, Method, Stream};
use apigateway::http1::target::Scheme;
use apigateway::outbound::upstream::url::Url;
use apigateway::outbound::upstream::{DNS_TTL, IntegrationRequest, Settings, Upstream, UpstreamError, tls};

use crate::outbound::destination_shares::{Hanging, OTHER};
use crate::support::endpoint::{Endpoint, nobody};

/// A request to an address, whose content is read as the last argument says.
fn upstream_request(authority: &str, timeout: u64, body: Body) -> IntegrationRequest {
    let uri = Url::parse(&format!("http://{authority}/a")).unwrap();
    uri.request(Method::Post, Headers::new(), body, Duration::from_millis(timeout))
}

/// Content that breaks off, or does worse.
struct Bad(fn() -> std::io::Result<usize>);

impl Read for Bad {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        (self.0)()
    }
}

#[test]
fn a_slot_comes_back_however_an_exchange_ends() {
    let upstream = Upstream::new(Settings {
        tls: tls::client_config(None).unwrap(),
        most_connections: 16,
        most_on_loops: 16,
        share_on_loops: NonZeroUsize::MAX,
        share: NonZeroUsize::MIN,
        dns_ttl: DNS_TTL,
    });
    let large = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".as_slice(),
        &[b'a'; 100_000],
    ]
    .concat();
    let (small, large) = (Endpoint::answering(OTHER), Endpoint::answering(large));
    let address = |endpoint: &Endpoint| endpoint.address.to_string();
    let nobody = nobody().to_string();
    let bad = |read| Body::Stream(Stream::new(Some(5), Bad(read)));
    // Whether there is an answer does not matter, but that the worker is not counted any more.
    let is_free = |authority: &str| {
        let slot = upstream.slots(Scheme::Http, authority).take();
        slot.is_some()
    };
    for (what, authority, timeout, body) in [
        ("an answer", address(&small), 10_000, Body::Empty),
        ("nobody there", nobody, 10_000, Body::Empty),
        ("no authority", "h h".to_owned(), 10_000, Body::Empty),
        ("a timeout", address(&Hanging::new().endpoint), 50, Body::Empty),
        ("content that breaks off", address(&small), 10_000, bad(|| Ok(0))),
        (
            "content that fails",
            address(&small),
            10_000,
            bad(|| Err(ErrorKind::Other.into())),
        ),
        (
            "content that panics",
            address(&small),
            10_000,
            bad(|| panic!("in a test")),
        ),
        ("a long answer that is dropped", address(&large), 10_000, Body::Empty),
    ] {
        let mut request = upstream_request("h", timeout, body);
        request.authority.clone_from(&authority);
        let _ = catch_unwind(AssertUnwindSafe(|| upstream.send(request).map(drop)));
        assert!(is_free(&authority), "{what}");
    }
    let authority = address(&large);
    let answer = upstream
        .send(upstream_request(&authority, 10_000, Body::Empty))
        .unwrap();
    let refused = upstream
        .send(upstream_request(&authority, 10_000, Body::Empty))
        .unwrap_err();
    assert!(matches!(refused, UpstreamError::Overloaded { .. }), "{refused}");
    assert_eq!(answer.body.into_bytes(200_000).unwrap().len(), 100_000);
    assert!(is_free(&authority));
}
