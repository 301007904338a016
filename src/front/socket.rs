//! A client's socket. Every call says whether it may wait, so that one descriptor serves both the worker that answers
//! and the thread that waits for everybody.

mod records;
pub(super) mod open_sockets;

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use crate::front::listener_limits::NEXT_REQUEST_PATIENCE;
use crate::front::tls::session::TlsSession;
use crate::http1::message::{Client, ClientConnection};
use crate::platform::loops;

/// How often a send is tried though the system calls the socket full, and how often it is looked whether the client is
/// gone. The system calls it full until a good part of its buffer is free, and a slow client may take long for that.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// The client has ended its side. Only Linux tells of that without a read.
#[cfg(target_os = "linux")]
const ENDED: PollFlags = PollFlags::RDHUP;
#[cfg(not(target_os = "linux"))]
const ENDED: PollFlags = PollFlags::empty();

/// The socket; closed when it is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Arc<Stream>,
    /// Reads that wait have their limit.
    has_patience: bool,
    /// The last read took all that there was.
    is_drained: bool,
    /// How long it was waited for the client to take its answer, since this was last asked.
    waited: Cell<Duration>,
    /// None in plain text.
    tls: Option<Box<TlsSession>>,
}

/// The descriptor, of which those who work for the client know too.
#[derive(Debug)]
struct Stream {
    tcp: TcpStream,
    /// The head of the present answer is sent. From then on a client that ends its side has gone.
    is_answered: AtomicBool,
}

impl Stream {
    fn events(&self) -> PollFlags {
        let mut client = [PollFd::new(&self.tcp, ENDED)];
        let found = poll(&mut client, Some(&Timespec::default()));
        let [client] = client;
        match found {
            Ok(count) if count > 0 => client.revents(),
            _ => PollFlags::empty(),
        }
    }

    fn presence(&self) -> Presence {
        let events = self.events();
        if events.intersects(PollFlags::ERR | PollFlags::HUP) {
            Presence::Gone
        } else if events.intersects(ENDED) {
            Presence::Ended
        } else {
            Presence::Here
        }
    }
}

impl ClientConnection for Stream {
    fn is_gone(&self) -> bool {
        match self.presence() {
            Presence::Gone => true,
            Presence::Ended => self.is_answered.load(Ordering::Relaxed),
            Presence::Here => false,
        }
    }
}

/// What the client has done besides sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is there.
    Here,
    /// It has ended its side. It may read on, or have gone.
    Ended,
    /// It has reset the connection, or hung up.
    Gone,
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
pub(super) enum Wait {
    /// Only what is here.
    Never,
    /// What comes within a moment.
    Briefly,
}

impl Socket {
    pub(super) fn of(stream: TcpStream) -> Socket {
        let stream = Stream {
            tcp: stream,
            is_answered: AtomicBool::new(false),
        };
        Socket {
            stream: Arc::new(stream),
            has_patience: false,
            is_drained: false,
            waited: Cell::new(Duration::ZERO),
            tls: None,
        }
    }

    /// The descriptor, for those who do not keep it open.
    fn shared(&self) -> Weak<Stream> {
        Arc::downgrade(&self.stream)
    }

    /// Whether the last read took all that there was. More may have come since.
    pub(super) fn is_drained(&self) -> bool {
        self.is_drained
    }

    /// The address that the client reached.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.tcp.local_addr()
    }

    /// Reads at most `length` bytes behind those in the buffer, and of a TLS connection those of the record that is
    /// reached with them.
    pub(super) fn receive(&mut self, buffer: &mut Vec<u8>, length: usize, patience: Wait) -> Received {
        match self.tls.take() {
            None => self.receive_raw(buffer, length, patience),
            Some(mut tls) => {
                let received = self.receive_records(&mut tls, buffer, length, patience);
                self.tls = Some(tls);
                received
            }
        }
    }

    /// Reads at most `length` bytes as they come.
    pub(super) fn receive_raw(&mut self, buffer: &mut Vec<u8>, length: usize, patience: Wait) -> Received {
        buffer.reserve(length);
        let flags = match patience {
            Wait::Never => RecvFlags::DONTWAIT,
            Wait::Briefly => self.waiting(),
        };
        let room = buffer.capacity() - buffer.len();
        let received = loop {
            match rustix::net::recv(&self.stream.tcp, spare_capacity(buffer), flags) {
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
            let set = sockopt::set_socket_timeout(&self.stream.tcp, Timeout::Recv, Some(NEXT_REQUEST_PATIENCE));
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
        if self.tls.as_ref().is_some_and(|tls| tls.is_broken()) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match rustix::net::send(&self.stream.tcp, rest, SendFlags::DONTWAIT) {
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
            let waited = self.wait_until_writable(*patience);
            *patience = patience.saturating_sub(waited);
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
            if self.is_abandoned() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
    }

    /// Tells how long it has waited.
    fn wait_until_writable(&self, at_most: Duration) -> Duration {
        loops::may_wait("for a client");
        let start = Instant::now();
        let timeout = Timespec::try_from(at_most).unwrap_or_default();
        let _ = poll(&mut [PollFd::new(&self.stream.tcp, PollFlags::OUT)], Some(&timeout));
        let waited = start.elapsed();
        self.waited.set(self.waited.get() + waited);
        waited
    }

    /// How long it was waited for the client to take its answer, since this was last asked.
    pub(super) fn take_waited(&self) -> Duration {
        self.waited.take()
    }

    /// What the client has done besides sending.
    pub(super) fn presence(&self) -> Presence {
        match &self.tls {
            Some(tls) if tls.is_broken() => Presence::Gone,
            _ => self.stream.presence(),
        }
    }

    /// The client, for those who work for it.
    pub(super) fn client(&self) -> Client {
        let stream: Weak<Stream> = Arc::downgrade(&self.stream);
        Client::of(stream)
    }

    /// From now on a client that ends its side has gone, unless it has ended it before.
    pub(super) fn begin_answer(&self) {
        self.waited.set(Duration::ZERO);
        let is_there = self.presence() == Presence::Here;
        self.stream.is_answered.store(is_there, Ordering::Relaxed);
    }

    /// The answer is over: from now on a client that ends its side may wait for the next one.
    pub(super) fn end_answer(&self) {
        self.stream.is_answered.store(false, Ordering::Relaxed);
    }

    /// Whether nobody reads the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.stream.is_gone()
    }

    /// Says that nothing more is sent; the client may still send.
    pub(super) fn half_close(&self) {
        let _ = rustix::net::shutdown(&self.stream.tcp, Shutdown::Write);
    }

    /// Ends the connection with a reset, for a client that would take a plain end for the end of the content.
    pub(super) fn reset(self) {
        let _ = sockopt::set_socket_linger(&self.stream.tcp, Some(Duration::ZERO));
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.stream.tcp.as_raw_fd()
    }
}
