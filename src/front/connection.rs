//! One client's connection: what was read of it, what is to be written, and what it waits for.

mod handshake;
mod output;

use std::mem;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Instant;

use crate::front::connection_table::{SlotToken, Watched};
use crate::front::home::Home;
use crate::front::listener_limits::{
    BODY_READ_LENGTH, FIRST_READ_LENGTH, HEAD_READ_LENGTH, LINGER_TIME, Limits, RATED_FROM, TURN_LENGTH,
};
use crate::front::memory_budget::{Class, MemoryBudget};
use crate::front::pending_write::PendingWrite;
use crate::front::quota::{Open, Quota};
use crate::front::request_reader::{CompleteRequest, Refusal, RequestReader};
use crate::front::slots::Occupant;
use crate::front::socket::{Presence, Received, Socket, Wait};
use crate::front::tls::handshake::Handshake;
use crate::front::transfer_rate::TransferRate;
use crate::http1::error::RequestError;
use crate::http1::framing::Framing;
use crate::http1::head_scanner::HeadScanner;
use crate::http1::message::{Request, TlsNote};
use crate::http1::message_limits::MAX_EMPTY_LINES;
use crate::http1::request_head::{self, Head};
use crate::http1::response_writer::CONTINUE;

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: Socket,
    pub(super) peer: SocketAddr,
    /// The address that the client reached.
    local: SocketAddr,
    pub(super) state: State,
    accepted: Instant,
    /// When the state began.
    since: Instant,
    /// Bytes that were read and belong to nothing yet.
    input: Vec<u8>,
    /// Requests that were answered.
    pub(super) requests: u32,
    /// Empty lines since the last request.
    empty_lines: u32,
    /// The client has ended its side, or the connection has failed. What was sent before may not have been read.
    pub(super) has_ended: bool,
    /// Its last answer is not whole, and the client must see that.
    pub(super) is_cut: bool,
    /// What the handler noted of the TLS handshake.
    tls: Option<TlsNote>,
    /// Where it is watched; none before it first waits.
    token: Option<SlotToken<Connection>>,
    /// The loop that it belongs to.
    pub(super) home: Home,
    pub(super) open: Open,
}

/// What a connection waits for.
#[derive(Debug)]
pub(super) enum State {
    /// The client's turn in the TLS handshake.
    Handshake(Box<Handshake>),
    /// The first byte of a request.
    Idle,
    /// The rest of a head.
    Head(HeadScanner),
    /// The rest of a body.
    Body(Box<RequestReader>),
    /// That the client takes its answer.
    Writing(PendingWrite),
    /// That the client has read its last answer, and ends its side; so many bytes of what it still sends are discarded.
    Lingering(usize),
}

/// What is to be done with a connection.
#[derive(Debug)]
pub(super) enum Next {
    /// Wait; nothing more is here.
    Wait,
    /// Come back after the others; there may be more here already.
    Yield,
    /// Go on with the handshake, which takes a worker.
    Handshake,
    /// The handshake is over, without a connection.
    Fail,
    /// Answer.
    Answer(CompleteRequest),
    /// Refuse, and close.
    Refuse(Refusal),
    /// Close without a word.
    Close,
}

impl Occupant for Connection {
    /// Whether nothing of a request has come, and nothing of an answer is left.
    fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle | State::Handshake(_))
    }

    /// Since when nothing of a request has come, where it may be closed for another connection because of that.
    fn idle_since(&self) -> Option<Instant> {
        let is_idle = match &self.state {
            State::Idle => true,
            State::Handshake(handshake) => handshake.is_untouched(),
            _ => false,
        };
        (is_idle && !self.is_in_reserve()).then_some(self.since)
    }
}

impl Watched for Connection {
    fn descriptor(&self) -> RawFd {
        self.socket.descriptor()
    }

    fn waits_to_write(&self) -> bool {
        match &self.state {
            State::Writing(_) => true,
            State::Handshake(handshake) => !handshake.outgoing.is_empty(),
            _ => false,
        }
    }

    fn note_end(&mut self) {
        self.has_ended = true;
    }

    fn token(&mut self) -> &mut Option<SlotToken<Connection>> {
        &mut self.token
    }

    fn home(&self) -> &Home {
        &self.home
    }
}

