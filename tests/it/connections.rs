//! Clients that are slow, silent, too many or gone, and what becomes of connections when the gateway stops.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use apigateway::front::limits::{MAX_KEPT_ANSWER, NEXT_REQUEST_PATIENCE, RATE_TIME, WORTH_A_LOOK};
use rustix::net::sockopt::set_socket_linger;

use crate::operations::metrics_at;
use crate::support::client::{Answer, Client, PATIENCE, get};
use crate::support::directory::{Directory, pass_everything};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::{Gateway, options};
use crate::wire::{chunked, content};

pub const GET: &str = "GET /one HTTP/1.1\r\nHost: gw.test\r\n\r\n";

/// More than sockets and their buffers hold, less than what is kept for a slow client.
const LARGE: usize = 9 * 1024 * 1024;

pub fn number(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

/// A gateway whose options are changed.
pub fn serve_with(endpoint: &Endpoint, change: impl FnOnce(&mut apigateway::server::Options)) -> Gateway {
    let directory = Directory::of(&pass_everything(endpoint.address));
    let mut options = options(&directory);
    change(&mut options);
    Gateway::start(directory, options)
}

/// Answers `/held` when it is told to, and everything else at once with its target.
pub fn holding() -> (Endpoint, Sender<()>) {
    let (release, released) = channel();
    let released: Mutex<Receiver<()>> = Mutex::new(released);
    let endpoint = Endpoint::start(move |stream, recorded| {
        let target = recorded.request().split_once(' ').unwrap().1;
        if target.starts_with("/held") {
            let _ = released.lock().unwrap().recv_timeout(PATIENCE);
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len());
        let _ = stream.write_all(answer.as_bytes());
        Next::KeepAlive
    });
    (endpoint, release)
}

/// Answers every request with that content.
fn giving(body: Vec<u8>) -> Endpoint {
    Endpoint::start(move |stream, recorded| {
        let answer = if recorded.request().ends_with("/one") {
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n/one".to_vec()
        } else {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            [head.as_bytes(), &body].concat()
        };
        let _ = stream.write_all(&answer);
        Next::KeepAlive
    })
}

pub fn assert_one(answer: &Answer) {
    assert_eq!((answer.status, answer.text().as_str()), (200, "/one"));
}

/// All that comes until the end, and whether the end was a plain one.
fn rest(client: &mut Client) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let result = client.stream.read_to_end(&mut bytes);
    (bytes, result.is_ok())
}

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

/// Waits until so many requests wait for a worker.
pub fn wait_until_queued(gateway: &Gateway, count: usize) {
    let admin = gateway.server.admin_addr().unwrap();
    let line = format!("apigateway_queue_depth {count}");
    wait_until("queued", || {
        get(admin, "/metrics").text().lines().any(|found| found == line)
    });
}

