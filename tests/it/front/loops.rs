//! Exchanges on loops: no worker waits for an integration, so there may be as many as there are clients.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use apigateway::server::Options;
use serde_json::json;

use crate::support::client::{Client, PATIENCE};
use crate::support::directory::{Directory, http_proxy, route};
use crate::support::endpoint::{Endpoint, reset};
use crate::support::gateway::{Gateway, options};

const GET_HELD: &str = "GET /held HTTP/1.1\r\nHost: gw.test\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld";
/// Far less than an integration may take.
const SOON: Duration = Duration::from_secs(10);

/// An upstream that takes requests and answers none before it is told to.
struct Holding {
    address: SocketAddr,
    taken: Receiver<TcpStream>,
}

impl Holding {
    fn new() -> Holding {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&listener, 4096).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, taken) = channel();
        thread::spawn(move || take(&listener, &sender));
        Holding { address, taken }
    }

    /// The connections of the next requests, which are read.
    fn take(&self, count: usize) -> Vec<TcpStream> {
        (0..count).map(|_| self.taken.recv_timeout(PATIENCE).unwrap()).collect()
    }
}

fn take(listener: &TcpListener, sender: &Sender<TcpStream>) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
            head.push(byte[0]);
        }
        if sender.send(stream).is_err() {
            return;
        }
    }
}

/// `/held` is held by that upstream, `/other` answered by another one; there are two workers and two loops.
fn serve(held: SocketAddr, other: SocketAddr, change: impl FnOnce(&mut Options)) -> Gateway {
    let directory = Directory::of(&[
        ("stages/$default.json", json!({"Name": "$default"})),
        ("routes/held.json", route("ANY /held", "held")),
        ("integrations/held.json", http_proxy(format!("http://{held}/held"))),
        ("routes/other.json", route("ANY /other", "other")),
        ("integrations/other.json", http_proxy(format!("http://{other}/other"))),
    ]);
    let mut options = options(&directory);
    options.loops = 2;
    options.workers = NonZeroUsize::new(2).unwrap();
    change(&mut options);
    Gateway::start(directory, options)
}

/// A thread for each would find its end at two workers: the upstream answers when it has all of them.
#[test]
fn as_many_requests_as_clients_wait_for_an_integration_and_cost_the_others_nothing() {
    // Four descriptors each, of which other tests want some too.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let count = limit.map_or(1_000, |limit| usize::try_from(limit / 16).unwrap().min(1_000));
    let (holding, other) = (Holding::new(), Endpoint::ok());
    let gateway = serve(holding.address, other.address, |_| {});
    let mut clients: Vec<Client> = (0..count).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send(GET_HELD);
    }
    let held = holding.take(count);
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(gateway.get("/other").text(), "ok");
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    for mut stream in held {
        stream.write_all(OK).unwrap();
    }
    for client in &mut clients {
        let answer = client.answer_to("GET");
        assert_eq!((answer.status, answer.text().as_str()), (200, "held"));
    }
}

/// A destination has seven eighths of the exchanges that there may be on loops: of those of forty clients, 35.
#[test]
fn a_destination_has_seven_eighths_of_the_exchanges() {
    let (holding, other) = (Holding::new(), Endpoint::ok());
    let gateway = serve(holding.address, other.address, |options| {
        options.limits.max_connections = NonZeroUsize::new(40).unwrap();
    });
    let mut clients: Vec<Client> = (0..35).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send(GET_HELD);
    }
    let held = holding.take(35);
    let refused = gateway.get("/held");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(gateway.get("/other").text(), "ok");
    for mut stream in held {
        // It is closed, so that no request finds a connection on which nobody reads.
        stream.write_all(OK).unwrap();
    }
    for client in &mut clients {
        assert_eq!(client.answer_to("GET").text(), "held");
    }
    // What was held is free again: each of these goes out on a connection that was kept, or on a new one.
    drop(clients);
    let mut client = Client::connect(gateway.address);
    client.send("POST /held HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 1\r\n\r\nx");
    let mut stream = holding.take(1).remove(0);
    stream.write_all(OK).unwrap();
    assert_eq!(client.answer_to("POST").text(), "held");
}

