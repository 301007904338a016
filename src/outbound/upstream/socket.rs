//! A socket to an integration: every wait ends with the exchange.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, send};

use crate::http1::message::CLIENT_CHECK_INTERVAL;
use crate::http1::message_limits::MAX_RESPONSE_HEAD_LENGTH;
use crate::outbound::upstream::exchange::Exchange;

/// How much longer than the deadline a read may wait, to spare the system call that would set it anew.
const TIMEOUT_SLACK: Duration = Duration::from_millis(5);

/// How long an upstream that has refused a request may take nothing more of it, before it is taken to want no more.
const PATIENCE_AFTER_REFUSAL: Duration = Duration::from_millis(250);

/// Bytes of an answer that are held while the request is still sent. An upstream that sends back what it gets has as
/// much to send as a request may have.
const MAX_BACKLOG: usize = 10 * 1024 * 1024 + MAX_RESPONSE_HEAD_LENGTH;

/// Bytes of them that are read at once.
const TAKEN_IN_AT_ONCE: usize = 16 * 1024;

/// A socket whose reads and writes end with the exchange.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    pub(super) exchange: Arc<Exchange>,
    /// What the socket's timeouts were last set to.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, exchange: Arc<Exchange>) -> Socket {
        Socket {
            stream,
            exchange,
            read_timeout: None,
            write_timeout: None,
        }
    }

    /// Makes calls until one does something or the exchange ends. Each waits for a while only, see [`CLIENT_CHECK_INTERVAL`]; `set` is
    /// what the socket's timeout is, and `set_timeout` sets it.
    fn wait_for(
        &self,
        mut set: Option<Duration>,
        set_timeout: impl Fn(&TcpStream, Option<Duration>) -> io::Result<()>,
        mut call: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> (Option<Duration>, io::Result<usize>) {
        let mut next = self.exchange.next_wait();
        loop {
            let wait = match next {
                Ok(wait) => wait,
                Err(failure) => return (set, Err(io::Error::other(failure))),
            };
            let part = wait.min(CLIENT_CHECK_INTERVAL);
            if !set.is_some_and(|set| set >= part && set <= part + TIMEOUT_SLACK) {
                if let Err(error) = set_timeout(&self.stream, Some(part)) {
                    return (set, Err(error));
                }
                set = Some(part);
            }
            match call(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A call that came back without having done anything has waited for as long as it might.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    next = self.exchange.wait_on(wait, part);
                }
                result => return (set, result),
            }
        }
    }
}

/// Connects, for so long at most, and no longer than the exchange lasts.
pub(super) fn connect(address: SocketAddr, at_most: Duration, exchange: &Exchange) -> io::Result<TcpStream> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = new_socket(family)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => {}
        Err(Errno::INPROGRESS | Errno::INTR) => wait_until_connected(&socket, at_most, exchange)?,
        Err(error) => return Err(error.into()),
    }
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok(TcpStream::from(socket))
}

/// A socket that does not wait, and that no function inherits: one may be started at this moment.
#[cfg(target_os = "linux")]
fn new_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    use rustix::net::SocketFlags;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(family, SocketType::STREAM, flags, None)?)
}

/// A socket that does not wait. Other systems cannot make one that no function inherits in one step.
#[cfg(not(target_os = "linux"))]
fn new_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

fn wait_until_connected(socket: &OwnedFd, at_most: Duration, exchange: &Exchange) -> io::Result<()> {
    let until = Instant::now() + at_most;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let part = left.min(CLIENT_CHECK_INTERVAL);
        let mut polled = [PollFd::new(socket, PollFlags::OUT)];
        match poll(&mut polled, Timespec::try_from(part).ok().as_ref()) {
            Ok(0) => drop(exchange.wait_on(left, part).map_err(io::Error::other)?),
            Ok(_) => return Ok(sockopt::socket_error(socket)??),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// How a write ended that takes in what the upstream answers meanwhile.
pub(super) enum Written {
    All,
    NotAll,
}

pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted
    )
}

