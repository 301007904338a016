//! Answers whose content is still on its way: passed on as it comes.
//!
//! No slow client holds a worker. What it does not take within a moment is read into memory and left to the waiting
//! thread. Only where that is spent, or where the answer may have no end, a worker waits for the client, and there is a
//! bound for those.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::error::GatewayError;
use crate::front::budget::{Class, Share};
use crate::front::connection::{Connection, State};
use crate::front::exchange::{self, Sent};
use crate::front::limits::{
    LONG_ANSWER, LOOK_AT_CLIENT, MAX_KEPT_ANSWER, TAKING_PATIENCE, TAKING_PATIENCE_WHILE_OTHERS_WAIT,
};
use crate::front::pace::Pace;
use crate::front::pieces::Pieces;
use crate::front::reply::{Incomplete, Reply};
use crate::front::rest::Rest;
use crate::front::service::Service;
use crate::front::socket::Socket;
use crate::front::turns::{Task, Turn};
use crate::front::unsent::{Then, Unsent};
use crate::slots::{Slot, Streaming, share};

/// An answer that is being passed on.
#[derive(Debug)]
pub(super) struct Passing {
    connection: Box<Connection>,
    /// What the client has not taken.
    pieces: Pieces,
    /// What has not been read.
    rest: Rest,
    then: Then,
    reply: Reply,
    /// What the pieces take of the budget while they are kept.
    share: Share,
    /// Bytes of content that were read.
    read: usize,
    /// When it was last looked whether the client is there.
    looked_at: Instant,
    /// When it asked for its turn.
    asked_at: Instant,
}

/// Why an answer is not passed on any further for now.
enum Pause {
    Sent(Sent),
    /// It is long, and must have a turn.
    Long,
    /// The client is slow, and nothing more can be kept for it.
    Stuck,
}

impl Passing {
    /// An answer of which nothing is sent, not even its head.
    pub(super) fn new(
        service: &Service,
        connection: Box<Connection>,
        head: Vec<u8>,
        rest: Rest,
        then: Then,
        reply: Reply,
    ) -> Passing {
        let now = Instant::now();
        Passing {
            connection,
            pieces: Pieces::of(head),
            rest,
            then,
            reply,
            share: service.budget.share(Class::Answer),
            read: 0,
            looked_at: now,
            asked_at: now,
        }
    }
}

impl Task for Passing {
    fn slot(&mut self) -> Option<&mut Slot> {
        self.rest.slot()
    }
}

/// Passes on an answer from its begin; the connection comes back if it can take the next request now.
pub(super) fn begin(service: &Arc<Service>, mut passing: Passing) -> Option<Box<Connection>> {
    passing.connection.socket.begin_answer();
    if passing.rest.is_event_stream {
        let Some(slot) = StreamSlot::take(service, passing.slot()) else {
            return refuse(service, passing);
        };
        let sent = passing.stream(service);
        drop(slot);
        return passing.end(service, sent);
    }
    match passing.pass_on(service, None) {
        Ok(Pause::Long) => {
            passing.asked_at = Instant::now();
            let (passing, turn) = service.has_turn(service.turns.ask(passing))?;
            passing.take_turn(service, turn)
        }
        paused => passing.unblock(service, paused),
    }
}

/// Ends an answer that waits for its turn and that nobody reads any more.
pub(super) fn abandon(service: &Arc<Service>, passing: Passing) {
    let gone = Incomplete::Client(io::ErrorKind::BrokenPipe.into());
    drop(passing.end(service, Err(gone)));
}

/// Passes on an answer that has waited for its turn, and goes on with its connection.
pub(super) fn go_on(service: &Arc<Service>, passing: Passing, turn: Turn) {
    let Some((passing, turn)) = service.has_turn(service.turns.begin(passing, turn)) else {
        return;
    };
    let next = passing
        .take_turn(service, turn)
        .and_then(|connection| exchange::next_request(service, connection));
    if let Some((connection, whole)) = next {
        exchange::serve(service, connection, whole);
    }
}

