//! The connections of one loop that are kept for another request. No other thread takes them, so there is no lock.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::http1::target::Scheme;
use crate::outbound::upstream::connection::{Connection, Quiet, RECEIVED_AT_ONCE};
use crate::outbound::upstream::destinations::Destination;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::exchange::Exchange;
use crate::outbound::upstream::pool::{MAX_IDLE_AGE, Pool};
use crate::outbound::upstream::request::IntegrationRequest;
use crate::outbound::upstream::server::Server;
use crate::outbound::upstream::watched::{Place, Watched};
use crate::outbound::upstream::watcher::{Seat, Watcher};
use crate::platform::metrics::UpstreamConnections;

/// How long a look at all connections tells that nothing has come on those that were kept. What comes later counts as
/// come while a request is on its way, which is longer than this with most integrations, and which nobody can tell.
const LOOK_HOLDS: Duration = Duration::from_millis(2);

/// Most bytes of memory that are held for the next answer.
const MAX_BUFFER: usize = 2 * RECEIVED_AT_ONCE;

/// A loop's way to integrations.
#[derive(Debug)]
pub struct LoopPool {
    pub(super) pool: Arc<Pool>,
    pub(super) connections: Arc<UpstreamConnections>,
    /// Those that the loop has looked at since they were kept. The one that has been idle longest first.
    kept: Vec<Kept>,
    /// Those that were kept since the last look, in the same order.
    unlooked: Vec<Kept>,
    /// Until when the last look at all connections holds; none where it has seen a part of what happened.
    look_holds: Option<Instant>,
    /// How many look-ups of names had ended when it was last looked.
    looked_up: u64,
    /// What the last answer was received in, for the next one: most come whole, so that one is enough for all exchanges.
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Kept {
    /// When it is too old to be used.
    until: Instant,
    server: Arc<Server>,
    connection: Connection,
    seat: Seat,
    place: Place,
}

impl LoopPool {
    pub(super) fn new(pool: Arc<Pool>, connections: Arc<UpstreamConnections>) -> LoopPool {
        LoopPool {
            looked_up: pool.resolver.ended(),
            pool,
            connections,
            kept: Vec::new(),
            unlooked: Vec::new(),
            look_holds: None,
            buffer: Vec::new(),
        }
    }

    /// What to receive an answer in, empty.
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// What an answer was received in, of which nothing is wanted any more.
    pub(super) fn give_buffer(&mut self, mut buffer: Vec<u8>) {
        // One that has grown is not kept for all time.
        if buffer.capacity() <= MAX_BUFFER {
            buffer.clear();
            self.buffer = buffer;
        }
    }

    /// The loop has looked at its connections and is about to tell of each on which something has come. `is_complete` where
    /// it tells of all of them.
    pub fn note_look(&mut self, now: Instant, is_complete: bool) {
        self.look_holds = is_complete.then(|| now + LOOK_HOLDS);
        if is_complete {
            self.kept.append(&mut self.unlooked);
        }
    }

    /// Calls that each time when the look-up of a name has ended, for which exchanges may wait.
    pub fn wake_with(&self, waker: impl Fn() + Send + Sync + 'static) {
        self.pool.resolver.wake_with(Arc::new(waker));
    }

    /// Whether the look-up of a name has ended since this was last asked.
    pub fn has_looked_up(&mut self) -> bool {
        let before = std::mem::replace(&mut self.looked_up, self.pool.resolver.ended());
        before != self.looked_up
    }

    /// Whether connections are kept.
    pub fn keeps_some(&self) -> bool {
        !self.kept.is_empty() || !self.unlooked.is_empty()
    }

    /// The server of a request.
    ///
    /// # Errors
    /// The request's authority is none.
    pub(super) fn server(&self, request: &IntegrationRequest) -> Result<Arc<Server>, UpstreamError> {
        let mut all = self.unlooked.iter().rev().chain(self.kept.iter().rev());
        if let Some(kept) = all.find(|kept| kept.server.is_of(request)) {
            return Ok(Arc::clone(&kept.server));
        }
        let destination: Arc<Destination> = self.pool.destination(request.scheme, &request.authority);
        Ok(Arc::new(Server::of(request, destination)?))
    }

    /// Takes the connection that was kept last for a server, of those that were looked at if there is one; and whether
    /// that look holds still, so that nothing has come on it.
    pub(super) fn take(&mut self, server: &Arc<Server>, now: Instant) -> Option<(Watched, bool)> {
        let is_for = |kept: &Kept| Arc::ptr_eq(&kept.server, server) || kept.server.is_same(server);
        // Those before the one that is found are older.
        let found = |all: &mut Vec<Kept>| {
            let at = all.iter().rposition(is_for)?;
            let is_young = now <= all.get(at)?.until;
            is_young.then(|| all.remove(at))
        };
        let (kept, holds) = match found(&mut self.kept) {
            Some(kept) => (kept, self.look_holds.is_some_and(|until| now <= until)),
            None => (found(&mut self.unlooked)?, false),
        };
        let Kept {
            connection,
            seat,
            place,
            ..
        } = kept;
        Some((Watched::new(connection, seat, place), holds))
    }

