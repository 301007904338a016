//! Drives an exchange in the thread that asks: it moves the bytes, and waits until the deadline.

use std::io::{self, Read};
use std::time::Duration;

use rustix::event::PollFlags;

use crate::http1::message::CLIENT_CHECK_INTERVAL;
use crate::outbound::upstream::connection::{Connection, Quiet};
use crate::outbound::upstream::connector;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::exchange::{Exchange, Progress, Wants};
use crate::outbound::upstream::pool::Lease;
use crate::outbound::upstream::readiness::wait_for;
use crate::outbound::upstream::resolver::Resolved;
use crate::outbound::upstream::waits::Waits;
use crate::platform::loops;

/// How long an upstream that has refused a request may take nothing more of it, before it is taken to want no more.
pub(super) const PATIENCE_AFTER_REFUSAL: Duration = Duration::from_millis(250);

/// Bytes of a request's content that are read from its sender at once.
const READ_AT_ONCE: usize = 64 * 1024;

/// An exchange that a thread drives.
pub(super) struct Call {
    pub(super) lease: Lease,
    pub(super) waits: Waits,
    exchange: Exchange,
    /// Where the rest of the request's content comes from.
    source: Option<Box<dyn Read + Send>>,
    connection: Option<Connection>,
    /// The connection was made for it.
    is_new: bool,
    /// It has been reset, which the system tells once: the end that is received afterwards is none of the answer.
    is_reset: bool,
}

impl Call {
    pub(super) fn new(lease: Lease, waits: Waits, exchange: Exchange, source: Option<Box<dyn Read + Send>>) -> Call {
        Call {
            lease,
            waits,
            exchange,
            source,
            connection: None,
            is_new: false,
            is_reset: false,
        }
    }

    /// The exchange, to look at it.
    pub(super) fn exchange(&mut self) -> &mut Exchange {
        &mut self.exchange
    }

    /// Whether the connection was made for the exchange.
    pub(super) fn has_connected(&self) -> bool {
        self.is_new
    }

    /// Whether the request went out on a kept connection on which no byte came back, and can be sent again.
    pub(super) fn was_stale(&self) -> bool {
        !self.is_new && self.source.is_none() && self.exchange.is_unanswered()
    }

    /// Sends the request, and waits for the head of the answer. A second time, the connection is a new one.
    ///
    /// # Errors
    /// There is no head.
    pub(super) fn run(&mut self, may_be_kept: bool) -> Result<(), UpstreamError> {
        loops::may_wait("for an integration");
        self.waits.set_sent(false);
        let addresses = self
            .lease
            .pool()
            .resolver
            .resolve(&self.lease.server.host, &self.waits)?;
        let kept = may_be_kept.then(|| self.kept_connection(&addresses)).flatten();
        self.is_new = kept.is_none();
        self.connection = Some(match kept {
            Some(connection) => connection,
            None => self.connect(&addresses)?,
        });
        self.is_reset = false;
        self.waits.set_sent(true);
        loop {
            match self.exchange.wants() {
                Wants::Content => self.refill()?,
                Wants::Send => self.send()?,
                Wants::Receive => self.receive()?,
                Wants::Nothing => break,
            }
        }
        // The answer may take long.
        self.exchange.release_request();
        self.source = None;
        Ok(())
    }

    /// A connection that was kept, is open, and leads to an address that the host still has.
    fn kept_connection(&mut self, addresses: &Resolved) -> Option<Connection> {
        while let Some(mut connection) = self.lease.next_kept() {
            let destination = &self.lease.server.destination;
            if !destination.keeps_connections() || !addresses.has(connection.peer()) {
                continue;
            }
            match connection.quiet() {
                Quiet::Yes => return Some(connection),
                Quiet::Ended => {}
                Quiet::Surplus => destination.note_surplus(),
            }
        }
        None
    }

    fn connect(&self, addresses: &Resolved) -> Result<Connection, UpstreamError> {
        let (pool, server) = (self.lease.pool(), &self.lease.server);
        let connection = connector::connect(server, addresses.tried(), &self.waits).inspect_err(|error| {
            // The host may have moved.
            if *error != UpstreamError::ClientGone {
                pool.resolver.forget(&server.host, addresses);
            }
        })?;
        connector::secure(connection, server, &pool.tls, &self.waits)
    }

    /// Reads more of the request's content from its sender.
    fn refill(&mut self) -> Result<(), UpstreamError> {
        let mut part = vec![0; READ_AT_ONCE];
        let count = match &mut self.source {
            Some(source) => source.read(&mut part).map_err(UpstreamError::of_io)?,
            None => 0,
        };
        self.exchange.add_content(part.get(..count).unwrap_or_default());
        Ok(())
    }

