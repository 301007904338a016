//! Handshakes in pieces, and very many of them (T5).

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::version::{TLS12, TLS13};

use super::Https;
use super::handshakes::client_hello;
use crate::support::https::{Certified, TlsClient, authority_params, client_config_of, client_params};
use crate::support::wait::wait_until;

#[test]
fn a_handshake_may_come_in_pieces_of_any_size() {
    let clients = Certified::own(authority_params("Clients"));
    let https = Https::with_domain("mutual.test", Some(&clients));
    let leaf = Certified::by(&clients, client_params("one"));
    // Records of few bytes; with a certificate, the client's turn is many of them.
    for (name, shown) in [("listener.test", &[][..]), ("mutual.test", &[&leaf])] {
        for version in [&TLS12, &TLS13] {
            for size in [32, 100, 1000] {
                let mut config = (*client_config_of(&[&https.authority], shown, &[version])).clone();
                config.max_fragment_size = Some(size);
                let mut client = TlsClient::connect(https.gateway.address, name, &Arc::new(config));
                assert_eq!(client.get(name, "/a").status, 200, "T5: {name}, {version:?}, {size}");
            }
        }
    }
    // A byte at a time, in records that are whole, and in a record for each few bytes of the message.
    let hello = client_hello(&https);
    let (_, message) = hello.split_at(5);
    let mut records = Vec::new();
    for part in message.chunks(3) {
        records.extend_from_slice(&[22, 3, 1, 0, u8::try_from(part.len()).unwrap()]);
        records.extend_from_slice(part);
    }
    for (what, bytes) in [("bytes", &hello), ("records", &records)] {
        let mut stream = TcpStream::connect(https.gateway.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(crate::support::client::PATIENCE)).unwrap();
        for byte in bytes {
            stream.write_all(&[*byte]).unwrap();
        }
        // The gateway's first message is a handshake record.
        let mut kind = [0];
        std::io::Read::read_exact(&mut stream, &mut kind).unwrap();
        assert_eq!(kind, [22], "T5: {what}");
    }
}

/// How long the flood is at most.
const FLOOD: Duration = Duration::from_secs(30);

#[test]
fn a_flood_of_handshakes_delays_nobody() {
    let https = Https::start();
    let (address, config) = (https.gateway.address, https.config());
    let hello = client_hello(&https);
    let mut client = https.connect("listener.test");
    let is_over = AtomicBool::new(false);
    let is_flooded = |begun: Instant| !is_over.load(Ordering::SeqCst) && begun.elapsed() < FLOOD;
    let mut times = Vec::new();
    thread::scope(|scope| {
        for flood in 0..4 {
            let (hello, config, is_flooded) = (&hello, &config, &is_flooded);
            scope.spawn(move || {
                let begun = Instant::now();
                while is_flooded(begun) {
                    // Whole handshakes, and such whose clients are gone when they are answered.
                    if flood % 2 == 0 {
                        let _ = TlsClient::try_connect(address, "listener.test", config);
                    } else if let Ok(mut stream) = TcpStream::connect(address) {
                        let _ = stream.write_all(hello);
                    }
                }
            });
        }
        for _ in 0..31 {
            let begun = Instant::now();
            assert_eq!(client.get("a", "/kept").status, 200, "T5");
            times.push(begun.elapsed());
        }
        // New clients come through, too, once there is room for their handshakes.
        wait_until("a new client", || {
            TlsClient::try_connect(address, "listener.test", &config).is_ok()
        });
        is_over.store(true, Ordering::SeqCst);
    });
    times.sort();
    // Behind the 1,024 handshakes that may wait, one would be answered after many seconds here.
    assert!(times[15] < Duration::from_secs(2), "T5: {times:?}");
}
