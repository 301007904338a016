//! Answers whose content is still on its way: passed on as it comes.
//!
//! No slow client holds a worker. What it does not take within a moment is read into memory and left to the waiting
//! thread. Only where that is spent, or where the answer may have no end, a worker waits for the client, and there is a
//! bound for those.

pub(super) mod on_loop;

use std::io;
use std::mem;
use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use crate::front::connection::{Connection, State};
use crate::front::listener_limits::{
    LEAST_MOVING, LONG_ANSWER, LOOK_AT_CLIENT, MAX_KEPT_ANSWER, STEP_TIME, TAKING_PATIENCE,
    TAKING_PATIENCE_WHILE_OTHERS_WAIT, most_waiting_answers,
};
use crate::front::memory_budget::{Class, Reservation};
use crate::front::outcome::Outcome;
use crate::front::pending_write::{AfterWrite, PendingWrite};
use crate::front::send::{self, Sent, StreamSlot, no_slot, wait_for_client_in_slot};
use crate::front::shared::Shared;
use crate::front::stream_scheduler::{Most, Permit, StreamScheduler, Task};
use crate::front::tls::records::content_in;
use crate::front::write_queue::WriteQueue;
use crate::http1::error::RequestError;
use crate::http1::message::Response;
use crate::http1::remaining_body::RemainingBody;
use crate::http1::response_writer::{ResponseWriter, SendError};
use crate::outbound::upstream::UpstreamError;
use crate::platform::concurrency::ConcurrencyPermit;

/// The scheduler of a listener's long answers. Workers are left for ordinary requests, and permits for more
/// destinations than one.
pub(super) fn scheduler(most_workers: usize) -> StreamScheduler<ResponseStream> {
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let turns = (most_workers - most_workers.div_ceil(4)).max(most_workers.min(2));
    StreamScheduler::new(Most {
        moving: processors.saturating_mul(2).max(LEAST_MOVING).min(turns),
        turns: NonZeroUsize::new(turns).unwrap_or(NonZeroUsize::MIN),
        waiting: most_waiting_answers(most_workers),
        step_time: STEP_TIME,
    })
}

/// An answer that is being passed on.
#[derive(Debug)]
pub(super) struct ResponseStream {
    connection: Box<Connection>,
    /// The head, until it is certain that it is sent.
    head: Vec<u8>,
    /// What was read and not sealed yet, where that is to be done.
    plain: Vec<u8>,
    /// What the client has not taken.
    queue: WriteQueue,
    /// What has not been read.
    rest: RemainingBody,
    then: AfterWrite,
    reply: ResponseWriter,
    /// What the queue takes of the budget while it is kept.
    reservation: Reservation,
    /// Bytes of content that were read.
    read: usize,
    /// When it was last looked whether the client is there.
    looked_at: Instant,
    /// When it asked for its permit.
    asked_at: Instant,
}

/// How far an answer got before it had to wait for a peer.
#[derive(Debug)]
pub(super) enum Pause {
    Sent(Sent),
    /// It is long, and must have a permit.
    Long,
    /// The client is slow, and nothing more can be kept for it.
    Stuck,
}

/// What is next with an answer.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a box would cost each long answer an allocation"
)]
pub(super) enum Progress {
    /// It is over.
    Done(Outcome),
    /// It is long, and must have a permit.
    Long(ResponseStream),
}

impl ResponseStream {
    /// An answer of which nothing is sent, not even its head.
    pub(super) fn new(
        shared: &Shared,
        connection: Box<Connection>,
        head: Vec<u8>,
        rest: RemainingBody,
        then: AfterWrite,
        reply: ResponseWriter,
    ) -> ResponseStream {
        let now = Instant::now();
        ResponseStream {
            connection,
            head,
            plain: Vec::new(),
            queue: WriteQueue::default(),
            rest,
            then,
            reply,
            reservation: shared.budget.reserve(Class::Answer),
            read: 0,
            looked_at: now,
            asked_at: now,
        }
    }
}

