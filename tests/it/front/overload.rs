//! If there are more clients than there is room for, idle connections give way, and a request waits for a worker for a
//! bounded time.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use apigateway::data_plane::access_log::Destination;
use apigateway::front::listener_limits::Limits;
use serde_json::json;

use super::{assert_one, holding, number, serve_with, wait_until_queued};
use crate::support::client::{Client, PATIENCE, get};
use crate::support::directory::{Directory, http_proxy, route};
use crate::support::endpoint::Endpoint;
use crate::support::gateway::{Gateway, options};
use crate::support::metrics::metrics_at;
use crate::support::wait::wait_until;

const GET: &str = "GET /one HTTP/1.1\r\nHost: h\r\n\r\n";

/// How long a request waits for a worker, as docs/limits.md says.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

#[test]
fn who_waits_too_long_for_a_worker_is_told_so_while_none_becomes_free() {
    const WAITING: usize = 40;
    for workers in [1, 2] {
        // No integration takes all workers.
        let held: Vec<_> = (0..workers).map(|_| holding()).collect();
        let mut files = vec![(
            "stages/$default.json".to_owned(),
            json!({"AccessLogSettings": {"Format": "$context.status $context.path $context.requestId"}}),
        )];
        for (number, (endpoint, _)) in held.iter().enumerate() {
            files.push((
                format!("routes/{number}.json"),
                route(&format!("GET /{number}/{{proxy+}}"), &number.to_string()),
            ));
            let uri = format!("http://{}/{{proxy}}", endpoint.address);
            files.push((format!("integrations/{number}.json"), http_proxy(uri)));
        }
        let files: Vec<_> = files.iter().map(|(path, json)| (path.as_str(), json.clone())).collect();
        let directory = Directory::of(&files);
        let log = directory.path().join("access.log");
        let mut options = options(&directory);
        // Requests that wait for a worker are the subject.
        options.loops = 0;
        options.workers = number(workers);
        options.limits.queue_timeout = Limits::default().queue_timeout;
        options.admin = Some("127.0.0.1:0".to_owned());
        options.access_log = Destination::File(log.clone());
        let gateway = Gateway::start(directory, options);
        let admin = gateway.server.admin_addr().unwrap();
        let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");

        let mut kept = Client::connect(gateway.address);
        assert_one(&kept.send(get("/0/one")).answer_to("GET"));
        held[0].0.next();
        let mut holders: Vec<Client> = (0..workers).map(|_| Client::connect(gateway.address)).collect();
        for (number, client) in holders.iter_mut().enumerate() {
            client.send(get(&format!("/{number}/held")));
            held[number].0.next();
        }
        let mut waiting: Vec<(Client, Instant)> = vec![(kept, Instant::now())];
        waiting.extend((1..WAITING).map(|_| (Client::connect(gateway.address), Instant::now())));
        for (client, sent) in &mut waiting {
            *sent = Instant::now();
            client.send(get("/0/one"));
        }
        for (client, sent) in &mut waiting {
            let answer = client.answer_to("GET");
            assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
            assert_eq!(answer.text(), "{\"message\":\"Service Unavailable\"}");
            assert_eq!(answer.header("connection"), Some("close"));
            assert!(client.is_closed());
            let waited = sent.elapsed();
            assert!(
                (LONGEST_WAIT..4 * LONGEST_WAIT).contains(&waited),
                "{workers} workers: {waited:?}"
            );
        }
        let samples = metrics_at(admin);
        assert_eq!(samples["apigateway_requests_refused_total"], WAITING as f64);
        assert_eq!(samples["apigateway_queue_depth"], 0.0);
        assert_eq!(samples["apigateway_workers_busy"], workers as f64);

        for ((endpoint, release), client) in held.iter().zip(&mut holders) {
            release.send(()).unwrap();
            assert_eq!(client.answer_to("GET").text(), "/held");
            assert!(endpoint.rest().is_empty(), "who was refused is not served as well");
        }
        gateway.server.stop(PATIENCE);
        let text = fs::read_to_string(log).unwrap();
        assert_eq!(
            text.lines().filter(|line| line.starts_with("503 /0/one ")).count(),
            WAITING
        );
        assert_eq!(text.lines().count(), 1 + workers + WAITING);
    }
}

