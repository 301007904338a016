//! The head of a response, read as strictly as that of a request: what two readers could understand in two ways is
//! refused. Interim responses before it are read and dropped (RFC 9110 §15.2).

use crate::http1::error::ResponseError;
use crate::http1::framing::{ResponseFraming, response_framing};
use crate::http1::head_scanner::{self, HeadScanner};
use crate::http1::message::{Headers, Version};
use crate::http1::message_limits::{MAX_INTERIM_RESPONSES, MAX_RESPONSE_FIELDS, MAX_RESPONSE_HEAD_LENGTH};

/// What a response begins with: a version, and the blank behind it.
const BEGINNINGS: [&[u8]; 2] = [b"HTTP/1.1 ", b"HTTP/1.0 "];

/// The head of a response, understood.
#[derive(Debug)]
pub struct ResponseHead {
    /// The status, 200–999.
    pub status: u16,
    /// The version of the server.
    pub version: Version,
    /// All fields, hop-by-hop ones too.
    pub headers: Headers,
    /// How the content is framed; it has no bytes where there is none by definition.
    pub framing: ResponseFraming,
}

impl ResponseHead {
    /// Whether the connection can take another request after this response (RFC 9112 §9.3).
    pub fn keeps_connection(&self) -> bool {
        match (self.framing, self.version) {
            (ResponseFraming::UntilEnd, _) => false,
            _ if self.headers.has_token("connection", "close") => false,
            (_, Version::Http11) => true,
            (_, Version::Http10) => self.headers.has_token("connection", "keep-alive"),
        }
    }
}

/// Reads the head of one response from bytes that come bit by bit.
///
/// # Example
/// ```
/// use apigateway::http1::response_head::ResponseReader;
/// let mut reader = ResponseReader::new(false);
/// let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
/// assert!(matches!(reader.read(&bytes[..30]), Ok((25, None))));
/// let (taken, head) = reader.read(&bytes[25..]).unwrap();
/// assert_eq!((25 + taken, head.unwrap().status), (bytes.len(), 204));
/// ```
#[derive(Debug)]
pub struct ResponseReader {
    scanner: HeadScanner,
    /// The request was HEAD.
    is_to_head: bool,
    /// Interim responses so far, and their bytes.
    interim: usize,
    interim_length: usize,
}

impl ResponseReader {
    /// For the response to a request, which was HEAD or not.
    pub fn new(is_to_head: bool) -> ResponseReader {
        ResponseReader {
            scanner: HeadScanner::with_limit(MAX_RESPONSE_HEAD_LENGTH),
            is_to_head,
            interim: 0,
            interim_length: 0,
        }
    }

    /// Reads the bytes that have come and were not taken before; tells how many are taken now, and the head once it is
    /// whole. What follows the head is content.
    ///
    /// # Errors
    /// It is no response, or one that two readers could read in two ways.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(usize, Option<ResponseHead>), ResponseError> {
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            // Another protocol may have no line end to wait for.
            let begins = |beginning: &&[u8]| match rest.get(..beginning.len()) {
                Some(start) => start == *beginning,
                None => beginning.starts_with(rest),
            };
            if !BEGINNINGS.iter().any(begins) {
                return Err(ResponseError::new("it does not begin with HTTP/1.1 or HTTP/1.0"));
            }
            let Some(length) = self.scanner.find_end(rest)? else {
                return Ok((taken, None));
            };
            let head = parse(rest.get(..length).unwrap_or_default(), self.is_to_head)?;
            taken += length;
            match head.status {
                100 | 102..=199 => {
                    self.interim += 1;
                    self.interim_length += length;
                    self.check_interim(&head)?;
                    self.scanner = HeadScanner::with_limit(MAX_RESPONSE_HEAD_LENGTH);
                }
                101 => return Err(ResponseError::new("it switches to a protocol that was not asked for")),
                0..=99 => return Err(ResponseError::new(format!("it has the status {}", head.status))),
                _ => return Ok((taken, Some(head))),
            }
        }
    }

    /// An interim response ends with its fields, whatever they are. One that says otherwise could be read in two ways.
    fn check_interim(&self, head: &ResponseHead) -> Result<(), ResponseError> {
        let has_content = head.headers.get("transfer-encoding").is_some()
            || head.headers.get_all("content-length").any(|length| length != b"0");
        if has_content {
            return Err(ResponseError::new("it has an interim answer with content"));
        }
        if self.interim > MAX_INTERIM_RESPONSES || self.interim_length > MAX_RESPONSE_HEAD_LENGTH {
            return Err(ResponseError::new("its interim answers do not end"));
        }
        Ok(())
    }
}

