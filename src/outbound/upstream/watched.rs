//! A connection of a loop, which watches it: what the loop knows of it, and what it takes in.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::outbound::upstream::connection::{Connection, RECEIVED_AT_ONCE};
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::exchange::Exchange;
use crate::outbound::upstream::pool::Pool;
use crate::outbound::upstream::watcher::Seat;

/// A connection of a loop.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) connection: Connection,
    pub(super) seat: Seat,
    pub(super) place: Place,
    /// There may be bytes to receive.
    is_readable: bool,
    /// The upstream's end has been told; bytes before it may not have been received.
    has_ended: bool,
    /// The connection has been reset, which the system tells once: the end that is received afterwards is none of the
    /// answer.
    is_reset: bool,
}

/// The place of a connection among those of all loops, for as long as it is open.
#[derive(Debug)]
pub(super) struct Place(Arc<Pool>);

impl Place {
    /// One more place; how many there were before.
    pub(super) fn take(pool: &Arc<Pool>) -> (Place, usize) {
        let before = pool.on_loops.fetch_add(1, Ordering::Relaxed);
        (Place(Arc::clone(pool)), before)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.on_loops.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Watched {
    /// A connection of which nothing has been told.
    pub(super) fn new(connection: Connection, seat: Seat, place: Place) -> Watched {
        Watched {
            connection,
            seat,
            place,
            is_readable: false,
            has_ended: false,
            is_reset: false,
        }
    }

    /// Notes what the socket is ready for.
    pub(super) fn note_ready(&mut self, is_readable: bool, has_ended: bool) {
        self.is_readable |= is_readable || has_ended;
        self.has_ended |= has_ended;
    }

    /// The upstream takes no more. What it said before may be here.
    pub(super) fn note_refusal(&mut self, is_reset: bool) {
        self.is_readable = true;
        self.is_reset |= is_reset;
    }

    /// Whether there may be bytes to receive.
    pub(super) fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// Sends what TLS has to send before all else, as far as that goes.
    pub(super) fn flush(&mut self) {
        self.connection.flush();
    }

    /// Whether the connection can take another request, as far as its socket is concerned.
    pub(super) fn is_at_rest(&self) -> bool {
        !self.has_ended && !self.connection.wants_write()
    }

    /// Whether TLS holds bytes that nobody has received.
    pub(super) fn has_received(&mut self) -> bool {
        self.connection.has_received()
    }

    /// Takes in what is here; how many bytes that were.
    ///
    /// # Errors
    /// It is no answer, or the connection ended before there was one.
    pub(super) fn receive(&mut self, exchange: &mut Exchange) -> Result<usize, UpstreamError> {
        let input = exchange.input();
        input.reserve(RECEIVED_AT_ONCE);
        let room = input.capacity() - input.len();
        let received = self.connection.receive(input, None);
        let count = self.note_received(received, room, exchange)?;
        if count > 0 {
            exchange.take_in()?;
        }
        Ok(count)
    }

    /// Takes in content that comes next, without a copy: into a buffer that is not longer than what is
    /// [ahead](Exchange::content_ahead). Tells how many bytes that were; the exchange knows of them, and of an end.
    ///
    /// # Errors
    /// See [`Watched::receive`].
    pub(super) fn receive_to(&mut self, exchange: &mut Exchange, buffer: &mut [u8]) -> Result<usize, UpstreamError> {
        let received = self.connection.receive_to(buffer, None);
        let count = self.note_received(received, buffer.len(), exchange)?;
        exchange.pass(count);
        Ok(count)
    }

    /// Notes what receiving gave; how many bytes that are.
    fn note_received(
        &mut self,
        received: io::Result<usize>,
        room: usize,
        exchange: &mut Exchange,
    ) -> Result<usize, UpstreamError> {
        match received {
            Ok(count @ 1..) => {
                // Fewer than there was room for are all that there were, but for what TLS holds. An end behind them is not
                // told again.
                self.is_readable = count == room || self.has_ended || !self.connection.is_plain();
                return Ok(count);
            }
            Ok(0) if self.is_reset => {
                let error = io::Error::from(io::ErrorKind::ConnectionReset);
                self.has_ended = true;
                exchange.note_break(error.to_string())?;
            }
            Ok(0) => {
                self.has_ended = true;
                exchange.note_end()?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_readable = false,
            Err(error) => {
                self.has_ended = true;
                exchange.note_break(error.to_string())?;
            }
        }
        Ok(0)
    }
}
