//! Requests that a loop answers itself, since nothing has to be waited for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::front::connection::Connection;
use crate::front::event_loop::EventLoop;
use crate::front::exchange::{self, Ready, Reply};
use crate::front::handler::Begun;
use crate::front::outcome::Outcome;
use crate::front::pending_write::AfterWrite;
use crate::front::request_reader::CompleteRequest;
use crate::front::response_stream::Progress;
use crate::front::send::{self, Sent, Unwaited};
use crate::front::worker_pool::{Full, Urgency};
use crate::front::write_queue::WriteQueue;
use crate::http1::error::RequestError;
use crate::http1::message::{Response, Version};
use crate::outbound::upstream::UpstreamError;
use crate::platform::metrics::InFlightGuard;

/// What a client did not take, for which nothing can be kept.
struct Stuck {
    connection: Box<Connection>,
    queue: WriteQueue,
    then: AfterWrite,
    version: Version,
}

impl EventLoop {
    /// Answers the requests of a batch, all of which were read before this.
    pub(super) fn answer_all(self: &Arc<EventLoop>, whole: &mut Vec<(Box<Connection>, CompleteRequest)>) {
        if whole.is_empty() {
            return;
        }
        // What was sent after a reload was asked for was read after that, so one look is enough for all of them.
        let waits = !self.shared.loops_answer || self.shared.handler.is_changing();
        for (connection, whole) in whole.drain(..) {
            // A panic is a defect of ours, and must not cost the other connections.
            let _ = catch_unwind(AssertUnwindSafe(|| match waits || connection.is_in_reserve() {
                true => self.hand_over(connection, whole),
                false => self.begin(connection, whole),
            }));
        }
    }

    /// Begins to answer a request.
    fn begin(self: &Arc<EventLoop>, mut connection: Box<Connection>, whole: CompleteRequest) {
        let CompleteRequest { mut head, reservation } = whole;
        let reply = Reply::to(&head);
        let unread = connection.unread_request();
        let request = std::mem::replace(&mut head.request, unread);
        let handler = &self.shared.handler;
        // It costs the request that met it and no other.
        let begun = catch_unwind(AssertUnwindSafe(|| handler.begin(request)))
            .unwrap_or_else(|_| Begun::Answer(handler.refuse(RequestError::Panicked, &connection.unread_request())));
        match begun {
            Begun::Answer(response) => {
                drop(reservation);
                connection.requests += 1;
                self.respond(connection, reply, response);
            }
            Begun::Ask(_, suspended) => {
                let nobody = UpstreamError::Unsendable("loops ask no integration".to_owned());
                if let Some(response) = handler.resume(suspended, Err(nobody)) {
                    connection.requests += 1;
                    self.respond(connection, reply, response);
                }
            }
            Begun::Waits(request) => {
                head.request = request;
                self.hand_over(connection, CompleteRequest { head, reservation });
            }
        }
    }

    /// Sends a response; what must be waited for is left to a worker.
    fn respond(self: &Arc<EventLoop>, mut connection: Box<Connection>, reply: Reply, response: Response) {
        let Some(ready) = reply.ready(&self.shared, &mut connection, response) else {
            return;
        };
        if ready.answer.rest.is_some() {
            return self.pass_on(connection, ready);
        }
        let Ready { answer, then, writer } = ready;
        let version = writer.version;
        let sent = match send::send_without_wait(&self.shared, &mut connection, answer.bytes, then) {
            Ok(Unwaited::Sent(sent)) => Ok(sent),
            Ok(Unwaited::Stuck(queue)) => {
                return self.wait_for_client(Stuck {
                    connection,
                    queue,
                    then,
                    version,
                });
            }
            Err(error) => Err(error),
        };
        self.apply(send::after(&self.shared, connection, sent, then, version));
    }

    /// Lets a worker pass on an answer whose content is on its way.
    fn pass_on(self: &Arc<EventLoop>, connection: Box<Connection>, ready: Ready) {
        let event_loop = Arc::clone(self);
        self.shared.workers.submit_first(move || {
            let _busy = InFlightGuard::new(&event_loop.shared.metrics.workers_busy);
            let others_wait = event_loop.has_waiting();
            let progress = exchange::send_ready(&event_loop.shared, connection, ready, others_wait);
            event_loop.go_on(progress);
        });
    }

    /// Goes on with an answer in a worker.
    fn go_on(self: &Arc<EventLoop>, progress: Progress) {
        let outcome = match progress {
            Progress::Done(outcome) => Some(outcome),
            Progress::Long(stream) => self.move_when_permitted(stream),
        };
        if let Some(outcome) = outcome {
            self.apply(outcome);
        }
    }

    /// Lets a worker wait for a client for which nothing can be kept.
    fn wait_for_client(self: &Arc<EventLoop>, stuck: Stuck) {
        let event_loop = Arc::clone(self);
        let job = move |stuck: Stuck, waited| {
            let shared = &event_loop.shared;
            let Stuck {
                connection,
                mut queue,
                then,
                version,
            } = stuck;
            let sent = match waited >= shared.limits.queue_timeout {
                true => Err(send::no_slot()),
                false => send::wait_for_client(shared, &connection.socket, &mut queue).map(|()| Sent::All),
            };
            let outcome = send::after(shared, connection, sent, then, version);
            event_loop.apply(outcome);
        };
        if let Err(Full(stuck)) = self.shared.workers.submit(stuck, Urgency::Ordinary, job) {
            let Stuck {
                connection,
                then,
                version,
                ..
            } = stuck;
            let outcome: Outcome = send::after(&self.shared, connection, Err(send::no_slot()), then, version);
            self.apply(outcome);
        }
    }
}