impl Connection {
    pub(super) fn new(socket: Socket, peer: SocketAddr, local: SocketAddr, open: Open) -> Connection {
        let now = Instant::now();
        Connection {
            socket,
            peer,
            local,
            state: State::Idle,
            accepted: now,
            since: now,
            input: Vec::new(),
            requests: 0,
            empty_lines: 0,
            has_ended: false,
            is_cut: false,
            tls: None,
            token: None,
            home: Home::default(),
            open,
        }
    }

    pub(super) fn enter(&mut self, state: State) {
        self.state = state;
        self.since = Instant::now();
    }

    /// When the wait has lasted too long.
    fn end(&self, limits: &Limits) -> Instant {
        match &self.state {
            State::Handshake(_) => self.accepted + limits.head_timeout,
            State::Idle => self.since + limits.idle_timeout,
            State::Head(_) => self.since + limits.head_timeout,
            State::Body(receiving) => receiving.due(limits.body_timeout),
            State::Writing(_) => self.since + limits.write_timeout,
            State::Lingering(_) => self.since + LINGER_TIME,
        }
    }

    /// When the wait has lasted too long, or is to be looked at.
    pub(super) fn deadline(&self, limits: &Limits) -> Instant {
        let end = self.end(limits);
        self.rated().map_or(end, |(rate, _)| end.min(rate.next_look()))
    }

    /// The rate of a client for which so much memory is held that it must go on while there is little, and what that
    /// is held for.
    fn rated(&self) -> Option<(&TransferRate, Class)> {
        let (held, rate, class) = match &self.state {
            State::Body(receiving) => (receiving.held(), receiving.rate(), Class::Body),
            State::Writing(pending) => (pending.held(), pending.rate(), Class::Answer),
            _ => return None,
        };
        (held >= RATED_FROM).then_some((rate, class))
    }

    /// Whether it must not wait any longer, once its deadline has passed.
    pub(super) fn is_late(&self, limits: &Limits, budget: &MemoryBudget) -> bool {
        let is_too_slow = |(rate, class): (&TransferRate, Class)| rate.is_slow() && budget.is_scarce(class);
        match &self.state {
            State::Handshake(_) | State::Idle | State::Lingering(_) => true,
            // A head may have begun only now that it was looked at.
            State::Head(_) | State::Body(_) | State::Writing(_) => {
                Instant::now() >= self.end(limits) || self.rated().is_some_and(is_too_slow)
            }
        }
    }

    /// Whether it is for vital requests only. It gets one answer.
    pub(super) fn is_in_reserve(&self) -> bool {
        self.open.quota() == Quota::Reserve
    }

    /// The order in which those in reserve give way to new ones: the oldest first, and last those that take an answer.
    pub(super) fn place_in_reserve(&self) -> Option<(bool, Instant)> {
        let is_writing = matches!(self.state, State::Writing(_));
        self.is_in_reserve().then_some((is_writing, self.accepted))
    }

    /// Whether it ends whatever its client does.
    pub(super) fn is_lingering(&self) -> bool {
        matches!(self.state, State::Lingering(_))
    }

    /// Whether the client has sent bytes behind the last request, read or not.
    pub(super) fn has_more(&mut self) -> bool {
        if self.input.is_empty() {
            self.socket.receive(&mut self.input, HEAD_READ_LENGTH, Wait::Never);
        }
        !self.input.is_empty()
    }

    /// Whether there may be more to read, be it the end.
    pub(super) fn may_have_more(&self) -> bool {
        !self.input.is_empty() || self.has_ended || !self.socket.is_drained()
    }

    /// Gives back memory that is not needed while it waits.
    pub(super) fn shrink(&mut self) {
        if self.input.capacity() > FIRST_READ_LENGTH {
            self.input.shrink_to(FIRST_READ_LENGTH);
        }
    }

    /// Reads on, until a request is whole or nothing more is here.
    pub(super) fn read_request(&mut self, budget: &Arc<MemoryBudget>, mut patience: Wait) -> Next {
        if let State::Handshake(_) = self.state {
            return self.read_handshake();
        }
        let mut count = 0;
        loop {
            match self.take_input(budget) {
                Ok(Some(whole)) => return Next::Answer(whole),
                Ok(None) => {}
                Err(refusal) => return Next::Refuse(refusal),
            }
            if count >= TURN_LENGTH {
                return Next::Yield;
            }
            let length = match self.state {
                State::Body(_) => BODY_READ_LENGTH,
                _ if self.input.is_empty() => FIRST_READ_LENGTH,
                _ => HEAD_READ_LENGTH,
            };
            match self
                .socket
                .receive(&mut self.input, length, mem::replace(&mut patience, Wait::Never))
            {
                Received::Bytes(more) => count += more,
                Received::Nothing => {
                    // An end that was told would have been seen; it was told of the connection that had the slot before.
                    self.has_ended = false;
                    self.note_record();
                    return Next::Wait;
                }
                Received::End => return self.ended(),
            }
        }
    }

