//! What an operator sees and sets: throttles, the access log, the metrics page.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use apigateway::data_plane::access_log::Destination;
use apigateway::definition::store::Store;
use apigateway::deployment::Deployment;
use apigateway::server::Options;
use serde_json::{Value, json};

use crate::support::client::{self, Client, PATIENCE};
use crate::support::directory::{Directory, http_proxy, pass_everything, route};
use crate::support::endpoint::{Endpoint, Next, nobody};
use crate::support::gateway::{Gateway, options};
use crate::support::jwt::{Issuer, Signer};
use crate::support::jwt_api;

const GET: &str = "GET /x HTTP/1.1\r\nHost: gw.test\r\n\r\n";

fn throttled_stage(rate: f64, burst: u64) -> Value {
    json!({"DefaultRouteSettings": {"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst}})
}

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

// ---- Throttling ----

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

// ---- The access log ----

fn logged(files: &[(&str, Value)]) -> (Gateway, std::path::PathBuf) {
    logged_with(files, |_| {})
}

fn logged_with(files: &[(&str, Value)], change: impl FnOnce(&mut Options)) -> (Gateway, std::path::PathBuf) {
    let directory = Directory::of(files);
    let path = directory.path().join("access.log");
    let mut options = options(&directory);
    options.access_log = Destination::File(path.clone());
    change(&mut options);
    (Gateway::start(directory, options), path)
}

/// The first line, once it is there.
fn first_line(path: &std::path::Path) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(path).unwrap();
        if let Some((line, _)) = text.split_once('\n') {
            return line.to_owned();
        }
        assert!(Instant::now() < until);
        thread::yield_now();
    }
}

fn pass_everything_with_format(endpoint: &Endpoint, format: &str) -> Vec<(&'static str, Value)> {
    let mut files = pass_everything(endpoint.address);
    files[0].1 = json!({"AccessLogSettings": {"Format": format}});
    files
}

fn lines_at_the_end(gateway: Gateway, path: &std::path::Path) -> Vec<String> {
    gateway.server.stop(PATIENCE);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn an_answer_that_breaks_off_is_logged_with_what_was_sent() {
    let endpoint = Endpoint::start(|stream, _| {
        use std::io::Write;
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&vec![b'x'; 100_000]).unwrap();
        Next::Close
    });
    let format = "$context.requestId $context.status $context.responseLength [$context.integrationErrorMessage]";
    let (gateway, path) = logged(&pass_everything_with_format(&endpoint, format));
    let answer = gateway.get("/x");
    assert!(!answer.complete);
    let lines = lines_at_the_end(gateway, &path);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let start = "AAECAwQFBgcICQo= 200 100000 [the connection broke: ";
    assert!(lines[0].starts_with(start), "{lines:?}");
}

#[test]
fn a_client_that_goes_away_is_logged_too() {
    let endpoint = Endpoint::start(|stream, _| {
        use std::io::Write;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            .unwrap();
        // Until the gateway has noticed.
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
        Next::Close
    });
    let (gateway, path) = logged(&pass_everything_with_format(
        &endpoint,
        "$context.requestId $context.responseLength",
    ));
    let mut client = Client::connect(gateway.address);
    client.send(GET);
    client.next_bytes();
    drop(client);
    let line = first_line(&path);
    let length: u64 = line.strip_prefix("AAECAwQFBgcICQo= ").unwrap().parse().unwrap();
    assert!((1..100_000_000).contains(&length), "{length}");
}

#[test]
fn an_answer_that_its_client_does_not_take_is_logged_as_far_as_it_was_taken() {
    // More than the sockets between us hold, and less than is kept for a slow client.
    const LENGTH: usize = 9_000_000;
    let endpoint = Endpoint::start(|stream, _| {
        use std::io::Write;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let _ = stream.write_all(&vec![b'x'; LENGTH]);
        Next::Close
    });
    let (gateway, path) = logged_with(
        &pass_everything_with_format(&endpoint, "$context.requestId $context.responseLength"),
        |options| options.limits.write_timeout = Duration::from_secs(1),
    );
    let mut client = Client::connect(gateway.address);
    client.send(GET);
    let line = first_line(&path);
    let length: usize = line.strip_prefix("AAECAwQFBgcICQo= ").unwrap().parse().unwrap();
    assert!((1..LENGTH).contains(&length), "{length}");
}

#[test]
fn a_stream_that_finds_no_worker_is_one_request() {
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let endpoint = Endpoint::start(move |stream, _| {
        use std::io::Write;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = stream.write_all(head.as_bytes());
        let _ = released.lock().unwrap().recv_timeout(PATIENCE);
        let _ = stream.write_all(b"5\r\nevent\r\n0\r\n\r\n");
        Next::Close
    });
    let (gateway, path) = logged_with(
        &pass_everything_with_format(&endpoint, "$context.requestId $context.status $context.responseLength"),
        |options| options.workers = 2.try_into().unwrap(),
    );
    let mut client = Client::connect(gateway.address);
    assert!(client.send(GET).next_bytes().starts_with(b"HTTP/1.1 200 "));
    let refused = Client::connect(gateway.address).send(GET).answer_to("GET");
    assert_eq!(refused.status, 503);
    drop(release);
    client.next_bytes();
    let lines = lines_at_the_end(gateway, &path);
    assert_eq!(lines, ["AAECAwQFBgcICQo= 503 33", "AAECAwQFBgcICQo= 200 5"]);
}

#[test]
fn every_request_has_its_line_and_lines_do_not_mix() {
    let endpoint = Endpoint::ok();
    let (gateway, path) = logged(&pass_everything_with_format(
        &endpoint,
        "$context.requestId $context.path end",
    ));
    let clients: Vec<Client> = (0..4)
        .map(|_| {
            let mut client = Client::connect(gateway.address);
            client
                .send("GET /first HTTP/1.1\r\nHost: gw.test\r\n\r\n")
                .answer_to("GET");
            client
        })
        .collect();
    thread::scope(|scope| {
        for (number, mut client) in clients.into_iter().enumerate() {
            scope.spawn(move || {
                for at in 0..100 {
                    let request = format!("GET /{number}/{at} HTTP/1.1\r\nHost: gw.test\r\n\r\n");
                    client.send(request).answer_to("GET");
                }
            });
        }
    });
    let lines = lines_at_the_end(gateway, &path);
    assert_eq!(lines.len(), 404);
    for number in 0..4 {
        for at in 0..100 {
            let line = format!("AAECAwQFBgcICQo= /{number}/{at} end");
            assert_eq!(lines.iter().filter(|found| **found == line).count(), 1, "{line}");
        }
    }
}

// ---- Metrics ----

/// One number of the page, with its labels as they are written.
pub type Samples = BTreeMap<String, f64>;

/// Reads the text format 0.0.4, and forgives nothing.
fn parse(page: &str) -> Samples {
    assert!(page.ends_with('\n'));
    let mut samples = Samples::new();
    let mut families: BTreeMap<String, String> = BTreeMap::new();
    let mut helped: Option<String> = None;
    let mut current = String::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(
                is_metric_name(name) && help.len() > 5 && !families.contains_key(name),
                "{line}"
            );
            helped = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(helped.take().as_deref(), Some(name), "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            families.insert(name.to_owned(), kind.to_owned());
            current = name.to_owned();
        } else {
            assert!(!line.starts_with('#') && helped.is_none(), "{line}");
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let suffixes: &[&str] = match families[&current].as_str() {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            let is_of_family = suffixes.iter().any(|suffix| name == format!("{current}{suffix}"));
            assert!(is_of_family, "{line} in {current}");
            check_labels(&series[name.len()..]);
            let value: f64 = value.parse().unwrap();
            assert!(value.is_finite() && value >= 0.0, "{line}");
            assert_eq!(samples.insert(series.to_owned(), value), None, "{line} occurs twice");
        }
    }
    for (series, count) in samples.iter().filter(|(series, _)| series.contains("le=\"+Inf\"")) {
        let (name, labels) = series.split_once("_bucket{").unwrap();
        let labels = labels.strip_suffix(",le=\"+Inf\"}").unwrap();
        assert_eq!(
            samples.get(&format!("{name}_count{{{labels}}}")),
            Some(count),
            "{series}"
        );
        let bucket = format!("{name}_bucket{{{labels},le=\"");
        let mut bounds: Vec<(f64, f64)> = samples
            .iter()
            .filter_map(|(series, count)| {
                let bound = series.strip_prefix(&bucket)?.strip_suffix("\"}")?;
                Some((bound.replace("+Inf", "inf").parse().unwrap(), *count))
            })
            .collect();
        bounds.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(
            bounds.len() > 10 && bounds.is_sorted_by(|one, other| one.1 <= other.1),
            "{bounds:?}"
        );
    }
    samples
}

fn is_metric_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || "_:".contains(c);
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// `{name="value",…}` or nothing.
fn check_labels(labels: &str) {
    if labels.is_empty() {
        return;
    }
    let mut rest = labels.strip_prefix('{').unwrap();
    loop {
        let (name, after) = rest.split_once("=\"").unwrap();
        assert!(is_metric_name(name) && !name.contains(':'), "{labels}");
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next().unwrap() {
                (_, '\\') => assert!("\\\"n".contains(characters.next().unwrap().1), "{labels}"),
                (at, '"') => break at,
                _ => {}
            }
        };
        rest = &after[end + 1..];
        if rest == "}" {
            return;
        }
        rest = rest.strip_prefix(',').unwrap();
    }
}

