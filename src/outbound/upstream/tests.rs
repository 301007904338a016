//! Names that move, with a look-up of the tests' own and servers on real sockets; and what rustls holds.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;

use super::*;
use crate::http1::message::Headers;
use crate::outbound::upstream::url::Url;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3600);
/// Longer than anything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that answers with its own address, until it is stopped.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    is_stopped: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    fn on(listener: TcpListener) -> Server {
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let open = Arc::new(Mutex::new(Vec::<TcpStream>::new()));
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (counted, kept, ends) = (Arc::clone(&connections), Arc::clone(&open), Arc::clone(&is_stopped));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                kept.lock().unwrap().push(stream.try_clone().unwrap());
                thread::spawn(move || answer(stream, address.ip()));
            }
        });
        Server {
            address,
            connections,
            open,
            is_stopped,
            thread: Some(thread),
        }
    }

    /// Servers on one port of two addresses.
    fn two() -> [Server; 2] {
        loop {
            let one = TcpListener::bind("127.0.0.1:0").unwrap();
            // Somebody else may have the port there.
            if let Ok(other) = TcpListener::bind(("127.0.0.2", one.local_addr().unwrap().port())) {
                return [one, other].map(Server::on);
            }
        }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn close_connections(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Closes its connections and its port.
    fn stop(&mut self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        // Wakes the thread, which drops the listener.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        self.close_connections();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn answer(mut stream: TcpStream, own: IpAddr) {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut part) {
        request.extend_from_slice(&part[..count]);
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            let text = own.to_string();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
            stream.write_all(answer.as_bytes()).unwrap();
        }
    }
}

/// An upstream for which each name has the addresses that a test says, and how often one was looked up.
struct Scene {
    upstream: Upstream,
    addresses: Arc<Mutex<Vec<SocketAddr>>>,
    look_ups: Arc<AtomicUsize>,
    port: u16,
}

impl Scene {
    fn with(dns_ttl: Duration, addresses: &[SocketAddr]) -> Scene {
        let addresses = Arc::new(Mutex::new(addresses.to_vec()));
        let look_ups = Arc::new(AtomicUsize::new(0));
        let port = addresses.lock().unwrap()[0].port();
        let (told, counted) = (Arc::clone(&addresses), Arc::clone(&look_ups));
        let settings = Settings {
            tls: tls::client_config(None).unwrap(),
            most_connections: 16,
            most_on_loops: 16,
            share_on_loops: NonZeroUsize::MAX,
            share: NonZeroUsize::MAX,
            dns_ttl,
        };
        let look_up = move |name: &str| {
            assert_eq!(name, format!("moving.test:{port}"));
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(told.lock().unwrap().clone())
        };
        Scene {
            upstream: Upstream::with_look_up(settings, Box::new(look_up)),
            addresses,
            look_ups,
            port,
        }
    }

    /// From now on the name has these addresses.
    fn move_to(&self, addresses: &[SocketAddr]) {
        *self.addresses.lock().unwrap() = addresses.to_vec();
    }

    fn look_ups(&self) -> usize {
        self.look_ups.load(Ordering::SeqCst)
    }

    /// The address of the server that answers.
    fn get(&self) -> Result<String, UpstreamError> {
        self.get_from("moving.test", 10_000)
    }

    fn get_from(&self, host: &str, timeout: u64) -> Result<String, UpstreamError> {
        let uri = Url::parse(&format!("http://{host}:{}/", self.port)).unwrap();
        let timeout = Duration::from_millis(timeout);
        let answer = self
            .upstream
            .send(uri.request(Method::Get, Headers::new(), Body::Empty, timeout))?;
        let text = answer.body.into_bytes(1000).unwrap();
        Ok(String::from_utf8(text).unwrap())
    }
}

fn answered_by(server: &Server) -> Result<String, UpstreamError> {
    Ok(server.address.ip().to_string())
}

fn is_not_connected(outcome: &Result<String, UpstreamError>) -> bool {
    matches!(outcome, Err(UpstreamError::NotConnected { .. }))
}

#[test]
fn a_name_that_moves_is_followed_while_requests_go_on() {
    let [one, other] = Server::two();
    let scene = Scene::with(Duration::from_millis(100), &[one.address]);
    for _ in 0..5 {
        assert_eq!(scene.get(), answered_by(&one));
    }
    scene.move_to(&[other.address]);
    let until = Instant::now() + PATIENCE;
    while scene.get() != answered_by(&other) {
        assert!(Instant::now() < until, "the name is not followed");
    }
    // The connection to the first is there, and not used any more.
    for _ in 0..5 {
        assert_eq!(scene.get(), answered_by(&other));
    }
    assert_eq!((one.connections(), other.connections()), (1, 1));
    // With another address besides, the connection is as good as before.
    scene.move_to(&[one.address, other.address]);
    let look_ups = scene.look_ups();
    while scene.look_ups() < look_ups + 2 {
        assert_eq!(scene.get(), answered_by(&other));
    }
    assert_eq!((one.connections(), other.connections()), (1, 1));
}

