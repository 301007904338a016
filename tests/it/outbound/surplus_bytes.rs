//! Bytes that an upstream sends behind a complete answer are the answer to nothing, and cost their destination its kept
//! connections for a minute.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::{ServerConnection, StreamOwned};
use serde_json::Value;

use crate::support::client::{Answer, Client, PATIENCE};
use crate::support::directory::{Directory, http_proxy, route};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::{Gateway, options};
use crate::support::log;
use crate::support::metrics::metrics_at;
use crate::support::tls::Authority;
use crate::support::wait::wait_until;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// It would be a fine answer to the next request.
const EVIL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

/// `/fault` and `/ok` go to one upstream, `/other` to another.
fn files(upstream: &str, other: SocketAddr) -> Vec<(&'static str, Value)> {
    vec![
        ("stages/$default.json", serde_json::json!({"Name": "$default"})),
        ("routes/all.json", route("ANY /{proxy+}", "up")),
        ("routes/other.json", route("ANY /other", "other")),
        ("integrations/up.json", http_proxy(format!("{upstream}/{{proxy}}"))),
        ("integrations/other.json", http_proxy(format!("http://{other}/other"))),
    ]
}

fn ask(gateway: &Gateway, method: &str, target: &str) -> Answer {
    let body = if method == "POST" {
        "Content-Length: 4\r\n\r\nbody"
    } else {
        "\r\n"
    };
    Client::connect(gateway.address)
        .send(format!("{method} {target} HTTP/1.1\r\nHost: gw.test\r\n{body}"))
        .answer_to(method)
}

fn serve(upstream: &Endpoint, other: &Endpoint) -> Gateway {
    let directory = Directory::of(&files(&format!("http://{}", upstream.address), other.address));
    let mut options = options(&directory);
    // Each loop keeps connections of its own, and they are counted here.
    options.loops = options.loops.min(1);
    options.admin = Some("127.0.0.1:0".to_owned());
    Gateway::start(directory, options)
}

/// Asks for `/fault`, until the gateway is done with it: a client may have its answer before.
fn ask_for_fault(gateway: &Gateway, method: &str) -> Answer {
    let answer = ask(gateway, method, "/fault");
    let admin = gateway.server.admin_addr().unwrap();
    wait_until("idle", || metrics_at(admin)["apigateway_workers_busy"] == 0.0);
    answer
}

/// What the log says of the destination.
fn told(address: SocketAddr) -> usize {
    let lines = log::leaks_of(&format!("http://{address} sends bytes behind a complete answer"));
    lines.len()
}

fn watch(address: SocketAddr) {
    let line = format!("http://{address} sends bytes behind a complete answer");
    log::forget(&line);
    log::watch_for(line);
}

/// The next requests have their own answers, each on a connection of its own; `connections` were made before. Another
/// destination keeps its connection.
fn assert_nothing_is_kept(gateway: &Gateway, endpoint: &Endpoint, other: &Endpoint, connections: usize, what: &str) {
    for number in 1..=3 {
        for method in ["GET", "POST"] {
            let answer = ask(gateway, method, "/ok");
            assert_eq!((answer.status, answer.text().as_str()), (200, "ok"), "{what}, {method}");
            assert_eq!(ask(gateway, method, "/other").text(), "ok", "{what}");
        }
        assert_eq!(endpoint.connections(), connections + 2 * number, "{what}");
    }
    assert_eq!(other.connections(), 1, "{what}");
    assert_eq!(told(endpoint.address), 1, "{what}");
}