#[test]
fn who_gets_a_worker_in_time_is_answered() {
    let (endpoint, release) = holding();
    let gateway = serve_with(&endpoint, |options| {
        // Requests that wait for a worker are the subject.
        options.loops = 0;
        options.workers = number(1);
        options.admin = Some("127.0.0.1:0".to_owned());
    });
    let mut held = Client::connect(gateway.address);
    held.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
    endpoint.next();
    let mut waiting: Vec<Client> = (0..8).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut waiting {
        client.send(GET);
    }
    wait_until_queued(&gateway, 8);
    // The wait is the subject here.
    thread::sleep(LONGEST_WAIT / 4);
    release.send(()).unwrap();
    assert_eq!(held.answer_to("GET").text(), "/held");
    for client in &mut waiting {
        assert_one(&client.answer_to("GET"));
    }
}

/// A gateway for so many connections, with a management listener.
fn serve_few(endpoint: &Endpoint, connections: usize) -> Gateway {
    serve_with(endpoint, |options| {
        options.limits.max_connections = number(connections);
        options.admin = Some("127.0.0.1:0".to_owned());
    })
}

#[test]
fn the_connection_that_is_idle_for_longest_gives_way_to_a_new_one() {
    let endpoint = Endpoint::telling_the_target();
    for asked in [[].as_slice(), &[2, 0, 3, 1], &[1, 0, 1]] {
        let gateway = serve_few(&endpoint, 4);
        let admin = gateway.server.admin_addr().unwrap();
        let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(gateway.address)).collect();
        wait_until("accepted", || metrics_at(admin)["apigateway_connections_open"] > 3.5);
        let mut order: Vec<usize> = (0..4).collect();
        for number in asked {
            assert_one(&clients[*number].send(GET).answer_to("GET"));
            // It is idle only when its worker has done with it.
            wait_until("idle", || metrics_at(admin)["apigateway_workers_busy"] < 0.5);
            order.retain(|other| other != number);
            order.push(*number);
        }
        let mut new = Vec::new();
        for gives_way in &order[..2] {
            let mut client = Client::connect(gateway.address);
            assert_one(&client.send(GET).answer_to("GET"));
            new.push(client);
            assert!(clients[*gives_way].is_closed(), "{asked:?}: {gives_way} first");
        }
        let samples = metrics_at(admin);
        assert_eq!(samples["apigateway_connections_evicted_total"], 2.0, "{asked:?}");
        assert_eq!(samples["apigateway_connections_refused_total"], 0.0, "{asked:?}");
        for number in &order[2..] {
            assert_one(&clients[*number].send(GET).answer_to("GET"));
        }
        for client in &mut new {
            assert_one(&client.send(GET).answer_to("GET"));
        }
    }
}

/// A client with its answer. One that comes while the machine is too busy to make room within 200 ms comes again.
fn answered(address: SocketAddr, request: &str, body: &str) -> Client {
    for _ in 0..20 {
        let mut client = Client::connect(address);
        let answer = client.send(request).answer_to("GET");
        if answer.status != 503 {
            assert_eq!(answer.text(), body);
            return client;
        }
    }
    panic!("nobody makes room");
}

#[test]
fn idle_connections_lock_nobody_out_of_either_listener() {
    const FLOOD: usize = 300;
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_few(&endpoint, FLOOD);
    let admin = gateway.server.admin_addr().unwrap();
    let healthz = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    for (address, request, body) in [(gateway.address, GET, "/one"), (admin, healthz, "ok")] {
        // Those that never ask, and those that were answered; more than there may be of both.
        for asks in [false, true] {
            let mut flood = Vec::new();
            for _ in 0..FLOOD + 20 {
                flood.push(match asks {
                    true => answered(address, request, body),
                    false => Client::connect(address),
                });
            }
            answered(address, request, body);
            // Each gives way to one only.
            let newest = flood.last_mut().unwrap();
            assert_eq!(newest.send(request).answer_to("GET").text(), body);
            assert!(flood[0].is_closed());
        }
    }
}