/// Answers 503 in place of an answer of which nothing has been sent.
fn refuse(service: &Arc<Service>, passing: Passing) -> Option<Box<Connection>> {
    let Passing {
        mut connection,
        mut rest,
        reply,
        ..
    } = passing;
    if let Some(mut receipt) = rest.take_receipt() {
        receipt.replaced();
    }
    drop(rest);
    let reason = "too many answers are being streamed";
    service.notices.overload(reason);
    let response = service
        .handler
        .refuse(GatewayError::Overloaded(reason), &connection.unread_request());
    let answer = Reply { close: true, ..reply }.answer(response);
    let sent = exchange::send(service, &mut connection, answer.bytes, Then::Linger);
    exchange::end(service, connection, sent, Then::Linger, reply.version)
}

impl Passing {
    /// Whether nobody reads the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.connection.socket.is_abandoned()
    }

    fn take_turn(mut self, service: &Arc<Service>, turn: Turn) -> Option<Box<Connection>> {
        self.rest.put_off_deadline(self.asked_at.elapsed());
        let paused = self.pass_on(service, Some(&turn));
        drop(turn);
        service.begin_turns();
        self.unblock(service, paused)
    }

    /// Where the client is slow and nothing can be kept for it, waits for it.
    fn unblock(mut self, service: &Arc<Service>, paused: Result<Pause, Incomplete>) -> Option<Box<Connection>> {
        let sent = match paused {
            Ok(Pause::Sent(sent)) => Ok(sent),
            Ok(Pause::Long | Pause::Stuck) => match StreamSlot::take(service, self.slot()) {
                Some(_slot) => self.stream(service),
                None => Err(no_slot()),
            },
            Err(incomplete) => Err(incomplete),
        };
        self.end(service, sent)
    }

    fn end(mut self, service: &Arc<Service>, sent: Result<Sent, Incomplete>) -> Option<Box<Connection>> {
        let mut receipt = self.rest.take_receipt();
        match &sent {
            Ok(Sent::Whole) => {}
            Ok(Sent::Later) => {
                let unsent = Unsent::new(self.pieces, self.then, self.share, receipt.take());
                self.connection.enter(State::Writing(unsent));
            }
            Err(incomplete) => {
                if let Some(receipt) = &mut receipt {
                    receipt.not_taken(self.pieces.left() as u64);
                    if incomplete.is_abandonment() {
                        receipt.abandoned();
                    }
                }
            }
        }
        drop(receipt);
        self.connection.socket.end_answer();
        // The way to the integration is free for others before the client's next request.
        drop(self.rest);
        exchange::end(service, self.connection, sent, self.then, self.reply.version)
    }

    /// Sends what comes as long as the client takes it, and keeps for it what it does not take.
    fn pass_on(&mut self, service: &Service, turn: Option<&Turn>) -> Result<Pause, Incomplete> {
        let mut patience = match service.has_waiting() {
            true => TAKING_PATIENCE_WHILE_OTHERS_WAIT,
            false => TAKING_PATIENCE,
        };
        loop {
            if let Some(turn) = turn {
                turn.step();
            }
            let socket = &self.connection.socket;
            if self.rest.is_done() {
                // Waiting is of use only while there is more to come.
                patience = Duration::ZERO;
            }
            let sent = self
                .pieces
                .send(usize::MAX, |bytes| socket.send_patiently(bytes, &mut patience));
            sent.map_err(Incomplete::Client)?;
            if self.rest.is_done() {
                return Ok(if self.pieces.is_empty() {
                    Pause::Sent(Sent::Whole)
                } else if self.share.resize(self.pieces.held()) {
                    Pause::Sent(Sent::Later)
                } else {
                    Pause::Stuck
                });
            }
            if turn.is_none() && self.read >= LONG_ANSWER {
                return Ok(Pause::Long);
            }
            if !self.keep_more() {
                return Ok(Pause::Stuck);
            }
            self.read_on()?;
        }
    }

    fn read_on(&mut self) -> Result<(), Incomplete> {
        // The time of a client is none of its integration's.
        self.rest.put_off_deadline(self.connection.socket.take_waited());
        // An integration that goes on sending is never waited for long enough that it is looked for the client.
        if self.looked_at.elapsed() >= LOOK_AT_CLIENT {
            self.looked_at = Instant::now();
            if self.is_abandoned() {
                return Err(Incomplete::Client(io::ErrorKind::BrokenPipe.into()));
            }
        }
        let read = self.rest.read_into(self.pieces.room());
        self.read = self.read.saturating_add(read.map_err(Incomplete::of_source)?);
        Ok(())
    }

    /// Whether the memory has room for another part that the client may not take. An answer that cannot be kept to its
    /// end is not kept at all.
    fn keep_more(&mut self) -> bool {
        if self.pieces.is_empty() {
            return self.share.resize(0);
        }
        let left = usize::try_from(self.rest.left().unwrap_or_default()).unwrap_or(usize::MAX);
        self.pieces.held().saturating_add(left) <= MAX_KEPT_ANSWER + LONG_ANSWER
            && self.share.resize(self.pieces.held_with_room())
    }

    /// Sends what comes, and waits for the client.
    fn stream(&mut self, service: &Service) -> Result<Sent, Incomplete> {
        loop {
            wait_for_client_in_slot(service, &self.connection.socket, &mut self.pieces)?;
            // What a worker holds counts too; where nothing is left, that is all it holds.
            let _ = self.share.resize(self.pieces.held_with_room());
            if self.rest.is_done() {
                return Ok(Sent::Whole);
            }
            self.read_on()?;
        }
    }
}

