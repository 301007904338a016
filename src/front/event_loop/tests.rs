//! A handler that panics on a loop, and a reload that is asked for.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::front::acceptor;
use crate::front::handler::{Begun, Suspended};
use crate::front::listener_limits::Limits;
use crate::front::{Front, Handler};
use crate::http1::error::RequestError;
use crate::http1::message::{Body, CompletionHook, Headers, Method, Replacement, Request, Response};
use crate::outbound::upstream::tls::client_config;
use crate::outbound::upstream::url::Url;
use crate::outbound::upstream::{DNS_TTL, IntegrationResponse, Settings, Upstream, UpstreamError};
use crate::platform::clock::Moment;
use crate::platform::loops;

const PATIENCE: Duration = Duration::from_secs(20);

/// Answers on loops, panics over `/panic`, and waits in a loop over `/wait`, which it must not.
#[derive(Default)]
struct OnLoops {
    is_changing: AtomicBool,
}

fn response(status: u16, text: &str) -> Response {
    Response {
        status,
        headers: Headers::new(),
        body: Body::Bytes(text.as_bytes().to_vec()),
    }
}

impl Handler for OnLoops {
    fn handle(&self, _: Request) -> Response {
        response(200, "worker")
    }

    fn begin(&self, request: Box<Request>, _: Moment) -> Begun {
        assert!(loops::is_loop());
        assert_ne!(request.path, "/panic", "on purpose");
        if request.path == "/wait" {
            loops::may_wait("on purpose");
        }
        Begun::Answer(response(200, "loop"))
    }

    fn refuse(&self, error: RequestError, _: &Request) -> Response {
        assert_eq!(error, RequestError::Panicked);
        response(500, "refused")
    }

    fn is_changing(&self) -> bool {
        self.is_changing.load(Ordering::SeqCst)
    }
}

fn front(handler: &Arc<OnLoops>, loops: usize) -> Front {
    let listener = acceptor::bind("127.0.0.1:0").unwrap();
    let handler: Arc<OnLoops> = Arc::clone(handler);
    let workers = NonZeroUsize::new(2).unwrap();
    Front::start("test", listener, workers, loops, Limits::default(), handler).unwrap()
}

fn answer(client: &mut TcpStream, path: &str) -> String {
    ask(client, path);
    read_answer(client)
}

fn ask(client: &mut TcpStream, path: &str) {
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
}

fn read_answer(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut part = [0; 1000];
    while !["loop", "worker", "refused"]
        .iter()
        .any(|end| bytes.ends_with(end.as_bytes()))
    {
        let count = client.read(&mut part).unwrap();
        assert!(count > 0, "it ended: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&part[..count]);
    }
    let text = String::from_utf8(bytes).unwrap();
    let status = text.split(' ').nth(1).unwrap();
    format!("{status} {}", text.rsplit_once("\r\n\r\n").unwrap().1)
}

#[test]
fn a_panic_on_a_loop_costs_one_request() {
    let handler = Arc::default();
    let front = front(&handler, 1);
    let mut others: Vec<TcpStream> = (0..3)
        .map(|_| TcpStream::connect(front.local_addr()).unwrap())
        .collect();
    let mut client = TcpStream::connect(front.local_addr()).unwrap();
    for _ in 0..3 {
        assert_eq!(answer(&mut client, "/panic"), "500 refused");
        assert_eq!(answer(&mut client, "/"), "200 loop");
        for other in &mut others {
            assert_eq!(answer(other, "/"), "200 loop");
        }
    }
    if cfg!(debug_assertions) {
        assert_eq!(answer(&mut client, "/wait"), "500 refused");
    }
}

#[test]
fn what_comes_while_a_reload_is_asked_for_is_held_back() {
    let handler: Arc<OnLoops> = Arc::default();
    let front = front(&handler, 2);
    let mut client = TcpStream::connect(front.local_addr()).unwrap();
    for _ in 0..2 {
        assert_eq!(answer(&mut client, "/"), "200 loop");
        handler.is_changing.store(true, Ordering::SeqCst);
        ask(&mut client, "/");
        client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(client.peek(&mut [0]).is_err(), "it has an answer");
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        handler.is_changing.store(false, Ordering::SeqCst);
        assert_eq!(read_answer(&mut client), "200 loop");
    }
    // A reload that does not end is waited for once.
    handler.is_changing.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(answer(&mut client, "/"), "200 loop");
    }
}

