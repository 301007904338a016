//! Clients that send or read slowly or not at all meet deadlines, and hold no worker.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use apigateway::front::listener_limits::NEXT_REQUEST_PATIENCE;

use super::{GET, LARGE, assert_one, giving, is_reset, number, rest, serve_with};
use crate::support::client::{Client, PATIENCE, get};
use crate::support::content::{chunked, content};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::metrics::metrics_at;
use crate::support::wait::wait_until;

#[test]
fn who_is_too_slow_is_told_so_and_who_says_nothing_is_not() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| {
        options.limits.head_timeout = Duration::from_secs(1);
        options.limits.body_timeout = Duration::from_secs(1);
        options.limits.idle_timeout = Duration::from_secs(1);
    });
    for (sent, answer) in [
        ("", None),
        ("\r\n", None),
        ("GET /one HT", Some(408)),
        (
            "POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell",
            Some(408),
        ),
        (
            "POST /one HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
            Some(408),
        ),
    ] {
        let start = Instant::now();
        let mut client = Client::connect(gateway.address);
        client.send(sent);
        match answer {
            None => assert_eq!(rest(&mut client), (Vec::new(), true), "{sent:?}"),
            Some(status) => {
                let answer = client.answer_to("GET");
                assert_eq!(answer.status, status, "{sent:?}");
                assert_eq!(answer.text(), "{\"message\":\"Request Timeout\"}", "{sent:?}");
                assert_eq!(answer.header("connection"), Some("close"), "{sent:?}");
                assert!(client.is_closed(), "{sent:?}");
            }
        }
        assert!(
            start.elapsed() >= Duration::from_secs(1),
            "{sent:?}: {:?}",
            start.elapsed()
        );
    }
    // A kept connection, too, is closed without a word.
    let mut client = Client::connect(gateway.address);
    assert_one(&client.send(GET).answer_to("GET"));
    assert_eq!(rest(&mut client), (Vec::new(), true));
}

#[test]
fn a_byte_now_and_then_does_not_put_a_deadline_off() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| {
        options.limits.head_timeout = Duration::from_secs(1);
        options.limits.body_timeout = Duration::from_secs(1);
    });
    for start in [
        "GET /one HTTP/1.1\r\nHost: h\r\nX: ",
        "POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n",
    ] {
        let mut client = Client::connect(gateway.address);
        client.send(start);
        let mut writer = client.stream.try_clone().unwrap();
        let writing = thread::spawn(move || {
            // The pace is the subject here.
            while writer.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(100));
            }
        });
        assert_eq!(client.answer_to("GET").status, 408, "{start:?}");
        client.stream.shutdown(Shutdown::Both).unwrap();
        writing.join().unwrap();
    }
}

/// A body has all the time that it needs, as long as it comes.
#[test]
fn a_body_that_comes_slowly_and_steadily_is_no_timeout() {
    const TIMEOUT: Duration = Duration::from_secs(3);
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| options.limits.body_timeout = TIMEOUT);
    let address = gateway.address;
    let part = content(8_192);
    let sending = ["length", "chunks"].map(|framing| {
        let part = part.clone();
        thread::spawn(move || {
            let is_chunked = framing == "chunks";
            let mut client = Client::connect(address);
            client.send("POST /one HTTP/1.1\r\nHost: h\r\n");
            client.send(match is_chunked {
                true => "Transfer-Encoding: chunked\r\n\r\n",
                false => "Content-Length: 204800\r\n\r\n",
            });
            let start = Instant::now();
            for _ in 0..25 {
                // The pace is the subject here: 40 KB/s, or less where the machine is busy.
                thread::sleep(Duration::from_millis(200));
                client.send(if is_chunked {
                    chunked(&part, 8_192)[..8_200].to_vec()
                } else {
                    part.clone()
                });
            }
            client.send(if is_chunked { "0\r\n\r\n" } else { "" });
            let answer = client.answer_to("POST");
            assert_eq!((answer.status, &answer.text()[..]), (200, "/one"), "{framing}");
            assert!(start.elapsed() > TIMEOUT, "{framing}");
        })
    });
    for sending in sending {
        sending.join().unwrap();
    }
    let lengths = [endpoint.next(), endpoint.next()].map(|request| request.body.len());
    assert_eq!(lengths, [204_800; 2]);
}

