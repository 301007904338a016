//! The loops of one listener: each waits for its connections and hands whole requests to workers. They alone act on what
//! the steps of a request return.

mod answering;
mod handing_over;
mod held_back;
mod working;

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::front::connection::{Connection, Next, State};
use crate::front::connection_table::{Happened, Poller, ReadyConnection};
use crate::front::event_loop::held_back::HeldBack;
use crate::front::handler::Handler;
use crate::front::listener_limits::{LOOK_AT_CLIENT, Limits, STEP_TIME, STOP_PATIENCE};
use crate::front::loop_exchanges::LoopExchanges;
use crate::front::memory_budget::Class;
use crate::front::outcome::Outcome;
use crate::front::pending_write::{AfterWrite, PendingWrite, Written};
use crate::front::request_reader::{CompleteRequest, Refusal};
use crate::front::response_stream::{self, ResponseStream};
use crate::front::send;
use crate::front::shared::Shared;
use crate::front::socket::Wait;
use crate::front::stream_scheduler::{Asked, Permit, StreamScheduler};
use crate::front::watchdog::{Batch, Watchdog};
use crate::front::write_queue::WriteQueue;
use crate::http1::error::RequestError;
use crate::http1::response_writer::SendError;
use crate::platform::loops;
use crate::platform::metrics::InFlightGuard;

/// How often a stopping service looks whether it has ended.
const STOP_TICK: Duration = Duration::from_millis(20);

/// Longer than anything that is waited for.
const FAR: Duration = Duration::from_secs(3600);

/// The loops of a listener, and what its workers go on with.
pub(super) struct EventLoop {
    pub(super) shared: Shared,
    /// Which long answers are being moved, and which wait for that.
    scheduler: StreamScheduler<ResponseStream>,
}

impl EventLoop {
    /// Loops without connections, and what each of their threads watches them with.
    ///
    /// # Errors
    /// The system refuses what it needs.
    pub(super) fn new(
        name: &'static str,
        most_workers: NonZeroUsize,
        loops: usize,
        limits: Limits,
        handler: Arc<dyn Handler>,
    ) -> io::Result<(Arc<EventLoop>, Vec<Poller>)> {
        let (shared, pollers) = Shared::new(name, most_workers, loops, limits, handler)?;
        let scheduler = response_stream::scheduler(most_workers.get());
        Ok((Arc::new(EventLoop { shared, scheduler }), pollers))
    }

    /// Does what a step says is next with a connection that is watched by nobody.
    pub(super) fn apply(self: &Arc<EventLoop>, outcome: Outcome) {
        match outcome {
            Outcome::NextRequest(mut connection) => {
                if !matches!(connection.state, State::Idle) {
                    connection.enter(State::Idle);
                }
                if self.shared.loops_answer {
                    return self.give_back(connection);
                }
                let next = connection.read_request(&self.shared.budget, Wait::Never);
                self.after_read(connection, next);
            }
            Outcome::Park(connection) => {
                if let Some(connection) = self.register(connection, false) {
                    self.look_again(connection);
                }
            }
            Outcome::Linger(connection) => self.linger(connection),
            Outcome::Refuse(connection, refusal) => self.refuse(connection, refusal),
            Outcome::Read(connection, next) => self.after_read(connection, next),
            Outcome::Closed => {}
        }
    }

    /// Lets a connection wait, or gives it back if there is something to look at; `is_afresh` where it was not read to
    /// the end of what is here.
    fn register(&self, mut connection: Box<Connection>, is_afresh: bool) -> Option<Box<Connection>> {
        connection.shrink();
        let deadline = self.shared.deadline(&connection);
        let table = self.shared.tables.of(&connection);
        table.register(connection, deadline, is_afresh).unwrap_or_else(|error| {
            self.shared.connection_log.unwatched(&error);
            None
        })
    }

