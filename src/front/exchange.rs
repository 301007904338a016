//! A worker's part: answers a request, and the next one on the same connection if it comes at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

use crate::front::connection::{Connection, Next, State};
use crate::front::event_loop::Service;
use crate::front::memory_budget::Class;
use crate::front::pending_write::{Then, Unsent};
use crate::front::request_reader::Whole;
use crate::front::response_stream::{self, Passing};
use crate::front::socket::{Patience, Presence};
use crate::front::write_queue::Pieces;
use crate::http1::error::RequestError;
use crate::http1::message::Version;
use crate::http1::response_writer::{Incomplete, Reply};

/// The status of what nobody gets, see [`RequestError::ClientGone`].
const CLIENT_GONE: u16 = 499;

/// Answers a request, and those that follow it at once; then the connection waits again.
pub(super) fn serve(service: &Arc<Service>, mut connection: Box<Connection>, mut whole: Whole) {
    loop {
        let Some(after) = answer(service, connection, whole) else {
            return;
        };
        let Some((after, next)) = next_request(service, after) else {
            return;
        };
        (connection, whole) = (after, next);
    }
}

/// The next request on a connection, if it is here or comes at once; else the connection waits.
pub(super) fn next_request(
    service: &Arc<Service>,
    mut connection: Box<Connection>,
) -> Option<(Box<Connection>, Whole)> {
    let mut next = match connection.may_have_more() {
        true => connection.read_request(&service.budget, Patience::None),
        false if service.waits_itself(&mut connection) => connection.read_request(&service.budget, Patience::Moment),
        false => Next::Wait,
    };
    loop {
        match next {
            Next::Answer(whole) if !service.workers.has_waiting() => return Some((connection, whole)),
            Next::Wait => {
                connection = service.put(connection, false)?;
                next = connection.read_request(&service.budget, Patience::None);
            }
            next => {
                service.follow(connection, next);
                return None;
            }
        }
    }
}

/// Answers one request; the connection comes back if it can take the next one now.
fn answer(service: &Arc<Service>, mut connection: Box<Connection>, whole: Whole) -> Option<Box<Connection>> {
    let Whole { head, share } = whole;
    connection.requests += 1;
    let keeps = head.keeps_connection();
    let reply = Reply {
        head_only: head.request.method == "HEAD",
        version: head.request.version,
        close: false,
        date: SystemTime::now(),
    };
    let handler = &service.handler;
    // A panic is a defect of ours, and costs the request that met it and no other.
    let response = catch_unwind(AssertUnwindSafe(|| handler.handle(head.request)))
        .unwrap_or_else(|_| handler.refuse(RequestError::Panicked, &connection.unread_request()));
    drop(share);
    if response.status == CLIENT_GONE && connection.socket.presence() == Presence::Gone {
        return None;
    }
    let reply = Reply {
        // At a stop, what was sent before is still answered.
        close: !keeps
            || connection.is_in_reserve()
            || connection.requests >= service.limits.max_requests
            || (service.is_stopping() && !connection.has_more()),
        ..reply
    };
    let answer = reply.answer(response);
    let then = match answer.close {
        false => Then::Keep,
        true => Then::Linger,
    };
    match answer.rest {
        Some(rest) => response_stream::begin(
            service,
            Passing::new(service, connection, answer.bytes, rest, then, reply),
        ),
        None => {
            let sent = send(service, &mut connection, answer.bytes, then);
            end(service, connection, sent, then, reply.version)
        }
    }
}

/// How far an answer got.
pub(super) enum Sent {
    Whole,
    /// The client is slow; what is left is kept with the connection.
    Later,
}

/// Does what follows an answer; the connection comes back if it can take the next request now.
pub(super) fn end(
    service: &Arc<Service>,
    mut connection: Box<Connection>,
    sent: Result<Sent, Incomplete>,
    then: Then,
    version: Version,
) -> Option<Box<Connection>> {
    match sent {
        Ok(Sent::Whole) if then == Then::Keep => {
            connection.enter(State::Idle);
            return Some(connection);
        }
        Ok(Sent::Whole) => service.finish(connection, then),
        Ok(Sent::Later) => service.park(connection),
        Err(incomplete) => cut(service, connection, version, &incomplete),
    }
    None
}

/// Ends a connection whose answer is not whole, so that the client sees it.
fn cut(service: &Arc<Service>, connection: Box<Connection>, version: Version, incomplete: &Incomplete) {
    service.notices.cut(connection.peer, incomplete);
    // For HTTP/1.0 an end of the connection may be the end of the content. Otherwise a plain end lets the client read
    // what was sent.
    if version == Version::Http10 || matches!(incomplete, Incomplete::Client(_)) {
        connection.socket.reset();
    } else {
        service.linger(connection);
    }
}

/// Sends an answer that is here whole. What the client does not take at once is kept for it.
pub(super) fn send(
    service: &Arc<Service>,
    connection: &mut Connection,
    bytes: Vec<u8>,
    then: Then,
) -> Result<Sent, Incomplete> {
    let sent = connection.socket.send_now(&bytes).map_err(Incomplete::Client)?;
    if sent == bytes.len() {
        return Ok(Sent::Whole);
    }
    let mut share = service.budget.share(Class::Answer);
    let mut pieces = Pieces::of(bytes);
    // As if it were sent once more.
    let _ = pieces.send(sent, |bytes| Ok(bytes.len()));
    if share.resize(pieces.held()) {
        connection.enter(State::Writing(Unsent::new(pieces, then, share, None)));
        return Ok(Sent::Later);
    }
    response_stream::wait_for_client(service, &connection.socket, &mut pieces).map(|()| Sent::Whole)
}
