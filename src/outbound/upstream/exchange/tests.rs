//! Exchanges as tables, with the bytes of the answer cut anywhere.

use super::*;

/// What becomes of an answer: status, content, whether the connection is kept, whether bytes are left over; or the error.
type Outcome = Result<(u16, String, bool, bool), UpstreamError>;

/// How the connection ends behind the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Open,
    End,
    Reset,
}
use Then::{Open, Reset};

const HEAD: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// An exchange for a request with so much content.
fn asking(content: usize, is_to_head: bool) -> Exchange {
    Exchange::new(RequestSide::whole(HEAD.to_vec(), vec![b'x'; content]), is_to_head)
}

fn send(exchange: &mut Exchange) {
    assert_eq!((exchange.wants(), exchange.output()), (Wants::Send, HEAD));
    exchange.note_sent(HEAD.len());
    assert_eq!(exchange.wants(), Wants::Receive);
}

/// Receives the bytes in the parts that end there, and reads what there is of the content after each.
fn receive(exchange: &mut Exchange, bytes: &[u8], cuts: &[usize], then: Then, room: usize) -> Outcome {
    let mut content = Vec::new();
    let mut buffer = vec![0; room];
    let mut start = 0;
    let mut read = |exchange: &mut Exchange, content: &mut Vec<u8>| -> Result<bool, UpstreamError> {
        loop {
            match exchange.read_content(&mut buffer)? {
                Progress::Bytes(count) => content.extend_from_slice(&buffer[..count]),
                Progress::Wait => return Ok(false),
                Progress::End => return Ok(true),
            }
        }
    };
    for end in cuts.iter().copied().chain([bytes.len()]) {
        exchange.input().extend_from_slice(&bytes[start..end]);
        start = end;
        exchange.take_in()?;
        read(exchange, &mut content)?;
    }
    match then {
        Open => {}
        Then::End => exchange.note_end()?,
        Reset => exchange.note_break("reset".to_owned())?,
    }
    let is_over = read(exchange, &mut content)?;
    let (status, _) = exchange.take_head().unwrap_or_default();
    if !is_over {
        return Err(UpstreamError::Unsendable(format!("{status}: more is to come")));
    }
    assert!(exchange.is_over());
    let text = String::from_utf8(content).unwrap();
    Ok((status, text, exchange.keeps_connection(), exchange.has_surplus()))
}

/// The same wherever the bytes are cut in two, and byte by byte. Whether a mistake is found does not depend on it.
fn outcome(bytes: &str, then: Then, is_to_head: bool) -> Outcome {
    let bytes = bytes.as_bytes();
    let each: Vec<usize> = (0..bytes.len()).collect();
    let run = |cuts: &[usize], room| {
        let mut exchange = asking(0, is_to_head);
        send(&mut exchange);
        assert!(exchange.is_unanswered());
        receive(&mut exchange, bytes, cuts, then, room)
    };
    let whole = run(&[], 1_000);
    for cuts in each.chunks(1).chain([&each[..]]) {
        for room in [1, 3, 1_000] {
            let got = run(cuts, room);
            match (&got, &whole) {
                (Err(UpstreamError::Malformed(_)), Err(UpstreamError::Malformed(_))) => {}
                _ => assert_eq!(got, whole, "{:?} cut at {cuts:?}", bytes.escape_ascii().to_string()),
            }
        }
    }
    whole
}

#[test]
fn an_answer_ends_where_its_framing_says() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let until_end = "HTTP/1.1 200 OK\r\n\r\n";
    for (bytes, then, content, keeps, has_surplus) in [
        (format!("{sized}hello"), Open, "hello", true, false),
        (format!("{sized}hello, you"), Open, "hello", false, true),
        (format!("{sized}hello"), Then::End, "hello", false, false),
        (format!("{sized}hello"), Reset, "hello", false, false),
        (
            format!("HTTP/1.1 100 Continue\r\n\r\n{sized}hello"),
            Open,
            "hello",
            true,
            false,
        ),
        (format!("{chunked}5\r\nhello\r\n0\r\n\r\n"), Open, "hello", true, false),
        (
            format!("{chunked} 005;a=\"b\"\r\nhello\r\n6 \r\n, you!\r\n000;c\r\nX-T: a\r\n\r\n"),
            Open,
            "hello, you!",
            true,
            false,
        ),
        (format!("{chunked}0\r\n\r\n\r\n"), Open, "", false, true),
        (format!("{until_end}hello"), Then::End, "hello", false, false),
        (until_end.to_owned(), Then::End, "", false, false),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
            Open,
            "",
            true,
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok".to_owned(),
            Open,
            "ok",
            false,
            false,
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
            Open,
            "ok",
            false,
            false,
        ),
    ] {
        let expected = Ok((200, content.to_owned(), keeps, has_surplus));
        assert_eq!(outcome(&bytes, then, false), expected, "{bytes:?}");
    }
    let nothing = |status, has_surplus: bool| Ok((status, String::new(), !has_surplus, has_surplus));
    assert_eq!(outcome(sized, Open, true), nothing(200, false));
    assert_eq!(outcome(&format!("{sized}hello"), Open, true), nothing(200, true));
    assert_eq!(
        outcome("HTTP/1.1 204 No Content\r\n\r\n", Open, false),
        nothing(204, false)
    );
    let with_length = "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(outcome(with_length, Open, false), nothing(304, false));
    assert_eq!(outcome(&format!("{with_length}hello"), Open, false), nothing(304, true));
}

