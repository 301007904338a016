//! What a connection still sends, and its end.

use std::time::Instant;

use crate::front::connection::{Connection, Next, State};
use crate::front::listener_limits::{BODY_READ_LENGTH, LINGER_LENGTH, TURN_LENGTH};
use crate::front::pending_write::{AfterWrite, Written};
use crate::front::socket::{Received, Wait};

impl Connection {
    /// Sends what is left of the answer.
    ///
    /// # Errors
    /// The client is gone.
    pub(crate) fn write_on(&mut self) -> std::io::Result<Written> {
        let State::Writing(pending) = &mut self.state else {
            return Ok(Written::All(AfterWrite::KeepAlive));
        };
        let (count, written) = pending.write_on(&self.socket)?;
        if count > 0 {
            self.since = Instant::now();
        }
        Ok(written)
    }

    /// Ends our side, and from now on only waits for the client to end its own.
    pub(crate) fn linger(&mut self) {
        match self.is_cut {
            true => self.socket.half_close(),
            false => self.socket.close(),
        }
        self.enter(State::Lingering(LINGER_LENGTH));
    }

    /// Closes a connection that owes nothing. Its client is told where TLS has a word for it, since some take a mere end
    /// for an attack (RFC 8446 §6.1).
    pub(crate) fn take_leave(mut self: Box<Self>) {
        if matches!(self.state, State::Idle) {
            self.socket.take_leave();
        }
    }

    /// Discards what the client still sends.
    pub(crate) fn discard(&mut self) -> Next {
        let State::Lingering(mut left) = self.state else {
            return Next::Close;
        };
        let mut count = 0;
        while count < TURN_LENGTH && left > 0 {
            self.input.clear();
            match self.socket.receive_raw(&mut self.input, BODY_READ_LENGTH, Wait::Never) {
                Received::Bytes(more) => {
                    count += more;
                    left = left.saturating_sub(more);
                }
                Received::Nothing => {
                    self.input = Vec::new();
                    self.state = State::Lingering(left);
                    return Next::Wait;
                }
                Received::End => return Next::Close,
            }
        }
        self.state = State::Lingering(left);
        if left == 0 { Next::Close } else { Next::Yield }
    }
}
