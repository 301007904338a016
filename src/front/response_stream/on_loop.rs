//! An answer that a loop passes on: in turns, and as far as that goes without a wait.
//!
//! A client that takes everything holds no memory: all of a loop's streams read into the same piece. What a client does
//! not take is kept for it as in a worker. Where nothing can be kept, nothing more is read until it has taken that.

use std::cell::Cell;
use std::io;
use std::mem;
use std::time::{Duration, Instant};

use crate::front::connection::Connection;
use crate::front::listener_limits::{Limits, RATED_FROM};
use crate::front::memory_budget::{Class, Reservation, SMALL};
use crate::front::outcome::Outcome;
use crate::front::response_stream::ResponseStream;
use crate::front::send::{Sent, no_memory};
use crate::front::shared::Shared;
use crate::front::transfer_rate::TransferRate;
use crate::front::write_queue::WriteQueue;
use crate::http1::message_limits::PIECE_LENGTH;
use crate::http1::response_writer::SendError;
use crate::outbound::upstream::loop_content::LoopContent;

/// How often it is looked whether there is memory again.
const LOOK_FOR_MEMORY: Duration = Duration::from_millis(50);

thread_local! {
    /// Where content is read that its client takes at once, and before it is sealed.
    static PIECE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static PLAIN: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An answer that a loop passes on.
#[derive(Debug)]
pub(crate) struct LoopStream {
    stream: ResponseStream,
    content: LoopContent,
    /// What the content takes of the budget that has come and was not read.
    input: Reservation,
    /// How the client takes what is kept for it; nothing where that is nothing.
    taking: Option<Taking>,
    /// Since when nothing is read, since nothing can be kept.
    blocked_since: Option<Instant>,
    /// Its connection has been given back.
    is_settled: bool,
    /// Bytes that were read and sent in its last turn.
    moved: usize,
}

/// How a client takes what is kept for it.
#[derive(Debug)]
struct Taking {
    /// When it took something last.
    since: Instant,
    rate: TransferRate,
}

/// How far an answer got.
#[derive(Debug)]
pub(crate) enum Passed {
    /// It is over, or the rest is kept.
    Over(Result<Sent, SendError>),
    /// Nothing more can be done before its socket, or its client's, is ready, or its time has come.
    Waits,
    /// It would go on, but others have their turn.
    Yields,
}

/// What there is to send.
enum More {
    Bytes(usize),
    NotYet,
    /// Nothing more can be kept.
    Blocked,
    /// No more will come.
    Done,
}

impl LoopStream {
    /// An answer of which nothing is sent, not even its head.
    pub(crate) fn begin(shared: &Shared, mut stream: ResponseStream, content: LoopContent) -> LoopStream {
        stream.connection.socket.begin_answer();
        // The beginning of the content goes out with the head.
        let head = mem::take(&mut stream.head);
        let mut piece = PIECE.take();
        piece.clear();
        piece.reserve_exact(PIECE_LENGTH);
        stream.connection.socket.seal_into(&head, &mut piece);
        stream.queue = WriteQueue::of(piece);
        LoopStream {
            input: shared.budget.reserve(Class::Answer),
            stream,
            content,
            taking: None,
            blocked_since: None,
            is_settled: false,
            moved: 0,
        }
    }

    pub(crate) fn content(&self) -> &LoopContent {
        &self.content
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.stream.connection
    }

    /// Bytes that were read and sent in its last turn.
    pub(crate) fn moved(&self) -> usize {
        self.moved
    }

    /// Whether something is kept for the client.
    pub(crate) fn waits_for_client(&self) -> bool {
        self.taking.is_some()
    }

    /// Whether the answer has no reader any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.stream.is_abandoned()
    }

    /// Passes on what there is, about so many bytes at most. `settle` gives the connection of complete content back, and
    /// tells whether it did: the way to the integration is free for others before the client has the end of the answer.
    pub(crate) fn go_on(&mut self, turn: usize, settle: impl FnMut(&LoopContent) -> bool) -> Passed {
        if self.stream.queue.is_empty() {
            self.stream.queue.lend(PIECE.take());
        }
        self.stream.plain = PLAIN.take();
        let passed = self
            .pass_on(turn, settle)
            .unwrap_or_else(|error| Passed::Over(Err(error)));
        PLAIN.set(mem::take(&mut self.stream.plain));
        if self.stream.queue.is_empty() {
            let piece = self.stream.queue.take_back();
            // One that a long head has grown is not shared.
            if piece.capacity() <= PIECE_LENGTH {
                PIECE.set(piece);
            }
        }
        // Less than before is always had.
        let held = self.stream.queue.held().min(self.stream.reservation.held());
        let _ = self.stream.reservation.resize(held);
        match passed {
            Passed::Waits => self.keep_input(),
            passed => passed,
        }
    }

    fn pass_on(&mut self, turn: usize, mut settle: impl FnMut(&LoopContent) -> bool) -> Result<Passed, SendError> {
        let (mut read, mut sent) = (0, 0);
        loop {
            let had_some = !self.stream.queue.is_empty();
            let more = self.read()?;
            if let More::Bytes(count) = more {
                read += count;
            }
            self.is_settled = self.is_settled || settle(&self.content);
            sent += self.send(turn - sent)?;
            let is_sent = self.stream.queue.is_empty();
            self.moved = read + sent;
            match more {
                More::Done if is_sent => return Ok(Passed::Over(Ok(Sent::All))),
                More::Done => return Ok(Passed::Over(Ok(Sent::Later))),
                _ if read >= turn || sent >= turn => return Ok(Passed::Yields),
                More::Bytes(_) => {}
                More::Blocked if is_sent && had_some => {}
                More::Blocked => {
                    self.blocked_since.get_or_insert_with(Instant::now);
                    return Ok(Passed::Waits);
                }
                More::NotYet => return Ok(Passed::Waits),
            }
        }
    }

    /// Reads a part, where it can be kept.
    fn read(&mut self) -> Result<More, SendError> {
        if self.stream.rest.is_done() {
            return Ok(More::Done);
        }
        if !self.may_read() {
            return Ok(More::Blocked);
        }
        if let Some(since) = self.blocked_since.take() {
            // The time of a client is none of its integration's.
            self.stream.rest.put_off_deadline(since.elapsed());
            self.content.resume();
        }
        // Where nothing is here, no room is made for it.
        if !self.content.is_ready() {
            return Ok(More::NotYet);
        }
        let before = self.stream.read;
        match self.stream.read_on() {
            Ok(()) => Ok(More::Bytes(self.stream.read - before)),
            Err(SendError::Integration(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(More::NotYet),
            Err(error) => Err(error),
        }
    }

    /// Whether another part can be kept that the client may not take. Events are kept by whoever sends them.
    fn may_read(&mut self) -> bool {
        let stream = &mut self.stream;
        let may_be_kept = stream.queue.is_empty() || !stream.rest.is_event_stream && stream.may_be_kept();
        may_be_kept && stream.reservation.resize(stream.queue.held_with_room())
    }

    /// Sends what the client takes, so many bytes at most.
    fn send(&mut self, most: usize) -> Result<usize, SendError> {
        let stream = &mut self.stream;
        if stream.queue.is_empty() {
            return Ok(0);
        }
        let socket = &stream.connection.socket;
        let sent = stream.queue.send(most, |bytes| socket.send_now(bytes));
        let count = sent.map_err(SendError::Client)?;
        match &mut self.taking {
            _ if stream.queue.is_empty() => self.taking = None,
            Some(taking) if count > 0 => {
                taking.since = Instant::now();
                taking.rate.note(count);
            }
            Some(_) => {}
            none => {
                *none = Some(Taking {
                    since: Instant::now(),
                    rate: TransferRate::begin(),
                });
            }
        }
        Ok(count)
    }

    /// Counts what has come and cannot be read now.
    fn keep_input(&mut self) -> Passed {
        let held = self.content.held();
        match self.input.resize(held) || held <= SMALL {
            true => Passed::Waits,
            false => Passed::Over(Err(no_memory())),
        }
    }

    /// When it is to be looked at again whatever happens.
    pub(crate) fn until(&self, limits: &Limits) -> Instant {
        let of_client = self.taking.as_ref().map(|taking| {
            let end = taking.since + limits.write_timeout;
            match self.is_rated() {
                true => end.min(taking.rate.next_look()),
                false => end,
            }
        });
        match (self.blocked_since, of_client) {
            (None, None) => self.content.until(),
            (None, Some(until)) => until.min(self.content.until()),
            (Some(_), Some(until)) => until,
            (Some(_), None) => Instant::now() + LOOK_FOR_MEMORY,
        }
    }

    /// Whether so much is held for the client that it must go on while there is little memory.
    fn is_rated(&self) -> bool {
        self.stream.reservation.held() >= RATED_FROM
    }

    /// Whether the client, or memory, must not be waited for any longer.
    pub(crate) fn is_late(&mut self, shared: &Shared) -> bool {
        // A socket tells of room when there is much of it, which a slow client makes seldom. So it is tried for less.
        self.is_due(shared)
            && match self.send(SMALL) {
                Ok(0) | Err(_) => true,
                Ok(_) => self.taking.is_some() && self.is_due(shared),
            }
    }

    /// Whether the client has taken nothing for as long as it may, or there has been no memory for as long.
    fn is_due(&self, shared: &Shared) -> bool {
        let timeout = shared.limits.write_timeout;
        match (&self.taking, self.blocked_since) {
            (Some(taking), _) => {
                let is_too_slow = || self.is_rated() && taking.rate.is_slow() && shared.budget.is_scarce(Class::Answer);
                taking.since.elapsed() >= timeout || is_too_slow()
            }
            (None, Some(since)) => since.elapsed() >= timeout,
            (None, None) => false,
        }
    }

    /// What follows the answer.
    pub(crate) fn end(self, shared: &Shared, sent: Result<Sent, SendError>) -> Outcome {
        self.stream.end(shared, sent)
    }
}
