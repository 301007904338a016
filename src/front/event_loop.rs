//! One listener's service: what brings connections, the thread that waits for them and the workers together.

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::front::Handler;
use crate::front::admission::TOO_MANY;
use crate::front::connection::{Connection, Next, State};
use crate::front::connection_log::Notices;
use crate::front::connection_table::{Parking, Watch, Woken};
use crate::front::exchange;
use crate::front::limits::{
    HALF_CLOSE_TIME, LEAST_MOVING, LOOK_AT_CLIENT, Limits, STEP_TIME, STOP_PATIENCE, WORTH_A_LOOK, most_waiting_answers,
};
use crate::front::memory_budget::{Budget, Class};
use crate::front::pending_write::{Then, Unsent, Written};
use crate::front::quota::Quotas;
use crate::front::request_reader::{Refusal, Whole};
use crate::front::response_stream::{self, Passing};
use crate::front::socket::{Patience, Presence};
use crate::front::stream_scheduler::{Asked, Most, Turn, Turns};
use crate::front::worker_pool::{Full, Urgency, Workers};
use crate::front::write_queue::Pieces;
use crate::http1::error::RequestError;
use crate::http1::message::Version;
use crate::http1::response_writer::{Incomplete, Reply};
use crate::platform::metrics::{ConnectionMetrics, FrontMetrics, Raised};

/// How often a stopping service looks whether it has ended.
const STOP_TICK: Duration = Duration::from_millis(20);

/// So many connections are few enough for a worker to wait on each: that takes threads, but no others to wake them.
pub(super) const FEW_CONNECTIONS: usize = 64;

/// Longer than anything that is waited for.
const FAR: Duration = Duration::from_secs(3600);

/// How long answers take turns. Workers are left for ordinary requests, and turns for more destinations than one.
fn turns(most_workers: usize) -> Turns<Passing> {
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let turns = (most_workers - most_workers.div_ceil(4)).max(most_workers.min(2));
    Turns::new(Most {
        moving: processors.saturating_mul(2).max(LEAST_MOVING).min(turns),
        turns: NonZeroUsize::new(turns).unwrap_or(NonZeroUsize::MIN),
        waiting: most_waiting_answers(most_workers),
        step_time: STEP_TIME,
    })
}

/// What all threads of a listener share.
pub(super) struct Service {
    pub(super) handler: Arc<dyn Handler>,
    pub(super) limits: Limits,
    pub(super) budget: Arc<Budget>,
    pub(super) workers: Workers,
    pub(super) parking: Parking,
    /// Who may move the bytes of long answers.
    pub(super) turns: Turns<Passing>,
    /// Open connections.
    pub(super) quotas: Arc<Quotas>,
    /// So many are few: never more than workers, so that none waits while another connection wants it.
    few: usize,
    /// What is told of connections and answers that fail.
    pub(super) notices: Notices,
    /// What is counted for whoever looks on.
    pub(super) metrics: Arc<FrontMetrics>,
    /// Answers that are being streamed, and how many may be.
    pub(super) streams: Arc<AtomicUsize>,
    pub(super) most_streams: NonZeroUsize,
    stopping: AtomicBool,
    /// What has not been accepted yet is not waited for.
    given_up: AtomicBool,
    /// The last connection has been accepted.
    accepted_all: AtomicBool,
}

impl Service {
    /// A service without connections, and what its thread watches them with.
    ///
    /// # Errors
    /// The system refuses what it needs.
    pub(super) fn new(
        name: &'static str,
        most_workers: NonZeroUsize,
        limits: Limits,
        handler: Arc<dyn Handler>,
    ) -> io::Result<(Arc<Service>, Watch)> {
        let (parking, watch) = Parking::new()?;
        let metrics = Arc::new(FrontMetrics {
            connections: Some(ConnectionMetrics::default()),
            ..FrontMetrics::default()
        });
        let service = Service {
            handler,
            limits,
            budget: Budget::of(limits.memory),
            workers: Workers::new(name, most_workers, Some(limits.queue_timeout))?,
            parking,
            turns: turns(most_workers.get()),
            quotas: Arc::default(),
            few: most_workers.get().min(FEW_CONNECTIONS),
            notices: Notices::new(&metrics),
            metrics,
            streams: Arc::default(),
            most_streams: NonZeroUsize::new(most_workers.get().div_ceil(2)).unwrap_or(NonZeroUsize::MIN),
            stopping: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            accepted_all: AtomicBool::new(false),
        };
        Ok((Arc::new(service), watch))
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// From now on every answer is the last on its connection.
    pub(super) fn begin_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.parking.wake();
    }

