//! The exchanges with integrations that one loop has under way, each with the client that waits for it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::front::connection::Connection;
use crate::front::connection_table::{ConnectionTable, ReadySocket};
use crate::front::exchange::Reply;
use crate::front::handler::Suspended;
use crate::front::memory_budget::Reservation;
use crate::front::outbound_seats::{ExchangeWatcher, OutboundSeats, User};
use crate::outbound::upstream::loop_exchange::{Driven, LoopExchange};
use crate::outbound::upstream::loop_pool::LoopPool;
use crate::outbound::upstream::{IntegrationRequest, IntegrationResponse, TakenOver, Upstream, UpstreamError};

/// How often connections that are kept are looked at, whether they are too old.
const LOOK_AT_KEPT: Duration = Duration::from_secs(1);

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

/// A client whose integration has answered, or failed.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) asking: Asking,
    pub(super) answer: Answer,
}

/// What came of an exchange.
#[derive(Debug)]
pub(super) enum Answer {
    Whole(Result<IntegrationResponse, UpstreamError>),
    /// A worker goes on with it.
    Streams(Box<TakenOver>),
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
    looked_at_kept: Instant,
}

#[derive(Default)]
struct Place {
    pending: Option<Box<Pending>>,
    scheduled: Option<Instant>,
}

struct Pending {
    asking: Asking,
    exchange: Box<LoopExchange>,
    /// The slot of the client's connection.
    client: Option<usize>,
    /// When it is looked at, whatever happens.
    until: Instant,
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
            looked_at_kept: Instant::now(),
        }
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
        table: &ConnectionTable<Connection>,
        request: IntegrationRequest,
        mut asking: Asking,
        now: Instant,
    ) -> Option<Answered> {
        let exchange = match LoopExchange::begin(&self.pool, request, now) {
            Ok(exchange) => exchange,
            Err(error) => {
                let answer = Answer::Whole(Err(error));
                return Some(Answered { asking, answer });
            }
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
            asking,
            exchange,
            client,
            until: now,
        };
        self.drive(table, number, Box::new(pending), now)
    }

    fn set_client(&mut self, slot: Option<usize>, number: Option<usize>) {
        if let Some(place) = slot.and_then(|slot| self.by_client.get_mut(slot)) {
            *place = number;
        }
    }

    fn take(&mut self, number: usize) -> Option<Box<Pending>> {
        self.places.get_mut(number)?.pending.take()
    }

    /// Drives an exchange that is taken out of its place.
    fn drive(
        &mut self,
        table: &ConnectionTable<Connection>,
        number: usize,
        mut pending: Box<Pending>,
        now: Instant,
    ) -> Option<Answered> {
        let mut watcher = ExchangeWatcher {
            table,
            seats: &mut self.seats,
            number: Some(number),
            answer: Some(&mut pending.asking.answer),
        };
        let answer = match pending.exchange.drive(&mut self.pool, &mut watcher, now) {
            Driven::Waits(until) => {
                if pending.exchange.is_resolving() {
                    self.resolving.push(number);
                }
                pending.until = until;
                self.put(number, pending);
                return None;
            }
            Driven::Yields => {
                self.yielding.push(number);
                self.put(number, pending);
                return None;
            }
            Driven::Over(answer) => Answer::Whole(answer),
            Driven::Streams(taken) => Answer::Streams(taken),
        };
        self.set_client(pending.client, None);
        self.free.push(number);
        Some(Answered {
            asking: pending.asking,
            answer,
        })
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

    /// Goes on with what a socket is ready for.
    pub(super) fn on_ready(
        &mut self,
        table: &ConnectionTable<Connection>,
        ready: ReadySocket,
        now: Instant,
    ) -> Option<Answered> {
        match self.seats.user(ready.seat) {
            User::Nobody => None,
            User::Kept => {
                // No request asked for it, so the connection is closed before a request takes it.
                if ready.is_readable || ready.has_ended {
                    let mut watcher = ExchangeWatcher {
                        table,
                        seats: &mut self.seats,
                        number: None,
                        answer: None,
                    };
                    self.pool.end(ready.seat, &mut watcher);
                }
                None
            }
            User::Exchange(number) => {
                let mut pending = self.take(number)?;
                pending.exchange.note_ready(ready.is_readable, ready.has_ended);
                self.drive(table, number, pending, now)
            }
        }
    }

    /// Ends the exchange of a client that may have gone, where it has.
    pub(super) fn on_end(&mut self, table: &ConnectionTable<Connection>, slot: usize) -> Option<Answered> {
        let number = self.by_client.get(slot).copied().flatten()?;
        let pending = self.take(number)?;
        if !pending.asking.connection.socket.is_abandoned() {
            self.put(number, pending);
            return None;
        }
        let Pending {
            mut asking,
            exchange,
            client,
            ..
        } = *pending;
        let mut watcher = ExchangeWatcher {
            table,
            seats: &mut self.seats,
            number: Some(number),
            answer: Some(&mut asking.answer),
        };
        let gone = exchange.abandon(&mut watcher);
        self.set_client(client, None);
        self.free.push(number);
        let answer = Answer::Whole(Err(gone));
        Some(Answered { asking, answer })
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
        if now.saturating_duration_since(self.looked_at_kept) < LOOK_AT_KEPT {
            return;
        }
        self.looked_at_kept = now;
        let mut watcher = ExchangeWatcher {
            table,
            seats: &mut self.seats,
            number: None,
            answer: None,
        };
        self.pool.close_idle(&mut watcher);
    }

    /// Goes on with an exchange that is due.
    pub(super) fn on_due(
        &mut self,
        table: &ConnectionTable<Connection>,
        number: usize,
        now: Instant,
    ) -> Option<Answered> {
        let pending = self.take(number)?;
        self.drive(table, number, pending, now)
    }
}
