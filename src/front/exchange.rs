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
use crate::http1::message::Response;
use crate::http1::request_head::Head;
use crate::http1::response_writer::{Answer, ResponseWriter};

/// The status of an answer that no client gets, see [`RequestError::ClientGone`].
const CLIENT_GONE: u16 = 499;

/// What the connection adds to the answer of a request that is being answered.
#[derive(Debug)]
pub(super) struct Reply {
    writer: ResponseWriter,
    /// The client wants to go on with the connection.
    keeps: bool,
}

/// An answer, ready to be sent.
pub(super) struct Ready {
    pub(super) answer: Answer,
    pub(super) then: AfterWrite,
    pub(super) writer: ResponseWriter,
}

impl Reply {
    /// That of a request with that head, which has come at that time of day.
    pub(super) fn to(head: &Head, date: SystemTime) -> Reply {
        Reply {
            keeps: head.keeps_connection(),
            writer: ResponseWriter {
                head_only: head.request.method == "HEAD",
                version: head.request.version,
                close: false,
                date,
            },
        }
    }

    /// The answer with that response; none where no client is there any more.
    pub(super) fn ready(self, shared: &Shared, connection: &mut Connection, mut response: Response) -> Option<Ready> {
        if response.status == CLIENT_GONE && connection.socket.presence() == Presence::Gone {
            return None;
        }
        // The handler ends a connection only for what its handshake has told.
        let is_last = connection.socket.is_tls() && response.headers.get("connection").is_some();
        if is_last {
            response.headers.remove("connection");
        }
        let writer = ResponseWriter {
            // At a stop, what was sent before is still answered.
            close: !self.keeps
                || is_last
                || connection.is_in_reserve()
                || connection.requests >= shared.limits.max_requests
                || (shared.is_stopping() && !connection.has_more()),
            ..self.writer
        };
        let answer = writer.answer(response);
        let then = match answer.close {
            false => AfterWrite::KeepAlive,
            true => AfterWrite::Linger,
        };
        Some(Ready { answer, then, writer })
    }
}

/// Answers one request. `others_wait` where work waits for a worker.
pub(super) fn answer(
    shared: &Shared,
    mut connection: Box<Connection>,
    whole: CompleteRequest,
    others_wait: impl Fn() -> bool,
) -> Progress {
    let CompleteRequest { head, reservation } = whole;
    connection.requests += 1;
    let reply = Reply::to(&head, SystemTime::now());
    let handler = &shared.handler;
    // A panic is a defect of ours, and costs the request that met it and no other.
    let response = catch_unwind(AssertUnwindSafe(|| handler.handle(*head.request)))
        .unwrap_or_else(|_| handler.refuse(RequestError::Panicked, &connection.unread_request()));
    drop(reservation);
    match reply.ready(shared, &mut connection, response) {
        Some(ready) => send_ready(shared, connection, ready, others_wait()),
        None => Progress::Done(Outcome::Closed),
    }
}

/// Sends an answer, as far as that goes without waiting for a turn.
pub(super) fn send_ready(
    shared: &Shared,
    mut connection: Box<Connection>,
    ready: Ready,
    others_wait: bool,
) -> Progress {
    let Ready { answer, then, writer } = ready;
    match answer.rest {
        Some(mut rest) => {
            if let Some(handover) = rest.take_handover() {
                return Progress::Done(DetachedClient::give_away(connection, rest, answer.bytes, handover));
            }
            let stream = ResponseStream::new(shared, connection, answer.bytes, rest, then, writer);
            response_stream::begin(shared, stream, others_wait)
        }
        None => {
            let sent = send::send(shared, &mut connection, answer.bytes, then);
            Progress::Done(send::after(shared, connection, sent, then, writer.version))
        }
    }
}
