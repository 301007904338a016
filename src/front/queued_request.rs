//! Whether a request that has waited for a worker is still carried out.

use std::time::Duration;

use crate::front::connection::Connection;
use crate::front::listener_limits::{HALF_CLOSE_TIME, WORTH_A_LOOK};
use crate::front::shared::Shared;
use crate::front::socket::Presence;

/// What becomes of a request that has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Serve,
    /// Its client is gone.
    ClientGone,
    /// It has waited longer than a request may.
    TooLate,
}

/// What becomes of the request of a connection that has waited so long.
pub(super) fn verdict(shared: &Shared, connection: &mut Connection, waited: Duration) -> Verdict {
    if waited < WORTH_A_LOOK {
        Verdict::Serve
    } else if has_left(shared, connection, waited) {
        Verdict::ClientGone
    } else if waited >= shared.limits.queue_timeout {
        Verdict::TooLate
    } else {
        Verdict::Serve
    }
}

/// Whether the client has gone. A client that ended its side with the request, or right behind it, waits for the answer.
fn has_left(shared: &Shared, connection: &mut Connection, waited: Duration) -> bool {
    match connection.socket.presence() {
        Presence::Here => false,
        Presence::Gone => true,
        Presence::Ended if connection.has_ended => false,
        Presence::Ended => {
            let since_end = shared
                .tables
                .of(connection)
                .end_noted_at(connection)
                .map(|at| at.elapsed());
            waited.saturating_sub(since_end.unwrap_or_default()) > HALF_CLOSE_TIME
        }
    }
}