fn with_admin(files: &[(&str, Value)]) -> Gateway {
    let directory = Directory::of(files);
    let mut options = options(&directory);
    options.admin = Some("127.0.0.1:0".to_owned());
    Gateway::start(directory, options)
}

fn metrics(gateway: &Gateway) -> Samples {
    metrics_at(gateway.server.admin_addr().unwrap())
}

pub fn metrics_at(address: std::net::SocketAddr) -> Samples {
    let answer = client::get(address, "/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    parse(&answer.text())
}

#[test]
fn requests_are_counted_by_stage_and_route() {
    let endpoint = Endpoint::start(|stream, recorded| {
        use std::io::Write;
        let status = if recorded.request().contains("bad") {
            "500 X"
        } else {
            "200 OK"
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nhello");
        stream.write_all(answer.as_bytes()).unwrap();
        Next::KeepAlive
    });
    let mut stage = throttled_stage(0.001, 2);
    stage["Routes"] = json!(["routes/a", "routes/b"]);
    let gateway = with_admin(&[
        ("stages/v1.json", stage),
        ("routes/a.json", route("GET /a", "up")),
        ("routes/b.json", route("POST /b", "up")),
        ("routes/c.json", route("GET /c", "down")),
        ("stages/v2.json", json!({"Routes": ["routes/c"]})),
        (
            "integrations/up.json",
            http_proxy(format!("http://{}/bad", endpoint.address)),
        ),
        ("integrations/down.json", http_proxy(format!("http://{}/", nobody()))),
    ]);
    if gateway.get("/v1/none").status != 404 {
        panic!("the stage has no such route");
    }
    let idle = metrics(&gateway);
    assert!(
        !idle.keys().any(|series| series.contains("POST /b")),
        "a route appears with its first request"
    );
    let post = "POST /v1/b HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 3\r\n\r\nabc";
    for _ in 0..3 {
        gateway.exchange(post);
    }
    gateway.get("/v2/c");
    gateway.get("/elsewhere");
    let samples = metrics(&gateway);
    let labels = "{stage=\"v1\",route=\"POST /b\"}";
    for (name, expected) in [
        ("requests_total", 3.0),
        ("4xx_total", 1.0),
        ("5xx_total", 2.0),
        ("throttled_total", 1.0),
        // Three bodies, two answers of five bytes, and a refusal of 31.
        ("data_processed_bytes_total", 50.0),
        ("latency_seconds_count", 3.0),
        ("integration_latency_seconds_count", 2.0),
    ] {
        assert_eq!(
            samples.get(&format!("apigateway_{name}{labels}")),
            Some(&expected),
            "{name}: {samples:#?}"
        );
    }
    for (series, expected) in [
        ("apigateway_requests_total{stage=\"v1\",route=\"-\"}", 1.0),
        ("apigateway_requests_total{stage=\"-\",route=\"-\"}", 1.0),
        ("apigateway_5xx_total{stage=\"v2\",route=\"GET /c\"}", 1.0),
        // What fails was waited for too.
        (
            "apigateway_integration_latency_seconds_count{stage=\"v2\",route=\"GET /c\"}",
            1.0,
        ),
        (
            "apigateway_latency_seconds_bucket{stage=\"v1\",route=\"POST /b\",le=\"+Inf\"}",
            3.0,
        ),
        ("apigateway_reloads_total{outcome=\"ok\"}", 0.0),
        ("apigateway_access_log_lost_total", 0.0),
        ("apigateway_operational_log_lost_total", 0.0),
        ("apigateway_requests_in_flight", 0.0),
        ("apigateway_queue_depth", 0.0),
    ] {
        assert_eq!(samples.get(series), Some(&expected), "{series}: {samples:#?}");
    }
    let upstream = |connection| samples[&format!("apigateway_upstream_requests_total{{connection=\"{connection}\"}}")];
    assert!((upstream("new") + upstream("reused") - 2.0).abs() < 0.5);
    assert!(upstream("new") >= 1.0);
    assert!(samples["process_resident_memory_bytes"] > 1e6);
    assert!(samples["process_open_fds"] > 3.0);
    let version = format!("apigateway_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(samples.get(&version), Some(&1.0));
}

#[test]
fn a_client_cannot_make_series() {
    let endpoint = Endpoint::ok();
    let gateway = with_admin(&pass_everything(endpoint.address));
    gateway.get("/x");
    let before = metrics(&gateway).len();
    for at in 0..50 {
        gateway.get(&format!("/made/up/{at}"));
    }
    assert_eq!(metrics(&gateway).len(), before);
}

#[test]
fn counters_go_on_over_reloads_and_the_page_is_whole_meanwhile() {
    let endpoint = Endpoint::ok();
    let gateway = with_admin(&pass_everything(endpoint.address));
    let admin = gateway.server.admin_addr().unwrap();
    let done = &AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut last = 0.0;
            while !done.load(Ordering::Relaxed) {
                let samples = metrics_at(admin);
                let count = samples.get("apigateway_requests_total{stage=\"$default\",route=\"ANY /{proxy+}\"}");
                let count = count.copied().unwrap_or_default();
                assert!(count >= last, "{count} after {last}");
                last = count;
            }
        });
        for at in 0..60 {
            if at % 3 == 0 {
                let description = json!({"Description": at.to_string()});
                gateway
                    .directory
                    .write("stages/$default.json", &description.to_string());
                gateway.server.reload();
            }
            assert_eq!(gateway.get("/x").status, 200);
        }
        done.store(true, Ordering::Relaxed);
    });
    gateway.directory.write("stages/$default.json", "{");
    gateway.server.reload();
    assert_eq!(gateway.get("/x").status, 200);
    let samples = metrics(&gateway);
    let count = samples["apigateway_requests_total{stage=\"$default\",route=\"ANY /{proxy+}\"}"];
    assert!((count - 61.0).abs() < 0.5, "{count}");
    assert!(samples["apigateway_reloads_total{outcome=\"ok\"}"] >= 1.0);
    assert!(samples["apigateway_reloads_total{outcome=\"failed\"}"] >= 1.0);
}

