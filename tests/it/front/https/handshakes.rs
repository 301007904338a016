//! Handshakes that are slow, broken, many, or resumed (T5, T9, T10).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apigateway::front::listener_limits::Limits;
use rustls::client::Resumption;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConnection, HandshakeKind};

use super::Https;
use crate::support::client::{PATIENCE, get};
use crate::support::endpoint::Endpoint;
use crate::support::https::{Certified, TlsClient, authority_params, client_config_of, client_params, params};
use crate::support::wait::wait_until;

/// A gateway whose handshakes have that long.
pub(super) fn with_head_timeout(seconds: u64) -> Https {
    Https::with(
        Endpoint::telling_the_target(),
        |_, _| {},
        |mut options| {
            options.limits = Limits {
                head_timeout: Duration::from_secs(seconds),
                ..options.limits
            };
            options.admin = Some("127.0.0.1:0".to_owned());
            options
        },
    )
}

pub(super) fn count(https: &Https, outcome: &str) -> u64 {
    let page = get(https.gateway.server.admin_addr().unwrap(), "/metrics").text();
    let series = format!("apigateway_tls_handshakes_total{{outcome=\"{outcome}\"}} ");
    let value = page.lines().find_map(|line| line.strip_prefix(&series));
    value
        .unwrap_or_else(|| panic!("no {series} in {page}"))
        .parse()
        .unwrap()
}

/// The first message of a client.
pub(super) fn client_hello(https: &Https) -> Vec<u8> {
    let name = "listener.test".try_into().unwrap();
    let mut tls = ClientConnection::new(https.config(), name).unwrap();
    let mut hello = Vec::new();
    tls.write_tls(&mut hello).unwrap();
    hello
}

