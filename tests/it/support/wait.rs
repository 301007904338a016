//! Waits for a condition, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::client::PATIENCE;

pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "not {what} in time");
        thread::sleep(Duration::from_millis(20));
    }
}
