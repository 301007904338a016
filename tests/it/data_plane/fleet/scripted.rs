//! A server that answers late, wrong, or not at all: tokens are not lost twice, and no request waits for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{decisions, fleet_options, is_shared, limited, overload, passes, start};
use crate::support::client::Client;
use crate::support::valkey::{Scripted, obliging};
use crate::support::wait::wait_until;

/// A server that has that many tokens.
fn with_tokens(tokens: i64, delay: impl Fn() -> Duration + Send + Sync + 'static) -> (Scripted, Arc<AtomicI64>) {
    let left = Arc::new(AtomicI64::new(tokens));
    let bucket = Arc::clone(&left);
    let scripted = Scripted::start(move |words| {
        obliging(words, |_, want| {
            let taken = bucket
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left - want.min(left)))
                .map(|left| want.min(left))
                .unwrap();
            thread::sleep(delay());
            Some(format!("*3\r\n:{taken}\r\n:{}\r\n:1000\r\n", bucket.load(Ordering::SeqCst)).into_bytes())
        })
    });
    (scripted, left)
}

#[test]
fn requests_that_come_during_a_call_share_the_next_one() {
    // F6.
    let (scripted, left) = with_tokens(1000, || Duration::from_millis(100));
    let gateway = start(
        &limited(100.0, 100),
        fleet_options(&format!("redis://{}", scripted.address)),
    );
    let (passed, _) = overload(&[(&gateway, 8)], Duration::from_secs(1));
    let calls = scripted.commands();
    let wants: Vec<i64> = calls
        .iter()
        .filter(|words| words[0] == "EVALSHA" && words[1].starts_with('a'))
        .map(|words| words[6].parse().unwrap())
        .collect();
    assert!(wants.len() <= 15, "{wants:?}");
    assert!(wants.iter().any(|want| *want > 1), "{wants:?}");
    assert_eq!(
        scripted.connections.load(Ordering::SeqCst),
        1,
        "one connection a process"
    );
    assert_eq!(left.load(Ordering::SeqCst), 1000 - passed as i64, "a token a request");
}

#[test]
fn tokens_that_come_too_late_are_given_back_and_not_lost_twice() {
    // The call answers within the time of the thread, and too late for the request that waited for its turn.
    let is_slow = Arc::new(AtomicBool::new(true));
    let slow = Arc::clone(&is_slow);
    let (scripted, left) = with_tokens(100, move || match slow.load(Ordering::SeqCst) {
        true => Duration::from_millis(300),
        false => Duration::ZERO,
    });
    let mut options = fleet_options(&format!("redis://{}", scripted.address));
    options.timeout = Duration::from_millis(400);
    let gateway = start(&limited(0.001, 100), options);
    let address = gateway.address;
    thread::scope(|scope| {
        let mut first = Client::connect(address);
        first.send(super::PREFLIGHT);
        wait_until("a call under way", || left.load(Ordering::SeqCst) < 100);
        // Two wait for the next call, which begins 300 ms later, and go after 400 ms.
        for _ in 0..2 {
            scope.spawn(move || {
                let mut client = Client::connect(address);
                let began = Instant::now();
                assert_eq!(client.send(super::PREFLIGHT).answer_to("OPTIONS").status, 204);
                assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
            });
        }
        assert_eq!(first.answer_to("OPTIONS").status, 204);
    });
    assert!(decisions(&gateway, "local") > 0.0);
    is_slow.store(false, Ordering::SeqCst);
    wait_until("shared again", || is_shared(&gateway));
    assert!(passes(&gateway));
    // One token for each request with an answer: the first, the last, and those two if they had one.
    let shared = decisions(&gateway, "shared") + decisions(&gateway, "held");
    wait_until("given back", || left.load(Ordering::SeqCst) == 100 - shared as i64);
}

#[test]
fn what_is_no_answer_ends_the_connection_and_nothing_else() {
    // F8, F12.
    for garbage in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "*3\r\n:1\r\n:1\r\n",
        "*1\r\n:1\r\n",
        ":1\r\n",
        "$-1\r\n",
        "+OK\r\n",
        "*3\r\n$1\r\n1\r\n:1\r\n:1\r\n",
        "*3\r\n:1\r\n:-1\r\n:1\r\n",
        "*3\r\n:1\r\n:1\r\n:1\r\n+more\r\n",
        "*9223372036854775807\r\n",
        "$9223372036854775807\r\n",
        "-MOVED 1234 10.0.0.1:6379\r\n",
        "-NOAUTH Authentication required.\r\n",
        "-READONLY You can't write against a read only replica.\r\n",
        "-NOSCRIPT again and again\r\n",
        "\0\0\0\0",
        "",
    ] {
        let is_broken = Arc::new(AtomicBool::new(true));
        let broken = Arc::clone(&is_broken);
        let scripted = Scripted::start(move |words| {
            obliging(words, |_, want| match broken.load(Ordering::SeqCst) {
                true if garbage.is_empty() => None,
                true => Some(garbage.as_bytes().to_vec()),
                false => Some(format!("*3\r\n:{want}\r\n:5\r\n:0\r\n").into_bytes()),
            })
        });
        let mut options = fleet_options(&format!("redis://{}", scripted.address));
        options.timeout = Duration::from_millis(200);
        let gateway = start(&limited(0.001, 2), options);
        assert!(is_shared(&gateway), "{garbage:?}");
        // A local bucket, which is not filled by the next connection.
        let passed = (0..5).filter(|_| passes(&gateway)).count();
        assert_eq!(passed, 2, "{garbage:?}");
        is_broken.store(false, Ordering::SeqCst);
        wait_until("shared again", || is_shared(&gateway) && passes(&gateway));
    }
}

#[test]
fn more_tokens_than_were_asked_for_are_not_taken() {
    let scripted = Scripted::start(|words| obliging(words, |_, _| Some(b"*3\r\n:1000000\r\n:0\r\n:0\r\n".to_vec())));
    let gateway = start(
        &limited(1.0, 100),
        fleet_options(&format!("redis://{}", scripted.address)),
    );
    (0..10).for_each(|_| assert!(passes(&gateway)));
    assert_eq!(decisions(&gateway, "held"), 0.0);
}