#[test]
fn who_sends_a_request_as_another_one_connects_is_answered() {
    let endpoint = Endpoint::telling_the_target();
    // None of them has more than a part of a request, but for the one that asks.
    let gateway = serve_few(&endpoint, 3);
    let mut begun: Vec<Client> = (0..2).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut begun {
        client.send(&GET[..10]);
    }
    let mut asking = Client::connect(gateway.address);
    for _ in 0..100 {
        asking.send(GET);
        let mut new = Client::connect(gateway.address);
        assert_one(&asking.answer_to("GET"));
        // It is idle now, and gives way to the new one, which waits a moment for that.
        let _ = new.stream.write_all(GET.as_bytes());
        if new.answer_to("GET").status == 200 {
            assert!(asking.is_closed());
            asking = new;
        }
    }
    for client in &mut begun {
        assert_one(&client.send(&GET[10..]).answer_to("GET"));
    }
}

#[test]
fn where_none_is_idle_a_new_connection_is_refused_and_the_others_go_on() {
    let (endpoint, release) = holding();
    let gateway = serve_few(&endpoint, 3);
    let (begin, end) = GET.split_at(10);
    let mut held = Client::connect(gateway.address);
    held.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
    endpoint.next();
    let mut head = Client::connect(gateway.address);
    head.send(begin);
    let mut body = Client::connect(gateway.address);
    body.send("POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
    for _ in 0..40 {
        let mut client = Client::connect(gateway.address);
        let answer = client.answer_to("GET");
        assert_eq!((answer.status, answer.header("connection")), (503, Some("close")));
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert!(client.is_closed());
    }
    assert_one(&head.send(end).answer_to("GET"));
    assert_one(&body.send("lo").answer_to("POST"));
    release.send(()).unwrap();
    assert_eq!(held.answer_to("GET").text(), "/held");
    wait_until("idle", || get(gateway.address, "/one").status == 200);
}

#[test]
fn who_has_its_answer_may_connect_anew_at_once() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_few(&endpoint, 1);
    let mut before = Client::connect(gateway.address);
    for round in 0..200 {
        let mut client = Client::connect(gateway.address);
        if round % 3 == 0 {
            // It closes its side first, as soon as the answer is here.
            client.send("GET /one HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
            assert_one(&client.answer_to("GET"));
            drop(client);
        } else {
            assert_one(&client.send(GET).answer_to("GET"));
            before = client;
        }
    }
    drop(before);
    let samples = metrics_at(gateway.server.admin_addr().unwrap());
    assert_eq!(samples["apigateway_connections_refused_total"], 0.0);
}

#[test]
fn clients_that_do_not_go_on_lock_no_probe_out_of_the_management_listener() {
    // Its connections with those in reserve, as docs/limits.md says, and more.
    const ROOM: usize = 256;
    const FLOOD: usize = ROOM + 44;
    let endpoint = Endpoint::telling_the_target();
    for (begin, end) in [
        ("GET /echo HTTP/1.1\r\nHo", "st: h\r\n\r\n"),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel", "lo"),
    ] {
        let gateway = serve_few(&endpoint, 10);
        let admin = gateway.server.admin_addr().unwrap();
        let mut flood: Vec<Client> = Vec::new();
        for _ in 0..FLOOD {
            flood.push(Client::connect(admin));
            flood.last_mut().unwrap().send(begin);
        }
        // Another one may come between the connection and its request.
        for with_more in [false, true] {
            for (method, target, status) in [
                ("GET", "/healthz", 200),
                ("HEAD", "/healthz", 200),
                ("GET", "/metrics?x", 200),
                ("HEAD", "/metrics", 200),
                ("POST", "/healthz", 503),
                ("GET", "/echo", 503),
                ("GET", "/healthz/", 503),
                ("GET", "/none", 503),
            ] {
                let mut client = Client::connect(admin);
                if with_more {
                    flood.push(Client::connect(admin));
                    flood.last_mut().unwrap().send(begin);
                }
                let request = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n\r\n");
                let answer = client.send(request).answer_to(method);
                assert_eq!(answer.status, status, "{method} {target} behind {begin:?}");
                assert_eq!(answer.header("connection"), Some("close"), "{method} {target}");
                assert_eq!(
                    answer.header("retry-after").is_some(),
                    status == 503,
                    "{method} {target}"
                );
                assert!(client.is_closed(), "{method} {target}");
            }
        }
        // The oldest of those in reserve have given way, and were told so; those before them have not.
        let answer = flood[ROOM - 1].answer_to("GET");
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        let first = flood[0].send(end).answer_to("POST");
        assert_eq!((first.status, first.header("connection")), (200, Some("keep-alive")));
        drop(flood);
        wait_until("empty", || get(admin, "/echo").status == 200);
    }
}
