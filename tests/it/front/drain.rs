//! A stop answers the requests that are there, closes idle connections, and counts what it cuts.

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use super::{GET, assert_one, holding, rest, serve_with};
use crate::support::client::{Client, PATIENCE};
use crate::support::edited_api::{SOON, is_refused, served, served_slowly, waiting_client};
use crate::support::endpoint::Endpoint;
use crate::support::gateway::Gateway;
use crate::support::wait::wait_until;

#[test]
fn a_stop_answers_what_was_sent_and_closes_what_is_idle() {
    let (endpoint, release) = holding();
    let gateway = serve_with(&endpoint, |_| {});
    let address: SocketAddr = gateway.address;
    let mut held = Client::connect(address);
    held.send(format!("GET /held HTTP/1.1\r\nHost: h\r\n\r\n{GET}{GET}"));
    assert!(endpoint.next().request().contains("/held"));
    let mut idle = Client::connect(address);
    assert_one(&idle.send(GET).answer_to("GET"));
    let mut silent = Client::connect(address);
    let mut begun = Client::connect(address);
    begun.send("POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
    let mut asked = Client::connect(address);
    assert_one(&asked.send(GET).answer_to("GET"));
    let stopping = thread::spawn(move || gateway.server.stop(PATIENCE));
    wait_until("refusing", || TcpStream::connect(address).is_err());
    // The listener is closed, and the connection is open still.
    let answer = asked.send(GET).answer_to("GET");
    assert_one(&answer);
    assert_eq!(answer.header("connection"), Some("close"));
    for client in [&mut idle, &mut silent] {
        assert_eq!(rest(client), (Vec::new(), true));
    }
    let answer = begun.send("lo").answer_to("POST");
    assert_one(&answer);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(!stopping.is_finished());
    release.send(()).unwrap();
    assert_eq!(held.answer_to("GET").text(), "/held");
    assert_eq!(held.answer_to("GET").header("connection"), Some("keep-alive"));
    let answer = held.answer_to("GET");
    assert_one(&answer);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(held.is_closed());
    assert_eq!(stopping.join().unwrap(), 0);
}

#[test]
fn a_stop_under_load_loses_no_request() {
    const CLIENTS: usize = 16;
    for _ in 0..4 {
        let endpoint = Endpoint::telling_the_target();
        let gateway = serve_with(&endpoint, |_| {});
        let address = gateway.address;
        let (told, started) = channel();
        let load: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let told = told.clone();
                thread::spawn(move || {
                    let mut client = Client::connect(address);
                    for count in 0_u32.. {
                        // A third of the clients each: one request, two at once, one with a body.
                        let (sent, method) = match number % 3 {
                            0 => (GET.to_owned(), "GET"),
                            1 => (GET.repeat(2), "GET"),
                            _ => (
                                "POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody".to_owned(),
                                "POST",
                            ),
                        };
                        client.send(&sent);
                        let answer = client.answer_to(method);
                        assert_one(&answer);
                        let answer = if number % 3 == 1 && answer.header("connection") != Some("close") {
                            let second = client.answer_to(method);
                            assert_one(&second);
                            second
                        } else {
                            answer
                        };
                        if answer.header("connection") == Some("close") {
                            assert!(client.is_closed());
                            return;
                        }
                        if count == 20 {
                            told.send(()).unwrap();
                        }
                    }
                })
            })
            .collect();
        for _ in 0..CLIENTS {
            started.recv_timeout(PATIENCE).unwrap();
        }
        assert_eq!(gateway.server.stop(PATIENCE), 0);
        for client in load {
            client.join().unwrap();
        }
    }
}

#[test]
fn a_stop_counts_what_it_cuts() {
    let (endpoint, _release) = holding();
    let gateway = serve_with(&endpoint, |_| {});
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
        endpoint.next();
    }
    let _idle = Client::connect(gateway.address);
    assert_eq!(gateway.server.stop(Duration::from_millis(100)), 3);
}

#[test]
fn a_stop_waits_for_the_requests_in_flight() {
    let (endpoint, go_on, gateway) = served_slowly();
    // One that has nothing to do does not hold up the stop.
    let mut idle = Client::connect(gateway.address);
    let answer = idle
        .send("GET /none HTTP/1.1\r\nHost: gw.test\r\n\r\n")
        .answer_to("GET");
    assert_eq!(answer.status, 404);
    let mut client = waiting_client(&gateway, &endpoint);
    let Gateway {
        directory: _directory,
        server,
        address,
    } = gateway;
    let stopping = thread::spawn(move || server.stop(PATIENCE));
    let start = Instant::now();
    while !is_refused(address) {
        assert!(start.elapsed() < SOON, "connections are still taken");
        thread::sleep(Duration::from_millis(5));
    }
    assert!(!stopping.is_finished(), "the stop did not wait");
    go_on.send(()).unwrap();
    let answer = client.answer_to("GET");
    assert_eq!((answer.status, answer.text().as_str()), (200, "/slow"));
    assert!(answer.complete);
    assert_eq!(stopping.join().unwrap(), 0);
    assert!(is_refused(address));
    assert!(start.elapsed() < PATIENCE / 2, "{:?}", start.elapsed());
}

#[test]
fn a_stop_gives_up_when_its_time_is_over() {
    let (endpoint, go_on, gateway) = served_slowly();
    let mut clients = Vec::new();
    for _ in 0..2 {
        clients.push(waiting_client(&gateway, &endpoint));
    }
    let address = gateway.address;
    let start = Instant::now();
    assert_eq!(gateway.server.stop(Duration::from_millis(100)), 2);
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(is_refused(address));
    go_on.send(()).unwrap();
    go_on.send(()).unwrap();
}

#[test]
fn a_stop_with_nothing_to_do_is_quick() {
    let (_endpoint, gateway) = served();
    let address = gateway.address;
    let start = Instant::now();
    assert_eq!(gateway.server.stop(PATIENCE), 0);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert!(is_refused(address));
}