#[test]
fn requests_of_clients_that_are_gone_are_not_carried_out() {
    let (endpoint, release) = holding();
    let gateway = serve_with(&endpoint, |options| {
        options.workers = number(1);
        options.admin = Some("127.0.0.1:0".to_owned());
    });
    let post = |target: &str| format!("POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
    let mut held = Client::connect(gateway.address);
    held.send(post("/held"));
    assert_eq!(endpoint.next().request(), "POST /held");
    let mut gone = Client::connect(gateway.address);
    gone.send(post("/gone"));
    let mut half = Client::connect(gateway.address);
    half.send(post("/half"));
    half.stream.shutdown(Shutdown::Write).unwrap();
    wait_until_queued(&gateway, 2);
    set_socket_linger(&gone.stream, Some(Duration::ZERO)).unwrap();
    drop(gone);
    // Who has hardly waited is not looked after.
    thread::sleep(2 * WORTH_A_LOOK);
    release.send(()).unwrap();
    assert_eq!(held.answer_to("POST").text(), "/held");
    assert_eq!(half.answer_to("POST").text(), "/half");
    let others: Vec<_> = endpoint.rest().iter().map(|other| other.line().to_owned()).collect();
    assert_eq!(others, ["POST /half HTTP/1.1"]);
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
    while !got.ends_with(b"5\r\nhello\r\n") {
        got.extend(slow.next_bytes());
    }
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

fn is_reset(stream: &TcpStream) -> bool {
    // Writing does not take anything out of the socket.
    (&*stream).write(b"x").is_err()
}

pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "not {what} in time");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_client_that_takes_a_little_now_and_then_gets_everything() {
    let body = content(LARGE);
    let endpoint = giving(body.clone());
    let gateway = serve_with(&endpoint, |options| {
        options.limits.write_timeout = Duration::from_secs(1)
    });
    let mut client = Client::connect(gateway.address);
    client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
    let start = Instant::now();
    let mut got = Vec::new();
    let mut part = vec![0; 300_000];
    while start.elapsed() < Duration::from_secs(3) {
        // The pace is the subject here.
        thread::sleep(Duration::from_millis(200));
        let count = client.stream.read(&mut part).unwrap();
        got.extend_from_slice(&part[..count]);
    }
    let head = got.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    while got.len() < head + body.len() {
        let count = client.stream.read(&mut part).unwrap();
        assert!(count > 0, "cut after {} bytes", got.len());
        got.extend_from_slice(&part[..count]);
    }
    assert!(got[head..] == body);
}

#[test]
fn requests_are_answered_in_order_and_a_bad_one_does_not_take_the_good_ones_with_it() {
    let (endpoint, release) = holding();
    let gateway = serve_with(&endpoint, |_| {});
    let held = "GET /held HTTP/1.1\r\nHost: h\r\n\r\n";
    for (bad, status) in [
        ("GET /bad HTTP/1.1\r\n\r\n", 400),
        (
            "POST /bad HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\nx",
            413,
        ),
        ("\0", 400),
    ] {
        let mut client = Client::connect(gateway.address);
        client.send(format!("{held}{GET}{bad}{GET}"));
        release.send(()).unwrap();
        assert_eq!(client.answer_to("GET").text(), "/held");
        assert_one(&client.answer_to("GET"));
        let answer = client.answer_to("GET");
        assert_eq!(
            (answer.status, answer.header("connection")),
            (status, Some("close")),
            "{bad:?}"
        );
        assert!(client.is_closed(), "{bad:?}");
    }
}

#[test]
fn a_client_may_end_its_side_and_still_get_its_answers() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |_| {});
    let mut client = Client::connect(gateway.address);
    client.send(GET.repeat(3));
    client.stream.shutdown(Shutdown::Write).unwrap();
    for _ in 0..3 {
        assert_one(&client.answer_to("GET"));
    }
    assert!(client.is_closed());
}

#[test]
fn one_empty_line_before_a_request_is_nothing() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |_| {});
    let mut client = Client::connect(gateway.address);
    assert_one(&client.send(format!("\r\n{GET}")).answer_to("GET"));
    assert_one(&client.send("\r").send(format!("\n{GET}")).answer_to("GET"));
    assert_eq!(client.send(format!("\r\n\r\n{GET}")).answer_to("GET").status, 400);
}

#[test]
fn a_connection_too_many_is_told_so_and_the_place_is_free_again() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| options.limits.max_connections = number(3));
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(gateway.address)).collect();
    let (begin, end) = GET.split_at(10);
    for client in &mut clients {
        assert_one(&client.send(GET).answer_to("GET"));
        // An idle one would give way.
        client.send(begin);
    }
    // Also more than are listened to until they have read it.
    for _ in 0..40 {
        let mut client = Client::connect(gateway.address);
        let answer = client.answer_to("GET");
        assert_eq!((answer.status, answer.header("connection")), (503, Some("close")));
        assert_eq!(answer.text(), "{\"message\":\"Service Unavailable\"}");
        assert!(answer.header("apigw-requestid").is_some());
        assert!(client.is_closed());
    }
    assert_one(&clients[0].send(end).answer_to("GET"));
    drop(clients);
    wait_until("free", || get(gateway.address, "/one").status == 200);
}

