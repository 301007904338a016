//! A client that speaks HTTPS: for handshakes, of which wrk makes one a connection, and for connections that are kept.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, SignatureScheme};

use crate::Outcome;
use crate::certificate::NAME;
use crate::http;
use crate::process::as_f64;
use crate::wrk::Measured;

/// Sessions that a client keeps to resume; each is for one handshake.
const SESSIONS: usize = 8;

/// Failures after which a client gives up.
const MOST_FAILURES: u64 = 100;

/// A connection over TLS 1.3.
#[derive(Debug)]
pub struct HttpsClient {
    tls: ClientConnection,
    stream: TcpStream,
}

/// Settings of clients, with or without sessions to resume. They trust anybody: verifying is the client's work, and what
/// is measured is the server.
///
/// # Errors
/// There is no TLS 1.3.
pub fn settings(resumes: bool) -> Outcome<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?;
    let trusting = builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody));
    let mut config = trusting.with_no_client_auth();
    config.resumption = match resumes {
        true => Resumption::in_memory_sessions(SESSIONS),
        false => Resumption::disabled(),
    };
    Ok(Arc::new(config))
}

impl HttpsClient {
    /// Connects and ends the handshake on this side.
    ///
    /// # Errors
    /// Nobody listens, or the handshake fails.
    pub fn open(address: SocketAddr, settings: &Arc<ClientConfig>, patience: Duration) -> Outcome<HttpsClient> {
        let connect = || {
            let mut stream = TcpStream::connect_timeout(&address, patience)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(patience))?;
            stream.set_write_timeout(Some(patience))?;
            let name = ServerName::try_from(NAME).map_err(std::io::Error::other)?;
            let mut tls = ClientConnection::new(Arc::clone(settings), name).map_err(std::io::Error::other)?;
            while tls.is_handshaking() {
                tls.complete_io(&mut stream)?;
            }
            Ok(HttpsClient { tls, stream })
        };
        connect().map_err(|error: std::io::Error| format!("{address}: {error}"))
    }

    /// Asks for a path once, reads the answer and gives its status.
    ///
    /// # Errors
    /// There is no whole answer of a known length.
    pub fn ask(&mut self, path: &str, fields: &str) -> Outcome<u16> {
        let failed = |error: std::io::Error| format!("no answer: {error}");
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n{fields}\r\n");
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.stream);
        stream.write_all(request.as_bytes()).map_err(failed)?;
        http::read_status(&mut stream)
    }

    /// Whether the handshake was one of a session before.
    pub fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Says that it sends no more, and closes.
    fn close(mut self) {
        self.tls.send_close_notify();
        let _ = self.tls.write_tls(&mut self.stream);
    }
}

/// Opens connections, asks each for a path, and leaves them idle.
///
/// # Errors
/// One of them cannot be opened, or is not answered.
pub fn idle_connections(address: SocketAddr, count: usize, path: &str) -> Outcome<Vec<TcpStream>> {
    let settings = settings(true)?;
    let mut connections = Vec::with_capacity(count);
    for number in 0..count {
        let failed = |error: String| format!("idle connection {number}: {error}");
        let mut client = HttpsClient::open(address, &settings, Duration::from_secs(5)).map_err(failed)?;
        match client.ask(path, "").map_err(failed)? {
            200 => {}
            status => return Err(failed(format!("it answers {status}"))),
        }
        let stream = client.stream;
        stream
            .set_nonblocking(true)
            .map_err(|error| failed(error.to_string()))?;
        connections.push(stream);
    }
    Ok(connections)
}

/// Opens connections and begins a handshake on each, in turn with nothing, half and all of the client's first message.
///
/// # Errors
/// One of them cannot be opened.
pub fn half_open(address: SocketAddr, count: usize) -> Outcome<Vec<TcpStream>> {
    let settings = settings(false)?;
    let open = |number: usize| {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        let name = ServerName::try_from(NAME).map_err(std::io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::clone(&settings), name).map_err(std::io::Error::other)?;
        let mut hello = Vec::new();
        tls.write_tls(&mut hello)?;
        let length = hello.len() * (number % 3) / 2;
        stream.write_all(hello.get(..length).unwrap_or_default())?;
        Ok(stream)
    };
    let opened = (0..count)
        .map(|number| open(number).map_err(|error: std::io::Error| format!("half-open connection {number}: {error}")));
    opened.collect()
}

/// How many of them are still open. What a server has sent is left unread.
pub fn still_half_open(connections: &[TcpStream]) -> usize {
    let is_open = |stream: &&TcpStream| {
        let _ = stream.set_nonblocking(true);
        match stream.peek(&mut [0]) {
            Ok(count) => count > 0,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    };
    connections.iter().filter(is_open).count()
}

/// What clients do again and again: connect, shake hands, ask for a path once, close.
#[derive(Clone, Copy, Debug)]
pub struct Handshakes<'a> {
    /// The path.
    pub path: &'a str,
    /// Clients that do so at the same time.
    pub clients: usize,
    /// Whether all handshakes but each client's first are of a session before.
    pub resumed: bool,
}