impl Task for ResponseStream {
    fn slot(&mut self) -> Option<&mut ConcurrencyPermit> {
        self.rest.slot()
    }
}

/// Passes on an answer from its begin. It is passed on faster where `others_wait` for a worker.
pub(super) fn begin(shared: &Shared, mut stream: ResponseStream, others_wait: bool) -> Progress {
    stream.connection.socket.begin_answer();
    if stream.rest.is_event_stream {
        let Some(slot) = StreamSlot::take(shared, stream.slot()) else {
            return Progress::Done(refuse(shared, stream));
        };
        stream.seal_head();
        let sent = stream.stream(shared);
        drop(slot);
        return Progress::Done(stream.end(shared, sent));
    }
    stream.seal_head();
    match stream.pass_on(None, others_wait) {
        Ok(Pause::Long) => {
            stream.asked_at = Instant::now();
            Progress::Long(stream)
        }
        paused => Progress::Done(stream.unblock(shared, paused)),
    }
}

/// Ends an answer that waits for its permit and that has no reader any more.
pub(super) fn abandon(shared: &Shared, stream: ResponseStream) -> Outcome {
    let gone = send::client_gone();
    stream.end(shared, Err(gone))
}

/// Answers 503 in place of an answer of which nothing has been sent.
fn refuse(shared: &Shared, stream: ResponseStream) -> Outcome {
    let ResponseStream {
        mut connection,
        mut rest,
        reply,
        ..
    } = stream;
    let reason = "too many answers are being streamed";
    shared.connection_log.overload(reason);
    let error = || RequestError::Overloaded(reason);
    let completion = rest.take_receipt();
    let replacement = completion.and_then(|mut completion| completion.replaced(error()));
    drop(rest);
    let refused = || shared.handler.refuse(error(), &connection.unread_request());
    let response = replacement.map_or_else(refused, Response::from);
    let answer = ResponseWriter { close: true, ..reply }.answer(response);
    let sent = send::send(shared, &mut connection, answer.bytes, AfterWrite::Linger);
    send::after(shared, connection, sent, AfterWrite::Linger, reply.version)
}

