//! Responses in every valid form pass, and chunks that two readers could read in two ways do not.

use std::io::Write;
use std::thread;

use super::Expect::Refused;
use super::{OK, Then, check, fault, run, serve, whole, with};
use crate::support::client::Client;
use crate::support::endpoint::{Endpoint, Next};

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
