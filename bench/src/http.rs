//! Just enough of HTTP to see that somebody answers, and to ask for the same thing again and again.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::Outcome;

/// The first of the ports that are listened at.
const FIRST_PORT: u16 = 20_000;

/// How many there are.
const PORTS: u16 = 12_000;

/// A connection on which one request is repeated.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    request: String,
}

/// The head's end, and the length of what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Framing {
    status: u16,
    length: usize,
}

impl Connection {
    /// Connects, for GETs of that path with these fields, each with its line end.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn open(address: SocketAddr, path: &str, fields: &str, patience: Duration) -> Outcome<Connection> {
        let connect = || {
            let stream = TcpStream::connect_timeout(&address, patience)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(patience))?;
            stream.set_write_timeout(Some(patience))?;
            Ok(stream)
        };
        let stream = connect().map_err(|error: std::io::Error| format!("{address}: {error}"))?;
        Ok(Connection {
            stream,
            request: format!("GET {path} HTTP/1.1\r\nHost: bench\r\n{fields}\r\n"),
        })
    }

    /// Asks once, reads the answer and gives its status.
    ///
    /// # Errors
    /// There is no whole answer of a known length.
    pub fn ask(&mut self) -> Outcome<u16> {
        let failed = |error: std::io::Error| format!("no answer: {error}");
        self.stream.write_all(self.request.as_bytes()).map_err(failed)?;
        read_status(&mut self.stream)
    }
}

/// Reads an answer and gives its status.
///
/// # Errors
/// There is no whole answer of a known length.
pub fn read_status(stream: &mut impl Read) -> Outcome<u16> {
    let mut answer = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        if let Some(framing) = framing(&answer)?
            && answer.len() >= framing.length
        {
            return Ok(framing.status);
        }
        match stream.read(&mut part).map_err(|error| format!("no answer: {error}"))? {
            0 => return Err("no answer: the connection was closed".to_owned()),
            count => answer.extend(part.iter().take(count)),
        }
    }
}

/// The status of an answer and its length with the head, once the head is here.
fn framing(answer: &[u8]) -> Outcome<Option<Framing>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, _) = answer.split_at(end);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let field = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = field.and_then(|length| length.trim().parse::<usize>().ok());
    match (status, length) {
        (Some(status), Some(length)) => Ok(Some(Framing {
            status,
            length: end + 4 + length,
        })),
        _ => Err(format!("an answer without a status or a length: {head}")),
    }
}

/// A port that was free a moment ago, below those that Linux gives to connections: one of these may be taken before a
/// program listens at it.
///
/// # Errors
/// There is none.
pub fn free_port() -> Outcome<u16> {
    static TURN: AtomicU16 = AtomicU16::new(0);
    // Two benchmarks at the same time begin at different ports.
    let offset = u16::try_from(process::id() % u32::from(PORTS)).unwrap_or_default();
    for _ in 0..PORTS {
        let port = FIRST_PORT + offset.wrapping_add(TURN.fetch_add(1, Ordering::Relaxed)) % PORTS;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no free port".to_owned())
}

/// Opens connections on which nothing is said.
///
/// # Errors
/// One of them cannot be opened.
pub fn idle_connections(address: SocketAddr, count: usize) -> Outcome<Vec<TcpStream>> {
    let mut connections = Vec::with_capacity(count);
    for number in 0..count {
        let opened = TcpStream::connect_timeout(&address, Duration::from_secs(5)).and_then(|stream| {
            stream.set_nonblocking(true)?;
            Ok(stream)
        });
        connections.push(opened.map_err(|error| format!("idle connection {number}: {error}"))?);
    }
    Ok(connections)
}

/// How many of them are still open.
pub fn still_open(connections: &[TcpStream]) -> usize {
    let is_open = |stream: &&TcpStream| {
        let peeked = stream.peek(&mut [0]);
        peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    connections.iter().filter(is_open).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_framed_by_its_length() {
        for (head, content) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "abc"),
            ("HTTP/1.1 200 OK\r\ncontent-length:  3 \r\nA: b\r\n\r\n", ""),
        ] {
            let expected = Framing {
                status: 200,
                length: head.len() + 3,
            };
            assert_eq!(
                framing(format!("{head}{content}").as_bytes()),
                Ok(Some(expected)),
                "{head:?}"
            );
        }
        assert_eq!(framing(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"), Ok(None));
        assert!(framing(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn ports_are_free_and_none_is_given_twice() {
        let (one, other) = (free_port().unwrap(), free_port().unwrap());
        assert_ne!(one, other);
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, other)).unwrap();
    }

    #[test]
    fn closed_connections_are_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connections = idle_connections(listener.local_addr().unwrap(), 3).unwrap();
        let accepted: Vec<TcpStream> = (0..3).map(|_| listener.accept().unwrap().0).collect();
        assert_eq!(still_open(&connections), 3);
        drop(accepted);
        // Blocking, so that the end has arrived.
        for mut connection in &connections {
            connection.set_nonblocking(false).unwrap();
            assert_eq!(connection.read(&mut [0]).unwrap(), 0);
            connection.set_nonblocking(true).unwrap();
        }
        assert_eq!(still_open(&connections), 0);
    }
}
