//! The bytes below ureq: a socket that keeps the exchange's deadline, plain or under TLS.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};

use crate::upstream::UpstreamError;
use crate::upstream::exchange::Exchange;

/// How much longer than the deadline a read may wait, to spare the system call that would set it anew.
const TIMEOUT_SLACK: Duration = Duration::from_millis(5);

/// Makes connections for one agent.
pub(super) struct GatewayConnector {
    exchange: Arc<Exchange>,
    tls: Arc<ClientConfig>,
}

impl GatewayConnector {
    pub(super) fn new(exchange: Arc<Exchange>, tls: Arc<ClientConfig>) -> GatewayConnector {
        GatewayConnector { exchange, tls }
    }

    /// Notes what failed where ureq's error types cannot say it.
    fn fail(&self, failure: UpstreamError) -> ureq::Error {
        self.exchange.note_failure(failure);
        ureq::Error::ConnectionFailed
    }

    fn connect_tcp(&self, host: &str, addresses: &[SocketAddr]) -> Result<TcpStream, ureq::Error> {
        let mut reason = "it has no address".to_owned();
        for (tried, address) in addresses.iter().enumerate() {
            let wait = self.exchange.next_wait().map_err(|failure| self.fail(failure))?;
            // An address that is silent must leave time for those after it.
            let left = u32::try_from(addresses.len() - tried).unwrap_or(1);
            match TcpStream::connect_timeout(address, wait / left) {
                Ok(stream) => {
                    // Requests are written whole; waiting for more would only delay them.
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut && left == 1 => {
                    return Err(self.fail(self.exchange.timed_out()));
                }
                Err(error) => reason = format!("{address}: {error}"),
            }
        }
        let host = host.to_owned();
        Err(self.fail(UpstreamError::NotConnected { host, reason }))
    }

    fn start_tls(&self, details: &ConnectionDetails<'_>, socket: Socket) -> Result<Stream, ureq::Error> {
        let failed = |reason: String| {
            let host = details.uri.authority().map(ToString::to_string).unwrap_or_default();
            self.fail(UpstreamError::Tls { host, reason })
        };
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(error.to_string()))?;
        let connection =
            ClientConnection::new(Arc::clone(&self.tls), name).map_err(|error| failed(error.to_string()))?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            if let Err(error) = stream.conn.complete_io(&mut stream.sock) {
                return Err(match error.downcast::<UpstreamError>() {
                    Ok(failure) => self.fail(failure),
                    // What rustls objects to is TLS; a connection that ends is what it is without TLS.
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => failed(error.to_string()),
                    Err(error) => self.fail(UpstreamError::Broken(format!("in the TLS handshake: {error}"))),
                });
            }
        }
        Ok(Stream::Tls(Box::new(stream)))
    }
}

impl Connector<()> for GatewayConnector {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Connection>, ureq::Error> {
        self.exchange.note_connected();
        let host = details
            .uri
            .authority()
            .map(http::uri::Authority::as_str)
            .unwrap_or_default();
        let socket = Socket {
            stream: self.connect_tcp(host, &details.addrs)?,
            exchange: Arc::clone(&self.exchange),
            read_timeout: None,
            write_timeout: None,
        };
        let stream = if details.needs_tls() {
            self.start_tls(details, socket)?
        } else {
            Stream::Plain(socket)
        };
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Connection { stream, buffers }))
    }
}

impl fmt::Debug for GatewayConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewayConnector")
    }
}

/// A connection to an integration, as ureq uses it. The timeouts that ureq computes are not set, so not heeded.
pub(super) struct Connection {
    stream: Stream,
    buffers: LazyBuffers,
}

enum Stream {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

impl Stream {
    fn socket(&self) -> &Socket {
        match self {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => &stream.sock,
        }
    }
}

impl Connection {
    /// Notes the failure, and hands ureq an error that it cannot take for the end of a body.
    ///
    /// ureq counts a reset, an abort and rustls's missing `close_notify` as the end of a body that lasts until the
    /// connection closes; a cut answer would look whole.
    fn broken(&self, error: io::Error) -> ureq::Error {
        let failure = match error.downcast::<UpstreamError>() {
            Ok(failure) => failure,
            Err(error) => UpstreamError::Broken(error.to_string()),
        };
        self.stream.socket().exchange.note_failure(failure);
        ureq::Error::Io(io::Error::other("noted by the exchange"))
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        let written = match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(output),
            Stream::Tls(stream) => stream.write_all(output),
        };
        written.map_err(|error| self.broken(error))
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let input = self.buffers.input_append_buf();
        let read = match &mut self.stream {
            Stream::Plain(socket) => socket.read(input),
            Stream::Tls(stream) => stream.read(input),
        };
        let amount = read.map_err(|error| self.broken(error))?;
        if amount > 0 {
            self.stream.socket().exchange.note_answered();
        }
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    /// One system call that does not wait. Bytes that nobody asked for are as bad as the end: they would be read
    /// as the answer to the next request.
    fn is_open(&mut self) -> bool {
        let mut byte = [0];
        let peeked = recv(
            &self.stream.socket().stream,
            &mut byte[..],
            RecvFlags::PEEK | RecvFlags::DONTWAIT,
        );
        matches!(peeked, Err(rustix::io::Errno::AGAIN))
    }

    fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({:?})", self.stream.socket().stream)
    }
}

/// A socket whose reads and writes end with the exchange.
struct Socket {
    stream: TcpStream,
    exchange: Arc<Exchange>,
    /// What the socket's timeouts were last set to.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Socket {
    /// How long the next call may wait, and whether the socket must be told.
    fn wait(&self, set: Option<Duration>) -> io::Result<(Duration, bool)> {
        let wait = self.exchange.next_wait().map_err(io::Error::other)?;
        let is_set = set.is_some_and(|set| set >= wait && set <= wait + TIMEOUT_SLACK);
        Ok((wait, !is_set))
    }

    /// A call that came back without having done anything has waited for as long as it might.
    fn outcome(&self, result: io::Result<usize>) -> io::Result<usize> {
        match result {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(io::Error::other(self.exchange.timed_out()))
            }
            other => other,
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let (wait, must_set) = self.wait(self.read_timeout)?;
            if must_set {
                self.stream.set_read_timeout(Some(wait))?;
                self.read_timeout = Some(wait);
            }
            match self.stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return self.outcome(result),
            }
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let (wait, must_set) = self.wait(self.write_timeout)?;
        if must_set {
            self.stream.set_write_timeout(Some(wait))?;
            self.write_timeout = Some(wait);
        }
        // Who writes all retries what a signal interrupted.
        let result = self.stream.write(buffer);
        self.outcome(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