impl ResponseStream {
    /// Whether the answer has no reader any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.connection.socket.is_abandoned()
    }

    /// Passes on what it can while it has its permit. The time for which it waited is not its integration's.
    pub(super) fn pass_on_with(&mut self, permit: &Permit, others_wait: bool) -> Result<Pause, SendError> {
        self.rest.put_off_deadline(self.asked_at.elapsed());
        self.pass_on(Some(permit), others_wait)
    }

    /// Where the client is slow and nothing can be kept for it, waits for it.
    pub(super) fn unblock(mut self, shared: &Shared, paused: Result<Pause, SendError>) -> Outcome {
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

    fn end(mut self, shared: &Shared, sent: Result<Sent, SendError>) -> Outcome {
        let mut completion = self.rest.take_receipt();
        match &sent {
            Ok(Sent::All) => {}
            Ok(Sent::Later) => {
                let pending = PendingWrite::new(self.queue, self.then, self.reservation, completion.take());
                self.connection.enter(State::Writing(pending));
            }
            Err(incomplete) => {
                if let Some(completion) = &mut completion {
                    completion.undelivered(self.queue.left() as u64);
                    if incomplete.is_abandonment() {
                        completion.abandoned();
                    }
                }
            }
        }
        drop(completion);
        self.connection.socket.end_answer();
        // The way to the integration is free for others before the client's next request.
        drop(self.rest);
        send::after(shared, self.connection, sent, self.then, self.reply.version)
    }

    /// Sends what comes as long as the client takes it, and keeps for it what it does not take.
    ///
    /// # Errors
    /// The client is gone, or what came from the integration broke off.
    fn pass_on(&mut self, permit: Option<&Permit>, others_wait: bool) -> Result<Pause, SendError> {
        let mut patience = match others_wait {
            true => TAKING_PATIENCE_WHILE_OTHERS_WAIT,
            false => TAKING_PATIENCE,
        };
        loop {
            if let Some(permit) = permit {
                permit.step();
            }
            let socket = &self.connection.socket;
            if self.rest.is_done() {
                // Waiting is of use only while there is more to come.
                patience = Duration::ZERO;
            }
            let sent = self
                .queue
                .send(usize::MAX, |bytes| socket.send_patiently(bytes, &mut patience));
            sent.map_err(SendError::Client)?;
            if self.rest.is_done() {
                return Ok(if self.queue.is_empty() {
                    Pause::Sent(Sent::All)
                } else if self.reservation.resize(self.queue.held()) {
                    Pause::Sent(Sent::Later)
                } else {
                    Pause::Stuck
                });
            }
            if permit.is_none() && self.read >= LONG_ANSWER {
                return Ok(Pause::Long);
            }
            if !self.keep_more() {
                return Ok(Pause::Stuck);
            }
            self.read_on()?;
        }
    }

    fn read_on(&mut self) -> Result<(), SendError> {
        // The time of a client is none of its integration's.
        self.rest.put_off_deadline(self.connection.socket.take_waited());
        // An integration that goes on sending is never waited for long enough that it is looked for the client.
        if self.looked_at.elapsed() >= LOOK_AT_CLIENT {
            self.looked_at = Instant::now();
            if self.is_abandoned() {
                return Err(send::client_gone());
            }
        }
        let read = match self.connection.socket.is_tls() {
            true => self.read_sealed(),
            false => self.rest.read_into(self.queue.room()),
        };
        self.read = self.read.saturating_add(read.map_err(of_source)?);
        Ok(())
    }

    /// Puts the head before all else. Once a record is made, those behind it count on it.
    fn seal_head(&mut self) {
        let head = mem::take(&mut self.head);
        self.queue = WriteQueue::of(self.connection.socket.seal(head));
    }

    /// Reads a part that has room once it is sealed, and seals it.
    fn read_sealed(&mut self) -> io::Result<usize> {
        let socket = &mut self.connection.socket;
        let room = self.queue.room();
        let length = content_in(room.capacity() - room.len());
        self.plain.clear();
        if self.plain.capacity() > length {
            self.plain = Vec::new();
        }
        self.plain.reserve_exact(length);
        let read = self.rest.read_into(&mut self.plain);
        socket.seal_into(&self.plain, room);
        if read.is_ok() && self.rest.is_done() && self.then == AfterWrite::Linger {
            socket.seal_end(room);
        }
        read
    }

    /// Whether the memory has room for another part that the client may not take.
    fn keep_more(&mut self) -> bool {
        if self.queue.is_empty() {
            return self.reservation.resize(0);
        }
        self.may_be_kept() && self.reservation.resize(self.queue.held_with_room())
    }

    /// Whether what the client does not take may be kept for it. An answer that cannot be kept to its end is not kept at
    /// all.
    fn may_be_kept(&self) -> bool {
        let left = usize::try_from(self.rest.left().unwrap_or_default()).unwrap_or(usize::MAX);
        self.queue.held().saturating_add(left) <= MAX_KEPT_ANSWER + LONG_ANSWER
    }

    /// Sends what comes, and waits for the client.
    fn stream(&mut self, shared: &Shared) -> Result<Sent, SendError> {
        loop {
            wait_for_client_in_slot(shared, &self.connection.socket, &mut self.queue)?;
            // What a worker holds counts too; where nothing is left, that is all it holds.
            let _ = self.reservation.resize(self.queue.held_with_room());
            if self.rest.is_done() {
                return Ok(Sent::All);
            }
            self.read_on()?;
        }
    }
}

/// What an error of the content's source means. Who waits for an integration leaves it when the client has gone.
fn of_source(error: io::Error) -> SendError {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<UpstreamError>());
    match cause {
        Some(UpstreamError::ClientGone) => send::client_gone(),
        _ => SendError::Integration(error),
    }
}
