//! Answers whose content is still on its way: passed on as it comes.
//!
//! No slow client holds a worker. What it does not take within a moment is read into memory and left to the waiting
//! thread. Only where that is spent, or where the answer may have no end, a worker waits for the client, and there is a
//! bound for those.

use std::io;
use std::time::{Duration, Instant};

use crate::front::connection::{Connection, State};
use crate::front::limits::{
    LONG_ANSWER, LOOK_AT_CLIENT, MAX_KEPT_ANSWER, TAKING_PATIENCE, TAKING_PATIENCE_WHILE_OTHERS_WAIT,
};
use crate::front::memory_budget::{Class, Share};
use crate::front::outcome::Outcome;
use crate::front::pending_write::{Then, Unsent};
use crate::front::send::{self, Sent, StreamSlot, no_slot, wait_for_client_in_slot};
use crate::front::shared::Shared;
use crate::front::stream_scheduler::{Task, Turn};
use crate::front::write_queue::Pieces;
use crate::http1::error::RequestError;
use crate::http1::remaining_body::Rest;
use crate::http1::response_writer::{Incomplete, Reply};
use crate::outbound::upstream::UpstreamError;
use crate::platform::slots::Slot;

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

/// How far an answer got before somebody had to be waited for.
#[derive(Debug)]
pub(super) enum Pause {
    Sent(Sent),
    /// It is long, and must have a turn.
    Long,
    /// The client is slow, and nothing more can be kept for it.
    Stuck,
}

/// What is next with an answer.
#[derive(Debug)]
pub(super) enum Progress {
    /// It is over.
    Done(Outcome),
    /// It is long, and must have a turn.
    Long(Passing),
}

impl Passing {
    /// An answer of which nothing is sent, not even its head.
    pub(super) fn new(
        shared: &Shared,
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
            share: shared.budget.share(Class::Answer),
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

/// Passes on an answer from its begin. It is passed on faster where `others_wait` for a worker.
pub(super) fn begin(shared: &Shared, mut passing: Passing, others_wait: bool) -> Progress {
    passing.connection.socket.begin_answer();
    if passing.rest.is_event_stream {
        let Some(slot) = StreamSlot::take(shared, passing.slot()) else {
            return Progress::Done(refuse(shared, passing));
        };
        let sent = passing.stream(shared);
        drop(slot);
        return Progress::Done(passing.end(shared, sent));
    }
    match passing.pass_on(None, others_wait) {
        Ok(Pause::Long) => {
            passing.asked_at = Instant::now();
            Progress::Long(passing)
        }
        paused => Progress::Done(passing.unblock(shared, paused)),
    }
}

/// Ends an answer that waits for its turn and that nobody reads any more.
pub(super) fn abandon(shared: &Shared, passing: Passing) -> Outcome {
    let gone = Incomplete::Client(io::ErrorKind::BrokenPipe.into());
    passing.end(shared, Err(gone))
}

/// Answers 503 in place of an answer of which nothing has been sent.
fn refuse(shared: &Shared, passing: Passing) -> Outcome {
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
    shared.notices.overload(reason);
    let response = shared
        .handler
        .refuse(RequestError::Overloaded(reason), &connection.unread_request());
    let answer = Reply { close: true, ..reply }.answer(response);
    let sent = send::send(shared, &mut connection, answer.bytes, Then::Linger);
    send::after(shared, connection, sent, Then::Linger, reply.version)
}

impl Passing {
    /// Whether nobody reads the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.connection.socket.is_abandoned()
    }

    /// Passes on what it can while it has its turn. The time for which it waited is not its integration's.
    pub(super) fn take_turn(&mut self, turn: &Turn, others_wait: bool) -> Result<Pause, Incomplete> {
        self.rest.put_off_deadline(self.asked_at.elapsed());
        self.pass_on(Some(turn), others_wait)
    }

    /// Where the client is slow and nothing can be kept for it, waits for it.
    pub(super) fn unblock(mut self, shared: &Shared, paused: Result<Pause, Incomplete>) -> Outcome {
        let sent = match paused {
            Ok(Pause::Sent(sent)) => Ok(sent),
            Ok(Pause::Long | Pause::Stuck) => match StreamSlot::take(shared, self.slot()) {
                Some(_slot) => self.stream(shared),
                None => Err(no_slot()),
            },
            Err(incomplete) => Err(incomplete),
        };
        self.end(shared, sent)
    }

    fn end(mut self, shared: &Shared, sent: Result<Sent, Incomplete>) -> Outcome {
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
        send::after(shared, self.connection, sent, self.then, self.reply.version)
    }

    /// Sends what comes as long as the client takes it, and keeps for it what it does not take.
    ///
    /// # Errors
    /// The client is gone, or what came from the integration broke off.
    fn pass_on(&mut self, turn: Option<&Turn>, others_wait: bool) -> Result<Pause, Incomplete> {
        let mut patience = match others_wait {
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
        self.read = self.read.saturating_add(read.map_err(of_source)?);
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
    fn stream(&mut self, shared: &Shared) -> Result<Sent, Incomplete> {
        loop {
            wait_for_client_in_slot(shared, &self.connection.socket, &mut self.pieces)?;
            // What a worker holds counts too; where nothing is left, that is all it holds.
            let _ = self.share.resize(self.pieces.held_with_room());
            if self.rest.is_done() {
                return Ok(Sent::Whole);
            }
            self.read_on()?;
        }
    }
}

/// What an error of the content's source means. Who waits for an integration leaves it when the client has gone.
fn of_source(error: io::Error) -> Incomplete {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<UpstreamError>());
    match cause {
        Some(UpstreamError::ClientGone) => Incomplete::Client(io::ErrorKind::BrokenPipe.into()),
        _ => Incomplete::Integration(error),
    }
}
