//! What becomes of a connection after a step. The steps return it, and the event loop alone acts on it.

use crate::front::connection::{Connection, Next};
use crate::front::request_reader::Refusal;

/// What is next with a connection.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Its answer is sent, and it can take the next request.
    NextRequest(Box<Connection>),
    /// It waits for its client.
    Park(Box<Connection>),
    /// Our side of it ends, and it waits for its client to end its own.
    Linger(Box<Connection>),
    /// Its request gets this answer, and it ends.
    Refuse(Box<Connection>, Refusal),
    /// What was read of it says what is next.
    Read(Box<Connection>, Next),
    /// It is closed.
    Closed,
}