    /// What an end of the client's bytes means. A client that only ended its own side can still read a refusal.
    fn ended(&self) -> Next {
        match self.state {
            State::Idle => Next::Close,
            // Only the beginning of a record has come, and that may be the client's farewell.
            State::Head(_) if self.input.is_empty() => Next::Close,
            _ if self.socket.presence() == Presence::Gone => Next::Refuse(self.refusal(RequestError::ClientGone)),
            _ => Next::Refuse(self.refusal(RequestError::Malformed("the request ends early".to_owned()))),
        }
    }

    /// Goes on with the request by what has been read.
    fn take_input(&mut self, budget: &Arc<MemoryBudget>) -> Result<Option<CompleteRequest>, Refusal> {
        if let State::Body(_) = &self.state {
            return self.take_body();
        }
        if self.input.is_empty() {
            return Ok(None);
        }
        let mut scanner = match self.state {
            State::Head(scanner) => scanner,
            _ => HeadScanner::default(),
        };
        let found = scanner
            .find_end(&self.input)
            .map_err(|error| self.refusal(error.into()))?;
        let Some(end) = found else {
            match self.state {
                State::Head(_) => self.state = State::Head(scanner),
                _ => self.enter(State::Head(scanner)),
            }
            return Ok(None);
        };
        if end == 2 && self.empty_lines < MAX_EMPTY_LINES {
            self.empty_lines += 1;
            self.input.drain(..end);
            self.state = State::Idle;
            return self.take_input(budget);
        }
        let bytes = self.input.get(..end).unwrap_or_default();
        let mut head = request_head::parse(bytes, self.peer, self.local).map_err(|error| self.refusal(error))?;
        head.request.client = Some(self.socket.client());
        head.request.tls = self.tls.clone();
        head.request.first_byte = self.first_byte();
        self.input.drain(..end);
        self.empty_lines = 0;
        self.begin_body(head, budget)
    }

    /// When the first byte of the request came of which a part was read before.
    fn first_byte(&self) -> Option<Instant> {
        matches!(self.state, State::Head(_)).then_some(self.since)
    }

    fn begin_body(&mut self, mut head: Head, budget: &Arc<MemoryBudget>) -> Result<Option<CompleteRequest>, Refusal> {
        if head.framing == Framing::Length(0) {
            self.state = State::Idle;
            return Ok(Some(CompleteRequest {
                head,
                reservation: None,
            }));
        }
        head.request.first_byte.get_or_insert_with(Instant::now);
        let expects_continue = head.expects_continue();
        let receiving = RequestReader::begin(head, budget)?;
        if expects_continue && self.input.is_empty() {
            self.tell_to_continue();
        }
        self.enter(State::Body(Box::new(receiving)));
        self.take_body()
    }

    fn tell_to_continue(&mut self) {
        let bytes = self.socket.seal(CONTINUE.to_vec());
        // A client that does not get this sends its content after a while all the same; one that gets a part of it
        // cannot read what follows. The same holds of a record: those behind it count on it.
        let sent = self.socket.send_now(&bytes).unwrap_or_default();
        if sent < bytes.len() && (sent > 0 || self.socket.is_tls()) {
            self.socket.half_close();
        }
    }

    fn take_body(&mut self) -> Result<Option<CompleteRequest>, Refusal> {
        let State::Body(receiving) = &mut self.state else {
            return Ok(None);
        };
        if !receiving.take(&mut self.input)? {
            return Ok(None);
        }
        Ok(match mem::replace(&mut self.state, State::Idle) {
            State::Body(receiving) => Some(receiving.into_whole()),
            _ => None,
        })
    }

    /// What stands for a request of which nothing is known but who sent it.
    pub(super) fn unread_request(&self) -> Request {
        Request::unread(self.peer, self.local)
    }

    /// A refusal of the request that is being read.
    pub(super) fn refusal(&self, error: RequestError) -> Refusal {
        match &self.state {
            State::Body(receiving) => receiving.refusal(error),
            _ => Refusal {
                error,
                head_only: self.input.starts_with(b"HEAD "),
                request: Box::new(self.unread_request()),
            },
        }
    }
}

#[cfg(test)]
mod tests;