#[test]
fn an_answer_that_is_cut_is_never_whole() {
    let whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a\r\nhello\r\n0\r\nX-T: a\r\n\r\n";
    let sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    for bytes in [whole, sized] {
        for end in 0..bytes.len() {
            for then in [Then::End, Reset] {
                let got = outcome(&bytes[..end], then, false);
                assert!(
                    matches!(got, Err(UpstreamError::Broken(_))),
                    "{:?}: {got:?}",
                    &bytes[..end]
                );
            }
            let waits = outcome(&bytes[..end], Open, false);
            assert!(matches!(waits, Err(UpstreamError::Unsendable(_))), "{waits:?}");
        }
    }
    // The end of the connection is an end only if it is in order.
    let broken = Err(UpstreamError::Broken("reset".to_owned()));
    assert_eq!(outcome("HTTP/1.1 200 OK\r\n\r\nhello", Reset, false), broken);
}

#[test]
fn what_is_not_framed_is_refused_wherever_it_is_cut() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for bytes in [
        "SSH-2.0-x",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        &format!("{chunked}+2\r\nok\r\n0\r\n\r\n"),
        &format!("{chunked}2\nok\r\n0\r\n\r\n"),
        &format!("{chunked}2\r\nok0\r\n\r\n"),
        &format!("{chunked}2\r\nok\n0\r\n\r\n"),
        &format!("{chunked}10000000000000000\r\n"),
        &format!("{chunked}0\r\nno field\r\n\r\n"),
        &format!("{chunked}0\r\nA: b\n\r\n"),
        &format!("{chunked}0\r\nA: \0\r\n\r\n"),
        &format!("{chunked}0\r\n folded\r\n\r\n"),
        &format!("{chunked}0\r\n\n"),
    ] {
        let got = outcome(bytes, Open, false);
        assert!(matches!(got, Err(UpstreamError::Malformed(_))), "{bytes:?}: {got:?}");
    }
    let long = format!("{chunked}0\r\n{}", "A: b\r\n".repeat(90_000 / 6));
    let mut exchange = asking(0, false);
    let got = receive(&mut exchange, long.as_bytes(), &[], Open, 1_000);
    assert!(matches!(got, Err(UpstreamError::Malformed(_))), "{got:?}");
}

#[test]
fn an_answer_before_the_whole_request_counts_and_ends_the_connection() {
    for (bytes, is_refusal) in [
        ("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno", true),
        ("HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nno", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", false),
        ("HTTP/1.1 103 Early Hints\r\n\r\n", false),
    ] {
        let mut exchange = asking(100, false);
        exchange.note_sent(50);
        assert!(exchange.has_content() && exchange.has_room());
        exchange.input().extend_from_slice(bytes.as_bytes());
        exchange.take_in().unwrap();
        assert_eq!(
            (exchange.is_refused(), exchange.wants()),
            (is_refusal, Wants::Send),
            "{bytes:?}"
        );
        assert!(!exchange.is_unanswered());
        exchange.stop_sending();
        let is_final = !bytes.contains(" 103 ");
        let wanted = if is_final { Wants::Nothing } else { Wants::Receive };
        assert_eq!(exchange.wants(), wanted, "{bytes:?}");
        if is_final {
            let got = receive(&mut exchange, b"", &[], Open, 1_000).unwrap();
            assert_eq!((got.1.as_str(), got.2, got.3), ("no", false, false), "{bytes:?}");
        }
    }
    let mut echoed = asking(100, false);
    echoed
        .input()
        .extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
    echoed.take_in().unwrap();
    echoed.input().resize(MAX_BACKLOG, b'x');
    assert!(!echoed.has_room());
}

#[test]
fn content_may_be_received_past_the_input() {
    let mut exchange = asking(0, false);
    send(&mut exchange);
    exchange
        .input()
        .extend_from_slice(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhel");
    exchange.take_in().unwrap();
    assert_eq!(exchange.content_ahead(), 0, "some is in the input");
    let mut buffer = [0; 100];
    assert_eq!(exchange.read_content(&mut buffer), Ok(Progress::Bytes(3)));
    assert_eq!(exchange.content_ahead(), 7);
    exchange.pass(7);
    assert_eq!(exchange.content_ahead(), 0, "the framing is next");
    exchange.input().extend_from_slice(b"\r\n0\r\n\r\n");
    exchange.take_in().unwrap();
    assert_eq!(exchange.read_content(&mut buffer), Ok(Progress::End));
    assert!(exchange.keeps_connection());
}
