//! A client that the front has given away: no worker and no deadline of the front waits for it any more.

use std::io;

use crate::front::connection::Connection;
use crate::front::outcome::Outcome;
use crate::http1::message::{Handover, LongClient};
use crate::http1::remaining_body::RemainingBody;

/// The connection, and the form of what is sent on it. It counts as open until it is dropped.
#[derive(Debug)]
pub(super) struct DetachedClient {
    connection: Box<Connection>,
    rest: RemainingBody,
}

impl DetachedClient {
    /// Gives away the client of an answer of which nothing is sent, not even its head.
    pub(super) fn give_away(
        mut connection: Box<Connection>,
        rest: RemainingBody,
        head: Vec<u8>,
        handover: Handover,
    ) -> Outcome {
        connection.socket.begin_answer();
        let head = connection.socket.seal(head);
        handover(Box::new(DetachedClient { connection, rest }), head);
        Outcome::Closed
    }
}

impl LongClient for DetachedClient {
    fn framed(&mut self, content: &[u8]) -> Vec<u8> {
        let framed = self.rest.framed(content);
        self.connection.socket.seal(framed)
    }

    fn send_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.connection.socket.send_now(bytes)
    }

    fn is_gone(&self) -> bool {
        self.connection.socket.is_abandoned()
    }
}