/// What comes behind an answer, in the same segment.
#[test]
fn bytes_right_behind_an_answer() {
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
    let chunked = head("Transfer-Encoding: chunked");
    let long = "long ".repeat(20_000);
    let cases: Vec<(&str, &str, String, u16, &str)> = vec![
        ("an answer", "GET", format!("{OK}{EVIL}"), 200, "ok"),
        ("an answer after a POST", "POST", format!("{OK}{EVIL}"), 200, "ok"),
        ("a byte", "GET", format!("{OK}\n"), 200, "ok"),
        (
            "what the length leaves over",
            "GET",
            format!("{OK}, and more"),
            200,
            "ok",
        ),
        (
            "an answer behind no content",
            "GET",
            head("Content-Length: 0") + EVIL,
            200,
            "",
        ),
        (
            "an answer behind chunks",
            "GET",
            format!("{chunked}2\r\nok\r\n0\r\n\r\n{EVIL}"),
            200,
            "ok",
        ),
        (
            "a line behind chunks",
            "GET",
            format!("{chunked}2\r\nok\r\n0\r\n\r\n\r\n"),
            200,
            "ok",
        ),
        (
            "content of a 204",
            "GET",
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello".into(),
            204,
            "",
        ),
        (
            "an answer behind a 204",
            "POST",
            format!("HTTP/1.1 204 No Content\r\n\r\n{EVIL}"),
            204,
            "",
        ),
        (
            "content of a 304",
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello".into(),
            304,
            "",
        ),
        (
            "content after a HEAD",
            "HEAD",
            head("Content-Length: 5") + "hello",
            200,
            "",
        ),
        (
            "an answer after a HEAD",
            "HEAD",
            head("Content-Length: 37") + EVIL,
            200,
            "",
        ),
        (
            "an answer behind the last",
            "GET",
            head("Connection: close\r\nContent-Length: 2") + "ok" + EVIL,
            200,
            "ok",
        ),
        (
            "an answer behind a long one",
            "GET",
            head("Content-Length: 100000") + &long + EVIL,
            200,
            &long,
        ),
    ];
    for (what, method, sends, status, body) in cases {
        let endpoint = Endpoint::start(move |stream, recorded| {
            let is_fault = recorded.line().contains("/fault");
            let _ = stream.write_all(if is_fault { sends.as_bytes() } else { OK.as_bytes() });
            Next::KeepAlive
        });
        let other = Endpoint::ok();
        watch(endpoint.address);
        let gateway = serve(&endpoint, &other);
        // It is kept as long as nothing speaks against it.
        for _ in 0..2 {
            assert_eq!(ask(&gateway, "GET", "/ok").text(), "ok");
        }
        assert_eq!((endpoint.connections(), told(endpoint.address)), (1, 0));
        let answer = ask_for_fault(&gateway, method);
        assert!(
            answer.status == status && answer.text() == body,
            "{what}: {}",
            answer.head
        );
        assert_eq!(endpoint.connections(), 1, "{what}");
        assert_nothing_is_kept(&gateway, &endpoint, &other, 1, what);
    }
}

/// What comes when the answer has been taken already, while the connection is idle.
#[test]
fn bytes_behind_an_answer_that_come_later() {
    for (what, method, sends, late) in [
        ("an answer", "GET", OK, EVIL),
        ("an answer after a POST", "POST", OK, EVIL),
        ("a byte", "GET", OK, "\n"),
        (
            "content of a 204",
            "GET",
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            "hello",
        ),
        (
            "an answer behind a 304",
            "GET",
            "HTTP/1.1 304 Not Modified\r\n\r\n",
            EVIL,
        ),
        (
            "content after a HEAD",
            "HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            "hello",
        ),
        (
            "an answer behind chunks",
            "GET",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            EVIL,
        ),
    ] {
        let (taken, is_taken) = channel::<()>();
        let (sender, is_sent) = channel();
        let (is_taken, sender) = (Mutex::new(is_taken), Mutex::new(sender));
        let endpoint = Endpoint::start(move |stream, recorded| {
            if recorded.line().contains("/fault") {
                let _ = stream.write_all(sends.as_bytes());
                is_taken.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                let _ = stream.write_all(late.as_bytes());
                sender.lock().unwrap().send(()).unwrap();
            } else {
                let _ = stream.write_all(OK.as_bytes());
            }
            Next::KeepAlive
        });
        let other = Endpoint::ok();
        watch(endpoint.address);
        let gateway = serve(&endpoint, &other);
        assert_eq!(ask(&gateway, "GET", "/ok").text(), "ok");
        let answer = ask_for_fault(&gateway, method);
        assert!([200, 204, 304].contains(&answer.status), "{what}: {}", answer.head);
        taken.send(()).unwrap();
        is_sent.recv_timeout(PATIENCE).unwrap();
        assert_eq!(endpoint.connections(), 1, "{what}");
        assert_nothing_is_kept(&gateway, &endpoint, &other, 1, what);
    }
}

