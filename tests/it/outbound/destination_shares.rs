//! A destination that hangs holds its share of the workers and no more, and the others go on.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use apigateway::outbound::upstream::url::Url;
use apigateway::server::Options;
use serde_json::{Value, json};

use crate::support::client::{Answer, Client, PATIENCE};
use crate::support::directory::{Directory, http_proxy, lambda_proxy, route};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::{Gateway, options};
use crate::support::jwt::{Issuer, Reply, Signer};
use crate::support::jwt_api;
use crate::support::lambda_authorizer::{authorizer, invoke_uri};
use crate::support::metrics::metrics_at;
use crate::support::wait::wait_until;

/// Seven eighths of these are 7.
const WORKERS: usize = 8;
const SHARE: usize = 7;
/// How many ask at once.
const ASKING: usize = 24;
/// Far less than an integration may take.
const SOON: Duration = Duration::from_secs(10);
pub const OTHER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother";

/// A server that begins to answer, and then says nothing until it is told to go on.
pub struct Hanging {
    pub endpoint: Endpoint,
    script: Arc<Mutex<Script>>,
}

/// What is said before and after the silence, how often it has ended, and for how many requests it lasts.
#[derive(Default)]
struct Script {
    beginning: Vec<u8>,
    end: Vec<u8>,
    next: Option<Next>,
    rounds: usize,
    hanging: usize,
}

impl Hanging {
    pub fn new() -> Hanging {
        let script = Arc::<Mutex<Script>>::default();
        let read = Arc::clone(&script);
        let endpoint = Endpoint::start(move |stream, _| {
            let (beginning, round) = {
                let mut script = read.lock().unwrap();
                script.hanging += 1;
                (script.beginning.clone(), script.rounds)
            };
            let _ = stream.write_all(&beginning);
            // Whether the other side goes away is looked at meanwhile.
            stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            let mut is_there = true;
            while is_there && read.lock().unwrap().rounds == round {
                is_there = match stream.read(&mut [0]) {
                    Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                    Ok(_) => false,
                };
            }
            stream.set_read_timeout(None).unwrap();
            let mut script = read.lock().unwrap();
            script.hanging -= 1;
            let _ = stream.write_all(&script.end);
            script.next.filter(|_| is_there).unwrap_or(Next::Close)
        });
        Hanging { endpoint, script }
    }

    /// From now on it says that before it hangs.
    fn begin_with(&self, beginning: &[u8]) {
        self.script.lock().unwrap().beginning = beginning.to_vec();
    }

    /// So many requests hang, waited for.
    fn assert_held(&self, count: usize) {
        wait_until("held", || self.script.lock().unwrap().hanging == count);
    }

    /// Ends all that hang now in this way.
    fn go_on(&self, bytes: &[u8], next: Next) {
        let mut script = self.script.lock().unwrap();
        (script.end, script.next) = (bytes.to_vec(), Some(next));
        script.rounds += 1;
    }
}

/// `/held` goes where these files say, `/other` to another server; there are eight workers.
fn serve(held: &[(&str, Value)], other: SocketAddr, change: impl FnOnce(&mut Options)) -> Gateway {
    let mut files = vec![
        ("stages/$default.json", json!({"Name": "$default"})),
        ("routes/other.json", route("ANY /other", "other")),
        ("integrations/other.json", http_proxy(format!("http://{other}/other"))),
    ];
    files.extend_from_slice(held);
    let directory = Directory::of(&files);
    let mut options = options(&directory);
    // The share of workers is the subject. That of loops: `loops`.
    options.loops = 0;
    options.workers = NonZeroUsize::new(WORKERS).unwrap();
    options.admin = Some("127.0.0.1:0".to_owned());
    change(&mut options);
    Gateway::start(directory, options)
}

/// `/held` as an HTTP integration.
fn proxied(address: SocketAddr) -> Vec<(&'static str, Value)> {
    vec![
        ("routes/held.json", route("ANY /held", "held")),
        ("integrations/held.json", http_proxy(format!("http://{address}/held"))),
    ]
}

/// `/held` as a function.
fn invoked(function: Option<Value>) -> Vec<(&'static str, Value)> {
    let mut files = vec![
        ("routes/held.json", route("ANY /held", "held")),
        ("integrations/held.json", lambda_proxy("held", "2.0")),
    ];
    files.extend(function.map(|function| ("functions/held.json", function)));
    files
}

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: gw.test\r\n{fields}\r\n")
}