#[test]
fn counters_of_routes_that_are_gone_are_gone() {
    let endpoint = Endpoint::ok();
    let gateway = with_admin(&pass_everything(endpoint.address));
    gateway.get("/x");
    assert!(metrics(&gateway).keys().any(|series| series.contains("proxy")));
    gateway
        .directory
        .write("routes/all.json", &route("GET /other", "up").to_string());
    gateway.directory.write(
        "integrations/up.json",
        &http_proxy(format!("http://{}/", endpoint.address)).to_string(),
    );
    gateway.server.reload();
    assert_eq!(gateway.get("/other").status, 200);
    let samples = metrics(&gateway);
    assert!(!samples.keys().any(|series| series.contains("proxy")), "{samples:#?}");
}

// ---- Authorizers ----

fn bearer(target: &str, token: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer {token}\r\n\r\n")
}

#[test]
fn the_log_has_claims_and_the_reason_of_a_refusal_to_the_letter() {
    let signer = Signer::new("k1", "RS256");
    let issuer = Issuer::with(&[&signer]);
    let up = Endpoint::answering("HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"statusCode\":200}");
    let mut files = jwt_api::files(&up, jwt_api::authorizer(&issuer.url));
    files[0].1 = json!({"AccessLogSettings": {"Format": "$context.requestId $context.status [$context.authorizer.error] \
        [$context.authorizer.claims.sub] [$context.authorizer.claims.groups] [$context.authorizer.claims.none] \
        [$context.authorizer.claims]"}});
    let (gateway, path) = logged(&files);
    let claims = |more: Value| signer.token(&issuer.claims_with(more));
    let good = claims(json!({"sub": "joe", "groups": ["a", "b"]}));
    let expired = claims(json!({"exp": 1}));
    let without_scope = claims(json!({"scope": "other"}));
    for (target, token, status) in [
        ("/me", &good, 200),
        // As it is remembered.
        ("/me", &good, 200),
        ("/me", &expired, 401),
        ("/orders", &without_scope, 403),
    ] {
        assert_eq!(gateway.exchange(bearer(target, token)).status, status, "{target}");
    }
    let lines = lines_at_the_end(gateway, &path);
    let expected = [
        "AAECAwQFBgcICQo= 200 [-] [joe] [[a b]] [-] [-]",
        "AAECAwQFBgcICQo= 200 [-] [joe] [[a b]] [-] [-]",
        "AAECAwQFBgcICQo= 401 [invalid_token: the token has expired] [-] [-] [-] [-]",
        "AAECAwQFBgcICQo= 403 [insufficient_scope: the token does not have a required scope] [-] [-] [-] [-]",
    ];
    assert_eq!(lines, expected);
}

