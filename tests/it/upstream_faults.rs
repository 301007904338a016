//! What an integration can do wrong, and that none of it hurts the next request.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::connections::wait_until;
use crate::operations::metrics_at;
use crate::support::client::{Answer, Client, PATIENCE, parse};
use crate::support::directory::{Directory, http_proxy, route};
use crate::support::endpoint::{Endpoint, Next, nobody};
use crate::support::gateway::{Gateway, options};
use crate::wire::{chunked, content};

pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// Bytes after an answer that would be a fine answer to the next request.
const EVIL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
const MEGABYTE: usize = 1_000_000;
/// Far more than any timeout that a test sets, far less than the default one.
const SOON: Duration = Duration::from_secs(8);

/// What the endpoint does after it has sent its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Keep,
    Close,
    Reset,
    /// Silence, until the gateway ends the connection.
    Stall,
}

/// What the client must get.
#[derive(Clone, Debug)]
enum Expect {
    /// A whole answer, and the first bytes of its body.
    Whole(u16, Vec<u8>),
    /// One of these refusals.
    Refused(&'static [u16]),
    /// Status 200 and an end that can be seen not to be one.
    Cut,
    /// One or the other.
    RefusedOrCut(&'static [u16]),
}

use Expect::{Cut, Refused, RefusedOrCut, Whole};

struct Fault {
    name: &'static str,
    sends: Vec<u8>,
    then: Then,
    timeout: u64,
    expect: Expect,
}

fn fault(name: &'static str, sends: impl AsRef<[u8]>, then: Then, expect: Expect) -> Fault {
    Fault {
        name,
        sends: sends.as_ref().to_vec(),
        then,
        timeout: 15_000,
        expect,
    }
}

fn within(timeout: u64, fault: Fault) -> Fault {
    Fault { timeout, ..fault }
}

fn whole(status: u16, body: impl AsRef<[u8]>) -> Expect {
    Whole(status, body.as_ref().to_vec())
}

fn head(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n")
}

fn with(fields: &str, body: &[u8]) -> Vec<u8> {
    [head(fields).as_bytes(), body].concat()
}

/// `/fault` goes to one address, with a timeout, and `/ok` to another.
pub fn files(fault: &str, timeout: u64, ok: SocketAddr) -> Vec<(&'static str, Value)> {
    let mut integration = http_proxy(fault);
    integration["TimeoutInMillis"] = json!(timeout);
    vec![
        ("stages/$default.json", json!({"Name": "$default"})),
        ("routes/fault.json", route("ANY /fault", "fault")),
        ("routes/ok.json", route("ANY /ok", "ok")),
        ("integrations/fault.json", integration),
        ("integrations/ok.json", http_proxy(format!("http://{ok}/ok"))),
    ]
}

fn serve(endpoint: &Endpoint, timeout: u64) -> Gateway {
    let uri = format!("http://{}/fault", endpoint.address);
    Gateway::serve(&files(&uri, timeout, endpoint.address))
}

/// Does what the fault says for `/fault`, and answers all else.
fn failing(sends: Vec<u8>, then: Then) -> Endpoint {
    Endpoint::start(move |stream, recorded| {
        if !recorded.line().contains("/fault") {
            let _ = stream.write_all(OK.as_bytes());
            return Next::KeepAlive;
        }
        let _ = stream.write_all(&sends);
        match then {
            Then::Keep => Next::KeepAlive,
            Then::Close => Next::Close,
            Then::Reset => Next::Reset,
            Then::Stall => {
                let _ = stream.set_read_timeout(Some(PATIENCE));
                let _ = stream.read(&mut [0]);
                Next::Close
            }
        }
    })
}

fn request(method: &str, target: &str) -> String {
    let body = if method == "POST" {
        "Content-Length: 4\r\n\r\nbody"
    } else {
        "\r\n"
    };
    format!("{method} {target} HTTP/1.1\r\nHost: gw.test\r\n{body}")
}

fn check(expect: &Expect, answer: &Answer) -> Result<(), String> {
    let refused = |statuses: &[u16]| {
        let message = match answer.status {
            500 => r#"{"message":"Internal Server Error"}"#,
            503 => r#"{"message":"Service Unavailable"}"#,
            _ => "",
        };
        statuses.contains(&answer.status)
            && answer.text() == message
            && answer.complete
            && answer.header("content-type") == Some("application/json")
            && answer.header("apigw-requestid").is_some()
    };
    let is_cut = answer.status == 200 && !answer.complete;
    let holds = match expect {
        Whole(status, body) => answer.status == *status && answer.body == *body && answer.complete,
        Refused(statuses) => refused(statuses),
        Cut => is_cut,
        RefusedOrCut(statuses) => refused(statuses) || is_cut,
    };
    if holds {
        return Ok(());
    }
    let shown: String = answer.text().chars().take(80).collect();
    let (got, length) = (answer.status, answer.body.len());
    let expected: String = format!("{expect:?}").chars().take(60).collect();
    Err(format!(
        "expected {expected}; got {got}, {length} bytes, complete: {}, {shown:?}",
        answer.complete
    ))
}

/// The requests after a fault are answered by their own answers.
fn check_next(gateway: &Gateway) -> Result<(), String> {
    let mut client = Client::connect(gateway.address);
    for method in ["GET", "POST", "GET"] {
        let answer = client.send(request(method, "/ok")).answer_to(method);
        check(&whole(200, "ok"), &answer).map_err(|error| format!("the {method} after it: {error}"))?;
    }
    Ok(())
}

/// Meets each fault with a GET and a POST, on a new and on a kept connection upstream.
fn run(faults: Vec<Fault>) {
    let mut failures = Vec::new();
    for fault in faults {
        let endpoint = failing(fault.sends.clone(), fault.then);
        for (method, is_warm) in [("GET", false), ("GET", true), ("POST", true)] {
            let gateway = serve(&endpoint, fault.timeout);
            if is_warm {
                assert_eq!(gateway.get("/ok").text(), "ok");
            }
            let start = Instant::now();
            let mut client = Client::connect(gateway.address);
            let answer = client.send(request(method, "/fault")).answer_to(method);
            let mut outcome = check(&fault.expect, &answer);
            if start.elapsed() > SOON {
                outcome = outcome.and(Err(format!("took {:?}", start.elapsed())));
            }
            if let Err(error) = outcome.and_then(|()| check_next(&gateway)) {
                failures.push(format!("{}, {method}, warm: {is_warm}: {error}", fault.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn no_answer_at_all() {
    run(vec![
        fault("closed before the head", "", Then::Close, Refused(&[503])),
        fault("reset before the head", "", Then::Reset, Refused(&[503])),
        fault("one byte, closed", "H", Then::Close, Refused(&[503])),
        fault("closed in the status line", "HTTP/1.1 20", Then::Close, Refused(&[503])),
        fault(
            "closed in a field",
            "HTTP/1.1 200 OK\r\nContent-Le",
            Then::Close,
            Refused(&[503]),
        ),
        fault(
            "closed before the empty line",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
            Then::Close,
            Refused(&[503]),
        ),
        fault(
            "reset in a field",
            "HTTP/1.1 200 OK\r\nContent-Le",
            Then::Reset,
            Refused(&[503]),
        ),
        within(100, fault("silent before the head", "", Then::Stall, Refused(&[503]))),
        within(
            50,
            fault(
                "silent in the head",
                "HTTP/1.1 200 OK\r\nX-",
                Then::Stall,
                Refused(&[503]),
            ),
        ),
        fault(
            "closed after a 100",
            "HTTP/1.1 100 Continue\r\n\r\n",
            Then::Close,
            Refused(&[503]),
        ),
    ]);
}

#[test]
fn heads_that_are_none() {
    let fields = |count: usize| -> String { (0..count).map(|number| format!("X-F{number}: a\r\n")).collect() };
    let long = "a".repeat(70_000);
    let many: String = (0..70)
        .map(|number| format!("X-F{number}: {}\r\n", "b".repeat(1_000)))
        .collect();
    let refused = || Refused(&[500]);
    run(vec![
        fault("garbage", "garbage\r\n\r\n", Then::Close, refused()),
        fault("garbage, open", "garbage\r\n\r\n", Then::Stall, refused()),
        fault("another protocol", "SSH-2.0-OpenSSH_9.6\r\n", Then::Stall, refused()),
        fault(
            "status 99",
            "HTTP/1.1 99 No\r\nContent-Length: 0\r\n\r\n",
            Then::Keep,
            refused(),
        ),
        fault(
            "status 099",
            "HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n",
            Then::Keep,
            refused(),
        ),
        fault(
            "status 1000",
            "HTTP/1.1 1000 No\r\nContent-Length: 0\r\n\r\n",
            Then::Keep,
            refused(),
        ),
        fault(
            "status abc",
            "HTTP/1.1 abc No\r\nContent-Length: 0\r\n\r\n",
            Then::Keep,
            refused(),
        ),
        fault(
            "version 2",
            "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            Then::Keep,
            refused(),
        ),
        fault(
            "a long field",
            head(&format!("X-Long: {long}\r\nContent-Length: 0")),
            Then::Keep,
            refused(),
        ),
        fault(
            "a field without an end",
            format!("HTTP/1.1 200 OK\r\nX-Long: {long}"),
            Then::Stall,
            refused(),
        ),
        fault(
            "70 KB of fields",
            head(&format!("{many}Content-Length: 0")),
            Then::Keep,
            refused(),
        ),
        fault(
            "257 fields",
            head(&format!("{}Content-Length: 0", fields(256))),
            Then::Keep,
            refused(),
        ),
        fault(
            "a field without a colon",
            head("no colon\r\nContent-Length: 0"),
            Then::Keep,
            refused(),
        ),
        fault("a NUL", head("X-A: a\0b\r\nContent-Length: 0"), Then::Keep, refused()),
        fault(
            "101 that nobody asked for",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            Then::Stall,
            refused(),
        ),
        fault(
            "an interim answer with content",
            format!("HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\n\r\n{OK}"),
            Then::Keep,
            refused(),
        ),
        fault(
            "an interim answer in chunks",
            format!("HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n{OK}"),
            Then::Keep,
            refused(),
        ),
        fault(
            "70 KB of interim answers",
            format!("HTTP/1.1 103 Early Hints\r\nLink: </{}>\r\n\r\n", "a".repeat(1_000)).repeat(70) + OK,
            Then::Keep,
            refused(),
        ),
        fault(
            "both framings",
            with("Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
            Then::Keep,
            refused(),
        ),
        fault(
            "gzip, chunked",
            with("Transfer-Encoding: gzip, chunked", b"0\r\n\r\n"),
            Then::Keep,
            refused(),
        ),
        fault(
            "identity",
            with("Transfer-Encoding: identity", b"hello"),
            Then::Close,
            refused(),
        ),
        fault(
            "chunked twice",
            with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
            Then::Keep,
            refused(),
        ),
        fault(
            "two lengths",
            with("Content-Length: 5\r\nContent-Length: 6", b"hello!"),
            Then::Keep,
            refused(),
        ),
        fault(
            "two lengths in one",
            with("Content-Length: 5, 6", b"hello!"),
            Then::Keep,
            refused(),
        ),
        fault(
            "length abc",
            with("Content-Length: abc", b"hello"),
            Then::Close,
            refused(),
        ),
        fault(
            "length -1",
            with("Content-Length: -1", b"hello"),
            Then::Close,
            refused(),
        ),
        fault(
            "length +5",
            with("Content-Length: +5", b"hello"),
            Then::Close,
            refused(),
        ),
        fault(
            "chunked by HTTP/1.0",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Then::Close,
            refused(),
        ),
    ]);
}

#[test]
fn answers_that_are_fine() {
    let long = format!("X-Long: {}\r\nContent-Length: 2", "a".repeat(60_000));
    let fields: String = (0..255).map(|number| format!("X-F{number}: a\r\n")).collect();
    let ok = || whole(200, "ok");
    run(vec![
        fault(
            "100 with fields",
            format!("HTTP/1.1 100 Continue\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: a\r\n\r\n{OK}"),
            Then::Keep,
            ok(),
        ),
        fault(
            "100 with a length of nothing",
            format!("HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n{OK}"),
            Then::Keep,
            ok(),
        ),
        fault(
            "hints, leave and hints",
            format!(
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n\
                 HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n\
                 HTTP/1.1 199 Own\r\nX-A: c\r\n\r\n{OK}"
            ),
            Then::Keep,
            ok(),
        ),
        fault(
            "100 first",
            format!("HTTP/1.1 100 Continue\r\n\r\n{OK}"),
            Then::Keep,
            ok(),
        ),
        fault(
            "102 first",
            format!("HTTP/1.1 102 Processing\r\n\r\n{OK}"),
            Then::Keep,
            ok(),
        ),
        fault(
            "103 first",
            format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{OK}"),
            Then::Keep,
            ok(),
        ),
        fault(
            "three first",
            format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n{OK}"),
            Then::Keep,
            ok(),
        ),
        fault(
            "closed afterwards",
            with("Connection: close\r\nContent-Length: 2", b"ok"),
            Then::Close,
            ok(),
        ),
        fault(
            "said to close, but open",
            with("Connection: close\r\nContent-Length: 2", b"ok"),
            Then::Stall,
            ok(),
        ),
        fault(
            "closed without a word",
            with("Content-Length: 2", b"ok"),
            Then::Close,
            ok(),
        ),
        fault("until closed", "HTTP/1.1 200 OK\r\n\r\nok", Then::Close, ok()),
        fault(
            "nothing until closed",
            "HTTP/1.1 200 OK\r\n\r\n",
            Then::Close,
            whole(200, ""),
        ),
        fault(
            "HTTP/1.0",
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            Then::Close,
            ok(),
        ),
        fault(
            "HTTP/1.0, open",
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            Then::Stall,
            ok(),
        ),
        fault("HTTP/1.0 until closed", "HTTP/1.0 200 OK\r\n\r\nok", Then::Close, ok()),
        fault(
            "no reason",
            "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
            Then::Keep,
            ok(),
        ),
        fault(
            "extended chunks",
            with("Transfer-Encoding: chunked", b"2;a=b\r\nok\r\n0;c\r\n\r\n"),
            Then::Keep,
            ok(),
        ),
        fault(
            "trailers",
            with("Transfer-Encoding: chunked", b"2\r\nok\r\n0\r\nX-T: a\r\n\r\n"),
            Then::Keep,
            ok(),
        ),
        fault(
            "no chunks",
            with("Transfer-Encoding: chunked", b"0\r\n\r\n"),
            Then::Keep,
            whole(200, ""),
        ),
        fault(
            "Chunked",
            with("Transfer-Encoding: Chunked", b"2\r\nok\r\n0\r\n\r\n"),
            Then::Keep,
            ok(),
        ),
        fault("60 KB of head", with(&long, b"ok"), Then::Keep, ok()),
        fault(
            "256 fields",
            with(&format!("{fields}Content-Length: 2"), b"ok"),
            Then::Keep,
            ok(),
        ),
        fault(
            "150 fields of the connection's",
            with(&format!("{}Content-Length: 2", "Connection: x\r\n".repeat(150)), b"ok"),
            Then::Keep,
            ok(),
        ),
        fault(
            "text beyond ASCII",
            with("X-A: caf\u{e9}\r\nContent-Length: 2", b"ok"),
            Then::Keep,
            ok(),
        ),
    ]);
}

/// RFC 9112 §7.1: a recipient reads over extensions that it does not know, and over zeros before a size.
#[test]
fn chunks_may_have_extensions_of_any_kind() {
    let answer = |line: &str| {
        let chunks = format!("{line}\r\nok\r\n0\r\n\r\n");
        with("Transfer-Encoding: chunked", chunks.as_bytes())
    };
    let signature = format!("chunk-signature={}", "0".repeat(64));
    let signed = format!("a;{signature}\r\n0123456789\r\n").repeat(200);
    let signed = format!("{signed}0;{signature}\r\n\r\n");
    let kept = |name, sends: Vec<u8>| fault(name, sends, Then::Keep, whole(200, "ok"));
    run(vec![
        fault(
            "each chunk signed",
            with("Transfer-Encoding: chunked", signed.as_bytes()),
            Then::Keep,
            whole(200, "0123456789".repeat(200)),
        ),
        kept("4 KiB", answer(&format!("2;{}", "x".repeat(4095)))),
        kept("quoted", answer("2;a=\"b;c\\\"\";d")),
        kept("no value", answer("2;")),
        kept("beyond ASCII", answer("2;a=caf\u{e9}")),
        kept("blanks", answer("2 \t; a = b \t")),
        kept("blanks alone", answer("2 \t ")),
        kept("zeros", answer(&format!("{}2", "0".repeat(40)))),
        kept(
            "zeros at the end",
            with(
                "Transfer-Encoding: chunked",
                b"2\r\nok\r\n000000000000000000000000\r\n\r\n",
            ),
        ),
        kept(
            "fields at the end",
            with(
                "Transfer-Encoding: chunked",
                b"2;a\r\nok\r\n0;b\r\nX-T: a\r\nX-U:\r\n\r\n",
            ),
        ),
    ]);
}

/// What readers differ on, or take for another number.
#[test]
fn chunks_that_two_readers_could_read_in_two_ways_are_refused() {
    let lines = [
        "+2",
        "-2",
        "0x2",
        "2_0",
        "\u{b}2",
        "2\u{c}",
        "2\u{a0}",
        "\u{2003}2",
        "2\u{85}",
        "2 2",
        "2\r",
        "2;a\nb",
        "2;a\rb",
        "2;a=\"b",
        "2;\0",
        "2;\u{7f}",
        "",
        ";a",
    ];
    let long = format!("2;{}", "x".repeat(4096));
    let faults = lines.iter().copied().chain([&long[..]]).map(|line| {
        let chunks = format!("{line}\r\nok\r\n0\r\n\r\n");
        let name = lines.iter().find(|name| **name == line).unwrap_or(&"more than 4 KiB");
        fault(
            name,
            with("Transfer-Encoding: chunked", chunks.as_bytes()),
            Then::Keep,
            Refused(&[500]),
        )
    });
    run(faults.collect());
    for (name, chunks) in [
        ("a line end of LF", &b"2\nok\r\n0\r\n\r\n"[..]),
        ("a chunk that ends with LF", b"2\r\nok\n0\r\n\r\n"),
        ("LF in the trailer section", b"2\r\nok\r\n0\r\nA: b\n\r\n"),
        ("CR in the trailer section", b"2\r\nok\r\n0\r\nA: b\rc\r\n\r\n"),
    ] {
        run(vec![fault(
            name,
            with("Transfer-Encoding: chunked", chunks),
            Then::Keep,
            Refused(&[500]),
        )]);
    }
}

/// However the bytes of an answer come, they are the same answer.
#[test]
fn an_answer_may_come_byte_by_byte() {
    const ANSWER: &str = "HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                          0002;a=\"b\"\r\nok\r\n00;c\r\nX-T: d\r\n\r\n";
    let endpoint = Endpoint::start(|stream, recorded| {
        if !recorded.line().contains("/fault") {
            let _ = stream.write_all(OK.as_bytes());
            return Next::KeepAlive;
        }
        for byte in ANSWER.as_bytes() {
            let _ = stream.write_all(&[*byte]);
            // So that what follows is likely to be another read.
            thread::yield_now();
        }
        Next::KeepAlive
    });
    let gateway = serve(&endpoint, 15_000);
    // On one connection: the next request is read when the way to the integration is free again.
    let mut client = Client::connect(gateway.address);
    for _ in 0..3 {
        client.send("GET /fault HTTP/1.1\r\nHost: gw.test\r\n\r\n");
        check(&whole(200, "ok"), &client.answer_to("GET")).unwrap();
    }
    assert_eq!(endpoint.connections(), 1);
}

#[test]
fn what_an_answer_leaves_over_does_not_answer_the_next_request() {
    run(vec![
        fault(
            "204 with a body",
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
            Then::Keep,
            whole(204, ""),
        ),
        fault(
            "204 and an answer",
            format!("HTTP/1.1 204 No Content\r\n\r\n{EVIL}"),
            Then::Keep,
            whole(204, ""),
        ),
        fault(
            "204 in chunks",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            Then::Keep,
            whole(204, ""),
        ),
        fault(
            "304 with a body",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
            Then::Keep,
            whole(304, ""),
        ),
        fault(
            "304 and an answer",
            format!("HTTP/1.1 304 Not Modified\r\n\r\n{EVIL}"),
            Then::Keep,
            whole(304, ""),
        ),
        fault(
            "length too short",
            with("Content-Length: 2", b"ok, and more"),
            Then::Keep,
            whole(200, "ok"),
        ),
        fault(
            "an answer after the answer",
            format!("{OK}{EVIL}"),
            Then::Keep,
            whole(200, "ok"),
        ),
        fault(
            "length 0 and an answer",
            with("Content-Length: 0", EVIL.as_bytes()),
            Then::Keep,
            whole(200, ""),
        ),
        fault(
            "an answer after the chunks",
            with(
                "Transfer-Encoding: chunked",
                format!("2\r\nok\r\n0\r\n\r\n{EVIL}").as_bytes(),
            ),
            Then::Keep,
            whole(200, "ok"),
        ),
        fault(
            "one byte too much",
            with("Content-Length: 2", b"ok\n"),
            Then::Keep,
            whole(200, "ok"),
        ),
    ]);
}

#[test]
fn a_body_after_a_head_does_not_answer_the_next_request() {
    for rest in ["hello", EVIL] {
        let endpoint = failing(with("Content-Length: 5", rest.as_bytes()), Then::Keep);
        let gateway = serve(&endpoint, 15_000);
        let mut client = Client::connect(gateway.address);
        let answer = client
            .send("HEAD /fault HTTP/1.1\r\nHost: gw.test\r\n\r\n")
            .answer_to("HEAD");
        assert_eq!((answer.status, answer.header("content-length")), (200, Some("5")));
        check_next(&gateway).unwrap();
    }
}

#[test]
fn bodies_that_break_off() {
    let large = content(MEGABYTE);
    let length = format!("Content-Length: {}", 2 * MEGABYTE);
    let coded = chunked(&large, 10_000);
    let open = &coded[..coded.len() - 5];
    let bad = [open, b"zz\r\nhello\r\n0\r\n\r\n"].concat();
    let in_chunks = "Transfer-Encoding: chunked";
    let (refused, early) = (|| Refused(&[503]), || RefusedOrCut(&[503]));
    run(vec![
        fault(
            "10 bytes, none came",
            with("Content-Length: 10", b""),
            Then::Close,
            refused(),
        ),
        fault(
            "10 bytes, 5 came",
            with("Content-Length: 10", b"hello"),
            Then::Close,
            refused(),
        ),
        fault(
            "10 bytes, 5 came, reset",
            with("Content-Length: 10", b"hello"),
            Then::Reset,
            refused(),
        ),
        fault(
            "65,536 bytes, all but one came",
            with("Content-Length: 65536", &large[..65_535]),
            Then::Close,
            refused(),
        ),
        fault("2 MB, none came", with(&length, b""), Then::Close, refused()),
        fault("2 MB, 1 MB came", with(&length, &large), Then::Close, Cut),
        fault("2 MB, 1 MB came, reset", with(&length, &large), Then::Reset, early()),
        fault(
            "1 MB, all but one came",
            with("Content-Length: 1000000", &large[1..]),
            Then::Close,
            Cut,
        ),
        fault("no chunk", with(in_chunks, b""), Then::Close, refused()),
        fault("no chunk, reset", with(in_chunks, b""), Then::Reset, refused()),
        fault("1 MB in chunks and no end", with(in_chunks, open), Then::Close, Cut),
        fault(
            "1 MB in chunks, cut in one",
            with(in_chunks, &open[..open.len() - 100]),
            Then::Close,
            Cut,
        ),
        fault("1 MB in chunks, reset", with(in_chunks, open), Then::Reset, early()),
        fault(
            "a bad size first",
            with(in_chunks, b"zz\r\nhello\r\n0\r\n\r\n"),
            Then::Keep,
            Refused(&[500, 503]),
        ),
        fault(
            "a negative size",
            with(in_chunks, b"-5\r\nhello\r\n0\r\n\r\n"),
            Then::Keep,
            Refused(&[500, 503]),
        ),
        fault(
            "a size beyond any number",
            with(in_chunks, b"fffffffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
            Then::Stall,
            Refused(&[500, 503]),
        ),
        fault(
            "a chunk longer than it says",
            with(in_chunks, b"3\r\nhello\r\n0\r\n\r\n"),
            Then::Keep,
            RefusedOrCut(&[500, 503]),
        ),
        fault("a bad size after 1 MB", with(in_chunks, &bad), Then::Keep, Cut),
        fault("until reset", "HTTP/1.1 200 OK\r\n\r\nhello", Then::Reset, early()),
        fault("1 MB until reset", with("X-A: b", &large), Then::Reset, early()),
        fault(
            "events until reset",
            with("Content-Type: text/event-stream", b"data: a\n\n"),
            Then::Reset,
            early(),
        ),
        fault(
            "events in chunks without an end",
            with(
                &format!("Content-Type: text/event-stream\r\n{in_chunks}"),
                b"9\r\ndata: a\n\n\r\n",
            ),
            Then::Close,
            Cut,
        ),
    ]);
}

#[test]
fn a_body_that_breaks_off_in_the_size_of_a_chunk() {
    let in_chunks = "Transfer-Encoding: chunked";
    run(vec![
        fault("half a size", with(in_chunks, b"1"), Then::Close, Refused(&[503])),
        fault(
            "a size and half its end",
            with(in_chunks, b"5\r"),
            Then::Close,
            Refused(&[503]),
        ),
        fault("a size", with(in_chunks, b"5\r\n"), Then::Close, Refused(&[503])),
        fault("an extension", with(in_chunks, b"5;a"), Then::Close, Refused(&[503])),
        fault("zeros", with(in_chunks, b"000"), Then::Close, Refused(&[503])),
        fault(
            "a trailer field",
            with(in_chunks, b"2\r\nok\r\n0\r\nX-T: a"),
            Then::Close,
            RefusedOrCut(&[503]),
        ),
    ]);
}

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
fn a_client_that_takes_its_time_takes_none_of_the_integration_s() {
    // The integration may be slow to be heard on a busy machine, which is its own time.
    const TIMEOUT: u64 = 10_000;
    // More than is kept for a client, and than sockets hold.
    let large = content(20 * MEGABYTE);
    let sent = [
        ("sized", "HTTP/1.1", with("Content-Length: 20000000", &large)),
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
            // The pace is the subject here.
            thread::sleep(Duration::from_millis(TIMEOUT + 2_000));
            let mut bytes = Vec::new();
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

/// HTTP/1.0 has no other sign of an answer that broke off than a connection that does.
#[test]
fn an_old_client_sees_that_its_answer_is_cut() {
    let coded = chunked(&content(MEGABYTE), 10_000);
    let sends = with("Transfer-Encoding: chunked", &coded[..coded.len() - 5]);
    let endpoint = failing(sends, Then::Close);
    let gateway = serve(&endpoint, 15_000);
    let mut client = Client::connect(gateway.address);
    client.send("GET /fault HTTP/1.0\r\nHost: gw.test\r\n\r\n");
    let mut answer = Vec::new();
    let end = client.stream.read_to_end(&mut answer).map_err(|error| error.kind());
    assert_eq!(
        end,
        Err(ErrorKind::ConnectionReset),
        "{} bytes look whole",
        answer.len()
    );
}

#[test]
fn nobody_answers_the_door() {
    let endpoint = failing(Vec::new(), Then::Close);
    let unreachable = [
        ("refused", format!("http://{}/fault", nobody())),
        ("no such name", "http://nobody.invalid/fault".to_owned()),
        ("no such name, over TLS", "https://nobody.invalid/fault".to_owned()),
        ("refused over TLS", format!("https://{}/fault", nobody())),
    ];
    for (what, uri) in unreachable {
        let gateway = Gateway::serve(&files(&uri, 2_000, endpoint.address));
        for method in ["GET", "POST", "GET"] {
            let answer = Client::connect(gateway.address)
                .send(request(method, "/fault"))
                .answer_to(method);
            check(&Refused(&[503]), &answer).unwrap_or_else(|error| panic!("{what}: {error}"));
            check_next(&gateway).unwrap_or_else(|error| panic!("{what}: {error}"));
        }
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

/// A server may close a kept connection at any time; the next request must not suffer from it.
#[test]
fn a_connection_that_was_closed_meanwhile_is_not_used_again() {
    for is_reset in [false, true] {
        let (sender, is_closed) = channel();
        let sender = Mutex::new(sender);
        let endpoint = Endpoint::start(move |stream, _| {
            let _ = stream.write_all(OK.as_bytes());
            let _ = stream.flush();
            // Closed by hand, so that it has happened when the test goes on.
            if is_reset {
                crate::support::endpoint::reset(stream);
            }
            sender.lock().unwrap().send(stream.try_clone().unwrap()).unwrap();
            Next::Close
        });
        let gateway = serve(&endpoint, 15_000);
        for method in ["GET", "GET", "POST", "POST", "GET"] {
            let answer = Client::connect(gateway.address)
                .send(request(method, "/ok"))
                .answer_to(method);
            check(&whole(200, "ok"), &answer).unwrap_or_else(|error| panic!("{method}, reset: {is_reset}: {error}"));
            let mut stream: TcpStream = is_closed.recv_timeout(PATIENCE).unwrap();
            let _ = stream.shutdown(std::net::Shutdown::Both);
            let _ = stream.read(&mut [0]);
        }
        assert_eq!(endpoint.connections(), 5);
    }
}

/// An upstream that answers before it has the whole request: its answer counts, and the connection is not used again.
#[test]
fn an_answer_that_comes_while_the_request_is_sent() {
    const REFUSAL: &str = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!";
    const LENGTH: usize = 8 * MEGABYTE;
    // What is done after the answer: nothing more is read, the connection is closed or reset, or all is read.
    for then in ["stalls", "interim, then stalls", "closes", "resets", "reads on"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (done, is_done) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut seen = vec![0; 1000];
                stream.read_exact(&mut seen).unwrap();
                if seen.starts_with(b"GET /ok") {
                    continue;
                }
                if then.starts_with("interim") {
                    stream
                        .write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
                        .unwrap();
                }
                stream.write_all(REFUSAL.as_bytes()).unwrap();
                let mut count = seen.len();
                match then {
                    "closes" => drop(stream.shutdown(std::net::Shutdown::Write)),
                    "resets" => return crate::support::endpoint::reset(&stream),
                    "reads on" => {
                        let mut part = vec![0; 65536];
                        while count < LENGTH {
                            count += stream.read(&mut part).unwrap();
                        }
                    }
                    _ => {}
                }
                done.send((stream, count)).unwrap();
            }
        });
        let endpoint = Endpoint::ok();
        let gateway = Gateway::serve(&files(&format!("http://{address}/fault"), 15_000, endpoint.address));
        let start = Instant::now();
        let mut client = Client::connect(gateway.address);
        let body = vec![b'x'; LENGTH];
        let head = format!("POST /fault HTTP/1.1\r\nHost: gw.test\r\nContent-Length: {LENGTH}\r\n\r\n");
        client.send([head.as_bytes(), &body].concat());
        let answer = client.answer_to("POST");
        assert!(start.elapsed() < SOON, "{then}: {:?}", start.elapsed());
        if then == "resets" {
            // A reset may overtake the answer in the upstream's own machine.
            assert!([413, 503].contains(&answer.status), "{answer:?}");
        } else {
            let expected = (413, "no!".to_owned());
            assert_eq!((answer.status, answer.text()), expected, "{then}");
            let (_stream, count) = is_done.recv_timeout(PATIENCE).unwrap();
            if then == "reads on" {
                assert!(count >= LENGTH, "{count} bytes came");
            }
        }
        check_next(&gateway).unwrap();
    }
}

/// The end of an answer without a length is the end of its connection, but not a reset, however the gateway learns of it.
#[test]
fn an_answer_that_is_reset_while_the_request_is_sent_is_not_whole() {
    const LENGTH: usize = 8 * MEGABYTE;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut part = vec![0; 65536];
            stream.read_exact(&mut part).unwrap();
            let answer = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &content(100_000)].concat();
            stream.write_all(&answer).unwrap();
            // So long that the gateway has taken in the answer.
            for _ in 0..LENGTH / part.len() / 2 {
                stream.read_exact(&mut part).unwrap();
            }
            crate::support::endpoint::reset(&stream);
        }
    });
    let endpoint = Endpoint::ok();
    let gateway = Gateway::serve(&files(&format!("http://{address}/fault"), 15_000, endpoint.address));
    for _ in 0..5 {
        let mut client = Client::connect(gateway.address);
        let head = format!("POST /fault HTTP/1.1\r\nHost: gw.test\r\nContent-Length: {LENGTH}\r\n\r\n");
        client.send([head.as_bytes(), &vec![b'x'; LENGTH]].concat());
        check(&RefusedOrCut(&[503]), &client.answer_to("POST")).unwrap();
    }
    check_next(&gateway).unwrap();
}

/// An upstream that answers while it reads gets the whole request, and its answer passes whole.
#[test]
fn an_upstream_may_answer_while_it_reads() {
    const LENGTH: usize = 10 * 1024 * 1024;
    let body: Vec<u8> = (0..LENGTH).map(|at| b'a' + u8::try_from(at % 23).unwrap()).collect();
    // What it sends: its input again as it comes, or a whole answer before it reads on.
    for echoes in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (done, is_done) = channel();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = Vec::new();
            let mut part = vec![0; 65536];
            let at = loop {
                let count = stream.read(&mut part).unwrap();
                seen.extend_from_slice(&part[..count]);
                if let Some(at) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
                    break at + 4;
                }
            };
            let length = if echoes { LENGTH } else { 8 };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream
                .write_all(if echoes { &seen[at..] } else { b"accepted" })
                .unwrap();
            let mut came = seen.len() - at;
            while came < LENGTH {
                let count = stream.read(&mut part).unwrap();
                assert!(count > 0, "{came} bytes came");
                came += count;
                if echoes {
                    stream.write_all(&part[..count]).unwrap();
                }
            }
            done.send(stream).unwrap();
        });
        let endpoint = Endpoint::ok();
        let gateway = Gateway::serve(&files(&format!("http://{address}/fault"), 15_000, endpoint.address));
        let head = format!("POST /fault HTTP/1.1\r\nHost: gw.test\r\nContent-Length: {LENGTH}\r\n\r\n");
        let mut client = Client::connect(gateway.address);
        client.send([head.as_bytes(), &body].concat());
        let answer = client.answer_to("POST");
        let expected = if echoes { &body[..] } else { b"accepted" };
        assert!(
            answer.complete && answer.status == 200 && answer.body == expected,
            "echoes: {echoes}"
        );
        is_done.recv_timeout(PATIENCE).unwrap();
    }
}

/// No retry but the one that the protocol's own race asks for.
#[test]
fn a_request_that_fails_is_not_sent_twice() {
    for (then, sends) in [
        (Then::Close, ""),
        (Then::Reset, ""),
        (Then::Close, "HTTP/1.1 200 OK\r\nX-"),
    ] {
        let endpoint = failing(sends.into(), then);
        for (method, is_warm) in [("GET", false), ("POST", false), ("POST", true), ("DELETE", true)] {
            let gateway = serve(&endpoint, 15_000);
            if is_warm {
                assert_eq!(gateway.get("/ok").text(), "ok");
            }
            let _ = endpoint.rest();
            let answer = Client::connect(gateway.address)
                .send(request(method, "/fault"))
                .answer_to(method);
            check(&Refused(&[503]), &answer).unwrap();
            let count = endpoint.rest().len();
            assert_eq!(count, 1, "{method}, warm: {is_warm}, {then:?}, {sends:?}");
        }
    }
}

/// Who signs, and what it says.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Authority { issuer, pem }
    }

    /// A server's settings with a certificate for that name, valid until the end of that year.
    pub fn server(&self, name: &str, until: i32) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}

/// A server over TLS: it sends an answer to each request, tells its line, and ends the connection if asked to.
pub struct TlsServer {
    pub address: SocketAddr,
    lines: Receiver<(usize, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TlsEnd {
    Open,
    /// With `close_notify`, which proves that nothing is missing.
    Notified,
    /// Without a word: anybody on the way could have done it.
    Cut,
}

impl TlsServer {
    pub fn start(config: Arc<ServerConfig>, answer: impl Into<Vec<u8>>, end: TlsEnd) -> TlsServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = answer.into();
        let (sender, lines) = channel();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let stream = StreamOwned::new(connection, stream.unwrap());
                let (answer, sender) = (answer.clone(), sender.clone());
                thread::spawn(move || serve_tls(stream, number, &answer, end, &sender));
            }
        });
        TlsServer { address, lines }
    }
}