#[test]
fn refused_clients_are_listened_to_and_not_for_ever() {
    const OPEN: &str = "apigateway_connections_open";
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| {
        options.limits.max_connections = number(1);
        options.limits.lingering_over_limit = 3;
        options.admin = Some("127.0.0.1:0".to_owned());
    });
    let admin = gateway.server.admin_addr().unwrap();
    let mut first = Client::connect(gateway.address);
    // An idle one would give way.
    first.send("GET /one HTTP/1.1\r\n");
    let start = Instant::now();
    let mut others: Vec<Client> = (0..20).map(|_| Client::connect(gateway.address)).collect();
    for other in &mut others {
        assert_eq!(other.answer_to("GET").status, 503);
    }
    // The first, and so many that have not ended their side.
    wait_until("as many as are listened to", || {
        (3.5..4.5).contains(&metrics_at(admin)[OPEN])
    });
    // They never do, and are closed all the same.
    wait_until("closed", || metrics_at(admin)[OPEN] < 2.0);
    assert!(start.elapsed() >= Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn who_goes_on_sending_after_a_refusal_is_reset() {
    const LISTENED_TO: usize = 64 << 20;
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |_| {});
    let mut client = Client::connect(gateway.address);
    client.send("\0");
    assert_eq!(client.answer_to("GET").status, 400);
    let part = vec![b'x'; 1 << 20];
    let mut sent = 0;
    // Sockets hold some more.
    while sent < 2 * LISTENED_TO && client.stream.write_all(&part).is_ok() {
        sent += part.len();
    }
    assert!(sent < 2 * LISTENED_TO, "{sent}");
}

#[test]
fn a_connection_has_a_last_request() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| options.limits.max_requests = 3);
    let mut client = Client::connect(gateway.address);
    client.send(GET.repeat(4));
    for connection in ["keep-alive", "keep-alive", "close"] {
        let answer = client.answer_to("GET");
        assert_one(&answer);
        assert_eq!(answer.header("connection"), Some(connection));
    }
    assert!(client.is_closed());
}

#[test]
fn more_requests_than_the_queue_holds_are_refused_in_words() {
    // As `MAX_QUEUED` has it.
    const QUEUED: usize = 2048;
    let (endpoint, release) = holding();
    let gateway = serve_with(&endpoint, |options| {
        options.workers = number(1);
        options.admin = Some("127.0.0.1:0".to_owned());
        // The length of the queue is the subject, and not how long it lasts.
        options.limits.queue_timeout = PATIENCE;
    });
    let admin = gateway.server.admin_addr().unwrap();
    let mut held = Client::connect(gateway.address);
    held.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
    endpoint.next();
    let mut queued: Vec<Client> = (0..QUEUED).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut queued {
        client.send(GET);
    }
    wait_until("queued", || {
        metrics_at(admin)["apigateway_queue_depth"] > QUEUED as f64 - 0.5
    });
    for _ in 0..3 {
        let mut client = Client::connect(gateway.address);
        let answer = client.send(GET).answer_to("GET");
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(client.is_closed());
    }
    assert_eq!(metrics_at(admin)["apigateway_requests_refused_total"], 3.0);
    // A burst of so many is answered whole.
    release.send(()).unwrap();
    assert_eq!(held.answer_to("GET").text(), "/held");
    for client in &mut queued {
        assert_one(&client.answer_to("GET"));
    }
}

