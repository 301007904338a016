//! The timeout of an integration bounds each wait for it, and a slow client does not use it up.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use super::Expect::{Cut, Refused, RefusedOrCut};
use super::{
    MEGABYTE, OK, SOON, Then, check, check_next, failing, fault, files, head, request, run, serve, whole, with, within,
};
use crate::support::client::{Client, PATIENCE, parse};
use crate::support::content::{chunked, content};
use crate::support::directory::Directory;
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::{Gateway, options};
use crate::support::metrics::metrics_at;
use crate::support::wait::wait_until;

#[test]
fn bodies_that_stop_coming() {
    let large = content(MEGABYTE);
    let length = format!("Content-Length: {}", 2 * MEGABYTE);
    let in_chunks = "Transfer-Encoding: chunked";
    let coded = chunked(&large, 10_000);
    run(vec![
        within(
            100,
            fault(
                "5 of 10 bytes",
                with("Content-Length: 10", b"hello"),
                Then::Stall,
                Refused(&[503]),
            ),
        ),
        within(
            100,
            fault("none of 2 MB", with(&length, b""), Then::Stall, Refused(&[503])),
        ),
        within(
            100,
            fault("no chunk", with(in_chunks, b""), Then::Stall, Refused(&[503])),
        ),
        within(
            50,
            fault(
                "one chunk",
                with(in_chunks, b"5\r\nhello\r\n"),
                Then::Stall,
                RefusedOrCut(&[503]),
            ),
        ),
        within(
            100,
            fault(
                "until closed, nothing",
                with("X-A: b", b""),
                Then::Stall,
                Refused(&[503]),
            ),
        ),
        within(
            100,
            fault(
                "until closed",
                with("X-A: b", b"hello"),
                Then::Stall,
                RefusedOrCut(&[503]),
            ),
        ),
        within(1_000, fault("1 of 2 MB", with(&length, &large), Then::Stall, Cut)),
        within(
            1_000,
            fault(
                "1 MB in chunks",
                with(in_chunks, &coded[..coded.len() - 5]),
                Then::Stall,
                Cut,
            ),
        ),
        within(
            100,
            fault(
                "no event",
                with("Content-Type: text/event-stream", b""),
                Then::Stall,
                RefusedOrCut(&[503]),
            ),
        ),
        within(
            100,
            fault(
                "one event",
                with("Content-Type: text/event-stream", b"data: a\n\n"),
                Then::Stall,
                RefusedOrCut(&[503]),
            ),
        ),
    ]);
}

#[test]
fn a_body_without_an_end_is_cut_by_the_timeout() {
    for fields in ["Transfer-Encoding: chunked", "Content-Length: 99999999999", "X-A: b"] {
        let endpoint = Endpoint::start(move |stream, recorded| {
            if !recorded.line().contains("/fault") {
                let _ = stream.write_all(OK.as_bytes());
                return Next::KeepAlive;
            }
            let mut part = head(fields).into_bytes();
            let body = chunked(&content(16_384), 16_384);
            while stream.write_all(&part).is_ok() {
                // A pace that the client can read at; the end is the gateway's.
                thread::sleep(Duration::from_millis(10));
                part = if fields.starts_with('T') {
                    body[..body.len() - 5].to_vec()
                } else {
                    content(16_384)
                };
            }
            Next::Close
        });
        let gateway = serve(&endpoint, 400);
        let start = Instant::now();
        let answer = gateway.get("/fault");
        check(&Cut, &answer).unwrap_or_else(|error| panic!("{fields}: {error}"));
        assert!(start.elapsed() < SOON, "{fields}: {:?}", start.elapsed());
        assert!(answer.body.len() >= 16_384, "{fields}: {}", answer.body.len());
        check_next(&gateway).unwrap();
    }
}