/// R4.8: the claims of AWS's own user pools have such names.
#[test]
fn claims_with_a_colon_or_a_dash_in_their_names_are_logged_and_mapped() {
    let signer = Signer::new("k1", "RS256");
    let issuer = Issuer::with(&[&signer]);
    let up = Endpoint::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let mut files = jwt_api::files(&up, jwt_api::authorizer(&issuer.url));
    files[0].1 = json!({"AccessLogSettings": {"Format": "$context.requestId [$context.authorizer.claims.cognito:groups] \
        $context.authorizer.claims.custom:tenant-id:$context.status"}});
    let mapped = files
        .iter_mut()
        .find(|(path, _)| *path == "integrations/mapped.json")
        .unwrap();
    mapped.1["RequestParameters"] = json!({
        "overwrite:header.x-groups": "$context.authorizer.claims.cognito:groups",
        "overwrite:header.x-tenant": "of ${context.authorizer.claims.custom:tenant-id}",
    });
    let (gateway, path) = logged(&files);
    let token = signer.token(&issuer.claims_with(json!({"cognito:groups": ["a", "b"], "custom:tenant-id": "t-7"})));
    assert_eq!(gateway.exchange(bearer("/mapped", &token)).status, 200);
    let recorded = up.next();
    assert_eq!(recorded.headers("x-groups"), ["[a b]"]);
    assert_eq!(recorded.headers("x-tenant"), ["of t-7"]);
    assert_eq!(lines_at_the_end(gateway, &path), ["AAECAwQFBgcICQo= [[a b]] t-7:200"]);
}

