//! An integration may answer while it still reads the request.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use super::Expect::RefusedOrCut;
use super::{MEGABYTE, SOON, check, check_next, files};
use crate::support::client::{Client, PATIENCE};
use crate::support::content::content;
use crate::support::endpoint::Endpoint;
use crate::support::gateway::Gateway;

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
