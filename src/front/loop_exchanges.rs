//! The exchanges with integrations that one loop has under way, each with the client that waits for it, or takes the
//! answer.

mod driving;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::front::connection::Connection;
use crate::front::connection_table::ConnectionTable;
use crate::front::exchange::Reply;
use crate::front::handler::Suspended;
use crate::front::listener_limits::TURN_LENGTH;
use crate::front::memory_budget::Reservation;
use crate::front::outbound_seats::OutboundSeats;
use crate::front::response_stream::on_loop::LoopStream;
use crate::front::send::Sent;
use crate::front::shared::Shared;
use crate::http1::response_writer::SendError;
use crate::outbound::upstream::loop_content::LoopContent;
use crate::outbound::upstream::loop_exchange::LoopExchange;
use crate::outbound::upstream::loop_pool::LoopPool;
use crate::outbound::upstream::{IntegrationRequest, IntegrationResponse, Unconnected, Upstream, UpstreamError};

/// How often connections that are kept are looked at, whether they are too old.
const LOOK_AT_KEPT: Duration = Duration::from_secs(1);

/// Bytes of an answer that are passed on before others have their turn, where there are others.
const SHORT_TURN: usize = 64 * 1024;

/// Bytes of answers that are passed on in a batch, about. Those whose turn does not come go first in the next one, so that
/// requests are read in between.
const BATCH_LENGTH: usize = 4 * 1024 * 1024;

/// A client that waits for an integration.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) connection: Box<Connection>,
    pub(super) reply: Reply,
    pub(super) suspended: Suspended,
    /// What the request's content takes of the budget.
    pub(super) _body: Option<Reservation>,
    /// What of the answer is held while it comes.
    pub(super) answer: Reservation,
}

/// What came of an exchange.
#[derive(Debug)]
pub(super) enum Answered {
    /// The integration has answered, or failed.
    Whole(Asking, Result<IntegrationResponse, UpstreamError>),
    /// A worker connects to the integration over TLS, and asks it.
    InWorker(Asking, Box<Unconnected>),
    /// The head of its answer is here. Its content is on its way.
    Begun(Asking, Box<IntegrationResponse>, Coming),
    /// The answer has been passed on, or its client keeps the loop waiting, or it is cut.
    Passed(Box<LoopStream>, Result<Sent, SendError>),
}

/// Content that is on its way, and that nobody passes on yet.
#[derive(Debug)]
pub(super) struct Coming {
    number: usize,
    client: Option<usize>,
    content: LoopContent,
}

/// All of one loop.
pub(super) struct LoopExchanges {
    pool: LoopPool,
    seats: OutboundSeats,
    places: Vec<Place>,
    free: Vec<usize>,
    /// When exchanges are looked at. A place has one entry at most, which may be too early, and outlives the exchange: to
    /// move it with every request would cost more than to look in vain now and then.
    schedule: BTreeSet<(Instant, usize)>,
    /// Numbers of exchanges by the slot of their client.
    by_client: Vec<Option<usize>>,
    /// Those that wait for a name.
    resolving: Vec<usize>,
    /// Those that would go on, but let others go first.
    yielding: Vec<usize>,
    look_at_kept: Instant,
    /// Bytes of an answer that are passed on before others have their turn.
    turn: usize,
    /// Bytes of answers that may still be passed on in this batch.
    left: usize,
}

#[derive(Default)]
struct Place {
    pending: Option<Box<Pending>>,
    /// It is among those that would go on.
    is_queued: bool,
    scheduled: Option<Instant>,
}

struct Pending {
    work: Work,
    /// The slot of the client's connection.
    client: Option<usize>,
    /// When it is looked at, whatever happens.
    until: Instant,
}

enum Work {
    /// A client waits for its answer.
    Asking(Asking, Box<LoopExchange>),
    /// It takes the answer.
    Passing(Box<LoopStream>),
}

impl LoopExchanges {
    pub(super) fn new(upstream: &Upstream, table: &ConnectionTable<Connection>) -> LoopExchanges {
        let pool = upstream.of_loop();
        pool.wake_with(table.waker());
        LoopExchanges {
            pool,
            seats: OutboundSeats::default(),
            places: Vec::new(),
            free: Vec::new(),
            schedule: BTreeSet::new(),
            by_client: Vec::new(),
            resolving: Vec::new(),
            yielding: Vec::new(),
            look_at_kept: Instant::now(),
            turn: TURN_LENGTH,
            left: BATCH_LENGTH,
        }
    }