    /// Waits for the connections of one loop, until the listener has stopped.
    pub(super) fn run(self: &Arc<EventLoop>, number: usize, mut watch: Poller) {
        let table = self.shared.tables.of_loop(number);
        let (mut happened, mut whole, mut due) = (Happened::default(), Vec::new(), Vec::new());
        let upstream = self.shared.handler.upstream().filter(|_| self.shared.loops_answer);
        let mut exchanges = upstream.map(|upstream| LoopExchanges::new(upstream, table));
        let mut held = HeldBack::default();
        let watchdog = Watchdog::new(number, Arc::clone(&self.shared.metrics));
        loops::enter();
        let mut now = Instant::now();
        let mut looked_at = now;
        loop {
            let is_stopping = self.shared.is_stopping();
            if is_stopping {
                table.expire_idle(now + STOP_PATIENCE);
                if self.shared.has_accepted_all() && self.shared.open() == 0 {
                    return;
                }
            }
            // Turns come free also by themselves. One loop sees to that.
            let has_waiting = number == 0 && self.begin_streams();
            if has_waiting && now.saturating_duration_since(looked_at) >= LOOK_AT_CLIENT {
                looked_at = now;
                for stream in self.scheduler.take_out(ResponseStream::is_abandoned) {
                    self.apply(response_stream::abandon(&self.shared, stream));
                }
            }
            let at_most = match (has_waiting, is_stopping) {
                _ if !whole.is_empty() => held_back::TICK,
                (true, _) => STEP_TIME,
                (false, true) => STOP_TICK,
                (false, false) => FAR,
            };
            let asked = exchanges.as_ref().and_then(|exchanges| exchanges.at_most(now));
            table.wait(
                &mut watch,
                now,
                asked.map_or(at_most, |asked| asked.min(at_most)),
                &mut happened,
            );
            let began = happened.at;
            let (connections, sockets) = (happened.ready.len(), happened.outbound.len());
            // What an integration has sent is taken before a client's request is, so that no connection is taken for one
            // whose end is already known.
            if let Some(exchanges) = &mut exchanges {
                exchanges.note_look(began, happened.is_all);
                self.on_exchanges(table, exchanges, &mut happened, &mut due);
            } else {
                happened.away.clear();
            }
            let batch = happened.ready.drain(..);
            let batch = batch.filter_map(|ReadyConnection { connection, is_expired }| {
                // A panic is a defect of ours, and must not cost the other connections.
                let read = AssertUnwindSafe(|| self.on_ready(connection, is_expired));
                catch_unwind(read).ok().flatten()
            });
            whole.extend(batch);
            let requests = whole.len();
            self.answer_all(table, &mut exchanges, &mut whole, &mut held);
            let batch = Batch {
                connections,
                sockets,
                requests,
            };
            now = Instant::now();
            watchdog.note(batch, now, now.saturating_duration_since(began));
        }
    }

    /// Gives a connection that takes the next request back to its loop.
    fn give_back(&self, connection: Box<Connection>) {
        let connection = match connection.may_have_more() {
            true => Some(connection),
            false => self.register(connection, false),
        };
        if let Some(connection) = connection {
            self.shared.tables.of(&connection).give(connection);
        }
    }

    /// Goes on with a connection that may have something to do, which has just been looked at.
    fn look_again(self: &Arc<EventLoop>, connection: Box<Connection>) {
        if self.shared.loops_answer {
            return self.shared.tables.of(&connection).give(connection);
        }
        if let Some((connection, whole)) = self.on_ready(connection, false) {
            self.hand_over(connection, whole);
        }
    }

    /// Goes on with a connection that may have something to do; tells of the request that it has.
    fn on_ready(
        self: &Arc<EventLoop>,
        mut connection: Box<Connection>,
        mut is_expired: bool,
    ) -> Option<(Box<Connection>, CompleteRequest)> {
        loop {
            let next = match connection.state {
                State::Handshake(_) | State::Idle | State::Head(_) | State::Body(_) => {
                    connection.read_request(&self.shared.budget, Wait::Never)
                }
                State::Lingering(_) => connection.discard(),
                State::Writing(_) => match connection.write_on() {
                    Ok(Written::All(AfterWrite::KeepAlive)) => {
                        self.apply(Outcome::NextRequest(connection));
                        return None;
                    }
                    Ok(Written::All(AfterWrite::Linger)) => {
                        self.linger(connection);
                        return None;
                    }
                    Ok(Written::Part(0)) => Next::Wait,
                    // Who takes a little has its time anew.
                    Ok(written) => {
                        is_expired = false;
                        match written {
                            Written::TurnOver => Next::Yield,
                            _ => Next::Wait,
                        }
                    }
                    Err(error) => {
                        self.shared
                            .connection_log
                            .cut(connection.peer, &SendError::Client(error));
                        Next::Close
                    }
                },
            };
            let is_afresh = match next {
                Next::Wait | Next::Yield
                    if is_expired && connection.is_late(&self.shared.limits, &self.shared.budget) =>
                {
                    self.expire(connection);
                    return None;
                }
                Next::Wait => false,
                Next::Yield => true,
                Next::Answer(whole) => return Some((connection, whole)),
                next => {
                    self.after_read(connection, next);
                    return None;
                }
            };
            (connection, is_expired) = (self.register(connection, is_afresh)?, false);
        }
    }

