//! Bodies as they come, cut anywhere.

use super::*;

/// Decodes in parts of that many bytes; the content and what is left, or the error.
fn decode(framing: Framing, bytes: &[u8], part: usize) -> Result<(Vec<u8>, Option<Vec<u8>>), DecodeError> {
    let mut decoder = BodyDecoder::new(framing)?;
    let mut content = Vec::new();
    let mut at = 0;
    while at < bytes.len() && !decoder.is_done() {
        let end = bytes.len().min(at + part);
        at += decoder.decode(&bytes[at..end], &mut content)?;
    }
    Ok((content, decoder.is_done().then(|| bytes[at..].to_vec())))
}

#[test]
fn content_ends_where_it_was_told() {
    for (framing, bytes, content, rest) in [
        (Framing::Length(5), "hello", "hello", Some("")),
        (Framing::Length(5), "helloGET /", "hello", Some("GET /")),
        (Framing::Length(5), "hell", "hell", None),
        (Framing::Length(0), "GET /", "", Some("GET /")),
        (Framing::Chunked, "5\r\nhello\r\n0\r\n\r\nGET /", "hello", Some("GET /")),
        (Framing::Chunked, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello", Some("")),
        (
            Framing::Chunked,
            "00A\r\n0123456789\r\n000\r\n\r\n",
            "0123456789",
            Some(""),
        ),
        (
            Framing::Chunked,
            "5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n",
            "hello",
            Some(""),
        ),
        (Framing::Chunked, "5 ;a\r\nhello\r\n0\r\n\r\n", "hello", Some("")),
        (
            Framing::Chunked,
            "5;a=\"\\\"\"\r\nhello\r\n0\r\n\r\n",
            "hello",
            Some(""),
        ),
        (Framing::Chunked, "0\r\nX-T: 1\r\nY:\r\n\r\nGET /", "", Some("GET /")),
        (Framing::Chunked, "5\r\nhello\r\n0\r\n", "hello", None),
        (Framing::Chunked, "5\r\nhello\r\n", "hello", None),
        (Framing::Chunked, "5\r\nhel", "hel", None),
    ] {
        for part in [1, 2, 3, 1_000] {
            let expected = (content.as_bytes().to_vec(), rest.map(|rest| rest.as_bytes().to_vec()));
            assert_eq!(
                decode(framing, bytes.as_bytes(), part),
                Ok(expected),
                "{bytes:?} by {part}"
            );
        }
    }
}

#[test]
fn chunks_out_of_grammar_are_refused() {
    for bytes in [
        "xyz\r\n",
        "-5\r\nhello\r\n",
        "+5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        " 5\r\nhello\r\n",
        "5 \r\nhello\r\n",
        "5 5\r\nhello\r\n",
        "5\t\r\nhello\r\n",
        "\r\nhello\r\n",
        ";a\r\n",
        "5\nhello\r\n",
        "5\rhello\r\n",
        "5;a\nhello\r\n",
        "5;a\rb\r\nhello",
        "5;a=\"b\r\nhello",
        "5;\0\r\nhello",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloXX",
        "3\r\nhello\r\n",
        "6\r\nhello\r\n0\r\n\r\n",
        "00000000000000005\r\nhello",
        "0\r\nno field\r\n\r\n",
        "0\r\n folded\r\n\r\n",
        "0\r\nX : 1\r\n\r\n",
        "0\r\n: 1\r\n\r\n",
        "0\r\nX: 1\n\r\n",
        "0\r\nX: \0\r\n\r\n",
        "0\r\nX: 1\rY: 2\r\n\r\n",
        "0\n\r\n",
    ] {
        for part in [1, 1_000] {
            let got = decode(Framing::Chunked, bytes.as_bytes(), part);
            assert!(
                matches!(got, Err(DecodeError::Malformed(_))),
                "{bytes:?} by {part}: {got:?}"
            );
        }
    }
}

#[test]
fn what_is_not_content_has_a_bound() {
    let malformed = |bytes: String| {
        let got = decode(Framing::Chunked, bytes.as_bytes(), 1_000);
        matches!(got, Err(DecodeError::Malformed(_)))
    };
    assert!(malformed(format!("5;{}\r\nhello\r\n", "x".repeat(MAX_EXTENSIONS))));
    assert!(malformed("1;ext\r\nx\r\n".repeat(MAX_EXTENSIONS / 4 + 1)));
    assert!(malformed(format!("0\r\nX: {}\r\n\r\n", "x".repeat(MAX_TRAILERS))));
    assert!(malformed(format!(
        "0\r\n{}\r\n",
        "X: 1\r\n".repeat(MAX_TRAILERS / 5 + 1)
    )));
}

#[test]
fn more_than_10_mb_is_refused_as_soon_as_it_is_told() {
    assert_eq!(
        BodyDecoder::new(Framing::Length(MAX_BODY_LENGTH + 1)).err(),
        Some(DecodeError::TooLarge)
    );
    assert!(BodyDecoder::new(Framing::Length(MAX_BODY_LENGTH)).is_ok());
    for (bytes, is_too_large) in [
        ("a00000\r\n", false),
        ("a00001\r\n", true),
        ("ffffffffffffffff\r\n", true),
    ] {
        let got = decode(Framing::Chunked, bytes.as_bytes(), 1_000);
        assert_eq!(got.err() == Some(DecodeError::TooLarge), is_too_large, "{bytes:?}");
    }
    let two = [&b"a00000\r\n"[..], &vec![b'x'; 0xa0_0000], b"\r\n1\r\n"].concat();
    assert_eq!(decode(Framing::Chunked, &two, 100_000), Err(DecodeError::TooLarge));
}

#[test]
fn it_does_not_matter_where_the_bytes_are_cut() {
    let pieces: [&[u8]; 12] = [
        b"5\r\nhello\r\n",
        b"0\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b"a",
        b"1",
        b";x=\"y\"",
        b" ",
        b"X: y\r\n",
        b"\0",
        b"1\r\nz\r\n",
    ];
    let mut state = 0x9e37_79b9_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..1 + next(8)).flat_map(|_| pieces[next(12)].to_vec()).collect();
        let whole = decode(Framing::Chunked, &bytes, bytes.len());
        for part in 1..4 {
            assert_eq!(decode(Framing::Chunked, &bytes, part), whole, "{bytes:?} by {part}");
        }
    }
}
