//! A socket to an integration: every wait ends with the exchange.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::upstream::MAX_HEAD_LENGTH;
use crate::upstream::exchange::Exchange;

/// How much longer than the deadline a read may wait, to spare the system call that would set it anew.
const TIMEOUT_SLACK: Duration = Duration::from_millis(5);

/// How long an upstream that has refused a request may take nothing more of it, before it is taken to want no more.
const PATIENCE_AFTER_REFUSAL: Duration = Duration::from_millis(250);

/// Bytes of an answer that are held while the request is still sent. An upstream that sends back what it gets has as
/// much to send as a request may have.
const MAX_BACKLOG: usize = 10 * 1024 * 1024 + MAX_HEAD_LENGTH;

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
        while !output.is_empty() {
            let mut wait = self.exchange.next_wait().map_err(io::Error::other)?;
            let mut wanted = PollFlags::OUT;
            if backlog.len() < MAX_BACKLOG {
                wanted |= PollFlags::IN;
            }
            let is_refused = answered(backlog) == Answered::Refusal;
            if is_refused {
                wait = wait.min(PATIENCE_AFTER_REFUSAL);
            }
            let events = self.poll(wanted, wait)?;
            if events.is_empty() {
                if is_refused {
                    return Ok(Written::NotAll);
                }
                continue;
            }
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
    /// That it is not, or that nobody can tell.
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
