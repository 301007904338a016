//! A client on a raw socket, and a reader of answers that forgives nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than anything that a test waits for, so that only a hang reaches it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to a gateway.
pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

/// One answer, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Status line and fields as they came.
    pub head: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The end that the head announced was reached.
    pub complete: bool,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client {
            stream,
            buffer: Vec::new(),
        }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Client {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Reads the answer to a request of that method.
    pub fn answer_to(&mut self, method: &str) -> Answer {
        loop {
            if let Some((answer, used)) = parse(&self.buffer, method, false) {
                self.buffer.drain(..used);
                return answer;
            }
            let mut part = [0; 65536];
            match self.stream.read(&mut part) {
                Ok(0) => break,
                Ok(count) => self.buffer.extend_from_slice(&part[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => panic!("no answer: {error}; so far {:?}", String::from_utf8_lossy(&self.buffer)),
            }
        }
        let text = String::from_utf8_lossy(&self.buffer).into_owned();
        let (answer, used) = parse(&self.buffer, method, true).unwrap_or_else(|| panic!("not an answer: {text:?}"));
        self.buffer.drain(..used);
        answer
    }

    /// Reads the next bytes as they come; empty at the end.
    pub fn next_bytes(&mut self) -> Vec<u8> {
        if !self.buffer.is_empty() {
            return std::mem::take(&mut self.buffer);
        }
        let mut part = [0; 65536];
        let count = self.stream.read(&mut part).unwrap();
        part[..count].to_vec()
    }

    /// Reads until the text is there.
    pub fn read_until(&mut self, seen: &mut Vec<u8>, text: &str) {
        while !seen.windows(text.len()).any(|window| window == text.as_bytes()) {
            let more = self.next_bytes();
            assert!(
                !more.is_empty(),
                "closed before {text:?}: {:?}",
                String::from_utf8_lossy(seen)
            );
            seen.extend_from_slice(&more);
        }
    }

    /// Whether the other side has closed, waited for.
    pub fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && matches!(self.stream.read(&mut [0]), Ok(0))
    }
}

/// Sends one request on a connection of its own and reads the answer.
pub fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let request = request.as_ref();
    let method = String::from_utf8_lossy(request.split(|byte| *byte == b' ').next().unwrap()).into_owned();
    Client::connect(address).send(request).answer_to(&method)
}

/// A GET of a target.
pub fn get(address: SocketAddr, target: &str) -> Answer {
    exchange(address, format!("GET {target} HTTP/1.1\r\nHost: gw.test\r\n\r\n"))
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The first answer of the bytes, and how many it takes; none while it is not whole and the connection is open.
pub fn parse(bytes: &[u8], method: &str, ended: bool) -> Option<(Answer, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head: String = bytes[..end].iter().map(|byte| char::from(*byte)).collect();
    let mut lines = head.split("\r\n");
    let status_line = lines.next()?;
    let status: u16 = status_line
        .strip_prefix("HTTP/1.1 ")
        .unwrap_or_else(|| panic!("{status_line:?}"))[..3]
        .parse()
        .unwrap();
    let headers: Vec<(String, String)> = lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            line.split_once(": ")
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .unwrap_or_else(|| panic!("{line:?}"))
        })
        .collect();
    let mut answer = Answer {
        status,
        head: head.clone(),
        headers,
        body: Vec::new(),
        complete: true,
    };
    let rest = &bytes[end..];
    if status < 200 || status == 204 || status == 304 || method == "HEAD" {
        return Some((answer, end));
    }
    if answer.header("transfer-encoding") == Some("chunked") {
        let (body, used, complete) = parse_chunks(rest);
        answer.body = body;
        answer.complete = complete;
        return (complete || ended).then_some((answer, if complete { end + used } else { bytes.len() }));
    }
    let length = answer
        .header("content-length")
        .map(|length| length.parse::<usize>().unwrap());
    let wanted = length.unwrap_or(usize::MAX);
    let taken = rest.len().min(wanted);
    answer.body = rest[..taken].to_vec();
    answer.complete = length.is_none() || taken == wanted;
    (taken == wanted || ended).then_some((answer, end + taken))
}

fn parse_chunks(bytes: &[u8]) -> (Vec<u8>, usize, bool) {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some(line) = bytes[at..].windows(2).position(|window| window == b"\r\n") else {
            return (body, at, false);
        };
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[at..at + line]).unwrap(), 16).unwrap();
        let start = at + line + 2;
        if bytes.len() < start + size + 2 {
            body.extend_from_slice(&bytes[start..bytes.len().min(start + size)]);
            return (body, at, false);
        }
        body.extend_from_slice(&bytes[start..start + size]);
        assert_eq!(&bytes[start + size..start + size + 2], b"\r\n");
        at = start + size + 2;
        if size == 0 {
            return (body, at, true);
        }
    }
}