/// Asks so often at once; the answers come as they are there.
fn ask(gateway: &Gateway, request: &str, count: usize) -> Receiver<Answer> {
    let (sender, answers) = channel();
    let clients: Vec<Client> = (0..count).map(|_| Client::connect(gateway.address)).collect();
    for mut client in clients {
        client.send(request);
        let sender = sender.clone();
        thread::spawn(move || sender.send(client.answer_to("GET")));
    }
    answers
}

fn is_overloaded(answer: &Answer) -> bool {
    answer.status == 503
        && answer.text() == r#"{"message":"Service Unavailable"}"#
        && answer.header("retry-after") == Some("1")
        && answer.header("apigw-requestid").is_some()
}

fn assert_other(gateway: &Gateway) {
    assert_eq!(gateway.get("/other").text(), "other");
}

/// Asks for `/held` too often at once: so many are refused, and a route to another server is answered meanwhile. The
/// answers of the others are still to come.
fn overload(gateway: &Gateway, request: &str, held: usize) -> Receiver<Answer> {
    // A client may have its answer before the worker is free.
    let admin = gateway.server.admin_addr().unwrap();
    wait_until("idle", || metrics_at(admin)["apigateway_workers_busy"] == 0.0);
    let start = Instant::now();
    let answers = ask(gateway, request, ASKING);
    for _ in held..ASKING {
        let answer = answers.recv_timeout(PATIENCE).unwrap();
        assert!(is_overloaded(&answer), "{}{}", answer.head, answer.text());
        // What is said of the connection is said of a refusal that the client's request is not to blame for.
        assert_eq!(answer.header("www-authenticate"), None);
    }
    assert!(start.elapsed() < SOON, "refused after {:?}", start.elapsed());
    assert_other(gateway);
    assert!(
        answers.try_recv().is_err(),
        "more were refused than {ASKING} without {held}"
    );
    answers
}

fn rest(answers: &Receiver<Answer>, held: usize) -> Vec<Answer> {
    (0..held).map(|_| answers.recv_timeout(PATIENCE).unwrap()).collect()
}

fn overloads(gateway: &Gateway) -> f64 {
    metrics_at(gateway.server.admin_addr().unwrap())["apigateway_destination_overloads_total"]
}