impl Socket {
    /// Writes, and takes in what comes meanwhile, so that an upstream which answers while it reads is not held up.
    ///
    /// It stops where the upstream has refused the request and takes no more of it (RFC 9112 §9.3). An answer that
    /// is no refusal says nothing against the rest.
    pub(super) fn write_and_take_in(&mut self, mut output: &[u8], backlog: &mut Vec<u8>) -> io::Result<Written> {
        let mut next = self.exchange.next_wait();
        while !output.is_empty() {
            let mut wait = next.map_err(io::Error::other)?;
            let mut wanted = PollFlags::OUT;
            if backlog.len() < MAX_BACKLOG {
                wanted |= PollFlags::IN;
            }
            let is_refused = answered(backlog) == Answered::Refusal;
            if is_refused {
                wait = wait.min(PATIENCE_AFTER_REFUSAL);
            }
            let part = wait.min(CLIENT_CHECK_INTERVAL);
            let events = self.poll(wanted, part)?;
            if events.is_empty() {
                if is_refused {
                    return Ok(Written::NotAll);
                }
                next = self.exchange.wait_on(wait, part);
                continue;
            }
            next = self.exchange.next_wait();
            if events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) && !self.take_in(backlog)? {
                return Ok(Written::NotAll);
            }
            if events.contains(PollFlags::OUT) {
                match send(&self.stream, output, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                    Ok(count) => output = output.get(count..).unwrap_or_default(),
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(Written::All)
    }

    /// Reads what is here; whether more may come.
    fn take_in(&self, backlog: &mut Vec<u8>) -> io::Result<bool> {
        if backlog.len() >= MAX_BACKLOG {
            return Ok(true);
        }
        backlog.reserve(TAKEN_IN_AT_ONCE);
        match recv(&self.stream, spare_capacity(backlog), RecvFlags::DONTWAIT) {
            Ok((_, 0)) => Ok(false),
            Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// What the socket is ready for; nothing after that time.
    fn poll(&self, events: PollFlags, wait: Duration) -> io::Result<PollFlags> {
        let mut polled = [PollFd::new(&self.stream, events)];
        let wait = Timespec::try_from(wait).ok();
        match poll(&mut polled, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(polled.first().map_or(PollFlags::empty(), PollFd::revents)),
            Err(error) => Err(error.into()),
        }
    }
}

/// What the beginning of an answer says of the request that is still sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    /// Nothing yet, or nothing final (RFC 9110 §15.2).
    Nothing,
    /// That it is welcome.
    Success,
    /// That it is not, or that it cannot be told.
    Refusal,
}

fn answered(mut input: &[u8]) -> Answered {
    const STATUS_AT: usize = "HTTP/1.1 ".len();
    loop {
        match input.get(STATUS_AT) {
            None => return Answered::Nothing,
            Some(b'1') => {}
            Some(b'2') => return Answered::Success,
            Some(_) => return Answered::Refusal,
        }
        let end = input.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end else { return Answered::Nothing };
        input = input.get(end + 4..).unwrap_or_default();
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (set, result) = self.wait_for(self.read_timeout, TcpStream::set_read_timeout, |mut stream| {
            stream.read(buffer)
        });
        self.read_timeout = set;
        result
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let (set, result) = self.wait_for(self.write_timeout, TcpStream::set_write_timeout, |mut stream| {
            stream.write(buffer)
        });
        self.write_timeout = set;
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interim_answers_say_nothing() {
        const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
        const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        for (input, expected) in [
            (String::new(), Answered::Nothing),
            ("HTTP/1.1 ".to_owned(), Answered::Nothing),
            ("HTTP/1.1 2".to_owned(), Answered::Success),
            ("HTTP/1.1 413 Content Too Large\r\n".to_owned(), Answered::Refusal),
            ("HTTP/1.1 302 Found\r\n".to_owned(), Answered::Refusal),
            ("nonsense that is long enough".to_owned(), Answered::Refusal),
            (CONTINUE.to_owned(), Answered::Nothing),
            ("HTTP/1.1 103 Early".to_owned(), Answered::Nothing),
            (format!("{CONTINUE}{HINTS}"), Answered::Nothing),
            (format!("{CONTINUE}{HINTS}HTTP/1.1 200 OK"), Answered::Success),
            (format!("{HINTS}HTTP/1.1 401 U"), Answered::Refusal),
        ] {
            assert_eq!(answered(input.as_bytes()), expected, "{input}");
        }
    }
}