/// An answer that comes before the whole request is sent, with bytes behind it.
#[test]
fn bytes_behind_an_early_answer() {
    const LENGTH: usize = 8_000_000;
    let endpoint = Endpoint::start(|stream, _| {
        let _ = stream.write_all(OK.as_bytes());
        Next::KeepAlive
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, connections) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = vec![0; 1000];
            sender.send(()).unwrap();
            let mut count = stream.read(&mut head).unwrap();
            if head.starts_with(b"GET") {
                stream.write_all(OK.as_bytes()).unwrap();
                thread::spawn(move || stream.read(&mut [0]));
                continue;
            }
            // It goes on reading, so that the connection could be kept.
            stream.write_all(format!("{OK}{EVIL}").as_bytes()).unwrap();
            let mut part = vec![0; 65536];
            while count < LENGTH {
                count += stream.read(&mut part).unwrap();
            }
            thread::spawn(move || stream.read(&mut [0]));
        }
    });
    watch(address);
    let gateway = Gateway::serve(&files(&format!("http://{address}"), endpoint.address));
    let head = format!("POST /fault HTTP/1.1\r\nHost: gw.test\r\nContent-Length: {LENGTH}\r\n\r\n");
    let mut client = Client::connect(gateway.address);
    client.send([head.as_bytes(), &vec![b'x'; LENGTH]].concat());
    assert_eq!(client.answer_to("POST").text(), "ok");
    for _ in 0..3 {
        assert_eq!(ask(&gateway, "GET", "/ok").text(), "ok");
    }
    assert_eq!((connections.try_iter().count(), told(address)), (4, 1));
}

/// A server over TLS that answers every request, and sends what it is told to behind the last answer.
fn tls_server(
    authority: &Authority,
    behind: &'static str,
) -> (SocketAddr, Receiver<usize>, Sender<Late>, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = authority.server("localhost", 2100);
    let (requests, asked) = channel();
    let (tell, told) = channel::<Late>();
    let (done, is_done) = channel();
    let told = Arc::new(Mutex::new(told));
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            let (requests, told, done) = (requests.clone(), Arc::clone(&told), done.clone());
            thread::spawn(move || {
                while let Some(is_fault) = read_request(&mut stream) {
                    let _ = requests.send(number);
                    let answer = if is_fault {
                        format!("{OK}{behind}")
                    } else {
                        OK.to_owned()
                    };
                    let _ = stream.write_all(answer.as_bytes());
                    let _ = stream.flush();
                    if is_fault {
                        match told.lock().unwrap().recv_timeout(PATIENCE) {
                            Ok(Late::Bytes(bytes)) => drop(stream.write_all(bytes)),
                            Ok(Late::End) => stream.conn.send_close_notify(),
                            Ok(Late::Nothing) | Err(_) => {}
                        }
                        let _ = stream.flush();
                        let _ = done.send(());
                    }
                }
            });
        }
    });
    (address, asked, tell, is_done)
}

enum Late {
    Nothing,
    Bytes(&'static [u8]),
    /// `close_notify`, as before the end of a connection.
    End,
}

/// Whether the next request is for `/fault`; none at the end.
fn read_request(stream: &mut StreamOwned<ServerConnection, TcpStream>) -> Option<bool> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return None;
        }
        request.push(byte[0]);
    }
    Some(request.starts_with(b"GET /fault"))
}

#[test]
fn bytes_behind_an_answer_over_tls() {
    let authority = Authority::new();
    let roots = Directory::empty();
    roots.write("roots.pem", &authority.pem);
    for (what, behind, late, is_marked) in [
        ("right behind", EVIL, Late::Nothing, true),
        ("later", "", Late::Bytes(EVIL.as_bytes()), true),
        ("a byte later", "", Late::Bytes(b"\n"), true),
        ("the end", "", Late::End, false),
        ("nothing", "", Late::Nothing, false),
    ] {
        let (address, requests, tell, is_done) = tls_server(&authority, behind);
        let other = Endpoint::ok();
        let upstream = format!("https://localhost:{}", address.port());
        let directory = Directory::of(&files(&upstream, other.address));
        let mut options = options(&directory);
        options.upstream_ca = Some(roots.path().join("roots.pem"));
        let gateway = Gateway::start(directory, options);
        for target in ["/ok", "/fault"] {
            assert_eq!(ask(&gateway, "GET", target).text(), "ok", "{what}");
        }
        tell.send(late).unwrap();
        is_done.recv_timeout(PATIENCE).unwrap();
        for _ in 0..3 {
            assert_eq!(ask(&gateway, "GET", "/ok").text(), "ok", "{what}");
        }
        let connections: Vec<usize> = requests.try_iter().collect();
        let expected = match (is_marked, what) {
            (true, _) => [0, 0, 1, 2, 3],
            (false, "nothing") => [0; 5],
            // Only that connection is not used any more.
            (false, _) => [0, 0, 1, 1, 1],
        };
        assert_eq!(connections, expected, "{what}");
    }
}
