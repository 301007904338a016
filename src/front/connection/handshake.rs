//! A connection whose TLS handshake is not over.

use std::sync::Arc;
use std::time::Instant;

use crate::front::connection::{Connection, Next, State};
use crate::front::handler::Handler;
use crate::front::listener_limits::HEAD_READ_LENGTH;
use crate::front::listener_limits::Limits;
use crate::front::memory_budget::MemoryBudget;
use crate::front::socket::{Presence, Received, Wait};
use crate::front::tls::handshake::{Established, Handshake, Step, Turn};
use crate::http1::error::RequestError;
use crate::http1::head_scanner::HeadScanner;

impl Connection {
    /// From now on a handshake is awaited.
    pub(crate) fn begin_handshake(&mut self, budget: &Arc<MemoryBudget>) {
        self.state = State::Handshake(Box::new(Handshake::begin(budget)));
    }

    /// Reads on, until the client's turn has a whole record or nothing more is here.
    pub(super) fn read_handshake(&mut self) -> Next {
        let State::Handshake(handshake) = &mut self.state else {
            return Next::Close;
        };
        if !handshake.outgoing.is_empty() {
            match self.socket.send_now(&handshake.outgoing) {
                Ok(sent) => drop(handshake.outgoing.drain(..sent)),
                Err(_) => return Next::Close,
            }
            if !handshake.outgoing.is_empty() {
                return Next::Wait;
            }
        }
        let mut step = handshake.next_step();
        while step == Step::Wait {
            match self
                .socket
                .receive_raw(&mut handshake.input, HEAD_READ_LENGTH, Wait::Never)
            {
                Received::Bytes(count) => step = handshake.note_received(count),
                Received::Nothing => {
                    self.has_ended = false;
                    return Next::Wait;
                }
                // A probe that only connects has begun no handshake.
                Received::End if handshake.is_untouched() => return Next::Close,
                Received::End => return Next::Fail,
            }
        }
        match step {
            Step::Wait => Next::Wait,
            Step::Turn => Next::Handshake,
            Step::PlainHttp => {
                self.input = std::mem::take(&mut handshake.input);
                let refusal = self.refusal(RequestError::PlainHttp);
                Next::Refuse(refusal)
            }
            Step::Fail => {
                // An alert, where there is one.
                let _ = self.socket.send_now(&handshake.outgoing);
                Next::Fail
            }
        }
    }

    /// Does a turn of the handshake, and sends what comes of it.
    pub(crate) fn do_turn(&mut self, handler: &dyn Handler) -> Turn {
        let State::Handshake(handshake) = &mut self.state else {
            return Turn::Wait;
        };
        match handshake.do_turn(handler) {
            Turn::Done(mut established) => {
                let session = &mut established.session;
                session.send_first(|bytes| self.socket.send_now(bytes).unwrap_or_default());
                Turn::Done(established)
            }
            turn => {
                let sent = self.socket.send_now(&handshake.outgoing).unwrap_or_default();
                handshake.outgoing.drain(..sent);
                turn
            }
        }
    }

    /// From now on requests are awaited.
    pub(crate) fn end_handshake(&mut self, established: Established) {
        self.socket.begin_tls(established.session);
        self.tls = Some(established.note);
        self.input = established.plain;
        self.enter(State::Idle);
    }

    /// Whether the client has gone, or ended its side before it could have said its last word of the handshake.
    pub(crate) fn has_left_handshake(&self) -> bool {
        let State::Handshake(handshake) = &self.state else {
            return false;
        };
        handshake.has_only_begun() && self.socket.presence() != Presence::Here
    }

    /// Whether the handshake has lasted too long.
    pub(crate) fn is_handshake_late(&self, limits: &Limits) -> bool {
        Instant::now() >= self.end(limits)
    }

    /// The beginning of a record is the beginning of a request, whose head must be whole in time. A record that has
    /// turned out to hold no byte of one is none.
    pub(super) fn note_record(&mut self) {
        match (&self.state, self.socket.has_partial_record()) {
            (State::Idle, true) => self.enter(State::Head(HeadScanner::default())),
            (State::Head(_), false) if self.input.is_empty() => self.enter(State::Idle),
            _ => {}
        }
    }
}
