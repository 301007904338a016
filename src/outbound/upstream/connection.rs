//! A connection to a server, plain or over TLS. Nothing here waits, unless it is told how long: what cannot be done now
//! says so.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustls::ClientConnection;

/// Bytes received at once. An answer of this length and its head come in one piece mostly.
pub(super) const RECEIVED_AT_ONCE: usize = 16 * 1024;

/// How much longer than it should a socket may wait, to spare the system call that would set it anew.
const PATIENCE_SLACK: Duration = Duration::from_millis(5);

/// A connection to a server.
pub(super) struct Connection {
    socket: OwnedFd,
    tls: Option<Box<ClientConnection>>,
    /// The address that it was made to.
    peer: SocketAddr,
    /// What TLS has to send, the server does not take any more.
    is_mute: bool,
    /// How long the socket waits, where a call lets it.
    patience: Option<Duration>,
}

/// Whether a connection that nothing was sent on can take a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quiet {
    /// Nothing has come.
    Yes,
    /// It has ended.
    Ended,
    /// Bytes have come that no request asked for. They would be read as the answer to the next one.
    Surplus,
}

impl Connection {
    /// A connection on a socket.
    pub(super) fn plain(socket: OwnedFd, peer: SocketAddr) -> Connection {
        Connection {
            socket,
            tls: None,
            peer,
            is_mute: false,
            patience: None,
        }
    }

    /// The same over TLS, whose handshake is still to come.
    pub(super) fn with_tls(self, tls: ClientConnection) -> Connection {
        Connection {
            tls: Some(Box::new(tls)),
            ..self
        }
    }

    /// The address that it was made to.
    pub(super) fn peer(&self) -> &SocketAddr {
        &self.peer
    }

