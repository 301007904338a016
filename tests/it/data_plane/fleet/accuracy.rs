//! Three gateways let as much through as one bucket does, and ask Valkey seldom.

use std::time::{Duration, Instant};

use super::{PREFLIGHT, decisions, fleet_options, is_shared, limited, metric, overload, passes, start, three};
use crate::support::directory::throttled_stage;
use crate::support::gateway::Gateway;
use crate::support::valkey::valkey;
use crate::support::wait::wait_until;

/// F4: at most `b + r·t`, and not much less.
fn is_accurate(passed: usize, rate: f64, burst: f64, time: Duration) {
    let passed = passed as f64;
    let most = burst + rate * time.as_secs_f64();
    assert!(passed <= most * 1.02 + 1.0, "{passed} of {most} in {time:?}");
    // What a busy machine loses between a no and the next request is no more than a few remembered noes are long.
    assert!(passed >= most * 0.85 - 2.0, "{passed} of {most} in {time:?}");
}

#[test]
fn three_gateways_have_one_limit_even_and_uneven() {
    let Some(valkey) = valkey(&[]) else { return };
    for (at, (rate, burst, clients)) in [
        (100.0, 20, [3, 3, 3]),
        (100.0, 20, [6, 1, 0]),
        (5.0, 2, [2, 2, 2]),
        (400.0, 800, [3, 3, 3]),
    ]
    .into_iter()
    .enumerate()
    {
        valkey.command(&["FLUSHALL"]);
        let gateways = three(&limited(rate, burst), &valkey.url());
        assert!(gateways.iter().all(is_shared), "case {at}");
        let load: Vec<(&Gateway, usize)> = gateways.iter().zip(clients).collect();
        let (passed, time) = overload(&load, Duration::from_secs(3));
        is_accurate(passed, rate, burst as f64, time);
        for gateway in &gateways {
            assert!(
                decisions(gateway, "local") < 1.0,
                "case {at}: it was shared all the time"
            );
        }
    }
}

#[test]
fn a_burst_is_exact_and_each_route_has_its_own() {
    // F2, F5: nothing is denied before the bucket is empty.
    let Some(valkey) = valkey(&[]) else { return };
    let gateways = three(&limited(0.001, 10), &valkey.url());
    let passed: Vec<bool> = (0..15).map(|at| passes(&gateways[at % 3])).collect();
    assert_eq!(passed, [vec![true; 10], vec![false; 5]].concat());
    // F3: the key, its value, and that it expires by itself.
    let key = "test:{local/$default}:throttle:ANY /x";
    let keys = valkey.command(&["KEYS", "*"]);
    let mut keys: Vec<&str> = keys.lines().collect();
    keys.sort_unstable();
    assert_eq!(keys, ["test:replicas", key]);
    let expiry: u64 = valkey.command(&["PTTL", key]).parse().unwrap();
    assert!((9_900_000..=10_001_000).contains(&expiry), "{expiry}");
    let full_at = valkey.command(&["GET", key]);
    assert!(full_at.len() >= 20 && full_at.contains('.'), "{full_at}");
    // A rate of 0 denies without a call, and takes effect at once; more tokens than before are not given by it.
    let before = valkey.calls("evalsha");
    let gateway = &gateways[0];
    for (stage, expected) in [(throttled_stage(0.0, 10), false), (throttled_stage(5.0, 0), false)] {
        gateway.directory.write("stages/$default.json", &stage.to_string());
        gateway.server.reload();
        assert_eq!(passes(gateway), expected);
    }
    assert!(valkey.calls("evalsha") - before < 30, "presence alone");
    assert_eq!(decisions(gateway, "local"), 0.0);
}

#[test]
fn routes_without_a_limit_ask_for_nothing() {
    // F1.
    let Some(valkey) = valkey(&[]) else { return };
    let mut files = limited(1.0, 1);
    files[1].1 = serde_json::json!({});
    let gateway = start(&files, fleet_options(&valkey.url()));
    assert!((0..20).all(|_| passes(&gateway)));
    assert_eq!(valkey.command(&["KEYS", "*"]), "test:replicas");
    // Without the option there is none of it.
    let alone = crate::support::metrics::with_admin(&limited(1.0, 1));
    assert_eq!(alone.exchange(PREFLIGHT).status, 204);
    let samples = crate::support::metrics::metrics(&alone);
    for name in ["valkey", "fleet", "throttle_decisions"] {
        assert!(!samples.keys().any(|series| series.contains(name)), "{name}");
    }
}

#[test]
fn a_large_limit_is_held_ahead_and_given_back() {
    // F6: what is held is a 200th of the burst at most, and 10 ms of the demand.
    let Some(valkey) = valkey(&[]) else { return };
    let gateway = start(&limited(20.0, 20_000), fleet_options(&valkey.url()));
    let (passed, _) = overload(&[(&gateway, 4)], Duration::from_secs(1));
    assert!(passed > 100, "{passed}");
    assert!(decisions(&gateway, "held") > 0.0);
    let key = "test:{local/$default}:throttle:ANY /x";
    let missing = || {
        let full_at: f64 = valkey.command(&["GET", key]).parse().unwrap();
        let now = valkey.command(&["TIME"]);
        let (seconds, micros) = now.split_once('\n').unwrap();
        let now = seconds.parse::<f64>().unwrap() * 1e6 + micros.parse::<f64>().unwrap();
        (full_at - now) / 50_000.0
    };
    // The tokens that come back meanwhile make it fewer.
    assert!(missing() <= passed as f64 + 100.0);
    wait_until("given back", || missing() <= passed as f64);
    assert!(gateway.server.stop(Duration::from_secs(1)) == 0);
    assert!(
        valkey.command(&["ZCARD", "test:replicas"]) == "0",
        "it is no longer among the gateways"
    );
}

#[test]
fn a_denied_flood_asks_some_twenty_times_a_second() {
    let Some(valkey) = valkey(&[]) else { return };
    let gateways = three(&limited(1.0, 1), &valkey.url());
    let (before, began) = (valkey.calls("evalsha"), Instant::now());
    let load: Vec<(&Gateway, usize)> = gateways.iter().map(|gateway| (gateway, 2)).collect();
    let (passed, _) = overload(&load, Duration::from_secs(2));
    let asked = valkey.calls("evalsha") - before;
    // Three gateways, and the presence of each once a second.
    let most = 3.0 * (21.0 + 1.5) * began.elapsed().as_secs_f64();
    assert!((asked as f64) < most, "{asked} of {most}");
    assert!(passed <= 4, "{passed}");
    assert!(gateways.iter().any(|gateway| decisions(gateway, "denied_here") > 10.0));
    // F14.
    wait_until("three gateways known", || {
        gateways
            .iter()
            .all(|gateway| metric(gateway, "fleet_replicas") == Some(3.0))
    });
}
