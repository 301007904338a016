//! An integration's server on raw sockets: it records the exact bytes that it gets and does what a script says.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;

use rustix::net::{AddressFamily, SocketType};

use super::client::PATIENCE;

/// A request as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Request line and fields, with the empty line.
    pub head: String,
    /// The content, freed of its coding.
    pub body: Vec<u8>,
    /// The end that the head announced was reached.
    pub complete: bool,
    /// Which connection it came on, from 0.
    pub connection: usize,
}

impl Recorded {
    pub fn line(&self) -> &str {
        self.head.split("\r\n").next().unwrap()
    }

    /// Method and target.
    pub fn request(&self) -> &str {
        self.line().strip_suffix(" HTTP/1.1").unwrap()
    }

    pub fn headers(&self, name: &str) -> Vec<&str> {
        let fields = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
        fields
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

/// What happens to the connection after a script has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    KeepAlive,
    Close,
    Reset,
}

type Script = dyn Fn(&mut TcpStream, &Recorded) -> Next + Send + Sync;

pub struct Endpoint {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    recorded: Mutex<Receiver<Recorded>>,
    is_over: Arc<AtomicBool>,
}

/// Thousands of cases have an endpoint each, in one process: its descriptor is given back.
impl Drop for Endpoint {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // The thread that accepts sees it then.
        let _ = TcpStream::connect(self.address);
    }
}

impl Endpoint {
    /// Runs the script for each request, once its content is there.
    pub fn start(script: impl Fn(&mut TcpStream, &Recorded) -> Next + Send + Sync + 'static) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, recorded) = channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let script: Arc<Script> = Arc::new(script);
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let (script, sender) = (Arc::clone(&script), sender.clone());
                let connection = counted.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || serve(stream.unwrap(), connection, &*script, &sender));
            }
        });
        Endpoint {
            address,
            connections,
            recorded: Mutex::new(recorded),
            is_over,
        }
    }

    /// Answers each request with the same bytes.
    pub fn answering(answer: impl Into<Vec<u8>>) -> Endpoint {
        let answer = answer.into();
        Endpoint::start(move |stream, _| {
            // Who has read enough may close.
            match stream.write_all(&answer) {
                Ok(()) => Next::KeepAlive,
                Err(_) => Next::Close,
            }
        })
    }

    /// Answers 200 with a body.
    pub fn ok() -> Endpoint {
        Endpoint::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }

    /// Answers 200 with the target, so that an answer can be told from another.
    pub fn telling_the_target() -> Endpoint {
        Endpoint::start(|stream, recorded| {
            let target = recorded.request().split_once(' ').unwrap().1;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len());
            let _ = stream.write_all(answer.as_bytes());
            Next::KeepAlive
        })
    }

    /// The next request, waited for.
    pub fn next(&self) -> Recorded {
        self.recorded.lock().unwrap().recv_timeout(PATIENCE).unwrap()
    }

    /// The requests that have come and that nobody asked for.
    pub fn rest(&self) -> Vec<Recorded> {
        self.recorded.lock().unwrap().try_iter().collect()
    }

    /// How many connections have been made.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// An address where nobody listens: a port that is bound, so that nobody else gets it, and no more.
pub fn nobody() -> SocketAddr {
    static BOUND: LazyLock<OwnedFd> = LazyLock::new(|| {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        socket
    });
    rustix::net::getsockname(&*BOUND).unwrap().try_into().unwrap()
}

/// Ends a connection with RST instead of FIN.
pub fn reset(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(std::time::Duration::ZERO)).unwrap();
}

fn serve(mut stream: TcpStream, connection: usize, script: &Script, sender: &Sender<Recorded>) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::new();
    while let Some(recorded) = read_request(&mut stream, &mut buffer, connection) {
        let complete = recorded.complete;
        let _ = sender.send(recorded.clone());
        if !complete {
            return;
        }
        match script(&mut stream, &recorded) {
            Next::KeepAlive => {}
            Next::Close => {
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
            Next::Reset => return reset(&stream),
        }
    }
}

fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>, connection: usize) -> Option<Recorded> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if !fill(stream, buffer) {
            return None;
        }
    };
    let head: String = buffer.drain(..end).map(char::from).collect();
    let mut recorded = Recorded {
        head,
        connection,
        ..Recorded::default()
    };
    let length: usize = recorded
        .headers("content-length")
        .first()
        .map_or(0, |length| length.parse().unwrap());
    if recorded.headers("transfer-encoding").is_empty() {
        while buffer.len() < length && fill(stream, buffer) {}
        recorded.complete = buffer.len() >= length;
        recorded.body = buffer.drain(..length.min(buffer.len())).collect();
    } else {
        recorded.complete = read_chunks(stream, buffer, &mut recorded.body);
    }
    Some(recorded)
}

fn read_chunks(stream: &mut TcpStream, buffer: &mut Vec<u8>, body: &mut Vec<u8>) -> bool {
    loop {
        let line = loop {
            if let Some(at) = buffer.windows(2).position(|window| window == b"\r\n") {
                break at;
            }
            if !fill(stream, buffer) {
                return false;
            }
        };
        let size = usize::from_str_radix(std::str::from_utf8(&buffer[..line]).unwrap(), 16).unwrap();
        while buffer.len() < line + 2 + size + 2 {
            if !fill(stream, buffer) {
                return false;
            }
        }
        body.extend_from_slice(&buffer[line + 2..line + 2 + size]);
        buffer.drain(..line + 2 + size + 2);
        if size == 0 {
            return true;
        }
    }
}

fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> bool {
    let mut part = [0; 65536];
    match stream.read(&mut part) {
        Ok(count) if count > 0 => {
            buffer.extend_from_slice(&part[..count]);
            true
        }
        _ => false,
    }
}
