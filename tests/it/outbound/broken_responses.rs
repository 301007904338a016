//! A response that is missing, malformed or cut is refused or never looks whole.

use std::io::{ErrorKind, Read};

use super::Expect::{Cut, Refused, RefusedOrCut};
use super::{MEGABYTE, OK, Then, check, check_next, failing, fault, files, head, request, run, serve, with, within};
use crate::support::client::Client;
use crate::support::content::{chunked, content};
use crate::support::endpoint::nobody;
use crate::support::gateway::Gateway;

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