/// How a server that hangs is asked: what it says before it does, what it would say afterwards, how many of its requests
/// a gateway holds, and the gateway's files.
struct Case {
    what: &'static str,
    beginning: Vec<u8>,
    end: Vec<u8>,
    held: usize,
    files: Vec<(&'static str, Value)>,
}

/// A function that takes any number of events at once.
pub fn endpoint(address: SocketAddr) -> Value {
    json!({"InvokeUri": format!("http://{address}/held")})
}

/// Where the files lead to `held`.
fn cases(held: SocketAddr) -> Vec<Case> {
    let case = |what, beginning: &[u8], end: &[u8], files| Case {
        what,
        beginning: beginning.to_vec(),
        end: end.to_vec(),
        held: SHARE,
        files,
    };
    let mut who = route("ANY /held", "other");
    who["AuthorizationType"] = json!("CUSTOM");
    who["AuthorizerId"] = json!("who");
    let authorized = vec![
        ("routes/held.json", who),
        ("authorizers/who.json", authorizer("held", &[], 0)),
        ("functions/held.json", endpoint(held)),
    ];
    // A function's answer, and an authorizer's.
    let yes = "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"isAuthorized\":true}";
    let part = |head: &str| [head.as_bytes(), &[b'a'; 16 * 1024]].concat();
    let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    vec![
        case("an integration", b"", OTHER.as_bytes(), proxied(held)),
        case("InvokeUri", b"", yes.as_bytes(), invoked(Some(endpoint(held)))),
        case("--lambda-endpoint", b"", yes.as_bytes(), invoked(None)),
        case("an authorizer", b"", yes.as_bytes(), authorized),
        case(
            "a part of a head",
            b"HTTP/1.1 200 OK\r\nX-",
            b"A: b\r\nContent-Length: 0\r\n\r\n",
            proxied(held),
        ),
        case(
            "16 KB of 70 KB",
            &part("HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n"),
            &[b'a'; 70_000 - 16 * 1024],
            proxied(held),
        ),
        case(
            "16 KB without a length",
            &part("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4000\r\n"),
            b"\r\n0\r\n\r\n",
            proxied(held),
        ),
        Case {
            // Half of the workers may stream, and of these one is left to others.
            held: WORKERS / 2 - 1,
            ..case("events", events.as_bytes(), b"0\r\n\r\n", proxied(held))
        },
    ]
}

/// Silent event streams of one server do not stop those of another, nor its long answers to slow clients.
#[test]
fn streams_of_a_server_leave_some_to_others() {
    let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n!\r\n";
    let hanging = Hanging::new();
    hanging.begin_with(events.as_bytes());
    let other = Endpoint::answering(format!("{events}0\r\n\r\n"));
    let gateway = serve(&proxied(hanging.endpoint.address), other.address, |_| {});
    let streams: Vec<Client> = (0..WORKERS / 2 - 1)
        .map(|_| {
            let mut client = Client::connect(gateway.address);
            client.send(get("/held", ""));
            assert!(client.next_bytes().starts_with(b"HTTP/1.1 200 "));
            client
        })
        .collect();
    for _ in 0..3 {
        assert!(is_overloaded(&gateway.get("/held")));
        let answer = gateway.get("/other");
        assert_eq!((answer.status, answer.text().as_str()), (200, "!"));
        assert!(answer.complete);
    }
    drop(streams);
}

#[test]
fn a_server_that_hangs_holds_seven_eighths_of_the_workers() {
    let other = Endpoint::answering(OTHER);
    let count = cases(other.address).len();
    for number in 0..count {
        let hanging = Hanging::new();
        let address = hanging.endpoint.address;
        let case = cases(address).remove(number);
        let gateway = serve(&case.files, other.address, |options| {
            options.settings.lambda_endpoint = Some(Url::parse(&format!("http://{address}")).unwrap());
        });
        // What is held is free again, however it ends.
        let ends = [
            (&[][..], Next::Reset),
            (&[][..], Next::Close),
            (&case.end, Next::KeepAlive),
            (&case.end, Next::Close),
        ];
        for (bytes, next) in ends {
            hanging.begin_with(&case.beginning);
            let answers = overload(&gateway, &get("/held", ""), case.held);
            hanging.assert_held(case.held);
            hanging.go_on(bytes, next);
            for answer in rest(&answers, case.held) {
                let is_right = match bytes.is_empty() {
                    true => !is_overloaded(&answer),
                    false => answer.status == 200 && answer.complete,
                };
                assert!(is_right, "{}: {}", case.what, answer.head);
            }
        }
        if case.held == SHARE {
            assert_eq!(overloads(&gateway), 4.0 * (ASKING - SHARE) as f64, "{}", case.what);
        }
    }
}

/// R5.45: it works on one event, and those that wait for it hold workers too.
#[test]
fn events_that_wait_for_an_emulator_hold_its_share_of_the_workers() {
    let other = Endpoint::answering(OTHER);
    let hanging = Hanging::new();
    let files = invoked(Some(invoke_uri(hanging.endpoint.address)));
    let gateway = serve(&files, other.address, |_| {});
    let answers = overload(&gateway, &get("/held", ""), SHARE);
    for _ in 0..SHARE {
        hanging.assert_held(1);
        hanging.go_on(OTHER.as_bytes(), Next::KeepAlive);
        let answer = answers.recv_timeout(PATIENCE).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "other"));
    }
    assert_eq!(overloads(&gateway), (ASKING - SHARE) as f64);
}

/// A function that never asks for an event, and an integration without an answer: what they hold is free after the
/// timeout.
#[test]
fn what_is_held_is_free_again_after_the_timeout() {
    let other = Endpoint::answering(OTHER);
    let hanging = Hanging::new();
    let local = invoked(Some(json!({"Command": ["sleep", "1000"]})));
    thread::scope(|scope| {
        for mut files in [local, proxied(hanging.endpoint.address)] {
            files[1].1["TimeoutInMillis"] = json!(4_000);
            let other = other.address;
            scope.spawn(move || {
                let gateway = serve(&files, other, |_| {});
                for _ in 0..2 {
                    let answers = overload(&gateway, &get("/held", ""), SHARE);
                    for answer in rest(&answers, SHARE) {
                        assert_eq!((answer.status, answer.header("retry-after")), (503, None));
                    }
                }
            });
        }
    });
}