#[test]
fn a_body_that_is_silent_or_slow_on_average_is_a_timeout() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| options.limits.body_timeout = TIMEOUT);
    let post = "POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n";
    // What came at once is leave for minutes by the average, but none to be silent.
    let mut silent = Client::connect(gateway.address);
    silent.send(post).send(content(2_000_000));
    let start = Instant::now();
    assert_eq!(silent.answer_to("POST").status, 408);
    assert!(start.elapsed() >= TIMEOUT / 2, "{:?}", start.elapsed());
    // Of one that is never silent, the average counts once that time has passed.
    let mut slow = Client::connect(gateway.address);
    slow.send(post);
    let start = Instant::now();
    let mut writer = slow.stream.try_clone().unwrap();
    let writing = thread::spawn(move || {
        // The pace is the subject here: 1 KB/s at most.
        while writer.write_all(&[b'x'; 100]).is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    assert_eq!(slow.answer_to("POST").status, 408);
    assert!(start.elapsed() >= TIMEOUT, "{:?}", start.elapsed());
    slow.stream.shutdown(Shutdown::Both).unwrap();
    writing.join().unwrap();
    assert_eq!(endpoint.rest().len(), 0);
}

#[test]
fn clients_that_do_not_go_on_hold_no_worker() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| options.workers = number(1));
    let starts = [
        "",
        "GET /one HTTP/1.1\r\nHost: ",
        "POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\nx",
        "POST /one HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    ];
    let mut clients = Vec::new();
    for start in starts.iter().cycle().take(100) {
        let mut client = Client::connect(gateway.address);
        client.send(start);
        clients.push(client);
    }
    assert_one(&get(gateway.address, "/one"));
    // They may still go on.
    assert_one(&clients[0].send(GET).answer_to("GET"));
    assert_one(&clients[1].send("h\r\n\r\n").answer_to("GET"));
    assert_one(&clients[3].send("lo\r\n0\r\n\r\n").answer_to("POST"));
    assert_eq!(clients[4].answer_to("POST").status, 100);
    assert_one(&clients[4].send("hello").answer_to("POST"));
}

#[test]
fn clients_that_do_not_take_their_answers_hold_no_worker() {
    let body = content(LARGE);
    let endpoint = giving(body.clone());
    let gateway = serve_with(&endpoint, |options| {
        options.workers = number(1);
        options.admin = Some("127.0.0.1:0".to_owned());
        // The first of them takes nothing until the last has its answer.
        options.limits.write_timeout = Duration::from_secs(3600);
    });
    let admin = gateway.server.admin_addr().unwrap();
    let mut clients: Vec<Client> = (0..8).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        // The next request is behind the slow answer.
        client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n").send(GET);
        endpoint.next();
        wait_until("without a worker", || {
            metrics_at(admin)["apigateway_workers_busy"] == 0.0
        });
    }
    assert_one(&get(gateway.address, "/one"));
    for client in &mut clients {
        let answer = client.answer_to("GET");
        assert!(answer.complete && answer.body == body, "{} bytes", answer.body.len());
        assert_one(&client.answer_to("GET"));
    }
}

#[test]
fn long_answers_leave_workers_for_others() {
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let body = content(300_000);
    let endpoint = Endpoint::start({
        let body = body.clone();
        move |stream, recorded| {
            if recorded.request().ends_with("/one") {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n/one");
                return Next::KeepAlive;
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
            let _ = stream.write_all(&body[..200_000]);
            let _ = released.lock().unwrap().recv_timeout(PATIENCE);
            let _ = stream.write_all(&body[200_000..]);
            Next::KeepAlive
        }
    });
    let gateway = serve_with(&endpoint, |options| {
        options.workers = number(8);
        options.admin = Some("127.0.0.1:0".to_owned());
    });
    let admin = gateway.server.admin_addr().unwrap();
    let mut clients: Vec<Client> = (0..12).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send("GET /long HTTP/1.1\r\nHost: h\r\n\r\n");
        // It has been begun, and has a turn, or waits for one.
        endpoint.next();
        wait_until("waiting without a worker", || {
            metrics_at(admin)["apigateway_workers_busy"] <= 5.0
        });
    }
    assert_one(&get(gateway.address, "/one"));
    drop(release);
    for client in &mut clients {
        let answer = client.answer_to("GET");
        assert!(answer.body == body, "{}: {} bytes", answer.status, answer.body.len());
    }
}

