//! The connections of one loop that are kept for another request. No other thread takes them, so there is no lock.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::http1::target::Scheme;
use crate::outbound::upstream::connection::{Connection, Quiet};
use crate::outbound::upstream::destinations::Destination;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::exchange::Exchange;
use crate::outbound::upstream::pool::{MAX_IDLE_AGE, Pool};
use crate::outbound::upstream::request::IntegrationRequest;
use crate::outbound::upstream::server::Server;
use crate::outbound::upstream::watched::{Place, Watched};
use crate::outbound::upstream::watcher::{Seat, Watcher};
use crate::platform::metrics::UpstreamConnections;

/// A loop's way to integrations.
#[derive(Debug)]
pub struct LoopPool {
    pub(super) pool: Arc<Pool>,
    pub(super) connections: Arc<UpstreamConnections>,
    /// The one that has been idle longest first.
    kept: Vec<Kept>,
    /// How many look-ups of names had ended when it was last looked.
    looked_up: u64,
}

#[derive(Debug)]
struct Kept {
    since: Instant,
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
        !self.kept.is_empty()
    }

    /// The server of a request.
    ///
    /// # Errors
    /// The request's authority is none.
    pub(super) fn server(&self, request: &IntegrationRequest) -> Result<Arc<Server>, UpstreamError> {
        if let Some(kept) = self.kept.iter().rev().find(|kept| kept.server.is_of(request)) {
            return Ok(Arc::clone(&kept.server));
        }
        let destination: Arc<Destination> = self.pool.destination(request.scheme, &request.authority);
        Ok(Arc::new(Server::of(request, destination)?))
    }

    /// Takes the connection that was kept last for a server.
    pub(super) fn take(&mut self, server: &Arc<Server>) -> Option<Watched> {
        let is_for = |kept: &Kept| Arc::ptr_eq(&kept.server, server) || kept.server.is_same(server);
        let at = self.kept.iter().rposition(is_for)?;
        // Those before it are older.
        if self.kept.get(at)?.since.elapsed() > MAX_IDLE_AGE {
            return None;
        }
        let Kept {
            connection,
            seat,
            place,
            ..
        } = self.kept.remove(at);
        Some(Watched::new(connection, seat, place))
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
    ) {
        let destination = &server.destination;
        if exchange.has_surplus() || watched.has_received() {
            destination.note_surplus();
        } else if exchange.keeps_connection() && watched.is_at_rest() && destination.keeps_connections() {
            return self.keep(server, watched, watcher);
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

    /// Keeps a connection for another request.
    fn keep(&mut self, server: &Arc<Server>, watched: Watched, watcher: &mut dyn Watcher) {
        // A handshake takes long, so one connection is there for whichever loop wants it next.
        if server.scheme == Scheme::Https && self.pool.wants_spare(server) {
            watcher.give_away(watched.seat, watched.connection.as_fd());
            return self.pool.keep_spare(server, watched.connection);
        }
        watcher.keep(watched.seat);
        self.kept.push(Kept {
            since: Instant::now(),
            server: Arc::clone(server),
            connection: watched.connection,
            seat: watched.seat,
            place: watched.place,
        });
    }

    /// A place for another connection. Where there are as many as may be, the one that has been idle longest is closed.
    pub(super) fn place(&mut self, watcher: &mut dyn Watcher) -> Place {
        let (place, count) = Place::take(&self.pool);
        if count >= self.pool.most_on_loops && !self.kept.is_empty() {
            Self::close(self.kept.remove(0), watcher);
        }
        place
    }

    /// Something has come on a connection that is kept. No request asked for it, so it is closed.
    pub fn end(&mut self, seat: Seat, watcher: &mut dyn Watcher) {
        let Some(at) = self.kept.iter().position(|kept| kept.seat == seat) else {
            return;
        };
        let quiet = self.kept.get_mut(at).map(|kept| kept.connection.quiet());
        match quiet {
            Some(Quiet::Yes) | None => return,
            Some(Quiet::Ended) => {}
            Some(Quiet::Surplus) => {
                if let Some(kept) = self.kept.get(at) {
                    kept.server.destination.note_surplus();
                }
            }
        }
        Self::close(self.kept.remove(at), watcher);
    }

    /// Closes connections that are too old to be used; where there are too many of all loops, half of this one's.
    pub fn close_idle(&mut self, watcher: &mut dyn Watcher) {
        let old = self
            .kept
            .iter()
            .take_while(|kept| kept.since.elapsed() > MAX_IDLE_AGE)
            .count();
        let are_many = self.pool.on_loops.load(Ordering::Relaxed) >= self.pool.most_on_loops;
        let many = if are_many { self.kept.len().div_ceil(2) } else { 0 };
        for kept in self.kept.drain(..old.max(many)) {
            Self::close(kept, watcher);
        }
    }

    fn close(kept: Kept, watcher: &mut dyn Watcher) {
        // Closed first, so that the seat is free for another socket when it is vacated.
        drop(kept.connection);
        watcher.vacate(kept.seat);
    }
}
