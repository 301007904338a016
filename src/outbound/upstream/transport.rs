//! The bytes below ureq: a socket that keeps the exchange's deadline, plain or under TLS.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use rustix::net::{RecvFlags, recv};
use rustls::{ClientConnection, StreamOwned};
use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};

use crate::outbound::upstream::answer::{Answer, Taken};
use crate::outbound::upstream::destinations::Destination;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::resolver::HostResolver;
use crate::outbound::upstream::socket::{Socket, Written, is_gone};

/// Bytes of a request that are sent without a look whether the upstream has answered already: such a look is a system
/// call, and what the kernel buffers is under way in any case.
const WITHOUT_A_LOOK: usize = 64 * 1024;

/// Bytes that are looked at of what has come over TLS since the last answer: a record has no more (RFC 8446 §5.2).
const LOOKED_AT: usize = 5 + (16 * 1024) + 256;

/// A connection to an integration, as ureq uses it. The timeouts that ureq computes are not set, so not heeded.
pub(super) struct Connection {
    stream: Stream,
    resolver: HostResolver,
    destination: Arc<Destination>,
    /// The address that it was made to.
    peer: SocketAddr,
    buffers: LazyBuffers,
    /// The head of a request, which waits for the first part of the content: both are sent at once.
    head: Vec<u8>,
    /// How far the answer has been read.
    answer: Answer,
    /// Bytes of the request that were sent since the last answer.
    sent: usize,
    /// What came of the answer before the whole request was sent, and how much of it was handed on.
    backlog: Vec<u8>,
    handed_on: usize,
    /// ureq has given it back to its pool since the last request.
    is_at_rest: bool,
    /// The upstream has refused the request, or gone, before all of it was sent. What is left of it is not sent any
    /// more, and the connection is of no use afterwards.
    is_early: bool,
    /// It has been reset meanwhile, which the system tells once: the end that is read afterwards is none of the answer.
    is_reset: bool,
}

/// What a connection sends and receives on.
pub(super) enum Stream {
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
    /// A connection to that address, on which nothing has been sent.
    pub(super) fn new(
        stream: Stream,
        resolver: HostResolver,
        destination: Arc<Destination>,
        peer: SocketAddr,
        buffers: LazyBuffers,
    ) -> Connection {
        Connection {
            stream,
            resolver,
            destination,
            peer,
            buffers,
            head: Vec::new(),
            answer: Answer::to(b""),
            sent: 0,
            backlog: Vec::new(),
            handed_on: 0,
            is_at_rest: false,
            is_early: false,
            is_reset: false,
        }
    }

    /// Notes the failure, and hands ureq an error that it cannot take for the end of a body.
    ///
    /// ureq counts a reset, an abort and rustls's missing `close_notify` as the end of a body that lasts until the
    /// connection closes; a cut answer would look whole.
    fn broken(&self, error: io::Error) -> ureq::Error {
        let failure = UpstreamError::of_io(error);
        self.stream.socket().exchange.note_failure(failure);
        ureq::Error::Io(io::Error::other("noted by the exchange"))
    }
}

impl Connection {
    /// Receives behind so many bytes of the input, first what came while the request was sent; tells how many bytes.
    fn receive(&mut self, held: usize) -> io::Result<usize> {
        let input = self.buffers.input_append_buf().get_mut(held..).unwrap_or_default();
        let rest = self.backlog.get(self.handed_on..).unwrap_or_default();
        if rest.is_empty() {
            return match &mut self.stream {
                Stream::Plain(socket) => socket.read(input),
                // What rustls could not send, it would try to send again before it reads.
                Stream::Tls(stream) if self.is_early => read_only(stream, input),
                Stream::Tls(stream) => stream.read(input),
            };
        }
        let count = rest.len().min(input.len());
        if let (Some(to), Some(from)) = (input.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.handed_on += count;
        if self.handed_on == self.backlog.len() {
            self.backlog = Vec::new();
            self.handed_on = 0;
        }
        Ok(count)
    }

    /// What an end of the connection tells ureq: that nothing follows, unless that would make a cut answer look whole.
    fn ended(&self) -> Result<bool, ureq::Error> {
        match (self.is_reset, self.answer.is_cut()) {
            (true, _) => Err(self.broken(io::ErrorKind::ConnectionReset.into())),
            (false, true) => Err(self.broken(io::ErrorKind::UnexpectedEof.into())),
            (false, false) => Ok(false),
        }
    }
}

impl Connection {
    /// Sends the head, and the beginning of the content with it: so many bytes of the output.
    fn send_head(&mut self, amount: usize) -> Result<(), ureq::Error> {
        let mut bytes = std::mem::take(&mut self.head);
        let length = bytes.len();
        bytes.extend_from_slice(self.buffers.output().get(..amount).unwrap_or_default());
        let written = write(&mut self.stream, self.sent, &bytes, &mut self.backlog);
        self.sent += bytes.len();
        bytes.truncate(length);
        self.stream.socket().exchange.return_head(bytes);
        self.note_written(written, amount > 0)
    }