    /// Ends a connection that has waited too long.
    fn expire(self: &Arc<EventLoop>, connection: Box<Connection>) {
        match connection.state {
            State::Handshake(_) => self.fail_handshake(connection, true),
            // The last answer may still be on its way.
            State::Idle if connection.requests > 0 => self.linger(connection),
            State::Head(_) | State::Body(_) => {
                let refusal = connection.refusal(RequestError::Timeout);
                self.refuse(connection, refusal);
            }
            State::Writing(_) => {
                self.shared.connection_log.cut(connection.peer, &send::too_slow());
                connection.socket.reset();
            }
            State::Idle | State::Lingering(_) => {}
        }
    }

    /// Does what is next with a connection that is watched by nobody.
    fn after_read(self: &Arc<EventLoop>, connection: Box<Connection>, next: Next) {
        match next {
            Next::Wait => self.apply(Outcome::Park(connection)),
            Next::Yield => {
                if let Some(connection) = self.register(connection, true) {
                    self.look_again(connection);
                }
            }
            Next::Handshake => self.begin_turn(connection),
            Next::Fail => self.fail_handshake(connection, false),
            Next::Answer(whole) => self.hand_over(connection, whole),
            Next::Refuse(refusal) => self.refuse(connection, refusal),
            Next::Close => connection.take_leave(),
        }
    }

    /// Ends our side of a connection, and the connection when the client has ended its own. Closed at once, it would be
    /// reset by what the client still sends, and the end of the answer lost (RFC 9112 §9.6).
    fn linger(self: &Arc<EventLoop>, mut connection: Box<Connection>) {
        connection.linger();
        if !matches!(connection.discard(), Next::Close) {
            self.apply(Outcome::Park(connection));
        }
    }

    /// The permit of a long answer; none if it waits for one now.
    fn permit_of(&self, asked: Asked<ResponseStream>) -> Option<(ResponseStream, Permit)> {
        match asked {
            Asked::Has(stream, permit) => Some((stream, permit)),
            Asked::Waits => {
                self.shared.tables.of_loop(0).wake();
                None
            }
        }
    }

    /// Lets long answers that wait have the permits that are free; tells whether some wait still.
    fn begin_streams(self: &Arc<EventLoop>) -> bool {
        while let Some((stream, permit)) = self.scheduler.next() {
            let event_loop = Arc::clone(self);
            self.shared.workers.submit_first(move || {
                let _busy = InFlightGuard::new(&event_loop.shared.metrics.workers_busy);
                event_loop.resume_stream(stream, permit);
            });
        }
        self.scheduler.has_waiting()
    }

    /// Whether others wait for a worker, or for one that moves bytes.
    fn has_waiting(&self) -> bool {
        self.shared.workers.has_waiting() || self.scheduler.has_waiting()
    }

    /// Answers a request that gets no further, and ends the connection in a way in which the client can read it.
    fn refuse(self: &Arc<EventLoop>, mut connection: Box<Connection>, refusal: Refusal) {
        if refusal.error == RequestError::PlainHttp {
            self.shared.count_handshake(|handshakes| &handshakes.plain_http);
        }
        let mut bytes = connection.socket.seal(send::refusal(&self.shared, refusal));
        connection.socket.seal_end(&mut bytes);
        let reservation = self.shared.budget.reserve(Class::Answer);
        connection.enter(State::Writing(PendingWrite::new(
            WriteQueue::of(bytes),
            AfterWrite::Linger,
            reservation,
            None,
        )));
        match connection.write_on() {
            Ok(Written::All(_)) => self.linger(connection),
            Ok(Written::TurnOver | Written::Part(_)) => self.apply(Outcome::Park(connection)),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
