//! What must hold of the readers of responses for whatever bytes come; see `properties.rs` beside it.

use apigateway::http1::body_decoder::{BodyDecoder, DecodeError};
use apigateway::http1::framing::ResponseFraming;
use apigateway::http1::message::Version;
use apigateway::http1::message_limits::{MAX_RESPONSE_FIELDS, MAX_RESPONSE_HEAD_LENGTH};
use apigateway::http1::response_head::{ResponseHead, ResponseReader};

use super::properties::cuts;

/// A head, and where the content begins behind it.
type Read = Result<Option<(ResponseHead, usize)>, String>;

fn read(bytes: &[u8], cut: &[usize], is_to_head: bool) -> Read {
    let mut reader = ResponseReader::new(is_to_head);
    let mut start = 0;
    for end in cut.iter().copied().chain([bytes.len()]) {
        let (taken, head) = reader.read(&bytes[start..end]).map_err(|error| error.to_string())?;
        assert!(taken <= end - start);
        start += taken;
        if let Some(head) = head {
            return Ok(Some((head, start)));
        }
    }
    Ok(None)
}

fn emit(head: &ResponseHead) -> Vec<u8> {
    let version = if head.version == Version::Http11 { "1.1" } else { "1.0" };
    let mut bytes = format!("HTTP/{version} {}\r\n", head.status).into_bytes();
    for (name, value) in head.headers.iter() {
        for part in [name.as_bytes(), b": ", value, b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// A response's head is the same however the bytes are cut, what is read is bounded and has one framing, and reads as
/// itself again.
pub fn response(bytes: &[u8]) {
    for is_to_head in [false, true] {
        let whole = read(bytes, &[], is_to_head);
        for cut in cuts(bytes) {
            match (&whole, &read(bytes, &cut, is_to_head)) {
                (Ok(None), Ok(None)) | (Err(_), Err(_)) => {}
                (Ok(Some((one, at))), Ok(Some((other, behind)))) => {
                    assert_eq!((emit(one), one.framing, at), (emit(other), other.framing, behind));
                }
                (whole, parts) => panic!("whole {whole:?}, in parts {parts:?}"),
            }
        }
        if let Ok(Some((head, at))) = whole {
            assert!(at <= bytes.len() && bytes[..at].ends_with(b"\r\n\r\n"));
            check(&head, is_to_head);
        }
    }
}

fn check(head: &ResponseHead, is_to_head: bool) {
    assert!((200..=999).contains(&head.status));
    assert!(head.headers.iter().count() <= MAX_RESPONSE_FIELDS);
    for (name, value) in head.headers.iter() {
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':'));
        let is_control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
        assert!(!value.iter().any(is_control));
        assert!(!matches!(value, [b' ' | b'\t', ..] | [.., b' ' | b'\t']));
    }
    let lengths = head.headers.get_all("content-length").count();
    let codings = head.headers.get_all("transfer-encoding").count();
    assert!(lengths + codings <= 1, "it could end at two places");
    let has_content = !is_to_head && !matches!(head.status, 204 | 304);
    match head.framing {
        ResponseFraming::Length(length) => assert!(lengths == 1 || !has_content && length == 0),
        ResponseFraming::Chunked => assert!(has_content && codings == 1 && head.version == Version::Http11),
        ResponseFraming::UntilEnd => assert!(has_content && lengths + codings == 0 && !head.keeps_connection()),
    }
    // Written anew it may be a byte longer for each field, and so beyond the limit.
    let again = emit(head);
    if again.len() <= MAX_RESPONSE_HEAD_LENGTH {
        let (reread, at) = read(&again, &[], is_to_head).unwrap().unwrap();
        assert_eq!((emit(&reread), at), (again.clone(), again.len()));
        assert_eq!(reread.framing, head.framing);
        assert_eq!(reread.keeps_connection(), head.keeps_connection());
    }
}

/// The content, the bytes taken, and whether it is whole.
type Decoded = Result<(Vec<u8>, usize, bool), DecodeError>;

fn decode(bytes: &[u8], cut: &[usize], framing: ResponseFraming, room: Option<usize>) -> Decoded {
    let mut decoder = BodyDecoder::of_response(framing);
    let (mut content, mut taken) = (Vec::new(), 0);
    for end in cut.iter().copied().chain([bytes.len()]) {
        while taken < end && !decoder.is_done() {
            taken += match room {
                None => decoder.decode(&bytes[taken..end], &mut content)?,
                Some(room) => {
                    let mut buffer = vec![0; room];
                    let (count, filled) = decoder.decode_to(&bytes[taken..end], &mut buffer)?;
                    assert!(count > 0, "it does not go on");
                    content.extend_from_slice(&buffer[..filled]);
                    count
                }
            };
        }
    }
    let is_done = decoder.is_done();
    // An end of the connection is the end of the content only where nothing else tells it.
    assert_eq!(decoder.end(), is_done || framing == ResponseFraming::UntilEnd);
    Ok((content, taken, is_done))
}

/// A response's content is the same however it is cut and wherever it is put, and the same once it is coded anew.
pub fn response_body(bytes: &[u8]) {
    let half = bytes.len() / 2;
    for framing in [
        ResponseFraming::Chunked,
        ResponseFraming::Length(half as u64),
        ResponseFraming::UntilEnd,
    ] {
        let whole = decode(bytes, &[], framing, None);
        for cut in cuts(bytes) {
            for room in [None, Some(1), Some(7), Some(10_000)] {
                assert_eq!(decode(bytes, &cut, framing, room), whole, "{framing:?}, {room:?}");
            }
        }
        match framing {
            ResponseFraming::Length(_) => assert_eq!(whole, Ok((bytes[..half].to_vec(), half, true))),
            ResponseFraming::UntilEnd => assert_eq!(whole, Ok((bytes.to_vec(), bytes.len(), false))),
            ResponseFraming::Chunked => {
                if let Ok((content, taken, true)) = whole {
                    assert!(content.len() <= taken && taken <= bytes.len());
                    let mut again = Vec::new();
                    for part in content.chunks(content.len() / 3 + 1) {
                        again.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                        again.extend_from_slice(part);
                        again.extend_from_slice(b"\r\n");
                    }
                    again.extend_from_slice(b"0\r\n\r\n");
                    let length = again.len();
                    again.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
                    assert_eq!(decode(&again, &[], framing, None), Ok((content, length, true)));
                }
            }
        }
    }
}