#[test]
fn addresses_are_used_for_their_time() {
    let [one, other] = Server::two();
    let scene = Scene::with(LONG, &[one.address]);
    assert_eq!(scene.get(), answered_by(&one));
    scene.move_to(&[other.address]);
    for _ in 0..20 {
        assert_eq!(scene.get(), answered_by(&one));
    }
    assert_eq!((scene.look_ups(), one.connections()), (1, 1));
}

#[test]
fn a_name_that_leads_nowhere_is_looked_up_again_at_once() {
    let [mut one, other] = Server::two();
    let scene = Scene::with(LONG, &[one.address]);
    one.stop();
    assert!(is_not_connected(&scene.get()));
    assert_eq!(scene.look_ups(), 1);
    assert!(is_not_connected(&scene.get()), "it has not moved yet");
    assert_eq!(scene.look_ups(), 2);
    scene.move_to(&[one.address, other.address]);
    assert_eq!(scene.get(), answered_by(&other));
    assert_eq!(scene.look_ups(), 3);
    // An address that is dead beside one that is not is no reason to ask.
    other.close_connections();
    assert_eq!(scene.get(), answered_by(&other));
    assert_eq!((scene.look_ups(), other.connections()), (3, 2));
}

#[test]
fn a_server_that_dies_under_a_kept_connection_is_left_at_once() {
    let [mut one, other] = Server::two();
    let scene = Scene::with(LONG, &[one.address]);
    assert_eq!(scene.get(), answered_by(&one));
    scene.move_to(&[other.address]);
    one.stop();
    assert!(is_not_connected(&scene.get()));
    assert_eq!(scene.get(), answered_by(&other));
    assert_eq!(scene.look_ups(), 2);
}

#[test]
fn a_connection_that_is_not_made_in_time_is_a_reason_to_look_the_name_up_again() {
    let [one, other] = Server::two();
    let silent = TcpListener::bind((one.address.ip(), 0)).unwrap();
    rustix::net::listen(&silent, 1).unwrap();
    let address = silent.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queue.push(stream);
        assert!(queue.len() < 100, "the queue does not fill");
    }
    let scene = Scene::with(LONG, &[address]);
    let outcome = scene.get_from("moving.test", 100);
    assert!(matches!(outcome, Err(UpstreamError::TimedOut(_))), "{outcome:?}");
    scene.move_to(&[other.address]);
    assert_eq!(scene.get(), answered_by(&other));
    assert_eq!(scene.look_ups(), 2);
}

#[test]
fn an_address_is_not_looked_up() {
    let [one, other] = Server::two();
    let scene = Scene::with(LONG, &[one.address]);
    for _ in 0..2 {
        assert_eq!(scene.get_from("127.0.0.2", 10_000), answered_by(&other));
    }
    assert_eq!((scene.look_ups(), other.connections()), (0, 1));
}

/// Takes what one side has to write to the other.
fn pass(from: &mut rustls::Connection, to: &mut rustls::Connection) {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets().unwrap();
    }
}

#[test]
fn content_that_rustls_holds_is_seen() {
    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["h".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let server = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let mut server = rustls::Connection::from(rustls::ServerConnection::new(Arc::new(server)).unwrap());
    let config = tls::client_config(Some(certificate.pem().as_bytes())).unwrap();
    let client = rustls::ClientConnection::new(config.config, ServerName::try_from("h").unwrap()).unwrap();
    let mut client = rustls::Connection::from(client);
    while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
        pass(&mut client, &mut server);
        pass(&mut server, &mut client);
    }
    let has_content = |client: &mut rustls::Connection| match client {
        rustls::Connection::Client(client) => connection::has_content(client),
        rustls::Connection::Server(_) => panic!("it is a client"),
    };
    assert!(!has_content(&mut client), "session tickets are none");
    server.writer().write_all(b"ok, and more").unwrap();
    pass(&mut server, &mut client);
    client.reader().read_exact(&mut [0; 2]).unwrap();
    assert!(has_content(&mut client));
    client.reader().read_exact(&mut [0; 10]).unwrap();
    assert!(!has_content(&mut client));
    server.send_close_notify();
    pass(&mut server, &mut client);
    assert!(!has_content(&mut client), "the end is none");
}
