//! Throttles bound the requests of a stage and of a route, also over edits of their limits.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::{Client, PATIENCE};
use crate::support::directory::{http_proxy, pass_everything, route, throttled_stage};
use crate::support::endpoint::Endpoint;
use crate::support::gateway::Gateway;

const GET: &str = "GET /x HTTP/1.1\r\nHost: gw.test\r\n\r\n";

/// Whether the next request passes.
fn passes(gateway: &Gateway, target: &str) -> bool {
    let status = gateway.get(target).status;
    assert!([200, 429].contains(&status), "{status}");
    status == 200
}

/// `$default` with `GET /a` and `GET /b`, throttled as said.
fn two_routes(endpoint: &Endpoint, stage: Value) -> Gateway {
    Gateway::serve(&[
        ("stages/$default.json", stage),
        ("routes/a.json", route("GET /a", "up")),
        ("routes/b.json", route("GET /b", "up")),
        (
            "integrations/up.json",
            http_proxy(format!("http://{}/", endpoint.address)),
        ),
    ])
}

#[test]
fn a_burst_passes_and_then_one_a_second() {
    // R9.1's worked example.
    let endpoint = Endpoint::ok();
    let gateway = two_routes(&endpoint, throttled_stage(1.0, 2));
    let began = Instant::now();
    let passed: Vec<bool> = (0..3).map(|_| passes(&gateway, "/a")).collect();
    if began.elapsed() < Duration::from_secs(1) {
        assert_eq!(passed, [true, true, false]);
    }
    let until = Instant::now() + PATIENCE;
    while !passes(&gateway, "/a") {
        assert!(Instant::now() < until);
    }
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn each_route_has_a_bucket_of_its_own() {
    let endpoint = Endpoint::ok();
    let gateway = two_routes(&endpoint, throttled_stage(0.001, 1));
    assert!(passes(&gateway, "/a"));
    assert!(!passes(&gateway, "/a"));
    assert!(passes(&gateway, "/b"));
    assert!(!passes(&gateway, "/b"));
}

#[test]
fn limits_change_live_and_buckets_are_not_filled_by_it() {
    let endpoint = Endpoint::ok();
    let gateway = two_routes(&endpoint, throttled_stage(0.001, 3));
    assert!(passes(&gateway, "/a") && passes(&gateway, "/a"));
    let change = |stage: Value| {
        gateway.directory.write("stages/$default.json", &stage.to_string());
        gateway.server.reload();
    };
    // Nothing of it changes: one token is left.
    let mut described = throttled_stage(0.001, 3);
    described["Description"] = json!("another");
    change(described);
    assert!(passes(&gateway, "/a"));
    assert!(!passes(&gateway, "/a"));
    // Another rate gives no tokens, a larger bucket gives those that it is larger by.
    change(throttled_stage(0.002, 3));
    assert!(!passes(&gateway, "/a"));
    change(throttled_stage(0.002, 4));
    assert!(passes(&gateway, "/a"));
    assert!(!passes(&gateway, "/a"));
    change(json!({}));
    assert!(passes(&gateway, "/a") && passes(&gateway, "/a"));
}

#[test]
fn many_connections_share_a_bucket_exactly() {
    // A slow machine asks for more than that too, and never leaves the bucket alone until it is full.
    const RATE: f64 = 20.0;
    const BURST: u32 = 200;
    const TIME: Duration = Duration::from_secs(2);
    let endpoint = Endpoint::ok();
    let mut files = pass_everything(endpoint.address);
    files[0].1 = throttled_stage(RATE, BURST.into());
    let gateway = Gateway::serve(&files);
    let clients: Vec<Client> = (0..8).map(|_| Client::connect(gateway.address)).collect();
    let passed = AtomicU32::new(0);
    let began = Instant::now();
    // Before the first answer, the bucket was full for a while.
    assert_eq!(gateway.get("/").status, 200);
    let not_full = Instant::now();
    let last_refused = thread::scope(|scope| {
        let clients: Vec<_> = clients
            .into_iter()
            .map(|client| scope.spawn(|| drain(client, began + TIME, &passed)))
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).max().unwrap()
    });
    let passed = f64::from(1 + passed.into_inner());
    let most = f64::from(BURST) + RATE * began.elapsed().as_secs_f64();
    assert!(passed <= most + 0.01, "{passed} of {most}");
    // When it refused, all that it had got until then was gone but for a part of a token.
    let least = f64::from(BURST) + RATE * (last_refused - not_full).as_secs_f64() - 1.0;
    assert!(passed >= least - 0.01, "{passed} of {least}");
}

/// Asks until that time, and until it is refused after it; tells when it asked for that. Counts what passes.
fn drain(mut client: Client, until: Instant, passed: &AtomicU32) -> Instant {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let asked = Instant::now();
        let status = client.send(GET).answer_to("GET").status;
        if status == 200 {
            passed.fetch_add(1, Ordering::Relaxed);
        } else if asked > until {
            return asked;
        }
        assert!(asked < give_up, "it is never refused");
    }
}
