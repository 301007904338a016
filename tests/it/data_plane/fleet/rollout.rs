//! Gateways are replaced one by one under load, and tell which files they serve (`F13`, `F15`).

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{fleet_options, is_shared, limited, metric, start};
use crate::support::client::Client;
use crate::support::directory::{Directory, http_proxy, throttled_stage};
use crate::support::endpoint::Endpoint;
use crate::support::gateway::Gateway;
use crate::support::metrics::metrics;
use crate::support::program::{check, serve, small_api};
use crate::support::valkey::valkey;
use crate::support::wait::wait_until;

#[test]
fn a_rolling_restart_under_load_keeps_the_count() {
    let Some(valkey) = valkey(&[]) else { return };
    let endpoint = Endpoint::ok();
    let mut files = limited(100.0, 20);
    files[3].1 = http_proxy(format!("http://{}/", endpoint.address));
    let one = || start(&files, fleet_options(&valkey.url()));
    let first: Vec<Gateway> = (0..3).map(|_| one()).collect();
    let addresses = Mutex::new(first.iter().map(|gateway| gateway.address).collect::<Vec<_>>());
    let (passed, denied, is_over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let began = Instant::now();
    thread::scope(|scope| {
        for at in 0..6 {
            let (addresses, passed, denied, is_over) = (&addresses, &passed, &denied, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    // As a balancer does: to those that are ready.
                    let address = addresses.lock().unwrap()[at % 3];
                    let mut client = Client::connect(address);
                    for _ in 0..20 {
                        let answer = client.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").answer_to("GET");
                        match answer.status {
                            200 => passed.fetch_add(1, Ordering::SeqCst),
                            429 => denied.fetch_add(1, Ordering::SeqCst),
                            _ => panic!("{answer:?}"),
                        };
                        if answer.header("connection") == Some("close") {
                            break;
                        }
                    }
                }
            });
        }
        let mut newer = Vec::new();
        for (at, old) in first.into_iter().enumerate() {
            let gateway = one();
            assert!(is_shared(&gateway), "before it is ready");
            addresses.lock().unwrap()[at] = gateway.address;
            newer.push(gateway);
            // Clients that have the address of the old one come to their end first, as preStop lets them.
            let until = passed.load(Ordering::SeqCst) + 60;
            wait_until("more requests", || passed.load(Ordering::SeqCst) >= until);
            assert_eq!(old.server.stop(Duration::from_secs(10)), 0);
        }
        let until = passed.load(Ordering::SeqCst) + 60;
        wait_until("more requests", || passed.load(Ordering::SeqCst) >= until);
        is_over.store(true, Ordering::SeqCst);
    });
    let most = 20.0 + 100.0 * began.elapsed().as_secs_f64();
    let passed = passed.into_inner() as f64;
    assert!(passed <= most * 1.04 + 1.0, "{passed} of {most}");
    assert!(passed >= most * 0.8, "{passed} of {most}");
    assert!(denied.into_inner() > 0, "it was more than the limit");
}

/// The hash that a gateway tells of.
fn hash_of(gateway: &Gateway) -> String {
    let samples = metrics(gateway);
    let series: Vec<&String> = samples
        .keys()
        .filter(|series| series.contains("deployment_info"))
        .collect();
    assert_eq!(series.len(), 1, "{series:?}");
    series[0].split('"').nth(1).unwrap().to_owned()
}

#[test]
fn the_hash_is_of_the_files_that_are_served() {
    // F13.
    let files = limited(1.0, 1);
    let with_admin = |directory: Directory| {
        let mut options = crate::support::gateway::options(&directory);
        options.admin = Some("127.0.0.1:0".to_owned());
        Gateway::start(directory, options)
    };
    let gateways = [with_admin(Directory::of(&files)), with_admin(Directory::of(&files))];
    let hash = hash_of(&gateways[0]);
    assert!(
        hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{hash}"
    );
    assert_eq!(hash_of(&gateways[1]), hash, "roots elsewhere");
    let directory = &gateways[0].directory;
    let reload = || gateways[0].server.reload();
    // What is not read, and what is secret, makes no difference.
    for (path, text) in [
        ("routes/.hidden.json", "{}"),
        ("routes/x.json~", "{}"),
        ("README", "x"),
        ("credentials.json", r#"{"Credentials": []}"#),
    ] {
        directory.write(path, text);
        reload();
        assert_eq!(hash_of(&gateways[0]), hash, "{path}");
    }
    // Files with errors are not served.
    directory.write("stages/$default.json", "{");
    reload();
    wait_until("failed", || {
        metric(&gateways[0], "reloads_total{outcome=\"failed\"}") > Some(0.0)
    });
    assert_eq!(hash_of(&gateways[0]), hash);
    // A blank is a difference.
    directory.write("stages/$default.json", &format!("{} ", throttled_stage(1.0, 1)));
    reload();
    wait_until("another hash", || hash_of(&gateways[0]) != hash);
    let ended = crate::support::program::run(&[
        "check",
        "--format",
        "json",
        "--root",
        directory.path().to_str().unwrap(),
    ]);
    let said: serde_json::Value = serde_json::from_str(&ended.stdout[0]).unwrap();
    assert_eq!(said["hash"], hash_of(&gateways[0]));
    assert!(check(directory).stdout.iter().all(|line| !line.contains("hash")));
}

#[test]
fn the_hash_stands_in_the_lines_of_start_and_reload() {
    let directory = small_api();
    let mut served = serve(&directory, &["--log-format", "text"]);
    let hash = |line: &str| line.split("hash ").nth(1).unwrap()[..16].to_owned();
    let first = hash(&served.running.complains("serving"));
    directory.write("api.json", "{}");
    let second = hash(&served.running.complains("reloaded"));
    assert_ne!(first, second);
    let page = crate::support::client::get(served.admin, "/metrics").text();
    assert!(
        page.contains(&format!("apigateway_deployment_info{{hash=\"{second}\"}} 1")),
        "{page}"
    );
}