#[test]
fn without_loops_workers_answer_everything() {
    let handler = Arc::default();
    let front = front(&handler, 0);
    let mut client = TcpStream::connect(front.local_addr()).unwrap();
    assert_eq!(answer(&mut client, "/"), "200 worker");
}

/// Asks an integration, and panics when a part of its answer is read, but over `/ok`.
struct PanicsInAnswers {
    upstream: Upstream,
    uri: Url,
}

/// Panics over the first part.
struct Panics;

impl CompletionHook for Panics {
    fn sent(&mut self, _: u64) {
        panic!("on purpose");
    }

    fn undelivered(&mut self, _: u64) {}

    fn broke_off(&mut self, _: &std::io::Error) {}

    fn replaced(&mut self, _: RequestError) -> Option<Replacement> {
        None
    }

    fn abandoned(&mut self) {}
}

impl Handler for PanicsInAnswers {
    fn handle(&self, _: Request) -> Response {
        response(200, "worker")
    }

    fn begin(&self, request: Box<Request>, _: Moment) -> Begun {
        let asked = self.uri.request(Method::Get, Headers::new(), Body::Empty, PATIENCE);
        Begun::Ask(Box::new(asked), Suspended::new(Box::new(request.path == "/ok")))
    }

    fn resume(&self, suspended: Suspended, answer: Result<IntegrationResponse, UpstreamError>) -> Option<Response> {
        let is_ok: Box<bool> = suspended.into_state()?;
        let mut body = answer.unwrap().body;
        if let (false, Body::Stream(stream)) = (*is_ok, &mut body) {
            stream.completion = Some(Box::new(Panics));
        }
        Some(Response {
            status: 200,
            headers: Headers::new(),
            body,
        })
    }

    fn upstream(&self) -> Option<&Upstream> {
        Some(&self.upstream)
    }

    fn refuse(&self, _: RequestError, _: &Request) -> Response {
        response(500, "refused")
    }
}

/// Answers each request with 200,000 bytes.
fn long_answers() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut head = [0; 1000];
                while stream.read(&mut head).is_ok_and(|count| count > 0) {
                    let answer = [
                        b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n".as_slice(),
                        &[b'x'; 200_000],
                    ];
                    let _ = stream.write_all(&answer.concat());
                }
            });
        }
    });
    uri
}

#[test]
fn a_panic_in_the_middle_of_an_answer_costs_its_connection() {
    let settings = Settings {
        tls: client_config(None).unwrap(),
        most_connections: 4,
        share: NonZeroUsize::MAX,
        share_on_loops: NonZeroUsize::MAX,
        most_on_loops: usize::MAX,
        dns_ttl: DNS_TTL,
    };
    let handler = Arc::new(PanicsInAnswers {
        upstream: Upstream::new(settings),
        uri: long_answers(),
    });
    let listener = acceptor::bind("127.0.0.1:0").unwrap();
    let workers = NonZeroUsize::new(2).unwrap();
    let front = Front::start("test", listener, workers, 1, Limits::default(), handler).unwrap();
    let mut other = TcpStream::connect(front.local_addr()).unwrap();
    for _ in 0..3 {
        let mut client = TcpStream::connect(front.local_addr()).unwrap();
        ask(&mut client, "/panic");
        let mut bytes = Vec::new();
        let _ = client.read_to_end(&mut bytes);
        assert!(bytes.len() < 200_000, "{}", bytes.len());
        // The loop goes on with the others.
        ask(&mut other, "/ok");
        let mut got = Vec::new();
        let mut part = [0; 65_536];
        while got.iter().filter(|byte| **byte == b'x').count() < 200_000 {
            let count = other.read(&mut part).unwrap();
            assert!(count > 0, "it ended after {}", got.len());
            got.extend_from_slice(&part[..count]);
        }
    }
}