/// Hits and misses.
fn authorizer_cache(samples: &Samples, cache: &str) -> [f64; 2] {
    let of =
        |outcome| samples[&format!("apigateway_authorizer_cache_total{{cache=\"{cache}\",outcome=\"{outcome}\"}}")];
    [of("hit"), of("miss")]
}

#[test]
fn remembered_tokens_are_counted() {
    let signer = Signer::new("k1", "RS256");
    let issuer = Issuer::with(&[&signer]);
    let up = Endpoint::answering("HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"statusCode\":200}");
    let gateway = with_admin(&jwt_api::files(&up, jwt_api::authorizer(&issuer.url)));
    assert_eq!(authorizer_cache(&metrics(&gateway), "jwt"), [0.0, 0.0]);
    let good = signer.token(&issuer.claims());
    for _ in 0..3 {
        assert_eq!(gateway.exchange(bearer("/me", &good)).status, 200);
    }
    // One that does not hold is never remembered; without one, nothing is looked for.
    for _ in 0..2 {
        assert_eq!(gateway.exchange(bearer("/me", "a.b.c")).status, 401);
    }
    assert_eq!(gateway.get("/me").status, 401);
    assert_eq!(gateway.get("/open").status, 200);
    let samples = metrics(&gateway);
    assert_eq!(authorizer_cache(&samples, "jwt"), [2.0, 3.0]);
    assert_eq!(authorizer_cache(&samples, "lambda"), [0.0, 0.0]);
}

