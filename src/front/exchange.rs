//! One request and its answer, as far as that goes without waiting for a turn.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::SystemTime;

use crate::front::connection::Connection;
use crate::front::detached_client::DetachedClient;
use crate::front::outcome::Outcome;
use crate::front::pending_write::AfterWrite;
use crate::front::request_reader::CompleteRequest;
use crate::front::response_stream::{self, Progress, ResponseStream};
use crate::front::send;
use crate::front::shared::Shared;
use crate::front::socket::Presence;
use crate::http1::error::RequestError;
use crate::http1::response_writer::ResponseWriter;

/// The status of an answer that no client gets, see [`RequestError::ClientGone`].
const CLIENT_GONE: u16 = 499;

/// Answers one request. `others_wait` where work waits for a worker.
pub(super) fn answer(
    shared: &Shared,
    mut connection: Box<Connection>,
    whole: CompleteRequest,
    others_wait: impl Fn() -> bool,
) -> Progress {
    let CompleteRequest { head, reservation } = whole;
    connection.requests += 1;
    let keeps = head.keeps_connection();
    let reply = ResponseWriter {
        head_only: head.request.method == "HEAD",
        version: head.request.version,
        close: false,
        date: SystemTime::now(),
    };
    let handler = &shared.handler;
    // A panic is a defect of ours, and costs the request that met it and no other.
    let mut response = catch_unwind(AssertUnwindSafe(|| handler.handle(head.request)))
        .unwrap_or_else(|_| handler.refuse(RequestError::Panicked, &connection.unread_request()));
    drop(reservation);
    if response.status == CLIENT_GONE && connection.socket.presence() == Presence::Gone {
        return Progress::Done(Outcome::Closed);
    }
    // The handler ends a connection only for what its handshake has told.
    let is_last = connection.socket.is_tls() && response.headers.get("connection").is_some();
    if is_last {
        response.headers.remove("connection");
    }
    let reply = ResponseWriter {
        // At a stop, what was sent before is still answered.
        close: !keeps
            || is_last
            || connection.is_in_reserve()
            || connection.requests >= shared.limits.max_requests
            || (shared.is_stopping() && !connection.has_more()),
        ..reply
    };
    let answer = reply.answer(response);
    let then = match answer.close {
        false => AfterWrite::KeepAlive,
        true => AfterWrite::Linger,
    };
    match answer.rest {
        Some(mut rest) => {
            if let Some(handover) = rest.take_handover() {
                return Progress::Done(DetachedClient::give_away(connection, rest, answer.bytes, handover));
            }
            let stream = ResponseStream::new(shared, connection, answer.bytes, rest, then, reply);
            response_stream::begin(shared, stream, others_wait())
        }
        None => {
            let sent = send::send(shared, &mut connection, answer.bytes, then);
            Progress::Done(send::after(shared, connection, sent, then, reply.version))
        }
    }
}
