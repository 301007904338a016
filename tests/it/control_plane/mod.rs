//! These tests edit the files while the gateway serves.

mod reload;
mod broken_files;
mod units;

use std::thread;
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::edited_api::SOON;
use crate::support::gateway::Gateway;

const NOT_FOUND: &str = r#"{"message":"Not Found"}"#;

/// Asks again until the answer is there, and sees that until then it is the old one.
fn wait_for(gateway: &Gateway, target: &str, old: &str, new: &str) {
    let start = Instant::now();
    let mut client = Client::connect(gateway.address);
    loop {
        let answer = client
            .send(format!("GET {target} HTTP/1.1\r\nHost: gw.test\r\n\r\n"))
            .answer_to("GET");
        let text = answer.text();
        if text == new {
            return;
        }
        assert_eq!(text, old, "neither the old answer nor {new}");
        assert!(
            start.elapsed() < SOON,
            "{target} still answers {old} instead of {new} after {SOON:?}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// The answer stays, also when the watcher has looked several times.
fn check_stays(gateway: &Gateway, target: &str, expected: &str) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1_300) {
        assert_eq!(gateway.get(target).text(), expected);
        thread::sleep(Duration::from_millis(20));
    }
}