    /// Whether the time in which connections are still accepted is over.
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::SeqCst)
    }

    /// From now on connections that cannot be accepted are not waited for.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
    }

    /// No connection will come any more.
    pub(super) fn end_accepting(&self) {
        self.accepted_all.store(true, Ordering::SeqCst);
    }

    /// Open connections.
    pub(super) fn open(&self) -> usize {
        self.quotas.open()
    }

    /// Connections with a request that has no whole answer yet, or that may still send one.
    pub(super) fn unfinished(&self) -> usize {
        let lingering = self.parking.count(Connection::is_lingering);
        self.open().saturating_sub(lingering)
    }

    /// As [`Service::unfinished`], but without connections on which nothing was asked.
    pub(super) fn in_flight(&self) -> usize {
        self.unfinished()
            .saturating_sub(self.parking.count(Connection::is_idle))
    }

    /// Whether the last connection has been accepted.
    pub(super) fn has_accepted_all(&self) -> bool {
        self.accepted_all.load(Ordering::SeqCst)
    }

    /// Lets a connection wait, unless something has happened to it already.
    pub(super) fn park(self: &Arc<Service>, connection: Box<Connection>) {
        if let Some(connection) = self.put(connection, false) {
            self.look_at(connection, false);
        }
    }

    /// Lets a connection wait, or gives it back if there is something to look at; `is_afresh` where it was not read to
    /// the end of what is here.
    pub(super) fn put(&self, mut connection: Box<Connection>, is_afresh: bool) -> Option<Box<Connection>> {
        connection.shrink();
        let deadline = self.deadline(&connection);
        self.parking
            .put(connection, deadline, is_afresh)
            .unwrap_or_else(|error| {
                self.notices.unwatched(&error);
                None
            })
    }

    /// Ends the watching of a connection on which its worker waits itself. That spares the next request the way through
    /// another thread, and is done while there are so few connections that a worker has nothing better to do. Where there
    /// are as many as may be, a new one must see that this one is idle.
    pub(super) fn waits_itself(&self, connection: &mut Connection) -> bool {
        let open = self.open();
        let has_room = open < self.limits.max_connections.get();
        let is_of_use = open <= self.few && has_room && !self.workers.has_waiting();
        if is_of_use {
            self.parking.leave(connection);
        }
        is_of_use
    }

    fn deadline(&self, connection: &Connection) -> Instant {
        let deadline = connection.deadline(&self.limits);
        if self.is_stopping() && connection.is_idle() {
            deadline.min(Instant::now() + STOP_PATIENCE)
        } else {
            deadline
        }
    }

    /// Waits for all connections, until the service has stopped.
    pub(super) fn watch(self: &Arc<Service>, mut watch: Watch) {
        let mut woken = Vec::new();
        let mut looked_at = Instant::now();
        loop {
            let is_stopping = self.is_stopping();
            if is_stopping {
                self.parking.hasten_idle(Instant::now() + STOP_PATIENCE);
                if self.has_accepted_all() && self.open() == 0 {
                    return;
                }
            }
            // Turns come free also by themselves, and so do slots of destinations.
            let has_waiting = self.begin_turns();
            if has_waiting && looked_at.elapsed() >= LOOK_AT_CLIENT {
                looked_at = Instant::now();
                for passing in self.turns.take_out(Passing::is_abandoned) {
                    response_stream::abandon(self, passing);
                }
            }
            let at_most = match (has_waiting, is_stopping) {
                (true, _) => STEP_TIME,
                (false, true) => STOP_TICK,
                (false, false) => FAR,
            };
            self.parking.wait(&mut watch, at_most, &mut woken);
            for Woken { connection, is_expired } in woken.drain(..) {
                // A panic is a defect of ours, and must not cost the other connections.
                let _ = catch_unwind(AssertUnwindSafe(|| self.look_at(connection, is_expired)));
            }
        }
    }

    /// Goes on with a connection that may have something to do.
    fn look_at(self: &Arc<Service>, mut connection: Box<Connection>, mut is_expired: bool) {
        loop {
            let next = match connection.state {
                State::Idle | State::Head(_) | State::Body(_) => connection.read_request(&self.budget, Patience::None),
                State::Lingering(_) => connection.discard(),
                State::Writing(_) => match connection.write_on() {
                    Ok(Written::All(then)) => return self.finish(connection, then),
                    Ok(Written::Part(0)) => Next::Wait,
                    // Who takes a little has its time anew.
                    Ok(written) => {
                        is_expired = false;
                        match written {
                            Written::Turn => Next::Yield,
                            _ => Next::Wait,
                        }
                    }
                    Err(error) => {
                        self.notices.cut(connection.peer, &Incomplete::Client(error));
                        Next::Close
                    }
                },
            };
            let is_afresh = match next {
                Next::Wait | Next::Yield if is_expired && connection.is_late(&self.limits, &self.budget) => {
                    return self.expire(connection);
                }
                Next::Wait => false,
                Next::Yield => true,
                next => return self.follow(connection, next),
            };
            let Some(again) = self.put(connection, is_afresh) else {
                return;
            };
            (connection, is_expired) = (again, false);
        }
    }

    /// Ends a connection that has waited too long.
    fn expire(self: &Arc<Service>, connection: Box<Connection>) {
        match connection.state {
            // The last answer may still be on its way.
            State::Idle if connection.requests > 0 => self.linger(connection),
            State::Head(_) | State::Body(_) => {
                let refusal = connection.refusal(RequestError::Timeout);
                self.refuse(connection, refusal);
            }
            State::Writing(_) => {
                let nothing = Incomplete::Client(io::ErrorKind::TimedOut.into());
                self.notices.cut(connection.peer, &nothing);
                connection.socket.reset();
            }
            State::Idle | State::Lingering(_) => {}
        }
    }

    /// Does what is next with a connection that is watched by nobody.
    pub(super) fn follow(self: &Arc<Service>, connection: Box<Connection>, next: Next) {
        match next {
            Next::Wait => self.park(connection),
            Next::Yield => {
                if let Some(connection) = self.put(connection, true) {
                    self.look_at(connection, false);
                }
            }
            Next::Answer(whole) => self.hand_over(connection, whole),
            Next::Refuse(refusal) => self.refuse(connection, refusal),
            Next::Close => {}
        }
    }

    /// Goes on after an answer that has been sent.
    pub(super) fn finish(self: &Arc<Service>, mut connection: Box<Connection>, then: Then) {
        match then {
            Then::Keep => {
                connection.enter(State::Idle);
                let next = connection.read_request(&self.budget, Patience::None);
                self.follow(connection, next);
            }
            Then::Linger => self.linger(connection),
        }
    }

    /// Ends our side of a connection, and the connection when the client has ended its own. Closed at once, it would be
    /// reset by what the client still sends, and the end of the answer lost (RFC 9112 §9.6).
    pub(super) fn linger(self: &Arc<Service>, mut connection: Box<Connection>) {
        connection.linger();
        if !matches!(connection.discard(), Next::Close) {
            self.park(connection);
        }
    }

    fn hand_over(self: &Arc<Service>, mut connection: Box<Connection>, whole: Whole) {
        let urgency = match self.handler.is_vital(&whole.head.request) {
            true => Urgency::Vital,
            false => Urgency::Ordinary,
        };
        if connection.is_in_reserve() && !self.may_answer(&mut connection, urgency) {
            return self.refuse(connection, Refusal::of(TOO_MANY, &whole.head));
        }
        // Thousands may wait for a worker.
        connection.shrink();
        // Where that cannot be watched, a client that goes is noticed when it has its answer.
        let _ = self.parking.watch(&mut connection);
        let service = Arc::clone(self);
        self.metrics.queue_depth.rise();
        let job = move |(connection, whole), waited| {
            service.metrics.queue_depth.fall();
            if let Some((connection, whole)) = service.still_wanted(connection, whole, waited) {
                let _busy = Raised::by_one(&service.metrics.workers_busy);
                exchange::serve(&service, connection, whole);
            }
        };
        if let Err(Full((connection, whole))) = self.workers.submit((connection, whole), urgency, job) {
            self.metrics.queue_depth.fall();
            let error = RequestError::Overloaded("the queue is full");
            self.refuse(connection, Refusal::of(error, &whole.head));
        }
    }

    /// A request that has waited for a worker, if it is still to be carried out. One that has waited too long never is,
    /// and is ended without waiting for its client.
    fn still_wanted(
        self: &Arc<Service>,
        connection: Box<Connection>,
        whole: Whole,
        waited: Duration,
    ) -> Option<(Box<Connection>, Whole)> {
        if waited < WORTH_A_LOOK {
            return Some((connection, whole));
        }
        if self.has_left(&connection, waited) {
            // For the access log; nobody would get it.
            let refusal = Refusal::of(RequestError::ClientGone, &whole.head);
            drop(self.handler.refuse(refusal.error, &refusal.request));
            return None;
        }
        if waited >= self.limits.queue_timeout {
            let error = RequestError::Overloaded("it has waited too long for a worker");
            self.refuse(connection, Refusal::of(error, &whole.head));
            return None;
        }
        Some((connection, whole))
    }

    /// Whether the client of a request has gone while that waited. One that ended its side with the request, or right behind
    /// it, waits for the answer.
    fn has_left(&self, connection: &Connection, waited: Duration) -> bool {
        match connection.socket.presence() {
            Presence::Here => false,
            Presence::Gone => true,
            Presence::Ended if connection.has_ended => false,
            Presence::Ended => {
                let since_end = self.parking.end_noted_at(connection).map(|at| at.elapsed());
                waited.saturating_sub(since_end.unwrap_or_default()) > HALF_CLOSE_TIME
            }
        }
    }

    /// The turn of a long answer; none if it waits for one now, which is looked after.
    pub(super) fn has_turn(&self, asked: Asked<Passing>) -> Option<(Passing, Turn)> {
        match asked {
            Asked::Has(passing, turn) => Some((passing, turn)),
            Asked::Waits => {
                self.parking.wake();
                None
            }
        }
    }

    /// Lets long answers that wait have the turns that are free; tells whether some wait still.
    pub(super) fn begin_turns(self: &Arc<Service>) -> bool {
        while let Some((passing, turn)) = self.turns.next() {
            let service = Arc::clone(self);
            self.workers.submit_first(move || {
                let _busy = Raised::by_one(&service.metrics.workers_busy);
                response_stream::go_on(&service, passing, turn);
            });
        }
        self.turns.has_waiting()
    }

    /// Whether others wait for a worker, or for one that moves bytes.
    pub(super) fn has_waiting(&self) -> bool {
        self.workers.has_waiting() || self.turns.has_waiting()
    }

    /// Answers a request that gets no further, and ends the connection in a way in which the client can read it.
    pub(super) fn refuse(self: &Arc<Service>, mut connection: Box<Connection>, refusal: Refusal) {
        let bytes = self.refusal_bytes(refusal);
        let share = self.budget.share(Class::Answer);
        connection.enter(State::Writing(Unsent::new(
            Pieces::of(bytes),
            Then::Linger,
            share,
            None,
        )));
        match connection.write_on() {
            Ok(Written::All(_)) => self.linger(connection),
            Ok(Written::Turn | Written::Part(_)) => self.park(connection),
            Err(_) => {}
        }
    }

    pub(super) fn refusal_bytes(&self, refusal: Refusal) -> Vec<u8> {
        if let RequestError::Overloaded(reason) = refusal.error {
            self.notices.overload(reason);
        }
        let response = self.handler.refuse(refusal.error, &refusal.request);
        let reply = Reply {
            head_only: refusal.head_only,
            version: Version::Http11,
            close: true,
            date: SystemTime::now(),
        };
        reply.answer(response).bytes
    }
}
