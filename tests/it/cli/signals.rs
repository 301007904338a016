//! SIGTERM and SIGINT end `serve`, and SIGHUP makes it read its files again.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::AT_ONCE;
use crate::support::client::{Client, get};
use crate::support::directory::{Directory, http_proxy, pass_everything, route};
use crate::support::endpoint::Endpoint;
use crate::support::program::{in_flight, serve, small_api};

#[test]
fn term_and_int_end_it_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let directory = small_api();
        let served = serve(&directory, &[]);
        // A connection without a request is no reason to wait.
        let idle = Client::connect(served.address);
        let mut used = Client::connect(served.address);
        used.send("GET /x HTTP/1.1\r\nHost: gw.test\r\n\r\n");
        assert_eq!(used.answer_to("GET").status, 503);
        let start = Instant::now();
        served.running.signal(signal);
        let ended = served.running.end();
        assert_eq!(ended.code(), 0, "{signal:?}: {ended:?}");
        assert!(start.elapsed() < AT_ONCE, "{signal:?}: {:?}", start.elapsed());
        assert!(used.is_closed());
        drop(idle);
    }
}

#[test]
fn a_request_in_flight_is_answered_before_the_end() {
    let (served, mut client, _endpoint, release, _directory) = in_flight(&[]);
    served.running.signal(Signal::TERM);
    served.is_stopping();
    release.send(()).unwrap();
    let answer = client.answer_to("GET");
    assert_eq!(
        (answer.status, answer.text().as_str(), answer.complete),
        (200, "late", true)
    );
    let start = Instant::now();
    let ended = served.running.end();
    assert_eq!(ended.code(), 0, "{ended:?}");
    assert!(start.elapsed() < AT_ONCE);
    assert!(!ended.stderr.iter().any(|line| line.contains("cut")), "{ended:?}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (first, second) in [
        (Signal::TERM, Signal::TERM),
        (Signal::INT, Signal::TERM),
        (Signal::TERM, Signal::INT),
    ] {
        let (served, _client, _endpoint, _release, _directory) = in_flight(&["--grace", "600"]);
        served.running.signal(first);
        served.is_stopping();
        let start = Instant::now();
        served.running.signal(second);
        served.running.end();
        assert!(
            start.elapsed() < AT_ONCE,
            "{first:?}, {second:?}: {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn when_the_grace_runs_out_it_ends_and_tells_what_was_cut() {
    for loops in ["0", "1"] {
        let (served, mut client, _endpoint, _release, _directory) = in_flight(&["--grace", "1", "--loops", loops]);
        let start = Instant::now();
        served.running.signal(Signal::TERM);
        let ended = served.running.end();
        let took = start.elapsed();
        assert_eq!(ended.code(), 0, "{ended:?}");
        assert!(
            took >= Duration::from_secs(1) && took < Duration::from_secs(1) + AT_ONCE,
            "{took:?}"
        );
        let line = ended.stderr.iter().find(|line| line.contains("cut"));
        let line = line.unwrap_or_else(|| panic!("{ended:?}"));
        assert!(
            line.split(|c: char| !c.is_ascii_digit()).any(|number| number == "1"),
            "{line}"
        );
        assert!(client.is_closed());
        // It has its line in the access log, as a request that has no reader any more.
        let line = ended.stdout.iter().find(|line| line.contains("/slow"));
        let line: serde_json::Value = serde_json::from_str(line.unwrap_or_else(|| panic!("{ended:?}"))).unwrap();
        assert_eq!(
            (&line["path"], &line["routeKey"], &line["status"]),
            (&"/slow".into(), &"ANY /{proxy+}".into(), &"499".into()),
            "--loops {loops}"
        );
    }
}

#[test]
fn the_request_after_a_hangup_sees_the_edit() {
    let directory = small_api();
    let served = serve(&directory, &[]);
    for round in 0..20 {
        let endpoint = Endpoint::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{round:02}"));
        directory.write(
            "integrations/up.json",
            &http_proxy(format!("http://{}/", endpoint.address)).to_string(),
        );
        served.running.signal(Signal::HUP);
        assert_eq!(get(served.address, "/x").text(), format!("{round:02}"));
    }
}

#[test]
fn a_hangup_with_broken_files_changes_nothing_and_is_told() {
    let endpoint = Endpoint::ok();
    let directory = Directory::of(&pass_everything(endpoint.address));
    let mut served = serve(&directory, &[]);
    directory.write("routes/all.json", "{");
    served.running.signal(Signal::HUP);
    served.running.complains("routes/all.json#: error: not JSON");
    assert_eq!(get(served.address, "/x").text(), "ok");
    served.running.signal(Signal::TERM);
    assert_eq!(served.running.end().code(), 0);
}

/// The paths of the root are below it: it needs no name of its own.
#[test]
fn a_reload_that_fails_names_the_files() {
    let directory = small_api();
    let mut served = serve(&directory, &[]);
    directory.write("routes/none.json", &route("GET /none", "none").to_string());
    served.running.signal(Signal::HUP);
    served
        .running
        .complains("not reloaded, it goes on as it was: added routes/none.json");
}