#[test]
fn a_burst_is_answered_whole_and_at_the_same_time() {
    const BURST: usize = 200;
    let arrived = (Mutex::new(0), Condvar::new());
    let endpoint = Endpoint::start(move |stream, _| {
        let (count, all) = &arrived;
        *count.lock().unwrap() += 1;
        all.notify_all();
        // Each is answered when all are here.
        let are_missing = |count: &mut usize| *count < BURST;
        let waited = all.wait_timeout_while(count.lock().unwrap(), PATIENCE, are_missing);
        let length = if waited.unwrap().1.timed_out() { "none" } else { "4" };
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n/one").as_bytes());
        Next::KeepAlive
    });
    let gateway = serve_with(&endpoint, |options| options.workers = number(240));
    let mut clients: Vec<Client> = (0..BURST).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send(GET);
    }
    for client in &mut clients {
        assert_one(&client.answer_to("GET"));
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
    let gateway = serve_with(&endpoint, |options| options.workers = number(5));
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

#[test]
fn a_stop_answers_what_was_sent_and_closes_what_is_idle() {
    let (endpoint, release) = holding();
    let gateway = serve_with(&endpoint, |_| {});
    let address: SocketAddr = gateway.address;
    let mut held = Client::connect(address);
    held.send(format!("GET /held HTTP/1.1\r\nHost: h\r\n\r\n{GET}{GET}"));
    assert!(endpoint.next().request().contains("/held"));
    let mut idle = Client::connect(address);
    assert_one(&idle.send(GET).answer_to("GET"));
    let mut silent = Client::connect(address);
    let mut begun = Client::connect(address);
    begun.send("POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
    let mut asked = Client::connect(address);
    assert_one(&asked.send(GET).answer_to("GET"));
    let stopping = thread::spawn(move || gateway.server.stop(PATIENCE));
    wait_until("refusing", || TcpStream::connect(address).is_err());
    // The listener is closed, and the connection is open still.
    let answer = asked.send(GET).answer_to("GET");
    assert_one(&answer);
    assert_eq!(answer.header("connection"), Some("close"));
    for client in [&mut idle, &mut silent] {
        assert_eq!(rest(client), (Vec::new(), true));
    }
    let answer = begun.send("lo").answer_to("POST");
    assert_one(&answer);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(!stopping.is_finished());
    release.send(()).unwrap();
    assert_eq!(held.answer_to("GET").text(), "/held");
    assert_eq!(held.answer_to("GET").header("connection"), Some("keep-alive"));
    let answer = held.answer_to("GET");
    assert_one(&answer);
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(held.is_closed());
    assert_eq!(stopping.join().unwrap(), 0);
}

#[test]
fn a_stop_under_load_loses_no_request() {
    const CLIENTS: usize = 16;
    for _ in 0..4 {
        let endpoint = Endpoint::telling_the_target();
        let gateway = serve_with(&endpoint, |_| {});
        let address = gateway.address;
        let (told, started) = channel();
        let load: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let told = told.clone();
                thread::spawn(move || {
                    let mut client = Client::connect(address);
                    for count in 0_u32.. {
                        // A third of the clients each: one request, two at once, one with a body.
                        let (sent, method) = match number % 3 {
                            0 => (GET.to_owned(), "GET"),
                            1 => (GET.repeat(2), "GET"),
                            _ => (
                                "POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody".to_owned(),
                                "POST",
                            ),
                        };
                        client.send(&sent);
                        let answer = client.answer_to(method);
                        assert_one(&answer);
                        let answer = if number % 3 == 1 && answer.header("connection") != Some("close") {
                            let second = client.answer_to(method);
                            assert_one(&second);
                            second
                        } else {
                            answer
                        };
                        if answer.header("connection") == Some("close") {
                            assert!(client.is_closed());
                            return;
                        }
                        if count == 20 {
                            told.send(()).unwrap();
                        }
                    }
                })
            })
            .collect();
        for _ in 0..CLIENTS {
            started.recv_timeout(PATIENCE).unwrap();
        }
        assert_eq!(gateway.server.stop(PATIENCE), 0);
        for client in load {
            client.join().unwrap();
        }
    }
}

#[test]
fn a_stop_counts_what_it_cuts() {
    let (endpoint, _release) = holding();
    let gateway = serve_with(&endpoint, |_| {});
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n");
        endpoint.next();
    }
    let _idle = Client::connect(gateway.address);
    assert_eq!(gateway.server.stop(Duration::from_millis(100)), 3);
}

