//! More clients than there is room for: who waits for a worker, and for how long.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use apigateway::access_log::Destination;
use serde_json::json;

use crate::connections::{assert_one, holding, number, serve_with, wait_until_queued};
use crate::operations::metrics_at;
use crate::support::client::{Client, PATIENCE};
use crate::support::directory::{Directory, http_proxy, route};
use crate::support::gateway::{Gateway, options};

const GET: &str = "GET /one HTTP/1.1\r\nHost: h\r\n\r\n";

/// How long a request waits for a worker, as README.md says.
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
        options.workers = number(workers);
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