/// H6. A client that resets its connection frees the one to the integration.
#[test]
fn a_client_that_goes_away_frees_the_connection_to_the_integration() {
    let (holding, other) = (Holding::new(), Endpoint::ok());
    let gateway = serve(holding.address, other.address, |_| {});
    for _ in 0..3 {
        let mut client = TcpStream::connect(gateway.address).unwrap();
        client.write_all(GET_HELD.as_bytes()).unwrap();
        let mut stream = holding.take(1).remove(0);
        reset(&client);
        drop(client);
        let start = Instant::now();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    }
}

/// A client that ends its side only tells that no other request follows.
#[test]
fn a_client_that_ends_its_side_is_answered() {
    let (holding, other) = (Holding::new(), Endpoint::ok());
    let gateway = serve(holding.address, other.address, |_| {});
    let mut client = TcpStream::connect(gateway.address).unwrap();
    client.write_all(GET_HELD.as_bytes()).unwrap();
    let mut stream = holding.take(1).remove(0);
    client.shutdown(Shutdown::Write).unwrap();
    // The gateway has seen the end by the time that it has answered somebody else.
    assert_eq!(gateway.get("/other").text(), "ok");
    stream.write_all(OK).unwrap();
    let mut answer = String::new();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("held"),
        "{answer}"
    );
}

/// One deadline bounds the whole exchange.
#[test]
fn an_integration_that_hangs_is_given_up_after_its_time() {
    let (holding, other) = (Holding::new(), Endpoint::ok());
    let directory = Directory::of(&[
        ("stages/$default.json", json!({"Name": "$default"})),
        ("routes/held.json", route("ANY /held", "held")),
        (
            "integrations/held.json",
            json!({"IntegrationType": "HTTP_PROXY", "IntegrationMethod": "ANY", "PayloadFormatVersion": "1.0",
                   "IntegrationUri": format!("http://{}/held", holding.address), "TimeoutInMillis": 300}),
        ),
        ("routes/other.json", route("ANY /other", "other")),
        (
            "integrations/other.json",
            http_proxy(format!("http://{}/other", other.address)),
        ),
    ]);
    let mut options = options(&directory);
    options.loops = 1;
    let gateway = Gateway::start(directory, options);
    let start = Instant::now();
    let answer = gateway.get("/held");
    assert_eq!(answer.status, 503);
    assert!(start.elapsed() >= Duration::from_millis(300) && start.elapsed() < SOON);
    // Its connection is closed.
    let mut stream = holding.take(1).remove(0);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    assert_eq!(gateway.get("/other").text(), "ok");
}

/// Requests that come while a reload is under way are held back, and no worker is asked for them: there are two.
#[test]
fn a_reload_refuses_none_of_many_requests() {
    const COUNT: usize = 40;
    let (holding, other) = (Holding::new(), Endpoint::ok());
    let gateway = serve(holding.address, other.address, |_| {});
    let mut clients: Vec<Client> = (0..COUNT).map(|_| Client::connect(gateway.address)).collect();
    for round in 0..5 {
        for number in 0..50 {
            let path = format!("routes/{round}-{number}.json");
            let json = route(&format!("GET /{round}/{number}"), "other").to_string();
            gateway.directory.write(&path, &json);
        }
        gateway.server.reload();
        for client in &mut clients {
            client.send(GET_HELD);
        }
        for mut stream in holding.take(COUNT) {
            stream.write_all(OK).unwrap();
        }
        for client in &mut clients {
            assert_eq!(client.answer_to("GET").text(), "held");
        }
        // What was sent after the reload was asked for sees the new files.
        assert_eq!(gateway.get(&format!("/{round}/49")).text(), "ok");
    }
}