#[test]
fn the_address_that_a_client_reached_is_told() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |options| options.listen = "0.0.0.0:0".to_owned());
    let address = SocketAddr::from(([127, 0, 0, 7], gateway.address.port()));
    assert_one(&get(address, "/one"));
    let forwarded = endpoint.next().headers("forwarded").join("");
    assert!(forwarded.starts_with("by=127.0.0.7;for=127.0.0.1;"), "{forwarded}");
}

#[test]
fn an_answer_that_breaks_off_never_looks_whole() {
    let endpoint = Endpoint::start(|stream, recorded| {
        let framing = match recorded.request().split_once(' ').unwrap().1 {
            "/length" => "Content-Length: 200000",
            "/chunked" => "Transfer-Encoding: chunked",
            _ => "Connection: close",
        };
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").as_bytes());
        if framing.ends_with("chunked") {
            let _ = stream.write_all(b"20000\r\n");
        }
        let _ = stream.write_all(&content(100_000));
        Next::Reset
    });
    let gateway = serve_with(&endpoint, |_| {});
    for target in ["/length", "/chunked", "/closed"] {
        for version in ["1.0", "1.1"] {
            let mut client = Client::connect(gateway.address);
            client.send(format!("GET {target} HTTP/{version}\r\nHost: h\r\n\r\n"));
            let (got, is_plain) = rest(&mut client);
            let text = String::from_utf8_lossy(&got);
            let head = text.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
            if !head.starts_with("http/1.1 200") {
                // It broke before anything was passed on.
                assert!(head.starts_with("http/1.1 503"), "{target} {version}: {head}");
            } else if head.contains("content-length") {
                assert!(got.len() < 200_000, "{target} {version}");
            } else if head.contains("chunked") {
                assert!(!got.ends_with(b"0\r\n\r\n"), "{target} {version}");
            } else {
                assert!(!is_plain, "{target} {version}: a plain end is the end of the content");
            }
        }
    }
}

#[test]
fn what_a_client_sends_behind_its_last_request_does_not_cost_the_answer() {
    let (release, released) = channel();
    let released: Mutex<Receiver<()>> = Mutex::new(released);
    let body = content(LARGE);
    let endpoint = Endpoint::start({
        let body = body.clone();
        move |stream, recorded| {
            let _ = released.lock().unwrap().recv_timeout(PATIENCE);
            let length = match recorded.request() {
                "POST /large" => body.len(),
                _ => 30_000,
            };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            let _ = stream.write_all(&[head.as_bytes(), &body[..length]].concat());
            Next::KeepAlive
        }
    });
    let gateway = serve_with(&endpoint, |_| {});
    for (line, length) in [
        ("POST /large HTTP/1.1\r\nConnection: close", LARGE),
        ("POST /small HTTP/1.1\r\nConnection: close", 30_000),
        ("POST /large HTTP/1.0", LARGE),
        ("POST /small HTTP/1.0", 30_000),
    ] {
        let mut client = Client::connect(gateway.address);
        client.send(format!("{line}\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"));
        endpoint.next();
        // As some old clients do (RFC 9112 §2.2), while the integration works.
        client.send("\r\n");
        release.send(()).unwrap();
        let (got, is_plain) = rest(&mut client);
        assert!(is_plain, "{line}: reset after {} bytes", got.len());
        assert!(got.ends_with(&body[..length]), "{line}: {} bytes", got.len());
    }
}

#[test]
fn a_refused_client_that_still_sends_can_read_why() {
    let endpoint = Endpoint::telling_the_target();
    let gateway = serve_with(&endpoint, |_| {});
    let mut client = Client::connect(gateway.address);
    client.send("POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n");
    // All of it is sent before anything is read.
    client.send(content(20_000_000));
    assert_eq!(client.answer_to("POST").status, 413);
    match client.stream.read(&mut [0]) {
        Ok(count) => assert_eq!(count, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}