    /// How many sockets are ready, of clients and integrations: each answer gets as much as others leave it.
    pub(super) fn share_turns(&mut self, ready: usize) {
        self.left = BATCH_LENGTH;
        self.turn = match ready + self.yielding.len() {
            0 | 1 => TURN_LENGTH,
            _ => SHORT_TURN,
        };
    }

    /// How long the loop may wait for its sockets from now on; as long as it likes, where none is told.
    pub(super) fn at_most(&self, now: Instant) -> Option<Duration> {
        if !self.yielding.is_empty() {
            return Some(Duration::ZERO);
        }
        let next = self.schedule.first().map(|(at, _)| *at);
        let due = next.map(|at| at.saturating_duration_since(now));
        let kept = self.pool.keeps_some().then_some(LOOK_AT_KEPT);
        due.into_iter().chain(kept).min()
    }

    /// Begins an exchange now; what came of it, where that is known at once.
    pub(super) fn begin(
        &mut self,
        shared: &Shared,
        table: &ConnectionTable<Connection>,
        request: IntegrationRequest,
        mut asking: Asking,
        now: Instant,
    ) -> Option<Answered> {
        let exchange = match LoopExchange::begin(&self.pool, request, now) {
            Ok(exchange) => exchange,
            Err(error) => return Some(Answered::Whole(asking, Err(error))),
        };
        // Where that cannot be watched, a client that goes is noticed when it has its answer.
        let _ = table.watch(&mut asking.connection);
        let client = table.slot(&mut asking.connection);
        let number = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() - 1
        });
        if let Some(slot) = client
            && self.by_client.len() <= slot
        {
            self.by_client.resize(slot + 1, None);
        }
        self.set_client(client, Some(number));
        let pending = Pending {
            work: Work::Asking(asking, exchange),
            client,
            until: now,
        };
        self.drive(shared, table, number, Box::new(pending), now)
    }

    fn set_client(&mut self, slot: Option<usize>, number: Option<usize>) {
        if let Some(place) = slot.and_then(|slot| self.by_client.get_mut(slot)) {
            *place = number;
        }
    }

    fn take(&mut self, number: usize) -> Option<Box<Pending>> {
        self.places.get_mut(number)?.pending.take()
    }

    /// Sees to it that an exchange goes on when others have had their turn.
    fn queue(&mut self, number: usize) {
        if let Some(place) = self.places.get_mut(number).filter(|place| !place.is_queued) {
            place.is_queued = true;
            self.yielding.push(number);
        }
    }

    fn put(&mut self, number: usize, pending: Box<Pending>) {
        let until = pending.until;
        if let Some(place) = self.places.get_mut(number) {
            place.pending = Some(pending);
        }
        self.look_at(number, until);
    }

    /// Sees to it that an exchange is looked at by that time.
    fn look_at(&mut self, number: usize, until: Instant) {
        let Some(Place { scheduled, .. }) = self.places.get_mut(number) else {
            return;
        };
        if scheduled.is_none_or(|at| at > until) {
            if let Some(at) = scheduled.replace(until) {
                self.schedule.remove(&(at, number));
            }
            self.schedule.insert((until, number));
        }
    }

    /// The loop has looked at its sockets; see [`LoopPool::note_look`].
    pub(super) fn note_look(&mut self, now: Instant, is_complete: bool) {
        self.pool.note_look(now, is_complete);
    }

    /// Tells which exchanges are to be looked at now: their time has come, or their name is looked up, or it is their turn
    /// again.
    pub(super) fn due(&mut self, table: &ConnectionTable<Connection>, due: &mut Vec<usize>, now: Instant) {
        due.append(&mut self.yielding);
        if !self.resolving.is_empty() && self.pool.has_looked_up() {
            due.append(&mut self.resolving);
        }
        let Some((first, _)) = self.schedule.first().copied() else {
            return self.look_at_kept(table, now);
        };
        if first <= now {
            while let Some((_, number)) = self.schedule.first().copied().filter(|(at, _)| *at <= now) {
                self.schedule.pop_first();
                let Some(place) = self.places.get_mut(number) else {
                    continue;
                };
                place.scheduled = None;
                match place.pending.as_ref().map(|pending| pending.until) {
                    Some(until) if until <= now => due.push(number),
                    Some(until) => self.look_at(number, until),
                    None => {}
                }
            }
        }
        self.look_at_kept(table, now);
    }

    /// Closes connections that are too old, now and then.
    fn look_at_kept(&mut self, table: &ConnectionTable<Connection>, now: Instant) {
        if now < self.look_at_kept {
            return;
        }
        self.look_at_kept = now + LOOK_AT_KEPT;
        self.pool.close_idle(&mut self.seats.watcher(table, None));
    }
}
