//! These tests run several gateways with one Valkey: `F1` to `F15`.

mod accuracy;
mod faults;
mod rollout;
mod scripted;
mod secrets;
mod script;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use apigateway::outbound::valkey::address::Address;
use apigateway::server::fleet::FleetOptions;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::directory::{Directory, http_proxy, route, throttled_stage};
use crate::support::endpoint::nobody;
use crate::support::gateway::{Gateway, options};
use crate::support::metrics::metrics;

/// A preflight is throttled as every request of its route, and needs no integration.
const PREFLIGHT: &str = "OPTIONS /x HTTP/1.1\r\nHost: gw.test\r\nOrigin: http://a.test\r\n\r\n";

/// On a machine that is busy an answer may take its time; where that is the subject, a test has its own limit.
const LONG: Duration = Duration::from_secs(1);

/// `ANY /x` with that rate and burst.
fn limited(rate: f64, burst: u64) -> Vec<(&'static str, Value)> {
    vec![
        ("api.json", json!({"CorsConfiguration": {"AllowOrigins": ["*"]}})),
        ("stages/$default.json", throttled_stage(rate, burst)),
        ("routes/x.json", route("ANY /x", "up")),
        ("integrations/up.json", http_proxy(format!("http://{}/", nobody()))),
    ]
}

fn fleet_options(url: &str) -> FleetOptions {
    FleetOptions {
        address: Address::parse(url).unwrap(),
        password: None,
        ca: None,
        prefix: "test:".to_owned(),
        timeout: LONG,
    }
}

fn start(files: &[(&str, Value)], fleet: FleetOptions) -> Gateway {
    let directory = Directory::of(files);
    let mut options = options(&directory);
    options.admin = Some("127.0.0.1:0".to_owned());
    options.fleet = Some(fleet);
    Gateway::start(directory, options)
}

/// Three gateways that have one limit.
fn three(files: &[(&str, Value)], url: &str) -> Vec<Gateway> {
    (0..3).map(|_| start(files, fleet_options(url))).collect()
}

/// Whether the next request passes.
fn passes(gateway: &Gateway) -> bool {
    passes_on(&mut Client::connect(gateway.address))
}

fn passes_on(client: &mut Client) -> bool {
    let answer = client.send(PREFLIGHT).answer_to("OPTIONS");
    assert!([204, 429].contains(&answer.status), "{answer:?}");
    answer.status == 204
}

/// Sends one request after another on so many connections to each gateway; tells how many passed, and in what time.
fn overload(gateways: &[(&Gateway, usize)], lasting: Duration) -> (usize, Duration) {
    let (passed, began) = (AtomicUsize::new(0), Instant::now());
    thread::scope(|scope| {
        for (gateway, clients) in gateways {
            for _ in 0..*clients {
                let (address, passed) = (gateway.address, &passed);
                scope.spawn(move || {
                    let mut client = Client::connect(address);
                    while began.elapsed() < lasting {
                        if passes_on(&mut client) {
                            passed.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        }
    });
    (passed.into_inner(), began.elapsed())
}

/// A number of the metrics page, by its name without prefix.
fn metric(gateway: &Gateway, series: &str) -> Option<f64> {
    metrics(gateway).get(&format!("apigateway_{series}")).copied()
}

fn is_shared(gateway: &Gateway) -> bool {
    metric(gateway, "valkey_up") == Some(1.0)
}

fn decisions(gateway: &Gateway, source: &str) -> f64 {
    metric(gateway, &format!("throttle_decisions_total{{source=\"{source}\"}}")).unwrap()
}
