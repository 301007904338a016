//! A client's socket. Every call says whether it may wait, so that one descriptor serves both the worker that answers
//! and the thread that waits for everybody.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use crate::front::limits::NEXT_REQUEST_PATIENCE;

/// How often a send is tried though the system calls the socket full: it does so until a good part of its buffer is
/// free, and a slow client may take long for that.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The socket; closed when it is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    /// Reads that wait have their limit.
    has_patience: bool,
    /// The last read took all that there was.
    is_drained: bool,
}

/// What reading gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Bytes, so many.
    Bytes(usize),
    /// None yet.
    Nothing,
    /// The client sends no more, or is gone.
    End,
}

/// Whether to wait for what has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Only what is here.
    None,
    /// What comes within a moment.
    Moment,
}

impl Socket {
    pub(super) fn of(stream: TcpStream) -> Socket {
        Socket {
            stream,
            has_patience: false,
            is_drained: false,
        }
    }

    /// Whether the last read took all that there was. More may have come since.
    pub(super) fn is_drained(&self) -> bool {
        self.is_drained
    }

    /// The address that the client reached.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    /// Reads at most `length` bytes behind those in the buffer.
    pub(super) fn receive(&mut self, buffer: &mut Vec<u8>, length: usize, patience: Patience) -> Received {
        buffer.reserve(length);
        let flags = match patience {
            Patience::None => RecvFlags::DONTWAIT,
            Patience::Moment => self.waiting(),
        };
        let room = buffer.capacity() - buffer.len();
        let received = loop {
            match rustix::net::recv(&self.stream, spare_capacity(buffer), flags) {
                Ok((_, 0)) => break Received::End,
                Ok((_, count)) => break Received::Bytes(count),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break Received::Nothing,
                Err(_) => break Received::End,
            }
        };
        self.is_drained = match received {
            Received::Bytes(count) => count < room,
            Received::Nothing => true,
            Received::End => false,
        };
        received
    }

    /// Flags of a read that waits, for a moment.
    fn waiting(&mut self) -> RecvFlags {
        if !self.has_patience {
            let set = sockopt::set_socket_timeout(&self.stream, Timeout::Recv, Some(NEXT_REQUEST_PATIENCE));
            self.has_patience = set.is_ok();
        }
        if self.has_patience {
            RecvFlags::empty()
        } else {
            RecvFlags::DONTWAIT
        }
    }

    /// Sends what can be sent without waiting; tells how many bytes that is. A client that is gone makes no signal,
    /// since the runtime ignores SIGPIPE.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) fn send_now(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match rustix::net::send(&self.stream, rest, SendFlags::DONTWAIT) {
                Ok(count) => sent += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(sent)
    }

    /// Sends as long as the client takes it within the patience that is left, and takes off what was waited.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) fn send_patiently(&self, bytes: &[u8], patience: &mut Duration) -> io::Result<usize> {
        let mut sent = 0;
        loop {
            sent += self.send_now(bytes.get(sent..).unwrap_or_default())?;
            if sent == bytes.len() || patience.is_zero() {
                return Ok(sent);
            }
            let start = Instant::now();
            self.wait_until_writable(*patience);
            *patience = patience.saturating_sub(start.elapsed());
        }
    }

    /// Sends everything, and waits for the client as long as it takes something now and then, and is not too slow by
    /// that function, which is told what it took.
    ///
    /// # Errors
    /// The client is gone, takes nothing for that time, or is too slow.
    pub(super) fn send_all(
        &self,
        bytes: &[u8],
        timeout: Duration,
        mut is_too_slow: impl FnMut(usize) -> bool,
    ) -> io::Result<()> {
        let mut sent = 0;
        let mut taken_at = Instant::now();
        loop {
            let count = self.send_now(bytes.get(sent..).unwrap_or_default())?;
            sent += count;
            if sent == bytes.len() {
                return Ok(());
            }
            if count > 0 {
                taken_at = Instant::now();
            }
            let left = timeout.saturating_sub(taken_at.elapsed());
            if is_too_slow(count) || left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.wait_until_writable(left.min(TRY_AGAIN));
        }
    }

    fn wait_until_writable(&self, at_most: Duration) {
        let timeout = Timespec::try_from(at_most).unwrap_or_default();
        let _ = poll(&mut [PollFd::new(&self.stream, PollFlags::OUT)], Some(&timeout));
    }

    /// Whether the client has reset the connection. One that has only ended its own side has not.
    pub(super) fn is_reset(&self) -> bool {
        let mut client = [PollFd::new(&self.stream, PollFlags::empty())];
        let found = poll(&mut client, Some(&Timespec::default()));
        let [client] = client;
        found.is_ok_and(|count| count > 0) && client.revents().intersects(PollFlags::ERR | PollFlags::HUP)
    }

    /// Says that nothing more is sent; the client may still send.
    pub(super) fn half_close(&self) {
        let _ = rustix::net::shutdown(&self.stream, Shutdown::Write);
    }

    /// Ends the connection with a reset, for a client that would take a plain end for the end of the content.
    pub(super) fn reset(self) {
        let _ = sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}
