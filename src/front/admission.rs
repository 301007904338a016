//! New connections, and what becomes of those that are too many.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use crate::error::GatewayError;
use crate::front::connection::Connection;
use crate::front::quota::{Open, Quota};
use crate::front::service::Service;
use crate::front::socket::Socket;

/// The part of the thread that accepts.
pub(super) struct Admission {
    service: Arc<Service>,
    listener: SocketAddr,
}

impl Admission {
    pub(super) fn new(service: Arc<Service>, listener: SocketAddr) -> Admission {
        Admission { service, listener }
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
            service.park(connection);
        } else {
            service.turn_away(connection);
        }
    }
}

impl Service {
    /// Refuses a connection for which there is no room.
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