#[test]
fn answers_without_a_length_need_no_leave_to_be_streamed() {
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let endpoint = Endpoint::start(move |stream, recorded| {
        let kind = match recorded.request().ends_with("/events") {
            true => "Content-Type: text/event-stream\r\n",
            false => "",
        };
        let head = format!("HTTP/1.1 200 OK\r\n{kind}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        let _ = stream.write_all(head.as_bytes());
        if recorded.request().starts_with("GET") {
            let _ = released.lock().unwrap().recv_timeout(PATIENCE);
        }
        let _ = stream.write_all(b"0\r\n\r\n");
        Next::KeepAlive
    });
    let gateway = serve_with(&endpoint, |options| options.workers = number(4));
    // All leave for streams is taken by these, and a worker each.
    let mut streams: Vec<Client> = (0..2).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut streams {
        client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
        endpoint.next();
        client.next_bytes();
    }
    for _ in 0..3 {
        let mut client = Client::connect(gateway.address);
        client.send("POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
        let answer = client.answer_to("POST");
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    }
    // Its parts come at once all the same.
    let mut slow = Client::connect(gateway.address);
    slow.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut got = Vec::new();
    slow.read_until(&mut got, "5\r\nhello\r\n");
    assert!(got.ends_with(b"5\r\nhello\r\n"));
    drop(release);
    assert_eq!(slow.next_bytes(), b"0\r\n\r\n");
}

#[test]
fn a_client_that_takes_nothing_is_cut() {
    let endpoint = giving(content(LARGE));
    let gateway = serve_with(&endpoint, |options| {
        options.limits.write_timeout = Duration::from_secs(1);
        // The first is kept in memory, the second does not fit, and is streamed.
        options.limits.memory = LARGE + LARGE / 2;
    });
    let mut clients: Vec<Client> = (0..2).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    for client in &mut clients {
        // Until it is cut, the gateway has an end of the connection that is not reset.
        wait_until("cut", || {
            matches!(client.stream.take_error(), Ok(Some(_))) || is_reset(&client.stream)
        });
    }
    assert_one(&get(gateway.address, "/one"));
}

/// A socket tells of room only when there is much of it, which may take a slow client longer than it has for taking nothing.
#[test]
fn a_client_that_takes_a_little_now_and_then_gets_everything() {
    // The second is longer than what is kept for a client.
    for (length, part_length) in [(LARGE, 300_000), (24_000_000, 30_000)] {
        let body = content(length);
        let endpoint = giving(body.clone());
        let gateway = serve_with(&endpoint, |options| {
            options.limits.write_timeout = Duration::from_secs(1)
        });
        let mut client = Client::connect(gateway.address);
        client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
        let start = Instant::now();
        let mut got = Vec::new();
        let mut part = vec![0; part_length];
        while start.elapsed() < Duration::from_secs(3) {
            // The pace is the subject here.
            thread::sleep(Duration::from_millis(200));
            let count = client.stream.read(&mut part).unwrap();
            got.extend_from_slice(&part[..count]);
        }
        let head = got.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        while got.len() < head + body.len() {
            let count = client.stream.read(&mut part).unwrap();
            assert!(count > 0, "cut after {} bytes of {length}", got.len());
            got.extend_from_slice(&part[..count]);
        }
        assert!(got[head..] == body, "{length}");
    }
}

#[test]
fn a_worker_waits_for_no_client_while_another_may_want_it() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| options.workers = number(1));
    let mut clients: Vec<Client> = (0..2).map(|_| Client::connect(gateway.address)).collect();
    // If the worker waited for the next request of the one that it has answered, no two turns would ever be over in that
    // time. As it does not, some are, however much else the machine has to do.
    wait_until("answered at once", || {
        let start = Instant::now();
        for client in &mut clients {
            assert_one(&client.send(GET).answer_to("GET"));
        }
        start.elapsed() < NEXT_REQUEST_PATIENCE
    });
}

#[test]
fn streams_leave_workers_for_others() {
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let endpoint = Endpoint::start(move |stream, recorded| {
        if recorded.request().ends_with("/one") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n/one");
            return Next::KeepAlive;
        }
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = stream.write_all(head.as_bytes());
        let _ = released.lock().unwrap().recv_timeout(PATIENCE);
        let _ = stream.write_all(b"0\r\n\r\n");
        Next::Close
    });
    // Half of the workers may stream, rounded up, and of these one is left to other destinations.
    let gateway = serve_with(&endpoint, |options| {
        options.loops = 0;
        options.workers = number(5);
    });
    let events = "GET /events HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut streams: Vec<Client> = (0..2).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut streams {
        client.send(events);
        let head = client.next_bytes();
        assert!(head.starts_with(b"HTTP/1.1 200 "));
    }
    let mut one_more = Client::connect(gateway.address);
    let answer = one_more.send(events).answer_to("GET");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(one_more.is_closed());
    assert_one(&get(gateway.address, "/one"));
    drop(release);
    for client in &mut streams {
        assert_eq!(client.next_bytes(), b"0\r\n\r\n");
    }
    assert_eq!(
        Client::connect(gateway.address).send(events).answer_to("GET").status,
        200
    );
}
