//! A response is read as strictly as a request: what two readers could read in two ways is refused.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use rustls::{ServerConnection, StreamOwned};

use super::Expect::{Refused, RefusedOrCut};
use super::{MEGABYTE, OK, SOON, Then, check, check_next, fault, files, run, whole, with};
use crate::support::client::{Client, PATIENCE};
use crate::support::directory::Directory;
use crate::support::endpoint::Endpoint;
use crate::support::gateway::{Gateway, options};
use crate::support::tls::Authority;

/// RFC 9112 §2.2, §4, §5, §6.3.
#[test]
fn heads_that_two_readers_could_read_in_two_ways() {
    let refused = |name, sends: &str| fault(name, sends, Then::Stall, Refused(&[500]));
    let ok = "Content-Length: 2";
    run(vec![
        refused("line ends of LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
        refused(
            "one line end of LF",
            "HTTP/1.1 200 OK\r\nX-A: b\nContent-Length: 2\r\n\r\nok",
        ),
        refused(
            "CR in a value",
            "HTTP/1.1 200 OK\r\nX-A: b\rContent-Length: 2\r\n\r\nok",
        ),
        refused("a blank line first", &format!("\r\n{OK}")),
        refused(
            "a blank before a colon",
            &format!("HTTP/1.1 200 OK\r\nX-A : b\r\n{ok}\r\n\r\nok"),
        ),
        refused(
            "a folded line",
            &format!("HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\n{ok}\r\n\r\nok"),
        ),
        refused(
            "a folded first line",
            &format!("HTTP/1.1 200 OK\r\n X-A: b\r\n{ok}\r\n\r\nok"),
        ),
        refused(
            "a name that is no token",
            &format!("HTTP/1.1 200 OK\r\nX(A): b\r\n{ok}\r\n\r\nok"),
        ),
        refused(
            "no blank behind the status",
            &format!("HTTP/1.1 200OK\r\n{ok}\r\n\r\nok"),
        ),
        refused(
            "two blanks before the status",
            &format!("HTTP/1.1  200 OK\r\n{ok}\r\n\r\nok"),
        ),
        refused("a small version", &format!("http/1.1 200 OK\r\n{ok}\r\n\r\nok")),
        refused(
            "one length twice",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        ),
        refused(
            "one length twice in one",
            "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        ),
        refused("no length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok"),
        refused(
            "a length beyond any number",
            "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\nok",
        ),
        refused(
            "65 interim answers",
            &format!("{}{OK}", "HTTP/1.1 100 Continue\r\n\r\n".repeat(65)),
        ),
        fault(
            "64 interim answers",
            format!("{}{OK}", "HTTP/1.1 100 Continue\r\n\r\n".repeat(64)),
            Then::Keep,
            whole(200, "ok"),
        ),
    ]);
}

/// RFC 9112 §7.1.2: a trailer section is made of fields.
#[test]
fn trailer_sections_are_made_of_fields() {
    let trailer = |lines: &str| {
        let content = format!("2\r\nok\r\n0\r\n{lines}\r\n");
        with("Transfer-Encoding: chunked", content.as_bytes())
    };
    let refused = |name, lines: &str| fault(name, trailer(lines), Then::Keep, Refused(&[500]));
    run(vec![
        refused("no colon", "X-T\r\n"),
        refused("a folded line", " X-T: a\r\n"),
        refused("a blank before a colon", "X-T : a\r\n"),
        refused("no name", ": a\r\n"),
        fault(
            "70 KB",
            trailer(&"X-T: 0123456789\r\n".repeat(5_000)),
            Then::Keep,
            RefusedOrCut(&[500]),
        ),
        fault("fine", trailer("X-T: a\r\nX-U:\r\n"), Then::Keep, whole(200, "ok")),
    ]);
}

/// An upstream over TLS may answer before it has the whole request, as one without TLS may.
#[test]
fn an_answer_over_tls_that_comes_while_the_request_is_sent() {
    const LENGTH: usize = 8 * MEGABYTE;
    const REFUSAL: &[u8] = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!";
    for is_refusal in [true, false] {
        let authority = Authority::new();
        let config = authority.server("localhost", 2100);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (done, is_done) = channel();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            let mut part = vec![0; 65_536];
            let mut count = stream.read(&mut part).unwrap();
            if is_refusal {
                stream.write_all(REFUSAL).unwrap();
                stream.flush().unwrap();
            } else {
                // It sends as much as it gets, so that each must read while it sends.
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
                stream.write_all(head.as_bytes()).unwrap();
                let answer = vec![b'x'; 65_536];
                let mut answered = 0;
                while answered < LENGTH {
                    let more = answer.len().min(LENGTH - answered);
                    stream.write_all(&answer[..more]).unwrap();
                    answered += more;
                    if count < LENGTH {
                        count += stream.read(&mut part).unwrap();
                    }
                }
                stream.flush().unwrap();
                while count < LENGTH {
                    count += stream.read(&mut part).unwrap();
                }
            }
            done.send(stream).unwrap();
        });
        let endpoint = Endpoint::ok();
        let uri = format!("https://localhost:{}/fault", address.port());
        let directory = Directory::of(&files(&uri, 15_000, endpoint.address));
        let roots = Directory::empty();
        roots.write("roots.pem", &authority.pem);
        let mut options = options(&directory);
        options.upstream_ca = Some(roots.path().join("roots.pem"));
        let gateway = Gateway::start(directory, options);
        let start = Instant::now();
        let mut client = Client::connect(gateway.address);
        let head = format!("POST /fault HTTP/1.1\r\nHost: gw.test\r\nContent-Length: {LENGTH}\r\n\r\n");
        client.send([head.as_bytes(), &vec![b'x'; LENGTH]].concat());
        let expect = match is_refusal {
            true => whole(413, "no!"),
            false => whole(200, vec![b'x'; LENGTH]),
        };
        check(&expect, &client.answer_to("POST")).unwrap();
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        is_done.recv_timeout(PATIENCE).unwrap();
        check_next(&gateway).unwrap();
    }
}