#[test]
fn what_clients_held_that_are_gone_is_free_again() {
    let other = Endpoint::answering(OTHER);
    let hanging = Hanging::new();
    let mut files = proxied(hanging.endpoint.address);
    files[1].1["TimeoutInMillis"] = json!(2_000);
    let gateway = serve(&files, other.address, |_| {});
    let mut clients: Vec<Client> = (0..SHARE).map(|_| Client::connect(gateway.address)).collect();
    for client in &mut clients {
        client.send(get("/held", ""));
    }
    hanging.assert_held(SHARE);
    assert!(is_overloaded(&gateway.get("/held")));
    drop(clients);
    hanging.assert_held(0);
    let answers = overload(&gateway, &get("/held", ""), SHARE);
    hanging.assert_held(SHARE);
    hanging.go_on(OTHER.as_bytes(), Next::KeepAlive);
    for answer in rest(&answers, SHARE) {
        assert_eq!(answer.text(), "other");
    }
}

/// While an issuer hangs, which is 1.5 s at most, its tokens take seven workers, and routes that ask nobody go on.
#[test]
fn an_issuer_that_hangs_holds_its_share() {
    let other = Endpoint::answering(OTHER);
    let signer = Signer::new("k1", "ES256");
    let mut held = route("ANY /held", "other");
    held["AuthorizationType"] = json!("JWT");
    held["AuthorizerId"] = json!("jwt");
    // On a busy machine they may not all be there in that time, but not always.
    let is_as_it_should = (0..5).any(|_| {
        let issuer = Issuer::with(&[&signer]);
        issuer.discovery(Reply::Hang);
        let files = [
            ("routes/held.json", held.clone()),
            ("authorizers/jwt.json", jwt_api::authorizer(&issuer.url)),
        ];
        let gateway = serve(&files, other.address, |_| {});
        let token = signer.token(&issuer.claims());
        let answers = ask(&gateway, &get("/held", &format!("Authorization: {token}\r\n")), ASKING);
        assert_other(&gateway);
        let (refused, denied): (Vec<_>, Vec<_>) = rest(&answers, ASKING).into_iter().partition(is_overloaded);
        // An overload is never a yes.
        assert!(denied.iter().all(|answer| answer.status == 401), "{denied:?}");
        assert!(refused.iter().all(|answer| answer.header("www-authenticate").is_none()));
        assert_eq!(issuer.discoveries(), 1);
        assert_eq!(overloads(&gateway), refused.len() as f64);
        (refused.len(), denied.len()) == (ASKING - SHARE, SHARE)
    });
    assert!(is_as_it_should);
}

#[test]
fn of_two_workers_one_is_left_and_of_one_none() {
    let other = Endpoint::answering(OTHER);
    for workers in [1, 2] {
        let hanging = Hanging::new();
        let gateway = serve(&proxied(hanging.endpoint.address), other.address, |options| {
            options.workers = NonZeroUsize::new(workers).unwrap();
        });
        let mut held = Client::connect(gateway.address);
        held.send(get("/held", ""));
        hanging.assert_held(1);
        if workers == 2 {
            for _ in 0..3 {
                assert!(is_overloaded(&gateway.get("/held")));
                assert_other(&gateway);
            }
        }
        hanging.go_on(OTHER.as_bytes(), Next::KeepAlive);
        assert_eq!(held.answer_to("GET").text(), "other");
        assert_other(&gateway);
    }
}

/// Long answers wait for their turn without a worker. Those of a server that hangs do not have all turns.
#[test]
fn long_answers_that_hang_do_not_stop_those_of_others() {
    let body = vec![b'a'; 300_000];
    let long = [b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n".as_slice(), &body].concat();
    for (workers, turns, count) in [(2, 1, 1), (WORKERS, 5, 16)] {
        let other = Endpoint::answering(long.clone());
        let hanging = Hanging::new();
        hanging.begin_with(&long[..200_000]);
        let gateway = serve(&proxied(hanging.endpoint.address), other.address, |options| {
            options.workers = NonZeroUsize::new(workers).unwrap();
        });
        let admin = gateway.server.admin_addr().unwrap();
        let mut clients: Vec<Client> = (0..count).map(|_| Client::connect(gateway.address)).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(get("/held", ""));
            hanging.assert_held(number + 1);
            wait_until("waiting without a worker", || {
                metrics_at(admin)["apigateway_workers_busy"] <= f64::from(turns)
            });
        }
        for _ in 0..3 {
            assert!(gateway.get("/other").body == body);
        }
        hanging.go_on(&long[200_000..], Next::KeepAlive);
        for client in &mut clients {
            let answer = client.answer_to("GET");
            assert!(answer.body == body, "{}, {} bytes", answer.status, answer.body.len());
        }
    }
}
