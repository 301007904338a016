//! Valkey is stopped, killed, paused, full, or not there: requests go on with limits of each process.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{decisions, fleet_options, is_shared, limited, metric, overload, passes, start, three};
use crate::support::gateway::Gateway;
use crate::support::valkey::valkey;
use crate::support::wait::wait_until;

fn all_shared(gateways: &[Gateway]) -> bool {
    gateways.iter().all(is_shared)
}

fn none_shared(gateways: &[Gateway]) -> bool {
    !gateways.iter().any(is_shared)
}

/// As many as there are see one another.
fn three_known(gateways: &[Gateway]) -> bool {
    gateways
        .iter()
        .all(|gateway| metric(gateway, "fleet_replicas") == Some(3.0))
}

#[test]
fn a_valkey_that_is_stopped_or_killed_leaves_a_third_to_each() {
    // F8, F9.
    let Some(mut valkey) = valkey(&[]) else { return };
    let gateways = three(&limited(30.0, 6), &valkey.url());
    wait_until("three gateways known", || three_known(&gateways));
    let load: Vec<(&Gateway, usize)> = gateways.iter().map(|gateway| (gateway, 1)).collect();
    for is_killed in [false, true] {
        overload(&load, Duration::from_millis(500));
        match is_killed {
            true => valkey.kill(),
            false => valkey.signal(Signal::STOP),
        }
        let began = Instant::now();
        for gateway in &gateways {
            passes(gateway);
        }
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        wait_until("alone", || none_shared(&gateways));
        let (passed, time) = overload(&load, Duration::from_secs(2));
        // Each has a third: of the rate, and of the burst.
        let most = 3.0 * (2.0 + 10.0 * time.as_secs_f64());
        assert!((passed as f64) <= most + 3.0, "{passed} of {most}");
        assert!((passed as f64) >= 0.7 * most, "{passed} of {most}");
        assert!(gateways.iter().all(|gateway| decisions(gateway, "local") > 0.0));
        match is_killed {
            true => valkey.restart(),
            false => valkey.signal(Signal::CONT),
        }
        wait_until("shared again", || all_shared(&gateways));
    }
    let failures = ["timeout", "error"].map(|outcome| {
        let series = format!("valkey_calls_total{{outcome=\"{outcome}\"}}");
        metric(&gateways[0], &series).unwrap()
    });
    assert!(failures.iter().all(|count| *count > 0.0), "{failures:?}");
}

#[test]
fn a_valkey_that_refuses_writes_does_not_refill_local_buckets() {
    // F8: OOM, and READONLY of a replica. A connection that is taken and a PING prove nothing.
    let Some(valkey) = valkey(&[]) else { return };
    for (refuse, allow) in [
        (
            &["CONFIG", "SET", "maxmemory", "1"][..],
            &["CONFIG", "SET", "maxmemory", "0"][..],
        ),
        (&["REPLICAOF", "127.0.0.1", "1"], &["REPLICAOF", "NO", "ONE"]),
    ] {
        let gateway = start(&limited(2.0, 10), fleet_options(&valkey.url()));
        assert!(is_shared(&gateway));
        // The last answer said that nothing is left.
        overload(&[(&gateway, 1)], Duration::from_millis(300));
        assert_eq!(valkey.command(refuse), "OK");
        wait_until("alone", || !is_shared(&gateway));
        let (passed, time) = overload(&[(&gateway, 2)], Duration::from_secs(3));
        let most = 2.0 * (time.as_secs_f64() + 3.0) + 2.0;
        assert!((passed as f64) <= most, "{passed} of {most}: {refuse:?}");
        assert!(!is_shared(&gateway), "{refuse:?}");
        assert_eq!(valkey.command(allow), "OK");
        wait_until("shared again", || is_shared(&gateway));
        drop(gateway);
        valkey.command(&["FLUSHALL"]);
    }
}

#[test]
fn a_pause_is_no_longer_than_a_request_waits() {
    // F7: 25 ms, and what a busy machine adds to it.
    let Some(valkey) = valkey(&[]) else { return };
    let mut options = fleet_options(&valkey.url());
    options.timeout = Duration::from_millis(25);
    let gateway = start(&limited(1000.0, 100), options);
    wait_until("shared", || is_shared(&gateway));
    assert_eq!(valkey.command(&["CLIENT", "PAUSE", "1500", "ALL"]), "OK");
    let began = Instant::now();
    assert!(passes(&gateway));
    assert!(began.elapsed() < Duration::from_millis(1000), "{:?}", began.elapsed());
    wait_until("alone", || !is_shared(&gateway));
    wait_until("shared again", || is_shared(&gateway));
}

#[test]
fn forgotten_scripts_and_an_empty_valkey_are_not_noticed() {
    // F10.
    let Some(valkey) = valkey(&[]) else { return };
    let gateway = start(&limited(0.001, 2), fleet_options(&valkey.url()));
    assert!(passes(&gateway));
    assert_eq!(valkey.command(&["SCRIPT", "FLUSH"]), "OK");
    assert!(passes(&gateway));
    assert!(!passes(&gateway));
    assert_eq!(valkey.command(&["FLUSHALL"]), "OK");
    wait_until("a full bucket", || passes(&gateway));
    assert!(is_shared(&gateway));
    assert_eq!(decisions(&gateway, "local"), 0.0);
}

#[test]
fn a_valkey_that_is_not_there_is_none() {
    // F11: the gateway starts and serves, with a full bucket of its own.
    let began = Instant::now();
    let gateway = start(&limited(0.001, 3), fleet_options("redis://127.0.0.1:1"));
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(!is_shared(&gateway));
    let passed: Vec<bool> = (0..5).map(|_| passes(&gateway)).collect();
    assert_eq!(passed, [true, true, true, false, false]);
    assert_eq!(decisions(&gateway, "local"), 5.0);
    assert_eq!(metric(&gateway, "fleet_replicas"), Some(1.0));
    let began = Instant::now();
    gateway.server.stop(Duration::from_secs(1));
    assert!(began.elapsed() < Duration::from_secs(5), "a stop does not wait for it");
}