    /// Goes on after a write; `is_begun` tells whether the upstream may have had enough before it failed.
    fn note_written(&mut self, written: io::Result<Written>, is_begun: bool) -> Result<(), ureq::Error> {
        match written {
            Ok(Written::All) => Ok(()),
            Ok(Written::NotAll) => {
                self.is_early = true;
                Ok(())
            }
            // Who takes no more of a request may have said why before; the read that follows will tell.
            Err(error) if is_begun && is_gone(&error) => {
                self.is_early = true;
                // Who had ended its side before breaks the pipe.
                self.is_reset = error.kind() != io::ErrorKind::BrokenPipe;
                Ok(())
            }
            Err(error) => Err(self.broken(error)),
        }
    }
}

/// Writes a part of a request of which so many bytes are sent.
fn write(stream: &mut Stream, sent: usize, bytes: &[u8], backlog: &mut Vec<u8>) -> io::Result<Written> {
    match stream {
        Stream::Plain(socket) if sent >= WITHOUT_A_LOOK => socket.write_and_take_in(bytes, backlog),
        Stream::Plain(socket) => socket.write_all(bytes).map(|()| Written::All),
        Stream::Tls(stream) => stream.write_all(bytes).map(|()| Written::All),
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        self.is_at_rest = false;
        if self.is_early {
            return Ok(());
        }
        // What ureq sends first is its own head; ours takes its place, and waits for the content if there is any.
        if let Some((head, has_content)) = self.stream.socket().exchange.take_head() {
            self.head = head;
            self.answer = Answer::to(&self.head);
            return if has_content { Ok(()) } else { self.send_head(0) };
        }
        if !self.head.is_empty() {
            return self.send_head(amount);
        }
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        let written = write(&mut self.stream, self.sent, output, &mut self.backlog);
        let is_begun = self.sent > 0;
        self.sent += amount;
        self.note_written(written, is_begun)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let mut held = 0;
        loop {
            let count = self.receive(held).map_err(|error| self.broken(error))?;
            if count == 0 {
                return self.ended();
            }
            self.sent = 0;
            let exchange = &self.stream.socket().exchange;
            exchange.note_answered();
            let input = self.buffers.input_append_buf().get_mut(..held + count);
            let taken = self.answer.take(input.unwrap_or_default(), exchange);
            held = match taken.map_err(|failure| self.broken(io::Error::other(failure)))? {
                // ureq would take it for no progress.
                Taken::Ready(0) => 0,
                Taken::Ready(amount) => {
                    self.buffers.input_appended(amount);
                    return Ok(true);
                }
                Taken::Held(amount) => amount,
            };
        }
    }

    /// ureq asks twice for each exchange: when the answer is complete, which costs no system call, and before the next
    /// request, which costs one that does not wait. Bytes that no request asked for are as bad as the end: they would
    /// be read as the answer to the next request.
    fn is_open(&mut self) -> bool {
        if self.is_early || !self.destination.keeps_connections() {
            return false;
        }
        match std::mem::replace(&mut self.is_at_rest, true) {
            false => !self.has_left_over(),
            // The host's name may have moved since.
            true => self.resolver.has(&self.peer) && self.is_quiet(),
        }
    }

    fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }
}

impl Connection {
    /// Whether there are bytes of the upstream's that have come and have not been read.
    fn has_left_over(&mut self) -> bool {
        let is_in_buffers = !self.buffers.input().is_empty() || self.handed_on < self.backlog.len();
        is_in_buffers
            || match &mut self.stream {
                Stream::Plain(_) => false,
                Stream::Tls(stream) => has_content(&mut stream.conn),
            }
    }

    /// Whether nothing has come since the last answer, and the connection is open.
    fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let is_surplus = match recv(&self.stream.socket().stream, &mut byte[..], flags) {
            Err(error) if error == rustix::io::Errno::AGAIN => return true,
            Err(_) | Ok((_, 0)) => false,
            Ok(_) => match &mut self.stream {
                Stream::Plain(_) => true,
                // It may be the end, as TLS tells it.
                Stream::Tls(stream) => receives_content(stream),
            },
        };
        if is_surplus {
            self.destination.note_surplus();
        }
        false
    }
}

/// Whether there is content that rustls holds and the exchange has not read.
pub(super) fn has_content(connection: &mut ClientConnection) -> bool {
    let state = connection.process_new_packets();
    state.is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
}

/// Whether there is content in what is here now.
fn receives_content(stream: &mut StreamOwned<ClientConnection, Socket>) -> bool {
    let mut bytes = [0; LOOKED_AT];
    let Ok((_, count)) = recv(&stream.sock.stream, &mut bytes[..], RecvFlags::DONTWAIT) else {
        return false;
    };
    let mut input = bytes.get(..count).unwrap_or_default();
    while !input.is_empty() && stream.conn.read_tls(&mut input).is_ok_and(|count| count > 0) {
        if has_content(&mut stream.conn) {
            return true;
        }
    }
    false
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.has_left_over() {
            self.stream.socket().exchange.note_left_over();
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({:?})", self.stream.socket().stream)
    }
}

/// Reads from a connection on which nothing can be sent any more.
fn read_only(stream: &mut StreamOwned<ClientConnection, Socket>, input: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.conn.reader().read(input) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if stream.conn.read_tls(&mut stream.sock)? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                stream.conn.process_new_packets().map_err(io::Error::other)?;
            }
            other => return other,
        }
    }
}
