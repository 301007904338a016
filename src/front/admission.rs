//! New connections, and what gives way to them where there are as many as there may be.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::front::connection::Connection;
use crate::front::event_loop::EventLoop;
use crate::front::eviction;
use crate::front::listener_limits::{NEXT_REQUEST_PATIENCE, ROOM_PATIENCE};
use crate::front::outcome::Outcome;
use crate::front::quota::{Open, Quota};
use crate::front::shared::FEW_CONNECTIONS;
use crate::front::socket::Socket;

/// How often it is looked whether a connection has become idle.
const TICK: Duration = Duration::from_millis(1);

/// The part of the thread that accepts.
pub(super) struct Admission {
    event_loop: Arc<EventLoop>,
    listener: SocketAddr,
    /// There were as many connections as there may be, and still are half as many.
    is_crowded: bool,
    /// How long the next connection waits for room.
    patience: Duration,
}

impl Admission {
    pub(super) fn new(event_loop: Arc<EventLoop>, listener: SocketAddr) -> Admission {
        Admission {
            event_loop,
            listener,
            is_crowded: false,
            patience: ROOM_PATIENCE,
        }
    }

    /// Takes a new connection.
    pub(super) fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let shared = &self.event_loop.shared;
        let socket = Socket::of(stream);
        shared.sockets.note(&socket);
        // Where the listener takes any address, the socket knows at which one it was reached.
        let local = if self.listener.ip().is_unspecified() {
            socket.local_addr().unwrap_or(self.listener)
        } else {
            self.listener
        };
        let open = Open::count(&shared.quotas, &shared.metrics);
        let mut connection = Box::new(Connection::new(socket, peer, local, open));
        connection.home = shared.tables.deal();
        if shared.handshakes.is_some() {
            connection.begin_handshake(&shared.budget);
        }
        let most = shared.limits.max_connections.get();
        if connection.open.move_to(Quota::Limit, most) {
            if self.is_crowded && shared.quotas.count(Quota::Limit) <= most / 2 {
                self.is_crowded = false;
                shared.tables.forget_idle();
            }
            self.event_loop.apply(Outcome::Park(connection));
            return;
        }
        self.is_crowded = true;
        let is_admitted = self.finds_room(&mut connection) || self.wait_for_room(&mut connection);
        self.event_loop.apply(match is_admitted {
            true => Outcome::Park(connection),
            false => eviction::turn_away(&self.event_loop.shared, connection),
        });
    }

    /// Lets a new connection in where that takes another one's place.
    fn finds_room(&self, connection: &mut Connection) -> bool {
        let mut others = Vec::new();
        let has_room = eviction::admits(&self.event_loop.shared, connection, &mut others);
        for other in others {
            self.event_loop.apply(other);
        }
        has_room
    }

    /// Where the limit is small, looks for a while whether a connection becomes idle. Each wait in vain makes the next one
    /// shorter, so that a flood is refused soon.
    fn wait_for_room(&mut self, connection: &mut Connection) -> bool {
        let shared = &self.event_loop.shared;
        if shared.limits.max_connections.get() > FEW_CONNECTIONS || shared.is_stopping() {
            return false;
        }
        let start = Instant::now();
        while start.elapsed() < self.patience {
            thread::sleep(TICK);
            if self.finds_room(connection) {
                self.patience = ROOM_PATIENCE;
                return true;
            }
        }
        self.patience = (self.patience / 2).max(NEXT_REQUEST_PATIENCE);
        false
    }
}

#[cfg(test)]
mod tests;