fn serve_tls(
    mut stream: StreamOwned<ServerConnection, TcpStream>,
    number: usize,
    answer: &[u8],
    end: TlsEnd,
    sender: &Sender<(usize, String)>,
) {
    let mut seen = Vec::new();
    loop {
        let mut part = [0; 4096];
        match stream.read(&mut part) {
            Ok(count) if count > 0 => seen.extend_from_slice(&part[..count]),
            _ => return,
        }
        if !seen.ends_with(b"\r\n\r\n") {
            continue;
        }
        let line = String::from_utf8_lossy(&seen).split("\r\n").next().unwrap().to_owned();
        let _ = sender.send((number, line));
        seen.clear();
        let _ = stream.write_all(answer);
        let _ = stream.flush();
        if end == TlsEnd::Notified {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        if end != TlsEnd::Open {
            return;
        }
    }
}

/// A gateway that trusts that authority, and whose `/fault` goes over TLS.
fn serve_over_tls(uri: &str, timeout: u64, ok: SocketAddr, trusted: Option<&Authority>) -> (Gateway, Directory) {
    let directory = Directory::of(&files(uri, timeout, ok));
    let roots = Directory::empty();
    let mut options = options(&directory);
    if let Some(authority) = trusted {
        roots.write("roots.pem", &authority.pem);
        options.upstream_ca = Some(roots.path().join("roots.pem"));
    }
    (Gateway::start(directory, options), roots)
}

#[test]
fn an_authority_of_upstream_ca_is_trusted() {
    let authority = Authority::new();
    let endpoint = Endpoint::ok();
    for host in ["localhost", "127.0.0.1"] {
        let server = TlsServer::start(authority.server(host, 4000), OK, TlsEnd::Open);
        let uri = format!("https://{host}:{}/fault", server.address.port());
        let (gateway, _roots) = serve_over_tls(&uri, 15_000, endpoint.address, Some(&authority));
        for _ in 0..3 {
            check(&whole(200, "ok"), &gateway.get("/fault")).unwrap_or_else(|error| panic!("{host}: {error}"));
            // All on one connection.
            let expected = (0, "GET /fault HTTP/1.1".to_owned());
            assert_eq!(server.lines.recv_timeout(PATIENCE).unwrap(), expected, "{host}");
        }
        check_next(&gateway).unwrap();
    }
}

#[test]
fn a_certificate_that_proves_nothing_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let endpoint = Endpoint::ok();
    for (what, config, trusted) in [
        ("nobody trusted", authority.server("localhost", 4000), None),
        ("another trusted", other.server("localhost", 4000), Some(&authority)),
        ("another name", authority.server("other.test", 4000), Some(&authority)),
        (
            "an address as name",
            authority.server("127.0.0.1", 4000),
            Some(&authority),
        ),
        ("expired", authority.server("localhost", 2020), Some(&authority)),
    ] {
        let server = TlsServer::start(config, OK, TlsEnd::Open);
        let uri = format!("https://localhost:{}/fault", server.address.port());
        let (gateway, _roots) = serve_over_tls(&uri, 15_000, endpoint.address, trusted);
        for method in ["GET", "POST"] {
            let answer = Client::connect(gateway.address)
                .send(request(method, "/fault"))
                .answer_to(method);
            check(&Refused(&[500]), &answer).unwrap_or_else(|error| panic!("{what}: {error}"));
            check_next(&gateway).unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        assert!(server.lines.try_recv().is_err(), "{what}: the request was sent");
    }
}

/// `TlsConfig.ServerNameToVerify`: the name in the greeting, and the one that the certificate must be for.
#[test]
fn a_server_name_to_verify_takes_the_place_of_the_host() {
    let authority = Authority::new();
    let endpoint = Endpoint::ok();
    for (what, certificate, name, scheme, expect) in [
        ("the name", "api.internal", "api.internal", "https", whole(200, "ok")),
        ("the host's name", "localhost", "api.internal", "https", Refused(&[500])),
        (
            "another name",
            "other.internal",
            "api.internal",
            "https",
            Refused(&[500]),
        ),
        ("a plain URI", "api.internal", "api.internal", "http", whole(200, "ok")),
        ("an address", "10.1.2.3", "10.1.2.3", "https", whole(200, "ok")),
    ] {
        let server = TlsServer::start(authority.server(certificate, 4000), OK, TlsEnd::Open);
        let mut integration = http_proxy(format!("{scheme}://localhost:{}/fault", server.address.port()));
        integration["TlsConfig"] = json!({"ServerNameToVerify": name});
        for kind in ["INTERNET", "VPC_LINK"] {
            integration["ConnectionType"] = json!(kind);
            if kind == "VPC_LINK" {
                integration["ConnectionId"] = json!("link");
                integration["IntegrationUri"] = json!(format!("{scheme}://localhost:{}", server.address.port()));
            }
            let (gateway, _roots) = serve_integration_over_tls(&integration, endpoint.address, &authority);
            for _ in 0..2 {
                check(&expect, &gateway.get("/fault")).unwrap_or_else(|error| panic!("{what}, {kind}: {error}"));
            }
            check_next(&gateway).unwrap();
        }
    }
}

/// A connection that was verified for one name is not used for another, though the address is the same.
#[test]
fn a_kept_connection_is_one_of_its_server_name() {
    let authority = Authority::new();
    let endpoint = Endpoint::ok();
    let server = TlsServer::start(authority.server("api.internal", 4000), OK, TlsEnd::Open);
    let uri = format!("https://localhost:{}/fault", server.address.port());
    let mut integration = http_proxy(&uri);
    integration["TlsConfig"] = json!({"ServerNameToVerify": "api.internal"});
    let (gateway, _roots) = serve_integration_over_tls(&integration, endpoint.address, &authority);
    check(&whole(200, "ok"), &gateway.get("/fault")).unwrap();
    for name in [None, Some("other.internal")] {
        let mut integration = http_proxy(&uri);
        if let Some(name) = name {
            integration["TlsConfig"] = json!({"ServerNameToVerify": name});
        }
        gateway
            .directory
            .write("integrations/fault.json", &integration.to_string());
        gateway.server.reload();
        check(&Refused(&[500]), &gateway.get("/fault")).unwrap_or_else(|error| panic!("{name:?}: {error}"));
    }
}

fn serve_integration_over_tls(integration: &Value, ok: SocketAddr, trusted: &Authority) -> (Gateway, Directory) {
    let directory = Directory::of(&files("http://localhost", 15_000, ok));
    directory.write("integrations/fault.json", &integration.to_string());
    let roots = Directory::empty();
    roots.write("roots.pem", &trusted.pem);
    let mut options = options(&directory);
    options.upstream_ca = Some(roots.path().join("roots.pem"));
    (Gateway::start(directory, options), roots)
}

#[test]
fn plain_http_is_no_tls_and_tls_no_plain_http() {
    let authority = Authority::new();
    let endpoint = Endpoint::ok();
    // An endpoint that reads until the greeting's end of line would wait for ever, so this one answers anything.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = plain.local_addr().unwrap();
    thread::spawn(move || {
        for stream in plain.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let tls = TlsServer::start(authority.server("127.0.0.1", 4000), OK, TlsEnd::Open);
    for uri in [
        format!("https://{address}/fault"),
        format!("http://{}/fault", tls.address),
    ] {
        let (gateway, _roots) = serve_over_tls(&uri, 15_000, endpoint.address, Some(&authority));
        check(&Refused(&[500]), &gateway.get("/fault")).unwrap_or_else(|error| panic!("{uri}: {error}"));
        check_next(&gateway).unwrap();
    }
}

#[test]
fn a_greeting_that_nobody_answers_is_a_timeout() {
    let endpoint = Endpoint::ok();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("https://{}/fault", silent.local_addr().unwrap());
    let gateway = Gateway::serve(&files(&uri, 100, endpoint.address));
    let start = Instant::now();
    let answer = gateway.get("/fault");
    assert!(start.elapsed() < SOON);
    check(&Refused(&[503]), &answer).unwrap();
    check_next(&gateway).unwrap();
}

/// Without `close_notify`, anybody on the way could have ended the answer.
#[test]
fn the_end_of_an_answer_over_tls_must_be_proven() {
    let authority = Authority::new();
    let endpoint = Endpoint::ok();
    let until_closed = "HTTP/1.1 200 OK\r\n\r\nok";
    for (what, answer, end, expect) in [
        ("notified", until_closed, TlsEnd::Notified, whole(200, "ok")),
        ("cut", until_closed, TlsEnd::Cut, RefusedOrCut(&[503])),
        ("cut after a length", OK, TlsEnd::Cut, whole(200, "ok")),
        ("notified after a length", OK, TlsEnd::Notified, whole(200, "ok")),
        (
            "cut in a length",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            TlsEnd::Cut,
            Refused(&[503]),
        ),
        (
            "notified in a length",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            TlsEnd::Notified,
            Refused(&[503]),
        ),
        ("nothing", "", TlsEnd::Notified, Refused(&[503])),
    ] {
        let server = TlsServer::start(authority.server("127.0.0.1", 4000), answer, end);
        let uri = format!("https://{}/fault", server.address);
        let (gateway, _roots) = serve_over_tls(&uri, 15_000, endpoint.address, Some(&authority));
        for _ in 0..2 {
            check(&expect, &gateway.get("/fault")).unwrap_or_else(|error| panic!("{what}: {error}"));
            check_next(&gateway).unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    }
}