/// `TimeoutInMillis` is the integration's time: what its client takes does not count.
#[test]
#[ignore = "among all tests its integration's bytes stall for seconds below the gateway; CI runs it alone"]
fn a_client_that_takes_its_time_takes_none_of_the_integration_s() {
    // The integration may be slow to be heard on a busy machine, which is its own time.
    const TIMEOUT: u64 = 12_000;
    // Several pauses, none of which is long: where a kernel has dropped what it had no room for, it sends that again
    // only after about as long as the pause was, and such a silence is the integration's.
    const PAUSES: u32 = 4;
    const PAUSE: Duration = Duration::from_millis(3_500);
    // Read between two pauses.
    const PART: usize = 2 * MEGABYTE;
    // More than is kept for a client, and than sockets hold, after the last pause too.
    let large = content(30 * MEGABYTE);
    let sent = [
        ("sized", "HTTP/1.1", with("Content-Length: 30000000", &large)),
        (
            "chunked",
            "HTTP/1.1",
            with("Transfer-Encoding: chunked", &chunked(&large, 100_000)),
        ),
        ("until closed", "HTTP/1.0", with("X-A: b", &large)),
    ];
    let reading = sent.map(|(what, version, sends)| {
        let large = large.clone();
        thread::spawn(move || {
            let endpoint = failing(sends, Then::Close);
            let gateway = serve(&endpoint, TIMEOUT);
            let mut client = Client::connect(gateway.address);
            client.send(format!(
                "GET /fault {version}\r\nHost: gw.test\r\nConnection: close\r\n\r\n"
            ));
            endpoint.next();
            let mut bytes = vec![0; PART * (PAUSES as usize - 1)];
            for part in bytes.chunks_mut(PART) {
                // The pace is the subject here.
                thread::sleep(PAUSE);
                client.stream.read_exact(part).unwrap();
            }
            thread::sleep(PAUSE);
            client.stream.read_to_end(&mut bytes).unwrap();
            let (answer, _) = parse(&bytes, "GET", true).unwrap();
            check(&whole(200, large), &answer).unwrap_or_else(|error| panic!("{what}: {error}"));
        })
    });
    for reading in reading {
        reading.join().unwrap();
    }
}

/// Nor does the time in which other answers have their turn.
#[test]
fn an_answer_that_waits_for_its_turn_takes_no_time_of_its_integration_s() {
    const TIMEOUT: u64 = 2_000;
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let body = content(300_000);
    let endpoint = Endpoint::start({
        let body = body.clone();
        move |stream, recorded| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
            let _ = stream.write_all(&body[..200_000]);
            if recorded.line().contains("/ok") {
                let _ = released.lock().unwrap().recv_timeout(PATIENCE);
            }
            let _ = stream.write_all(&body[200_000..]);
            Next::KeepAlive
        }
    });
    let uri = format!("http://{}/fault", endpoint.address);
    let directory = Directory::of(&files(&uri, TIMEOUT, endpoint.address));
    let mut options = options(&directory);
    options.workers = NonZeroUsize::new(8).unwrap();
    options.admin = Some("127.0.0.1:0".to_owned());
    let gateway = Gateway::start(directory, options);
    let admin = gateway.server.admin_addr().unwrap();
    let mut clients: Vec<Client> = (0..12).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send(request("GET", "/ok"));
        endpoint.next();
        wait_until("waiting without a worker", || {
            metrics_at(admin)["apigateway_workers_busy"] <= 5.0
        });
    }
    let mut waiting = Client::connect(gateway.address);
    waiting.send(request("GET", "/fault"));
    endpoint.next();
    wait_until("waiting for its turn", || {
        metrics_at(admin)["apigateway_workers_busy"] <= 5.0
    });
    // The time is the subject here.
    thread::sleep(Duration::from_millis(TIMEOUT * 3 / 2));
    drop(release);
    for client in clients.iter_mut().chain([&mut waiting]) {
        check(&whole(200, &body), &client.answer_to("GET")).unwrap();
    }
}

#[test]
fn an_upstream_that_is_slow_to_accept_has_until_the_timeout() {
    let endpoint = Endpoint::ok();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/fault", listener.local_addr().unwrap());
    let hasty = Gateway::serve(&files(&uri, 100, endpoint.address));
    let start = Instant::now();
    check(&Refused(&[503]), &hasty.get("/fault")).unwrap();
    assert!(start.elapsed() < SOON);
    check_next(&hasty).unwrap();

    let patient = Gateway::serve(&files(&uri, 15_000, endpoint.address));
    let mut client = Client::connect(patient.address);
    client.send(request("GET", "/fault"));
    let accepting = thread::spawn(move || {
        // The first connection is the one that was given up.
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(OK.as_bytes());
        }
    });
    check(&whole(200, "ok"), &client.answer_to("GET")).unwrap();
    accepting.join().unwrap();
}

#[test]
fn an_upstream_whose_queue_is_full_is_given_up_at_the_timeout() {
    let endpoint = Endpoint::ok();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    rustix::net::listen(&listener, 1).unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the queue does not fill");
    }
    let gateway = Gateway::serve(&files(&format!("http://{address}/fault"), 100, endpoint.address));
    let start = Instant::now();
    check(&Refused(&[503]), &gateway.get("/fault")).unwrap();
    assert!(start.elapsed() < SOON);
    check_next(&gateway).unwrap();
}