/// Has clients shake hands for some time. A handshake of the other kind is a failure.
///
/// # Errors
/// There is no client, or none gets an answer.
pub fn drive(address: SocketAddr, load: Handshakes<'_>, time: Duration) -> Outcome<Measured> {
    let begun = Instant::now();
    let end = begun + time;
    let counts: Vec<Outcome<(Vec<u64>, u64)>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..load.clients)
            .map(|_| scope.spawn(move || shake_hands(address, load, end)))
            .collect();
        let ended = clients.into_iter().map(|client| client.join());
        ended
            .map(|counts| counts.unwrap_or_else(|_| Err("a client has failed".to_owned())))
            .collect()
    });
    let seconds = begun.elapsed().as_secs_f64();
    let (mut times, mut failures) = (Vec::new(), 0);
    for counts in counts {
        let (more, failed) = counts?;
        times.extend(more);
        failures += failed;
    }
    times.sort_unstable();
    let milliseconds = |percent: usize| {
        let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(at).map_or(0.0, |time| as_f64(*time) / 1e3)
    };
    match u64::try_from(times.len()).unwrap_or_default() {
        0 => Err("not one answer came".to_owned()),
        requests => Ok(Measured {
            requests,
            seconds,
            p50: milliseconds(50),
            p99: milliseconds(99),
            failures,
        }),
    }
}

/// One client: how long each of its turns took, in microseconds, and how many were in vain.
fn shake_hands(address: SocketAddr, load: Handshakes<'_>, end: Instant) -> Outcome<(Vec<u64>, u64)> {
    let settings = settings(load.resumed)?;
    let turn = || {
        let mut client = HttpsClient::open(address, &settings, Duration::from_secs(5))?;
        let status = client.ask(load.path, "")?;
        let is_resumed = client.is_resumed();
        client.close();
        Ok::<_, String>((status, is_resumed))
    };
    if load.resumed {
        turn()?;
    }
    let (mut times, mut failures) = (Vec::new(), 0);
    loop {
        let begun = Instant::now();
        if begun >= end {
            return Ok((times, failures));
        }
        match turn() {
            Ok((200, is_resumed)) if is_resumed == load.resumed => {
                times.push(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
            }
            _ if failures == MOST_FAILURES => return Ok((times, failures)),
            _ => failures += 1,
        }
    }
}

/// Trusts every certificate, and believes every signature.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;

    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use rustls::{ServerConfig, ServerConnection};

    const LOAD: Handshakes<'_> = Handshakes {
        path: "/",
        clients: 2,
        resumed: false,
    };

    /// Answers each connection once, for as long as the test runs.
    fn server(tickets: usize) -> SocketAddr {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![NAME.to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(&[&TLS13]).unwrap();
        let mut config = builder
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.send_tls13_tickets = tickets;
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, config) = (stream.unwrap(), Arc::clone(&config));
                thread::spawn(move || {
                    let mut tls = ServerConnection::new(config).unwrap();
                    let mut stream = rustls::Stream::new(&mut tls, &mut stream);
                    let mut request = [0; 1024];
                    if stream.read(&mut request).is_ok_and(|count| count > 0) {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                        let _ = stream.read(&mut request);
                    }
                });
            }
        });
        address
    }

    #[test]
    fn handshakes_of_the_kind_that_is_measured_count() {
        let time = Duration::from_millis(200);
        let resumed = Handshakes { resumed: true, ..LOAD };
        for (tickets, load) in [(2, LOAD), (0, LOAD), (2, resumed)] {
            let measured = drive(server(tickets), load, time).unwrap();
            assert!(measured.requests > 0 && measured.p50 > 0.0, "{measured:?}");
            assert_eq!(measured.failures, 0, "{load:?}");
        }
        assert_eq!(
            drive(server(0), resumed, time),
            Err("not one answer came".to_owned()),
            "nothing can be resumed"
        );
    }

    #[test]
    fn idle_and_half_open_connections_are_counted() {
        let address = server(2);
        let idle = idle_connections(address, 3, "/").unwrap();
        assert_eq!(http::still_open(&idle), 3);
        let half_open = half_open(address, 3).unwrap();
        assert_eq!(still_half_open(&half_open), 3);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = super::half_open(listener.local_addr().unwrap(), 3).unwrap();
        for _ in 0..3 {
            drop(listener.accept().unwrap());
        }
        // Blocking, so that the end has arrived.
        for mut stream in &closed {
            let _ = stream.set_nonblocking(false);
            assert!(!stream.read(&mut [0]).is_ok_and(|count| count > 0));
        }
        assert_eq!(still_half_open(&closed), 0);
    }
}