fn no_slot() -> Incomplete {
    Incomplete::Client(io::Error::other(
        "it is slow, and neither memory nor a worker is left for it",
    ))
}

/// Sends what cannot be kept for a client, and waits for it.
///
/// # Errors
/// No worker is left for that, or the client takes nothing.
pub(super) fn wait_for_client(service: &Service, socket: &Socket, pieces: &mut Pieces) -> Result<(), Incomplete> {
    let Some(_slot) = StreamSlot::take(service, None) else {
        return Err(no_slot());
    };
    wait_for_client_in_slot(service, socket, pieces)
}

fn wait_for_client_in_slot(service: &Service, socket: &Socket, pieces: &mut Pieces) -> Result<(), Incomplete> {
    let timeout = service.limits.write_timeout;
    // Only waiting for the client is measured: it begins anew when the client has everything.
    let mut pace = Pace::begin();
    let mut is_too_slow = |taken| {
        pace.note(taken);
        pace.is_slow() && service.streams.load(Ordering::Relaxed) > service.most_streams.get() / 2
    };
    let sent = pieces.send(usize::MAX, |bytes| {
        socket.send_all(bytes, timeout, &mut is_too_slow).map(|()| bytes.len())
    });
    sent.map_err(Incomplete::Client)?;
    Ok(())
}

/// Leave to wait for a client, given back when it is dropped.
struct StreamSlot {
    all: Arc<AtomicUsize>,
    /// Of these, the answers of one destination.
    _of_destination: Option<Streaming>,
}

impl StreamSlot {
    /// `slot` is the one that the answer holds of its destination: no destination has all that there are.
    fn take(service: &Service, slot: Option<&mut Slot>) -> Option<StreamSlot> {
        let of_destination = match slot {
            Some(slot) => Some(slot.slots().begin_stream(share(service.most_streams))?),
            None => None,
        };
        let slot = StreamSlot {
            all: Arc::clone(&service.streams),
            _of_destination: of_destination,
        };
        let before = slot.all.fetch_add(1, Ordering::SeqCst);
        (before < service.most_streams.get()).then_some(slot)
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::SeqCst);
    }
}
