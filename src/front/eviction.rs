//! What gives way to a connection where there are as many as there may be.

use std::io;

use crate::front::connection::{Connection, Next, State};
use crate::front::listener_limits::LINGER_TIME;
use crate::front::outcome::Outcome;
use crate::front::quota::Quota;
use crate::front::send;
use crate::front::shared::Shared;
use crate::front::slots::Occupant;
use crate::front::socket::Wait;
use crate::front::worker_pool::Urgency;
use crate::http1::error::RequestError;
use crate::http1::response_writer::SendError;

/// What is told to a client that finds no room.
pub(super) const TOO_MANY: RequestError = RequestError::Overloaded("there are too many connections");

/// Lets a new connection in where that takes another one's place. `others` gets what becomes of those.
pub(super) fn admits(shared: &Shared, connection: &mut Connection, others: &mut Vec<Outcome>) -> bool {
    find_room(shared, connection, others) || find_reserve(shared, connection, others)
}

/// Whether a whole request on a connection in reserve is answered. What is not vital needs room by now.
pub(super) fn may_answer(
    shared: &Shared,
    connection: &mut Connection,
    urgency: Urgency,
    others: &mut Vec<Outcome>,
) -> bool {
    let most = shared.limits.max_connections.get();
    match urgency {
        // It goes on with it, then, after the answer.
        Urgency::Vital => {
            connection.open.move_to(Quota::Limit, most);
            true
        }
        Urgency::Ordinary => {
            let has_room = find_room(shared, connection, others);
            if !has_room {
                count_refusal(shared);
            }
            has_room
        }
    }
}

/// Counts a connection against the limit, for which those that are idle for longest are closed where need be; tells
/// whether there was room.
fn find_room(shared: &Shared, connection: &mut Connection, others: &mut Vec<Outcome>) -> bool {
    while !connection
        .open
        .move_to(Quota::Limit, shared.limits.max_connections.get())
    {
        let Some(mut idle) = shared.tables.take_longest_idle() else {
            return false;
        };
        others.push(match idle.read_request(&shared.budget, Wait::Never) {
            Next::Wait if idle.is_idle() => evict(shared, idle),
            // A request has just come.
            next => Outcome::Read(idle, next),
        });
    }
    true
}

/// Closes an idle connection for another one.
fn evict(shared: &Shared, mut connection: Box<Connection>) -> Outcome {
    if let Some(connections) = &shared.metrics.connections {
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
            .move_to(Quota::OverLimit, shared.limits.lingering_over_limit)
    {
        return Outcome::Linger(connection);
    }
    Outcome::Closed
}

/// Counts a connection against the reserve, for which those in it are closed where need be that ask for nothing; tells
/// whether there was some left.
fn find_reserve(shared: &Shared, connection: &mut Connection, others: &mut Vec<Outcome>) -> bool {
    let most = shared.limits.reserve;
    while most > 0 && !connection.open.move_to(Quota::Reserve, most) {
        let Some(other) = shared.tables.take_least(Connection::place_in_reserve) else {
            return false;
        };
        others.push(close_in_reserve(shared, other));
    }
    most > 0
}

/// Closes a connection in reserve for another one, unless its request has just come.
fn close_in_reserve(shared: &Shared, mut connection: Box<Connection>) -> Outcome {
    match connection.state {
        State::Handshake(_) | State::Idle | State::Head(_) | State::Body(_) => {}
        State::Writing(_) => {
            let reason = io::Error::other("others wait for its connection");
            shared.connection_log.cut(connection.peer, &SendError::Client(reason));
            connection.socket.reset();
            return Outcome::Closed;
        }
        // It has its answer.
        State::Lingering(_) => return Outcome::Closed,
    }
    match connection.read_request(&shared.budget, Wait::Never) {
        Next::Wait | Next::Yield if connection.is_idle() => evict(shared, connection),
        Next::Wait | Next::Yield => turn_away(shared, connection),
        next => Outcome::Read(connection, next),
    }
}

/// Refuses a connection for which there is no room.
pub(super) fn turn_away(shared: &Shared, mut connection: Box<Connection>) -> Outcome {
    count_refusal(shared);
    // A word would cost a handshake.
    if let State::Handshake(_) = connection.state {
        return Outcome::Closed;
    }
    let refusal = connection.refusal(TOO_MANY);
    let most = shared.limits.lingering_over_limit;
    let is_listened_to = match connection.open.quota() {
        Quota::OverLimit => shared.quotas.count(Quota::OverLimit) <= most,
        Quota::Limit | Quota::Reserve => connection.open.move_to(Quota::OverLimit, most),
    };
    if is_listened_to {
        return Outcome::Refuse(connection, refusal);
    }
    let bytes = send::refusal(shared, refusal);
    let _ = connection.socket.send_now(&bytes);
    Outcome::Closed
}

fn count_refusal(shared: &Shared) {
    if let Some(connections) = &shared.metrics.connections {
        connections.refused.add_one();
    }
}