#[test]
fn remembered_answers_of_functions_are_counted() {
    let yes = r#"{"isAuthorized":true}"#;
    let function = Endpoint::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{yes}", yes.len()));
    let up = Endpoint::ok();
    let authorizer = |ttl: u64| {
        json!({
            "AuthorizerType": "REQUEST",
            "AuthorizerUri": "arn:aws:lambda:us-east-1:123456789012:function:auth",
            "AuthorizerPayloadFormatVersion": "2.0",
            "EnableSimpleResponses": true,
            "IdentitySource": ["$request.header.Authorization"],
            "AuthorizerResultTtlInSeconds": ttl,
        })
    };
    let guarded = |key: &str, authorizer: &str| {
        let mut route = route(key, "up");
        route["AuthorizationType"] = json!("CUSTOM");
        route["AuthorizerId"] = json!(authorizer);
        route
    };
    let gateway = with_admin(&[
        ("stages/$default.json", json!({})),
        ("routes/kept.json", guarded("GET /kept", "kept")),
        ("routes/asked.json", guarded("GET /asked", "asked")),
        ("authorizers/kept.json", authorizer(300)),
        ("authorizers/asked.json", authorizer(0)),
        (
            "functions/auth.json",
            json!({"InvokeUri": format!("http://{}/", function.address)}),
        ),
        ("integrations/up.json", http_proxy(format!("http://{}/", up.address))),
    ]);
    for (target, token) in [
        ("/kept", "a"),
        ("/kept", "a"),
        ("/kept", "b"),
        ("/kept", "a"),
        ("/asked", "a"),
    ] {
        assert_eq!(gateway.exchange(bearer(target, token)).status, 200);
    }
    let samples = metrics(&gateway);
    // Where nothing may be remembered, nothing is missed.
    assert_eq!(authorizer_cache(&samples, "lambda"), [2.0, 2.0]);
    assert_eq!(authorizer_cache(&samples, "jwt"), [0.0, 0.0]);
}

// ---- Quotas ----

#[test]
fn more_than_aws_has_is_a_warning() {
    let problems_of = |count: usize| {
        let directory = Directory::of(&[("stages/$default.json", json!({}))]);
        for at in 0..count {
            let text = route(&format!("GET /r{at}"), &format!("i{at}")).to_string();
            directory.write(&format!("routes/r{at}.json"), &text);
            let text = http_proxy("http://127.0.0.1:9/").to_string();
            directory.write(&format!("integrations/i{at}.json"), &text);
        }
        let (deployment, problems) = Deployment::of(&Store::at(directory.path()).load());
        assert!(deployment.is_some());
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(problems_of(300), [""; 0]);
    let expected = ["integrations", "routes"]
        .map(|what| format!("{what}#: warning: there are 301 {what}: AWS has 300 at most, unless one asks for more"));
    assert_eq!(problems_of(301), expected);
}
