//! The memory for bodies and responses is bounded, and is left to requests that go on.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use apigateway::front::listener_limits::{MAX_KEPT_ANSWER, RATE_TIME};

use super::{LARGE, assert_one, giving, is_reset, number, serve_with};
use crate::support::client::{Client, get};
use crate::support::content::content;
use crate::support::endpoint::Endpoint;
use crate::support::wait::wait_until;

#[test]
fn bodies_beyond_the_memory_are_refused_and_the_rest_goes_on() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| options.limits.memory = 1_600_000);
    let post = |length: usize| format!("POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    let mut slow = Client::connect(gateway.address);
    // What is announced takes no memory, what has come does.
    slow.send(post(10_000_000));
    assert_one(
        &Client::connect(gateway.address)
            .send(post(900_000))
            .send(content(900_000))
            .answer_to("POST"),
    );
    slow.send(content(600_000));
    let mut refused = Client::connect(gateway.address);
    wait_until("spent", || {
        refused = Client::connect(gateway.address);
        refused.send(post(900_000));
        let _ = refused.stream.write_all(&content(900_000));
        refused.answer_to("POST").status == 503
    });
    assert_one(&get(gateway.address, "/one"));
    let _ = slow.stream.write_all(&content(600_000));
    let answer = slow.answer_to("POST");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    wait_until("free", || {
        let mut client = Client::connect(gateway.address);
        client.send(post(900_000));
        let _ = client.stream.write_all(&content(900_000));
        client.answer_to("POST").status == 200
    });
}

#[test]
fn heads_whose_bodies_are_awaited_take_memory_too() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| options.limits.memory = 100_000);
    let field = "y".repeat(9_000);
    // Leave to send the body is given once the head has its memory.
    let head =
        format!("POST /one HTTP/1.1\r\nHost: h\r\nX: {field}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    let mut waiting: Vec<Client> = Vec::new();
    let refused = loop {
        let mut client = Client::connect(gateway.address);
        match client.send(&head).answer_to("POST").status {
            100 => waiting.push(client),
            status => break status,
        }
    };
    assert_eq!(refused, 503);
    assert!((4..7).contains(&waiting.len()), "{}", waiting.len());
    for client in &mut waiting {
        assert_one(&client.send("ok").answer_to("POST"));
    }
}

#[test]
fn large_bodies_leave_memory_for_small_ones_and_give_way_when_they_stop() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| options.limits.memory = 8_000_000);
    let post = |length: usize| format!("POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    let upload = |length: usize| {
        let mut client = Client::connect(gateway.address);
        client.send(post(length));
        let _ = client.stream.write_all(&content(length));
        client.answer_to("POST").status
    };
    let slow = || -> Vec<Client> {
        let clients = (0..5).map(|_| {
            let mut client = Client::connect(gateway.address);
            client.send(post(1_000_000)).send(content(990_000));
            client
        });
        clients.collect()
    };
    let is_answered = |client: &Client| {
        client.stream.set_nonblocking(true).unwrap();
        let is_answered = client.stream.peek(&mut [0]).is_ok();
        client.stream.set_nonblocking(false).unwrap();
        is_answered
    };
    let mut clients = slow();
    wait_until("spent", || {
        // Where the machine is busy, they may have given way before that was seen.
        if clients.iter().any(is_answered) {
            clients.clear();
            wait_until("free", || upload(900_000) == 200);
            clients = slow();
        }
        upload(900_000) == 503
    });
    let mut slow = clients;
    assert_eq!(upload(60_000), 200);
    // Some of those that send no more give way, long before the time for a whole body is over.
    wait_until("free", || upload(900_000) == 200);
    let statuses: Vec<u16> = slow
        .iter_mut()
        .map(|client| {
            let _ = client.stream.write_all(&content(10_000));
            client.answer_to("POST").status
        })
        .collect();
    assert!(statuses.contains(&408), "{statuses:?}");
    assert!(
        statuses.iter().all(|status| [200, 408].contains(status)),
        "{statuses:?}"
    );
    // Where memory is not scarce, nobody must hurry.
    let mut alone = Client::connect(gateway.address);
    alone.send(post(1_000_000)).send(content(990_000));
    thread::sleep(RATE_TIME + Duration::from_secs(1));
    alone.send(content(10_000));
    assert_one(&alone.answer_to("POST"));
}

#[test]
fn who_takes_nothing_gives_way_while_memory_is_scarce_and_who_takes_some_does_not() {
    // As much as is kept of an answer.
    let body = content(MAX_KEPT_ANSWER);
    let endpoint = giving(body.clone());
    let gateway = serve_with(&endpoint, |options| {
        // Both answers can be kept whole, so that no worker waits for either client, and what is kept when the sockets
        // are full is more than half of what may be kept.
        options.limits.memory = 44_000_000;
        options.limits.write_timeout = Duration::from_secs(3600);
    });
    let mut clients: Vec<Client> = (0..2).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
        endpoint.next();
    }
    let (stalled, taking) = clients.split_first_mut().unwrap();
    let mut taken = Vec::new();
    let start = Instant::now();
    wait_until("cut", || {
        // The pace is the subject here: 100 KB/s, however often this is called.
        let due = usize::try_from(start.elapsed().as_millis()).unwrap() * 100;
        let mut part = vec![0; due.saturating_sub(taken.len())];
        taking[0].stream.read_exact(&mut part).unwrap();
        taken.extend_from_slice(&part);
        is_reset(&stalled.stream)
    });
    while taken.len() < body.len() || !taken.ends_with(&body[body.len() - 100..]) {
        let mut part = vec![0; 1 << 20];
        let count = taking[0].stream.read(&mut part).unwrap();
        assert!(count > 0, "cut after {} bytes", taken.len());
        taken.extend_from_slice(&part[..count]);
    }
    assert!(taken.ends_with(&body));
}

#[test]
fn who_takes_nothing_gives_way_while_leave_to_wait_is_scarce() {
    let endpoint = giving(content(LARGE));
    let gateway = serve_with(&endpoint, |options| {
        options.workers = number(4);
        // Nothing can be kept, so a worker waits for each.
        options.limits.memory = 500_000;
        options.limits.write_timeout = Duration::from_secs(3600);
    });
    let mut clients: Vec<Client> = (0..2).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
        endpoint.next();
    }
    wait_until("cut", || clients.iter().any(|client| is_reset(&client.stream)));
    assert_one(&get(gateway.address, "/one"));
}