    /// Whether there is something to send that was taken before.
    pub(super) fn wants_write(&self) -> bool {
        !self.is_mute && self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Whether there are bytes to receive for which the socket is not ready.
    pub(super) fn has_received(&mut self) -> bool {
        self.tls.as_deref_mut().is_some_and(has_content)
    }

    /// Whether there are such bytes, or the server has told its end, for which the socket is not ready either.
    pub(super) fn has_news(&mut self) -> bool {
        let state = self.tls.as_deref_mut().map(|tls| tls.process_new_packets());
        state.is_some_and(|state| {
            state.is_ok_and(|state| state.plaintext_bytes_to_read() > 0 || state.peer_has_closed())
        })
    }

    /// Sends as much as goes now.
    ///
    /// # Errors
    /// Nothing goes now ([`io::ErrorKind::WouldBlock`]), or nothing will any more.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = self.tls.as_deref_mut() else {
            return Raw(self.socket.as_fd()).write(bytes);
        };
        // What is taken must go first, or the buffer is full.
        flush(tls, &self.socket)?;
        let count = tls.writer().write(bytes)?;
        match flush(tls, &self.socket) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }

    /// Sends what was taken before, as far as it goes now. What the server does not take is forgotten: the answer may be
    /// there all the same.
    pub(super) fn flush(&mut self) {
        if let Some(tls) = self.tls.as_deref_mut().filter(|_| !self.is_mute)
            && flush(tls, &self.socket).is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock)
        {
            self.is_mute = true;
        }
    }

    /// Whether it can wait for bytes by itself: a poll would be another system call.
    pub(super) fn is_plain(&self) -> bool {
        self.tls.is_none()
    }

    /// Appends what is here, or comes within that time, if there is one and the connection [can wait](Connection::is_plain);
    /// 0 at the end, which over TLS the server has told.
    ///
    /// # Errors
    /// Nothing is here ([`io::ErrorKind::WouldBlock`]), or the connection broke.
    pub(super) fn receive(&mut self, input: &mut Vec<u8>, within: Option<Duration>) -> io::Result<usize> {
        match self.tls.as_deref_mut() {
            None => {
                let flags = self.flags(within)?;
                input.reserve(RECEIVED_AT_ONCE);
                again(|| recv(&self.socket, spare_capacity(input), flags)).map(|(_, count)| count)
            }
            Some(tls) => {
                let start = input.len();
                input.resize(start + RECEIVED_AT_ONCE, 0);
                let received = receive(tls, &self.socket, input.get_mut(start..).unwrap_or_default());
                input.truncate(start + received.as_ref().copied().unwrap_or_default());
                received
            }
        }
    }

    /// As [`Connection::receive`], into a buffer that is not empty.
    ///
    /// # Errors
    /// See [`Connection::receive`].
    pub(super) fn receive_to(&mut self, buffer: &mut [u8], within: Option<Duration>) -> io::Result<usize> {
        match self.tls.as_deref_mut() {
            None => {
                let flags = self.flags(within)?;
                again(|| recv(&self.socket, &mut *buffer, flags)).map(|(_, count)| count)
            }
            Some(tls) => receive(tls, &self.socket, buffer),
        }
    }

    /// How a call waits for so long, and up to [`PATIENCE_SLACK`] more, or not at all.
    fn flags(&mut self, within: Option<Duration>) -> io::Result<RecvFlags> {
        let Some(within) = within else {
            return Ok(RecvFlags::DONTWAIT);
        };
        let is_set = |set: Duration| set >= within && set <= within + PATIENCE_SLACK;
        if !self.patience.is_some_and(is_set) {
            set_socket_timeout(&self.socket, Timeout::Recv, Some(within))?;
            self.patience = Some(within);
        }
        Ok(RecvFlags::empty())
    }

    /// Whether nothing has come, so that a request can be sent on it.
    pub(super) fn quiet(&mut self) -> Quiet {
        if self.is_mute {
            return Quiet::Ended;
        }
        let mut byte = [0];
        match recv(&self.socket, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Err(Errno::AGAIN) => return Quiet::Yes,
            Err(_) | Ok((_, 0)) => return Quiet::Ended,
            Ok(_) => {}
        }
        let Some(tls) = self.tls.as_deref_mut() else {
            return Quiet::Surplus;
        };
        // It may be the end, as TLS tells it, or a ticket for a session.
        match receive(tls, &self.socket, &mut byte) {
            Ok(1..) => Quiet::Surplus,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Quiet::Yes,
            Ok(0) | Err(_) => Quiet::Ended,
        }
    }

    /// Goes on with the handshake of TLS; whether it is done.
    ///
    /// # Errors
    /// It cannot go on now ([`io::ErrorKind::WouldBlock`]), or not at all. What TLS objects to has the kind
    /// [`io::ErrorKind::InvalidData`].
    pub(super) fn shake_hands(&mut self) -> io::Result<bool> {
        let Some(tls) = self.tls.as_deref_mut() else {
            return Ok(true);
        };
        flush(tls, &self.socket)?;
        if !tls.is_handshaking() {
            return Ok(true);
        }
        if tls.read_tls(&mut Raw(self.socket.as_fd()))? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof"));
        }
        if let Err(error) = tls.process_new_packets() {
            // The server is told why, if it still listens.
            let _ = flush(tls, &self.socket);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(false)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.peer)
    }
}

/// Whether there is content that rustls holds and that was not received.
pub(super) fn has_content(tls: &mut ClientConnection) -> bool {
    let state = tls.process_new_packets();
    state.is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
}

/// Makes a call until no signal interrupts it.
fn again<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return Ok(done?),
        }
    }
}

fn flush(tls: &mut ClientConnection, socket: &OwnedFd) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(&mut Raw(socket.as_fd()))?;
    }
    Ok(())
}

fn receive(tls: &mut ClientConnection, socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match tls.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            received => return received,
        }
        tls.read_tls(&mut Raw(socket.as_fd()))?;
        tls.process_new_packets().map_err(io::Error::other)?;
        // Keys that are renewed need an answer; a server that does not take it will say so.
        let _ = flush(tls, socket);
    }
}

/// The bytes of a socket, without a wait.
struct Raw<'a>(BorrowedFd<'a>);

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        again(|| recv(self.0, &mut *buffer, RecvFlags::DONTWAIT)).map(|(_, count)| count)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        again(|| send(self.0, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