    /// Sends what goes now, or waits until some does and takes in what is answered meanwhile: an upstream that answers
    /// while it reads is not held up.
    fn send(&mut self) -> Result<(), UpstreamError> {
        let connection = self.connection.as_mut().ok_or_else(no_connection)?;
        match connection.send(self.exchange.output()) {
            Ok(count) => {
                self.exchange.note_sent(count);
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // An upstream that takes no more of a request may have said why before.
            Err(error) if is_gone(&error) && self.exchange.has_content() => {
                self.exchange.stop_sending();
                // One that had ended its side before breaks the pipe.
                self.is_reset = error.kind() != io::ErrorKind::BrokenPipe;
                return Ok(());
            }
            Err(error) => return Err(UpstreamError::of_io(error)),
        }
        let wanted = match self.exchange.has_room() {
            true => PollFlags::OUT | PollFlags::IN,
            false => PollFlags::OUT,
        };
        let patience = self.exchange.is_refused().then_some(PATIENCE_AFTER_REFUSAL);
        let ready = wait_for(&*connection, wanted, &self.waits, patience)?;
        if ready.is_empty() {
            self.exchange.stop_sending();
        } else if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) && self.exchange.has_room() {
            self.take_in()?;
        }
        Ok(())
    }

    /// Waits for bytes of the answer, and takes them in.
    fn receive(&mut self) -> Result<(), UpstreamError> {
        if !self.connection.as_ref().is_some_and(Connection::is_plain) {
            // An answer to what was sent just now is not here yet.
            self.wait()?;
        }
        let received = self.receive_some(None)?;
        self.note_received(received)
    }

    /// Waits for bytes, in the buffer or else in the exchange's input. An error of the connection is for the caller.
    fn receive_some(&mut self, mut buffer: Option<&mut [u8]>) -> Result<io::Result<usize>, UpstreamError> {
        let mut wait = self.waits.next_wait()?;
        loop {
            let connection = self.connection.as_mut().ok_or_else(no_connection)?;
            let part = wait.min(CLIENT_CHECK_INTERVAL);
            let received = match &mut buffer {
                Some(buffer) => connection.receive_to(buffer, Some(part)),
                None => connection.receive(self.exchange.input(), Some(part)),
            };
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && connection.is_plain() => {
                    wait = self.waits.wait_on(wait, part)?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait()?,
                received => return Ok(received),
            }
        }
    }

    /// Waits until there may be bytes to receive.
    fn wait(&mut self) -> Result<(), UpstreamError> {
        let connection = self.connection.as_mut().ok_or_else(no_connection)?;
        if connection.has_news() {
            return Ok(());
        }
        loop {
            connection.flush();
            let is_flushed = !connection.wants_write();
            let wanted = match is_flushed {
                true => PollFlags::IN,
                false => PollFlags::IN | PollFlags::OUT,
            };
            let ready = wait_for(&*connection, wanted, &self.waits, None)?;
            if is_flushed || ready != PollFlags::OUT {
                return Ok(());
            }
        }
    }

    /// Takes in what is here.
    fn take_in(&mut self) -> Result<(), UpstreamError> {
        let connection = self.connection.as_mut().ok_or_else(no_connection)?;
        match connection.receive(self.exchange.input(), None) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            received => self.note_received(received),
        }
    }

    fn note_received(&mut self, received: io::Result<usize>) -> Result<(), UpstreamError> {
        match received {
            Ok(1..) => self.exchange.take_in(),
            ended => self.note_end(ended.map(drop)),
        }
    }

    /// The upstream has ended its side, or the connection broke.
    fn note_end(&mut self, ended: io::Result<()>) -> Result<(), UpstreamError> {
        match ended {
            Ok(()) if self.is_reset => {
                let error = io::Error::from(io::ErrorKind::ConnectionReset);
                self.exchange.note_break(error.to_string())
            }
            Ok(()) => self.exchange.note_end(),
            Err(error) => self.exchange.note_break(error.to_string()),
        }
    }

    /// Waits for content of the answer; 0 at its end, where the connection is kept if it can be.
    ///
    /// # Errors
    /// The answer breaks off or is malformed. Nothing can be read then.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, UpstreamError> {
        let read = self.try_read(buffer);
        match &read {
            Ok(_) if self.exchange.is_over() => self.finish(),
            Ok(_) => {}
            Err(_) => self.connection = None,
        }
        read
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, UpstreamError> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.exchange.read_content(buffer)? {
                Progress::Bytes(count) => return Ok(count),
                Progress::End => return Ok(0),
                Progress::Wait => {}
            }
            let ahead = self.exchange.content_ahead().min(buffer.len());
            // What is content is not copied.
            let part = buffer.get_mut(..ahead).filter(|part| !part.is_empty());
            match self.receive_some(part)? {
                Ok(count @ 1..) if ahead > 0 => {
                    self.exchange.pass(count);
                    return Ok(count);
                }
                Ok(1..) => {}
                ended => self.note_end(ended.map(drop))?,
            }
        }
    }

    /// The answer is complete: the connection is kept if it can be, and what came behind it is none of it.
    pub(super) fn finish(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let destination = &self.lease.server.destination;
        if self.exchange.has_surplus() || connection.has_received() {
            destination.note_surplus();
        } else if self.exchange.keeps_connection() && !connection.wants_write() && destination.keeps_connections() {
            self.lease.keep(connection);
        }
    }
}

fn no_connection() -> UpstreamError {
    UpstreamError::Broken("it broke off before".to_owned())
}

pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted
    )
}
