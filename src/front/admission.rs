//! New connections, and what gives way to them where there are as many as there may be.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::front::connection::{Connection, Next, State};
use crate::front::event_loop::{FEW_CONNECTIONS, Service};
use crate::front::limits::{LINGER_TIME, NEXT_REQUEST_PATIENCE, ROOM_PATIENCE};
use crate::front::quota::{Open, Quota};
use crate::front::socket::{Patience, Socket};
use crate::front::worker_pool::Urgency;
use crate::http1::error::RequestError;
use crate::http1::response_writer::Incomplete;

/// What is told to who finds no room.
pub(super) const TOO_MANY: RequestError = RequestError::Overloaded("there are too many connections");

/// How often it is looked whether a connection has become idle.
const TICK: Duration = Duration::from_millis(1);

/// The part of the thread that accepts.
pub(super) struct Admission {
    service: Arc<Service>,
    listener: SocketAddr,
    /// There were as many connections as there may be, and still are half as many.
    is_crowded: bool,
    /// How long the next connection waits for room.
    patience: Duration,
}

impl Admission {
    pub(super) fn new(service: Arc<Service>, listener: SocketAddr) -> Admission {
        Admission {
            service,
            listener,
            is_crowded: false,
            patience: ROOM_PATIENCE,
        }
    }

    /// Takes a new connection.
    pub(super) fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let service = &self.service;
        let socket = Socket::of(stream);
        // Where the listener takes any address, the socket knows at which one it was reached.
        let local = if self.listener.ip().is_unspecified() {
            socket.local_addr().unwrap_or(self.listener)
        } else {
            self.listener
        };
        let open = Open::count(&service.quotas, &service.metrics);
        let mut connection = Box::new(Connection::new(socket, peer, local, open));
        let most = service.limits.max_connections.get();
        if connection.open.move_to(Quota::Limit, most) {
            if self.is_crowded && service.quotas.count(Quota::Limit) <= most / 2 {
                self.is_crowded = false;
                service.parking.forget_idle();
            }
            service.park(connection);
            return;
        }
        self.is_crowded = true;
        if self.service.admits(&mut connection) || self.wait_for_room(&mut connection) {
            self.service.park(connection);
        } else {
            self.service.turn_away(connection);
        }
    }

    /// Where the limit is small, looks for a while whether a connection becomes idle. Each wait in vain makes the next one
    /// shorter, so that a flood is refused soon.
    fn wait_for_room(&mut self, connection: &mut Connection) -> bool {
        if self.service.limits.max_connections.get() > FEW_CONNECTIONS || self.service.is_stopping() {
            return false;
        }
        let start = Instant::now();
        while start.elapsed() < self.patience {
            thread::sleep(TICK);
            if self.service.admits(connection) {
                self.patience = ROOM_PATIENCE;
                return true;
            }
        }
        self.patience = (self.patience / 2).max(NEXT_REQUEST_PATIENCE);
        false
    }
}

impl Service {
    /// Lets a new connection in where that takes another one's place.
    fn admits(self: &Arc<Service>, connection: &mut Connection) -> bool {
        self.find_room(connection) || self.find_reserve(connection)
    }

    /// Whether a whole request on a connection in reserve is answered. What is not vital needs room by now.
    pub(super) fn may_answer(self: &Arc<Service>, connection: &mut Connection, urgency: Urgency) -> bool {
        let most = self.limits.max_connections.get();
        match urgency {
            // It goes on with it, then, after the answer.
            Urgency::Vital => {
                connection.open.move_to(Quota::Limit, most);
                true
            }
            Urgency::Ordinary => {
                let has_room = self.find_room(connection);
                if !has_room {
                    self.count_refusal();
                }
                has_room
            }
        }
    }

    /// Counts a connection against the limit, for which those that are idle for longest are closed where need be; tells
    /// whether there was room.
    fn find_room(self: &Arc<Service>, connection: &mut Connection) -> bool {
        while !connection.open.move_to(Quota::Limit, self.limits.max_connections.get()) {
            let Some(mut idle) = self.parking.take_longest_idle() else {
                return false;
            };
            match idle.read_request(&self.budget, Patience::None) {
                Next::Wait if idle.is_idle() => self.evict(idle),
                // A request has just come.
                next => self.follow(idle, next),
            }
        }
        true
    }

    /// Closes an idle connection for another one.
    fn evict(self: &Arc<Service>, mut connection: Box<Connection>) {
        if let Some(connections) = &self.metrics.connections {
            connections.evicted.add_one();
        }
        // The last answer may still be on its way; one that is older has come, or never will. Where too many are listened
        // to already, it comes all the same, but for what the client sends meanwhile.
        let is_recent = connection
            .idle_since()
            .is_some_and(|since| since.elapsed() < LINGER_TIME);
        if connection.requests > 0
            && is_recent
            && connection
                .open
                .move_to(Quota::OverLimit, self.limits.lingering_over_limit)
        {
            self.linger(connection);
        }
    }

    /// Counts a connection against the reserve, for which those in it are closed where need be that ask for nothing; tells
    /// whether there was some left.
    fn find_reserve(self: &Arc<Service>, connection: &mut Connection) -> bool {
        let most = self.limits.reserve;
        while most > 0 && !connection.open.move_to(Quota::Reserve, most) {
            let Some(other) = self.parking.take_least(Connection::place_in_reserve) else {
                return false;
            };
            self.close_in_reserve(other);
        }
        most > 0
    }

    /// Closes a connection in reserve for another one, unless its request has just come.
    fn close_in_reserve(self: &Arc<Service>, mut connection: Box<Connection>) {
        match connection.state {
            State::Idle | State::Head(_) | State::Body(_) => {}
            State::Writing(_) => {
                let reason = io::Error::other("others wait for its connection");
                self.notices.cut(connection.peer, &Incomplete::Client(reason));
                return connection.socket.reset();
            }
            // It has its answer.
            State::Lingering(_) => return,
        }
        match connection.read_request(&self.budget, Patience::None) {
            Next::Wait | Next::Yield if connection.is_idle() => self.evict(connection),
            Next::Wait | Next::Yield => self.turn_away(connection),
            next => self.follow(connection, next),
        }
    }

    /// Refuses a connection for which there is no room.
    fn turn_away(self: &Arc<Service>, mut connection: Box<Connection>) {
        self.count_refusal();
        let refusal = connection.refusal(TOO_MANY);
        let most = self.limits.lingering_over_limit;
        let is_listened_to = match connection.open.quota() {
            Quota::OverLimit => self.quotas.count(Quota::OverLimit) <= most,
            Quota::Limit | Quota::Reserve => connection.open.move_to(Quota::OverLimit, most),
        };
        if is_listened_to {
            self.refuse(connection, refusal);
        } else {
            let bytes = self.refusal_bytes(refusal);
            let _ = connection.socket.send_now(&bytes);
        }
    }

    fn count_refusal(&self) {
        if let Some(connections) = &self.metrics.connections {
            connections.refused.add_one();
        }
    }
}

#[cfg(test)]
mod tests;
