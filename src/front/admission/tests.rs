//! Who gives way to whom, where only the inside shows it.

use super::*;
use crate::front::connection::State;
use crate::front::listener_limits::Limits;
use crate::front::{Front, Handler};
use crate::http1::error::RequestError;
use crate::http1::message::{Body, Headers, Request, Response};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

const PATIENCE: Duration = Duration::from_secs(20);
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// Holds requests for `/held` until it is told; those for `/vital…` are vital, and `/vital/long` has a long answer.
struct Answering {
    began: Sender<String>,
    release: Mutex<Receiver<()>>,
}

impl Handler for Answering {
    fn handle(&self, request: Request) -> Response {
        self.began.send(request.path.clone()).unwrap();
        if request.path == "/held" {
            let _ = self.release.lock().unwrap().recv_timeout(PATIENCE);
        }
        Response {
            status: 200,
            headers: Headers::new(),
            body: match request.path.as_str() {
                // More than sockets and their buffers hold.
                "/vital/long" => Body::Bytes(vec![b'x'; 9 * 1024 * 1024]),
                _ => Body::Empty,
            },
        }
    }

    fn refuse(&self, error: RequestError, _: &Request) -> Response {
        assert!(matches!(error, RequestError::Overloaded(_)), "{error:?}");
        Response {
            status: 503,
            headers: Headers::new(),
            body: Body::Empty,
        }
    }

    fn is_vital(&self, request: &Request) -> bool {
        request.path.starts_with("/vital")
    }
}

/// A handler, the paths for which it was asked, and what releases those that it holds.
fn answering() -> (Arc<Answering>, Receiver<String>, Sender<()>) {
    let (began, beginning) = channel();
    let (releasing, release) = channel();
    let release = Mutex::new(release);
    (Arc::new(Answering { began, release }), beginning, releasing)
}

fn limits(max_connections: usize, reserve: usize) -> Limits {
    Limits {
        max_connections: NonZeroUsize::new(max_connections).unwrap(),
        reserve,
        ..Limits::default()
    }
}

fn front(max_connections: usize, reserve: usize, handler: Arc<Answering>) -> Front {
    let listener = crate::front::acceptor::bind("127.0.0.1:0").unwrap();
    let limits = limits(max_connections, reserve);
    Front::start("test", listener, NonZeroUsize::MIN, 2, limits, handler).unwrap()
}

fn begin_of_answer(client: &mut TcpStream) -> String {
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = [0; 12];
    let count = client.read(&mut bytes).unwrap();
    String::from_utf8(bytes[..count].to_vec()).unwrap()
}

fn connect(front: &Front, sent: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(front.local_addr()).unwrap();
    client.write_all(sent).unwrap();
    client
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes()
}

fn wait_until(is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "not in time");
        thread::sleep(TICK);
    }
}

#[test]
fn what_nobody_has_read_yet_is_read_before_a_connection_gives_way() {
    // Nobody watches, so that only who looks for room reads.
    let (handler, _beginning, _release) = answering();
    let (event_loop, _watch) = EventLoop::new("test", NonZeroUsize::MIN, 0, limits(3, 0), handler).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut admission = Admission::new(Arc::clone(&event_loop), listener.local_addr().unwrap());
    let mut connect = || {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        admission.admit(stream, peer);
        client
    };
    let (mut asks, mut begins, mut idle) = (connect(), connect(), connect());
    asks.write_all(GET).unwrap();
    begins.write_all(&GET[..10]).unwrap();
    let mut new = connect();
    assert_eq!(begin_of_answer(&mut asks), "HTTP/1.1 200");
    assert_eq!(begin_of_answer(&mut idle), "", "it is idle, and gives way");
    assert_eq!(event_loop.shared.quotas.count(Quota::Limit), 3);
    let metrics = event_loop.shared.metrics.connections.as_ref().unwrap();
    assert_eq!((metrics.evicted.value(), metrics.refused.value()), (1, 0));
    new.write_all(&GET[..10]).unwrap();
    // The first has been answered, and is idle.
    let mut newer = connect();
    newer.write_all(&GET[..10]).unwrap();
    assert_eq!(metrics.evicted.value(), 2);
    assert_eq!(begin_of_answer(&mut connect()), "HTTP/1.1 503");
    assert_eq!((metrics.evicted.value(), metrics.refused.value()), (2, 1));
}

#[test]
fn who_takes_no_answer_gives_way_in_reserve_but_after_those_that_do_not_ask() {
    let (handler, _beginning, _release) = answering();
    let front = front(1, 2, handler);
    let is_writing = |connection: &Connection| matches!(connection.state, State::Writing(_));
    let _begun = connect(&front, &GET[..10]);
    let _stuck = connect(&front, &get("/vital/long"));
    wait_until(|| front.event_loop.shared.tables.count(is_writing) == 1);
    let mut silent = connect(&front, b"");
    wait_until(|| front.event_loop.shared.quotas.count(Quota::Reserve) == 2);
    let _stuck_too = connect(&front, &get("/vital/long"));
    assert_eq!(begin_of_answer(&mut silent), "");
    wait_until(|| front.event_loop.shared.tables.count(is_writing) == 2);
    for _ in 0..3 {
        let mut new = connect(&front, &get("/vital"));
        assert_eq!(begin_of_answer(&mut new), "HTTP/1.1 200");
    }
    assert!(front.event_loop.shared.tables.count(is_writing) < 2);
}

#[test]
fn who_is_in_reserve_is_out_of_it_when_there_is_room() {
    let (handler, _beginning, _release) = answering();
    let front = front(1, 1, handler);
    let begun = connect(&front, &GET[..10]);
    let mut waiting = connect(&front, b"");
    wait_until(|| front.event_loop.shared.quotas.count(Quota::Reserve) == 1);
    drop(begun);
    wait_until(|| front.event_loop.shared.quotas.count(Quota::Limit) == 0);
    for _ in 0..3 {
        waiting.write_all(GET).unwrap();
        let mut answer = vec![0; 1000];
        let count = waiting.read(&mut answer).unwrap();
        let text = String::from_utf8_lossy(&answer[..count]);
        assert!(
            text.starts_with("HTTP/1.1 200 ") && text.contains("keep-alive"),
            "{text}"
        );
    }
    assert_eq!(front.event_loop.shared.quotas.count(Quota::Limit), 1);
    assert_eq!(front.event_loop.shared.quotas.open(), 1);
}

#[test]
fn what_is_vital_goes_before_what_waits_for_a_worker() {
    let (handler, beginning, release) = answering();
    let front = front(10, 0, handler);
    let mut clients = vec![connect(&front, &get("/held"))];
    assert_eq!(beginning.recv_timeout(PATIENCE).unwrap(), "/held");
    for (waiting, path) in ["/first", "/second", "/vital"].iter().enumerate() {
        clients.push(connect(&front, &get(path)));
        wait_until(|| front.metrics().queue_depth.value() == waiting as u64 + 1);
    }
    release.send(()).unwrap();
    let order: Vec<String> = (0..3).map(|_| beginning.recv_timeout(PATIENCE).unwrap()).collect();
    assert_eq!(order, ["/vital", "/first", "/second"]);
}
