//! Whole requests on their way to a worker, and turns of TLS handshakes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::front::connection::{Connection, State};
use crate::front::event_loop::EventLoop;
use crate::front::eviction::{self, TOO_MANY};
use crate::front::outcome::Outcome;
use crate::front::queued_request::{self, Verdict};
use crate::front::request_reader::{CompleteRequest, Refusal};
use crate::front::socket::Wait;
use crate::front::tls::handshake::Turn;
use crate::front::tls::handshake_queue::Place;
use crate::front::worker_pool::{Full, Urgency};
use crate::http1::error::RequestError;
use crate::platform::metrics::InFlightGuard;

impl EventLoop {
    pub(super) fn hand_over(self: &Arc<EventLoop>, mut connection: Box<Connection>, whole: CompleteRequest) {
        let urgency = match self.shared.handler.is_vital(&whole.head.request) {
            true => Urgency::Vital,
            false => Urgency::Ordinary,
        };
        if connection.is_in_reserve() && !self.may_answer(&mut connection, urgency) {
            return self.refuse(connection, Refusal::of(TOO_MANY, &whole.head));
        }
        // Thousands may wait for a worker.
        connection.shrink();
        // Where that cannot be watched, a client that goes is noticed when it has its answer.
        let _ = self.shared.tables.of(&connection).watch(&mut connection);
        let event_loop = Arc::clone(self);
        self.shared.metrics.queue_depth.rise();
        let job = move |(connection, whole), waited| {
            event_loop.shared.metrics.queue_depth.fall();
            if let Some((connection, whole)) = event_loop.still_wanted(connection, whole, waited) {
                let _busy = InFlightGuard::new(&event_loop.shared.metrics.workers_busy);
                event_loop.serve(connection, whole);
            }
        };
        if let Err(Full((connection, whole))) = self.shared.workers.submit((connection, whole), urgency, job) {
            self.shared.metrics.queue_depth.fall();
            let error = RequestError::Overloaded("the queue is full");
            self.refuse(connection, Refusal::of(error, &whole.head));
        }
    }

    /// Whether a whole request on a connection in reserve is answered.
    fn may_answer(self: &Arc<EventLoop>, connection: &mut Connection, urgency: Urgency) -> bool {
        let mut others = Vec::new();
        let may = eviction::may_answer(&self.shared, connection, urgency, &mut others);
        for other in others {
            self.apply(other);
        }
        may
    }

    /// A request that has waited for a worker, if it is still to be carried out. One that has waited too long never is,
    /// and is ended without waiting for its client.
    fn still_wanted(
        self: &Arc<EventLoop>,
        mut connection: Box<Connection>,
        whole: CompleteRequest,
        waited: Duration,
    ) -> Option<(Box<Connection>, CompleteRequest)> {
        match queued_request::verdict(&self.shared, &mut connection, waited) {
            Verdict::Serve => return Some((connection, whole)),
            // For the access log; the client would not get it.
            Verdict::ClientGone => {
                let refusal = Refusal::of(RequestError::ClientGone, &whole.head);
                drop(self.shared.handler.refuse(refusal.error, &refusal.request));
            }
            Verdict::TooLate => {
                let error = RequestError::Overloaded("it has waited too long for a worker");
                self.refuse(connection, Refusal::of(error, &whole.head));
            }
        }
        None
    }

    /// Lets a worker do the next turn of a handshake, once it may.
    pub(super) fn begin_turn(self: &Arc<EventLoop>, connection: Box<Connection>) {
        let Some(handshakes) = &self.shared.handshakes else {
            return;
        };
        match handshakes.ask(connection) {
            Place::Worker(connection) => self.submit_turn(connection),
            Place::Waits => {}
            Place::None(connection) => self.fail_handshake(connection, false),
        }
    }

    fn submit_turn(self: &Arc<EventLoop>, connection: Box<Connection>) {
        let mut next = Some(connection);
        while let Some(connection) = next.take() {
            let event_loop = Arc::clone(self);
            let job = move |connection: Box<Connection>, waited| {
                // A panic is a defect of ours, and must not cost the other handshakes their turn.
                let turn = AssertUnwindSafe(|| event_loop.do_turn(connection, waited));
                let _ = catch_unwind(turn);
                if let Some(next) = event_loop.shared.handshakes.as_ref().and_then(|queue| queue.done()) {
                    event_loop.submit_turn(next);
                }
            };
            if let Err(Full(connection)) = self.shared.workers.submit(connection, Urgency::Ordinary, job) {
                self.fail_handshake(connection, false);
                next = self.shared.handshakes.as_ref().and_then(|queue| queue.done());
            }
        }
    }

    fn do_turn(self: &Arc<EventLoop>, mut connection: Box<Connection>, waited: Duration) {
        let limits = &self.shared.limits;
        if waited >= limits.queue_timeout || connection.is_handshake_late(limits) {
            return self.fail_handshake(connection, true);
        }
        // Nothing is reckoned for a client that has not waited, as those of a flood do.
        if connection.has_left_handshake() {
            return self.fail_handshake(connection, false);
        }
        match connection.do_turn(&*self.shared.handler) {
            Turn::Wait => {}
            Turn::Failed(reason, identity) => {
                self.shared
                    .connection_log
                    .handshake(connection.peer, &reason, identity.as_deref());
                return self.fail_handshake(connection, false);
            }
            Turn::Done(_) if connection.is_handshake_late(limits) => {
                return self.fail_handshake(connection, true);
            }
            Turn::Done(established) => {
                self.shared.count_handshake(|handshakes| match established.is_resumed {
                    true => &handshakes.resumed,
                    false => &handshakes.ok,
                });
                connection.end_handshake(established);
            }
        }
        if self.shared.loops_answer && !matches!(connection.state, State::Handshake(_)) {
            return self.shared.tables.of(&connection).give(connection);
        }
        let next = connection.read_request(&self.shared.budget, Wait::Never);
        self.after_read(connection, next);
    }

    /// Ends a connection whose handshake was in vain. An alert may be on its way.
    pub(super) fn fail_handshake(self: &Arc<EventLoop>, mut connection: Box<Connection>, is_late: bool) {
        self.shared.count_handshake(|handshakes| match is_late {
            true => &handshakes.timeout,
            false => &handshakes.failed,
        });
        if !is_late && !connection.has_ended && matches!(connection.state, State::Handshake(_)) {
            connection.is_cut = true;
            self.apply(Outcome::Linger(connection));
        }
    }
}