#[test]
fn a_handshake_has_its_time_whatever_trickles_in() {
    let https = with_head_timeout(1);
    let hello = client_hello(&https);
    let address = https.gateway.address;
    let begun = Instant::now();
    let silent = TcpStream::connect(address).unwrap();
    let mut trickling = TcpStream::connect(address).unwrap();
    let mut waiting = TcpStream::connect(address).unwrap();
    waiting.write_all(&hello).unwrap();
    for stream in [&silent, &trickling, &waiting] {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    }
    let is_over = |mut stream: &TcpStream| match stream.read(&mut [0; 4096]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    let mut bytes = hello.iter();
    wait_until("all closed", || {
        if let Some(byte) = bytes.next() {
            let _ = trickling.write_all(&[*byte]);
        }
        is_over(&silent) && is_over(&trickling) && is_over(&waiting)
    });
    assert!(
        begun.elapsed() >= Duration::from_millis(900),
        "T5: {:?}",
        begun.elapsed()
    );
    assert!(begun.elapsed() < Duration::from_secs(8), "T5: {:?}", begun.elapsed());
    wait_until("counted", || count(&https, "timeout") == 3);
}

#[test]
fn what_is_sent_before_a_handshake_is_whole_has_a_bound() {
    let https = with_head_timeout(30);
    let mut stream = TcpStream::connect(https.gateway.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A first message of 200 KB, in records of 16 KB.
    let mut sent = 0;
    let mut first = vec![1, 0x03, 0x0d, 0x40];
    first.resize(16_000, 0);
    while sent < 200_000 {
        let mut record = vec![22, 3, 1];
        record.extend_from_slice(&u16::try_from(first.len()).unwrap().to_be_bytes());
        record.extend_from_slice(&first);
        if stream.write_all(&record).is_err() {
            break;
        }
        sent += record.len();
        first.fill(0);
    }
    // An alert at most.
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.len() < 64, "T5: {} bytes", answer.len());
    wait_until("counted", || count(&https, "failed") == 1);
}

#[test]
fn half_open_handshakes_delay_nobody() {
    let https = with_head_timeout(30);
    let hello = client_hello(&https);
    let mut client = https.connect("listener.test");
    assert_eq!(client.get("a", "/warm").status, 200);
    let half_open: Vec<TcpStream> = (0..500)
        .map(|number| {
            let mut stream = TcpStream::connect(https.gateway.address).unwrap();
            // Nothing, a part, or all of the first message.
            let length = [0, hello.len() / 2, hello.len()][number % 3];
            stream.write_all(&hello[..length]).unwrap();
            stream
        })
        .collect();
    let mut times: Vec<Duration> = (0..21)
        .map(|_| {
            let begun = Instant::now();
            assert_eq!(client.get("a", "/b").status, 200);
            begun.elapsed()
        })
        .collect();
    times.sort();
    // Other tests run at the same time, so that one may take longer.
    assert!(times[10] < Duration::from_millis(200), "T5: {times:?}");
    assert!(times[20] < Duration::from_secs(1), "T5: {times:?}");
    // New clients come through, too.
    assert_eq!(https.connect("listener.test").get("a", "/c").status, 200);
    drop(half_open);
}

#[test]
fn broken_handshakes_and_records_end_their_connection_only() {
    let https = with_head_timeout(30);
    let hello = client_hello(&https);
    for (name, bytes) in [
        (
            "another version of everything",
            [&[22, 3, 1, 0, 4][..], &[1, 0, 0, 0]].concat(),
        ),
        ("an alert", vec![21, 3, 3, 0, 2, 2, 40]),
        ("content", vec![23, 3, 3, 0, 3, 1, 2, 3]),
        (
            "a message behind another",
            [hello.as_slice(), &[23, 3, 3, 0, 20], &[7; 20]].concat(),
        ),
        ("an empty record", vec![22, 3, 3, 0, 0]),
    ] {
        let mut stream = TcpStream::connect(https.gateway.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        assert_eq!(https.connect("listener.test").get("a", "/a").status, 200, "{name}");
    }
    // A record that does not hold, behind a handshake that did.
    let mut client = https.connect("listener.test");
    client.stream.write_all(&[23, 3, 3, 0, 20]).unwrap();
    client.stream.write_all(&[9; 20]).unwrap();
    let error = client.try_answer().unwrap_err();
    assert!(
        error.to_string().contains("BadRecordMac") || error.to_string().contains("ended"),
        "{error}"
    );
}

#[test]
fn sessions_are_resumed_within_a_domain_only() {
    let https = Https::with_domain("other.test", None);
    for version in [&TLS12, &TLS13] {
        let config = client_config_of(&[&https.authority], &[], &[version]);
        let kind = |name: &'static str| {
            let mut client = TlsClient::connect(https.gateway.address, name, &config);
            assert_eq!(client.get(name, "/a").status, 200);
            client.tls.handshake_kind().unwrap()
        };
        assert_ne!(kind("listener.test"), HandshakeKind::Resumed);
        assert_eq!(kind("listener.test"), HandshakeKind::Resumed, "T9: {version:?}");
        assert_ne!(kind("other.test"), HandshakeKind::Resumed, "T9: {version:?}");
        assert_eq!(kind("other.test"), HandshakeKind::Resumed, "T9: {version:?}");
    }
}

#[test]
fn sessions_are_resumed_within_a_version_of_the_files_only() {
    let https = Https::with_domain("other.test", None);
    for version in [&TLS12, &TLS13] {
        let config = client_config_of(&[&https.authority], &[], &[version]);
        let kind = || {
            let mut client = TlsClient::connect(https.gateway.address, "other.test", &config);
            assert_eq!(client.get("other.test", "/a").status, 200);
            client.tls.handshake_kind().unwrap()
        };
        assert_ne!(kind(), HandshakeKind::Resumed);
        // A reload that changes nothing of the domain.
        https.gateway.server.reload();
        assert_eq!(kind(), HandshakeKind::Resumed, "T9: {version:?}");
        Certified::by(&https.authority, params("other.test")).write(&https.gateway.directory, "other.test");
        https.gateway.server.reload();
        assert_ne!(kind(), HandshakeKind::Resumed, "T9: {version:?}");
        assert_eq!(kind(), HandshakeKind::Resumed, "T9: {version:?}");
    }
}

#[test]
fn domains_with_mutual_tls_resume_nothing() {
    let clients = Certified::own(authority_params("Clients"));
    let https = Https::with_domain("mutual.test", Some(&clients));
    let leaf = Certified::by(&clients, client_params("one"));
    for version in [&TLS12, &TLS13] {
        let mut config = (*client_config_of(&[&https.authority], &[&leaf], &[version])).clone();
        config.resumption = Resumption::in_memory_sessions(16);
        let config = Arc::new(config);
        for _ in 0..2 {
            let mut client = TlsClient::connect(https.gateway.address, "mutual.test", &config);
            assert_eq!(client.get("mutual.test", "/a").status, 200);
            assert_ne!(client.tls.handshake_kind(), Some(HandshakeKind::Resumed), "T9");
        }
    }
}

#[test]
fn over_the_limit_a_connection_is_closed_without_a_word() {
    let https = Https::with(
        Endpoint::telling_the_target(),
        |_, _| {},
        |mut options| {
            options.limits.max_connections = NonZeroUsize::MIN;
            options
        },
    );
    let mut client = https.connect("listener.test");
    // A request that is not whole: the connection cannot give way.
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
    let mut second = TcpStream::connect(https.gateway.address).unwrap();
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = Vec::new();
    let _ = second.read_to_end(&mut answer);
    assert!(answer.is_empty(), "T10: {answer:?}");
    assert_eq!(client.send("body").answer().status, 200);
}
