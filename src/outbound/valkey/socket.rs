//! A socket on which every read and every write ends at one moment.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 16;

/// A connection to a server, plain or over TLS.
pub(super) enum Socket {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

/// A socket with a deadline.
pub(super) struct Timed {
    stream: Stream,
    until: Instant,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Looks the name up, and connects to one of its addresses. A look-up has no deadline: the system's has its own.
    pub(super) fn connect(
        host: &str,
        port: u16,
        tls: Option<&Arc<ClientConfig>>,
        until: Instant,
    ) -> io::Result<Socket> {
        let addresses: Vec<_> = (host, port).to_socket_addrs()?.take(MAX_ADDRESSES).collect();
        let mut outcome = Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        for (left, address) in (1..=addresses.len()).rev().zip(&addresses) {
            let share = u32::try_from(left).unwrap_or(1);
            outcome = TcpStream::connect_timeout(address, remaining(until)? / share);
            if outcome.is_ok() {
                break;
            }
        }
        let stream = outcome?;
        stream.set_nodelay(true)?;
        let timed = Timed {
            stream: Stream::Tcp(stream),
            until,
        };
        let Some(config) = tls else {
            return Ok(Socket::Plain(timed));
        };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let client = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Socket::Tls(Box::new(StreamOwned::new(client, timed))))
    }

    /// Connects to a socket in the file system.
    pub(super) fn connect_unix(path: &Path, until: Instant) -> io::Result<Socket> {
        Ok(Socket::Plain(Timed {
            stream: Stream::Unix(UnixStream::connect(path)?),
            until,
        }))
    }

    /// From here on all ends at that moment.
    pub(super) fn set_deadline(&mut self, until: Instant) {
        match self {
            Socket::Plain(timed) => timed.until = until,
            Socket::Tls(stream) => stream.sock.until = until,
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(timed) => timed.read(buffer),
            Socket::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(timed) => timed.write(bytes),
            Socket::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Plain(timed) => timed.flush(),
            Socket::Tls(stream) => stream.flush(),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wait = Some(remaining(self.until)?);
        match &mut self.stream {
            Stream::Tcp(stream) => stream.set_read_timeout(wait).and_then(|()| stream.read(buffer)),
            Stream::Unix(stream) => stream.set_read_timeout(wait).and_then(|()| stream.read(buffer)),
        }
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wait = Some(remaining(self.until)?);
        match &mut self.stream {
            Stream::Tcp(stream) => stream.set_write_timeout(wait).and_then(|()| stream.write(bytes)),
            Stream::Unix(stream) => stream.set_write_timeout(wait).and_then(|()| stream.write(bytes)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is left until a moment.
fn remaining(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}