    /// Takes a connection for a server that a worker has kept, and watches it.
    pub(super) fn take_of_workers(&mut self, server: &Server, watcher: &mut dyn Watcher) -> Option<Watched> {
        let connection = self.pool.take_kept(server)?;
        let seat = watcher.watch(connection.as_fd()).ok()?;
        let place = self.place(watcher);
        Some(Watched::new(connection, seat, place))
    }

    /// Takes back the connection of an answer that is complete: it is kept if it can be, and what came behind the answer is
    /// none of it.
    pub(super) fn take_back(
        &mut self,
        server: &Arc<Server>,
        exchange: &Exchange,
        mut watched: Watched,
        watcher: &mut dyn Watcher,
        now: Instant,
    ) {
        let destination = &server.destination;
        // Where it was not received to the end, the system may hold bytes of which it does not tell again.
        let quiet = match watched.is_readable() && watched.connection.is_plain() {
            true => watched.connection.quiet(),
            false => Quiet::Yes,
        };
        if exchange.has_surplus() || watched.has_received() || matches!(quiet, Quiet::Surplus) {
            destination.note_surplus();
        } else if exchange.keeps_connection()
            && watched.is_at_rest()
            && matches!(quiet, Quiet::Yes)
            && destination.keeps_connections()
        {
            return self.keep(server, watched, watcher, now);
        }
        Self::end_watched(watched, watcher);
    }

    /// Closes a connection.
    pub(super) fn end_watched(watched: Watched, watcher: &mut dyn Watcher) {
        let seat = watched.seat;
        // Closed first, so that the seat is free for another socket when it is vacated.
        drop(watched);
        watcher.vacate(seat);
    }

    /// Keeps a connection for another request, from now on.
    fn keep(&mut self, server: &Arc<Server>, watched: Watched, watcher: &mut dyn Watcher, now: Instant) {
        // A handshake takes long, so one connection is there for whichever loop wants it next.
        if server.scheme == Scheme::Https && self.pool.wants_spare(server) {
            watcher.give_away(watched.seat, watched.connection.as_fd());
            return self.pool.keep_spare(server, watched.connection);
        }
        watcher.keep(watched.seat);
        self.unlooked.push(Kept {
            until: now + MAX_IDLE_AGE,
            server: Arc::clone(server),
            connection: watched.connection,
            seat: watched.seat,
            place: watched.place,
        });
    }

    /// A place for another connection. Where there are as many as may be, the one that has been idle longest is closed.
    pub(super) fn place(&mut self, watcher: &mut dyn Watcher) -> Place {
        let (place, count) = Place::take(&self.pool);
        if count >= self.pool.most_on_loops {
            let eldest = [&mut self.kept, &mut self.unlooked]
                .into_iter()
                .find(|kept| !kept.is_empty());
            if let Some(eldest) = eldest {
                Self::close(eldest.remove(0), watcher);
            }
        }
        place
    }

    /// Something has come on a connection that is kept. No request asked for it, so it is closed.
    pub fn end(&mut self, seat: Seat, watcher: &mut dyn Watcher) {
        let is_there = |kept: &Kept| kept.seat == seat;
        for all in [&mut self.kept, &mut self.unlooked] {
            let Some(at) = all.iter().position(is_there) else {
                continue;
            };
            match all.get_mut(at).map(|kept| kept.connection.quiet()) {
                Some(Quiet::Yes) | None => return,
                Some(Quiet::Ended) => {}
                Some(Quiet::Surplus) => {
                    if let Some(kept) = all.get(at) {
                        kept.server.destination.note_surplus();
                    }
                }
            }
            return Self::close(all.remove(at), watcher);
        }
    }

    /// Closes connections that are too old to be used; where there are too many of all loops, half of this one's.
    pub fn close_idle(&mut self, watcher: &mut dyn Watcher) {
        let now = Instant::now();
        let are_many = self.pool.on_loops.load(Ordering::Relaxed) >= self.pool.most_on_loops;
        for all in [&mut self.kept, &mut self.unlooked] {
            let old = all.iter().take_while(|kept| kept.until < now).count();
            let many = if are_many { all.len().div_ceil(2) } else { 0 };
            for kept in all.drain(..old.max(many)) {
                Self::close(kept, watcher);
            }
        }
    }

    fn close(kept: Kept, watcher: &mut dyn Watcher) {
        Self::end_watched(Watched::new(kept.connection, kept.seat, kept.place), watcher);
    }
}

#[cfg(test)]
mod tests;