/// Reads a whole head, from the status line to the empty line.
fn parse(head: &[u8], is_to_head: bool) -> Result<ResponseHead, ResponseError> {
    let (line, fields) = head_scanner::split_first_line(head);
    let (version, status) = parse_status_line(line).map_err(ResponseError::new)?;
    let headers = head_scanner::read_fields(fields, MAX_RESPONSE_FIELDS)?;
    let framing = response_framing(&headers, version, status, is_to_head).map_err(ResponseError::new)?;
    Ok(ResponseHead {
        status,
        version,
        headers,
        framing,
    })
}

/// The version, and the status: three digits, behind which a reason may stand (RFC 9112 §4). A server that has no reason
/// may leave out the blank before it.
fn parse_status_line(line: &[u8]) -> Result<(Version, u16), &'static str> {
    let (version, rest) = match BEGINNINGS.map(|beginning| line.strip_prefix(beginning)) {
        [Some(rest), _] => (Version::Http11, rest),
        [_, Some(rest)] => (Version::Http10, rest),
        _ => return Err("the version is neither HTTP/1.1 nor HTTP/1.0"),
    };
    let (digits, [] | [b' ', ..]) = rest.split_at_checked(3).unwrap_or((rest, &[])) else {
        return Err("the status does not have three digits");
    };
    if digits.len() != 3 || !digits.iter().all(u8::is_ascii_digit) {
        return Err("the status does not have three digits");
    }
    let status = digits
        .iter()
        .fold(0, |status, digit| 10 * status + u16::from(digit - b'0'));
    Ok((version, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status, the fields, the framing, whether the connection is kept, and what is left, however the bytes are cut.
    type Read = (u16, Vec<(String, String)>, ResponseFraming, bool, String);

    fn read_in_parts(bytes: &[u8], cuts: &[usize], is_to_head: bool) -> Result<Option<Read>, ResponseError> {
        let mut reader = ResponseReader::new(is_to_head);
        let mut start = 0;
        for end in cuts.iter().copied().chain([bytes.len()]) {
            let (taken, head) = reader.read(&bytes[start..end])?;
            start += taken;
            if let Some(head) = head {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let fields = head.headers.iter().map(|(name, value)| (name.to_owned(), text(value)));
                let keeps = head.keeps_connection();
                return Ok(Some((
                    head.status,
                    fields.collect(),
                    head.framing,
                    keeps,
                    text(&bytes[start..]),
                )));
            }
        }
        Ok(None)
    }

    /// The same at every split of the bytes in two, and byte by byte.
    fn read(text: &str, is_to_head: bool) -> Result<Option<Read>, ResponseError> {
        let bytes = text.as_bytes();
        let whole = read_in_parts(bytes, &[], is_to_head);
        let each: Vec<usize> = (0..bytes.len()).collect();
        let splits = each.chunks(1).chain([&each[..]]).take(2_000);
        for cuts in splits {
            let got = read_in_parts(bytes, cuts, is_to_head);
            match (&whole, &got) {
                // What is wrong may be found out before something else that is wrong is there.
                (Err(_), Err(_)) => {}
                _ => assert_eq!(got, whole, "{text:?} cut at {cuts:?}"),
            }
        }
        whole
    }

    #[test]
    fn a_head_is_read_to_the_letter() {
        use ResponseFraming::{Chunked, Length, UntilEnd};
        for (text, status, fields, framing, keeps, left) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: 1\r\nx-a:\t2 \r\n\r\nabc",
                200,
                &[("content-length", "3"), ("x-a", "1"), ("x-a", "2")][..],
                Length(3),
                true,
                "abc",
            ),
            (
                "HTTP/1.0 404 Not Found\r\nConnection:  x, keep-alive \r\nConnection: y\r\nContent-Length: 0\r\n\r\n",
                404,
                &[
                    ("connection", "x, keep-alive"),
                    ("connection", "y"),
                    ("content-length", "0"),
                ],
                Length(0),
                true,
                "",
            ),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
                200,
                &[("content-length", "0")],
                Length(0),
                false,
                "",
            ),
            ("HTTP/1.1 200 OK\r\n\r\nrest", 200, &[], UntilEnd, false, "rest"),
            ("HTTP/1.1 299\r\n\r\n", 299, &[], UntilEnd, false, ""),
            ("HTTP/1.1 299 \r\n\r\n", 299, &[], UntilEnd, false, ""),
            ("HTTP/1.1 999  odd\treason\r\n\r\n", 999, &[], UntilEnd, false, ""),
            (
                "HTTP/1.1 302 Found\r\nTransfer-Encoding: Chunked\r\nConnection:keep-alive,Close\r\n\r\n0\r\n\r\n",
                302,
                &[("transfer-encoding", "Chunked"), ("connection", "keep-alive,Close")],
                Chunked,
                false,
                "0\r\n\r\n",
            ),
            (
                "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
                204,
                &[("transfer-encoding", "chunked")],
                Length(0),
                true,
                "",
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 0\r\n\r\n\
                 HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
                304,
                &[("content-length", "7")],
                Length(0),
                true,
                "",
            ),
        ] {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            let expected = Ok(Some((status, fields, framing, keeps, left.to_owned())));
            assert_eq!(read(text, false), expected, "{text:?}");
        }
        let head = read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true)
            .unwrap()
            .unwrap();
        assert_eq!((head.2, head.3, head.4.as_str()), (Length(0), true, "hello"));
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_refused() {
        for text in [
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.2 200 OK\r\n\r\n",
            "http/1.1 200 OK\r\n\r\n",
            "\r\nHTTP/1.1 200 OK\r\n\r\n",
            "ICY 200 OK\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
            "HTTP/1.1\t200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 20x OK\r\n\r\n",
            "HTTP/1.1 200OK\r\n\r\n",
            "HTTP/1.1 200\tOK\r\n\r\n",
            "HTTP/1.1 +20 OK\r\n\r\n",
            "HTTP/1.1 \r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 000 OK\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.1 200 OK\n\n",
            "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
            "HTTP/1.1 200 O\x07K\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
            "HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            for is_to_head in [false, true] {
                assert!(read(text, is_to_head).is_err(), "{text:?}");
            }
        }
        // Before there is a line end.
        for text in ["x", "HTTP/1.1x", "SSH-2.0", "\u{16}"] {
            assert!(ResponseReader::new(false).read(text.as_bytes()).is_err(), "{text:?}");
        }
        for text in [
            "",
            "H",
            "HTTP/1.",
            "HTTP/1.1 2",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n",
        ] {
            assert_eq!(read(text, false), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn a_head_and_what_comes_before_it_have_bounds() {
        let read = |text: &str| {
            let read = read_in_parts(text.as_bytes(), &[], false);
            read.map(|read| read.is_some()).map_err(|error| error.to_string())
        };
        let fields = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
        let long = |length: usize| format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(length - 24));
        let interim = |count: usize| "HTTP/1.1 100 Continue\r\n\r\n".repeat(count) + "HTTP/1.1 200 OK\r\n\r\n";
        let hints = |count: usize| {
            let hint = format!("HTTP/1.1 103 Early Hints\r\nLink: </{}>\r\n\r\n", "a".repeat(2_000));
            hint.repeat(count) + "HTTP/1.1 200 OK\r\n\r\n"
        };
        let endless = Err("its interim answers do not end".to_owned());
        let large = Err("its head has more than 65536 bytes".to_owned());
        for (what, text, expected) in [
            ("fields", fields(MAX_RESPONSE_FIELDS), Ok(true)),
            (
                "more fields",
                fields(MAX_RESPONSE_FIELDS + 1),
                Err("it has more than 256 fields".to_owned()),
            ),
            ("length", long(MAX_RESPONSE_HEAD_LENGTH), Ok(true)),
            ("more length", long(MAX_RESPONSE_HEAD_LENGTH + 1), large.clone()),
            (
                "no end",
                format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(MAX_RESPONSE_HEAD_LENGTH)),
                large,
            ),
            ("interim", interim(MAX_INTERIM_RESPONSES), Ok(true)),
            ("more interim", interim(MAX_INTERIM_RESPONSES + 1), endless.clone()),
            ("hints", hints(32), Ok(true)),
            ("more hints", hints(33), endless),
        ] {
            assert_eq!(read(&text), expected, "{what}");
        }
    }
}
