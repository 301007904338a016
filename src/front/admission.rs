//! New connections, and what gives way to them where there are as many as there may be.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::GatewayError;
use crate::front::connection::{Connection, Next};
use crate::front::limits::{LINGER_TIME, NEXT_REQUEST_PATIENCE, ROOM_PATIENCE};
use crate::front::quota::{Open, Quota};
use crate::front::service::{FEW_CONNECTIONS, Service};
use crate::front::socket::{Patience, Socket};

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
        if self.service.find_room(&mut connection) || self.wait_for_room(&mut connection) {
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
            if self.service.find_room(connection) {
                self.patience = ROOM_PATIENCE;
                return true;
            }
        }
        self.patience = (self.patience / 2).max(NEXT_REQUEST_PATIENCE);
        false
    }
}

impl Service {
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

    /// Refuses a new connection for which there is no room.
    fn turn_away(self: &Arc<Service>, connection: Box<Connection>) {
        if let Some(connections) = &self.metrics.connections {
            connections.refused.add_one();
        }
        let refusal = connection.refusal(GatewayError::Overloaded("there are too many connections"));
        if self.quotas.count(Quota::OverLimit) <= self.limits.lingering_over_limit {
            self.refuse(connection, refusal);
        } else {
            let bytes = self.refusal_bytes(refusal);
            let _ = connection.socket.send_now(&bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::Handler;
    use crate::front::limits::Limits;
    use crate::message::{Body, Headers, Request, Response};
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::num::NonZeroUsize;

    const PATIENCE: Duration = Duration::from_secs(20);
    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

    struct Ok;

    impl Handler for Ok {
        fn handle(&self, _: Request) -> Response {
            Response {
                status: 200,
                headers: Headers::new(),
                body: Body::Empty,
            }
        }

        fn refuse(&self, error: GatewayError, _: &Request) -> Response {
            error.response()
        }
    }

    fn begin_of_answer(client: &mut TcpStream) -> String {
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut bytes = [0; 12];
        let count = client.read(&mut bytes).unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    }

    #[test]
    fn what_nobody_has_read_yet_is_read_before_a_connection_gives_way() {
        let limits = Limits {
            max_connections: NonZeroUsize::new(3).unwrap(),
            ..Limits::default()
        };
        // Nobody watches, so that only who looks for room reads.
        let (service, _watch) = Service::new("test", NonZeroUsize::MIN, limits, Arc::new(Ok)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut admission = Admission::new(Arc::clone(&service), listener.local_addr().unwrap());
        let mut connect = || {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, peer) = listener.accept().unwrap();
            admission.admit(stream, peer);
            client
        };
        let (mut asks, mut begins, mut idle) = (connect(), connect(), connect());
        asks.write_all(GET).unwrap();
        begins.write_all(&GET[..10]).unwrap();
        let mut new = connect();
        assert_eq!(begin_of_answer(&mut asks), "HTTP/1.1 200");
        assert_eq!(begin_of_answer(&mut idle), "", "it is idle, and gives way");
        assert_eq!(service.quotas.count(Quota::Limit), 3);
        let metrics = service.metrics.connections.as_ref().unwrap();
        assert_eq!((metrics.evicted.value(), metrics.refused.value()), (1, 0));
        new.write_all(&GET[..10]).unwrap();
        // The first has been answered, and is idle.
        let mut newer = connect();
        newer.write_all(&GET[..10]).unwrap();
        assert_eq!(metrics.evicted.value(), 2);
        assert_eq!(begin_of_answer(&mut connect()), "HTTP/1.1 503");
        assert_eq!((metrics.evicted.value(), metrics.refused.value()), (2, 1));
    }
}
