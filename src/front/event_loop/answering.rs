//! Requests that a loop answers itself, since nothing has to be waited for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::front::connection::Connection;
use crate::front::connection_table::{ConnectionTable, Happened};
use crate::front::event_loop::EventLoop;
use crate::front::event_loop::held_back::HeldBack;
use crate::front::exchange::{self, Ready, Reply};
use crate::front::handler::Begun;
use crate::front::loop_exchanges::{Answer, Answered, Asking, LoopExchanges};
use crate::front::memory_budget::Class;
use crate::front::outcome::Outcome;
use crate::front::pending_write::AfterWrite;
use crate::front::request_reader::CompleteRequest;
use crate::front::response_stream::Progress;
use crate::front::send::{self, Sent, Unwaited};
use crate::front::worker_pool::{Full, Urgency};
use crate::front::write_queue::WriteQueue;
use crate::http1::error::RequestError;
use crate::http1::message::{Response, Version};
use crate::http1::request_head::Head;
use crate::outbound::upstream::{IntegrationResponse, TakenOver, UpstreamError};
use crate::platform::clock::Moment;
use crate::platform::metrics::InFlightGuard;

/// What a client did not take, for which nothing can be kept.
struct Stuck {
    connection: Box<Connection>,
    queue: WriteQueue,
    then: AfterWrite,
    version: Version,
}

impl EventLoop {
    /// Goes on with exchanges whose sockets are ready, whose clients may have gone, or whose time has come.
    pub(super) fn on_exchanges(
        self: &Arc<EventLoop>,
        table: &ConnectionTable<Connection>,
        exchanges: &mut LoopExchanges,
        happened: &mut Happened<Connection>,
        due: &mut Vec<usize>,
    ) {
        let now = happened.at;
        for ready in happened.outbound.drain(..) {
            self.guarded(|| exchanges.on_ready(table, ready, now));
        }
        for slot in happened.ended.drain(..) {
            self.guarded(|| exchanges.on_end(table, slot));
        }
        exchanges.due(table, due, now);
        for number in due.drain(..) {
            self.guarded(|| exchanges.on_due(table, number, now));
        }
    }

    /// Answers the requests of a batch, all of which were read before this.
    pub(super) fn answer_all(
        self: &Arc<EventLoop>,
        table: &ConnectionTable<Connection>,
        exchanges: &mut Option<LoopExchanges>,
        whole: &mut Vec<(Box<Connection>, CompleteRequest)>,
        held: &mut HeldBack,
    ) {
        if whole.is_empty() {
            return;
        }
        // What was sent after a reload was asked for was read after that, so one look is enough for all of them.
        if self.shared.loops_answer && held.is_held(self.shared.handler.is_changing()) {
            return;
        }
        let waits = !self.shared.loops_answer;
        let time = SystemTime::now();
        for (connection, whole) in whole.drain(..) {
            self.guarded(|| {
                if waits || connection.is_in_reserve() {
                    self.hand_over(connection, whole);
                    return None;
                }
                // What is late is told by an exchange's own time, the time of day may be that of all requests of a batch.
                let instant = Instant::now();
                self.begin(table, exchanges, connection, whole, Moment { instant, time })
            });
        }
    }

    /// Does a step, and goes on with what was answered. A panic is a defect of ours, and must not cost the other
    /// connections.
    fn guarded(self: &Arc<EventLoop>, step: impl FnOnce() -> Option<Answered>) {
        let _ = catch_unwind(AssertUnwindSafe(|| {
            if let Some(answered) = step() {
                self.on_answer(answered);
            }
        }));
    }

    /// Begins to answer a request.
    fn begin(
        self: &Arc<EventLoop>,
        table: &ConnectionTable<Connection>,
        exchanges: &mut Option<LoopExchanges>,
        mut connection: Box<Connection>,
        whole: CompleteRequest,
        moment: Moment,
    ) -> Option<Answered> {
        let CompleteRequest { head, reservation } = whole;
        let reply = Reply::to(&head, moment.time);
        let Head { request, framing } = head;
        let handler = &self.shared.handler;
        // It costs the request that met it and no other.
        let begun = catch_unwind(AssertUnwindSafe(|| handler.begin(request, moment)))
            .unwrap_or_else(|_| Begun::Answer(handler.refuse(RequestError::Panicked, &connection.unread_request())));
        match begun {
            Begun::Answer(response) => {
                drop(reservation);
                connection.requests += 1;
                self.respond(connection, reply, response);
                None
            }
            Begun::Ask(asked, suspended) => {
                connection.requests += 1;
                // Thousands may wait for their integrations.
                connection.shrink();
                let asking = Asking {
                    connection,
                    reply,
                    suspended,
                    _body: reservation,
                    answer: self.shared.budget.reserve(Class::Answer),
                };
                match exchanges {
                    Some(exchanges) => exchanges.begin(table, *asked, asking, moment.instant),
                    None => {
                        let nobody = UpstreamError::Unsendable("nobody is asked here".to_owned());
                        let answer = Answer::Whole(Err(nobody));
                        Some(Answered { asking, answer })
                    }
                }
            }
            Begun::Waits(request) => {
                let head = Head { request, framing };
                self.hand_over(connection, CompleteRequest { head, reservation });
                None
            }
        }
    }

    /// Goes on with a request whose integration has answered.
    fn on_answer(self: &Arc<EventLoop>, answered: Answered) {
        let Answered { asking, answer } = answered;
        match answer {
            Answer::Whole(answer) => {
                let (connection, reply, response) = self.resume(asking, answer);
                self.respond(connection, reply, response);
            }
            Answer::Streams(taken) => self.hand_on(asking, taken),
        }
    }

    /// Lets a worker go on with an exchange, once one more may wait for its destination. An event stream does not wait for
    /// others: they may never end.
    fn hand_on(self: &Arc<EventLoop>, asking: Asking, mut taken: Box<TakenOver>) {
        if taken.may_go_on() || taken.is_event_stream() {
            return self.go_on_in_worker(asking, taken);
        }
        self.answers_begun.add(vec![(asking, taken)]);
        self.shared.tables.of_loop(0).wake();
    }

    /// Goes on with answers that have waited for their destinations; tells whether some wait still.
    pub(super) fn hand_on_waiting(self: &Arc<EventLoop>) -> bool {
        if self.answers_begun.is_empty() {
            return false;
        }
        let mut still = Vec::new();
        for (asking, mut taken) in self.answers_begun.take() {
            match taken.may_wait_on() {
                _ if taken.may_go_on() => self.go_on_in_worker(asking, taken),
                Ok(()) => still.push((asking, taken)),
                Err(error) => {
                    drop(taken);
                    self.refuse_exchange(asking, error);
                }
            }
        }
        self.answers_begun.add(still);
        !self.answers_begun.is_empty()
    }

    /// Lets a worker go on with an exchange. Where none is free in time, the request is refused, as all others are then.
    fn go_on_in_worker(self: &Arc<EventLoop>, asking: Asking, taken: Box<TakenOver>) {
        let event_loop = Arc::clone(self);
        let job = move |(asking, taken): (Asking, Box<TakenOver>), waited| {
            if waited >= event_loop.shared.limits.queue_timeout {
                drop(taken);
                return event_loop.refuse_exchange(asking, UpstreamError::NoWorker);
            }
            let _busy = InFlightGuard::new(&event_loop.shared.metrics.workers_busy);
            let (mut connection, reply, response) = event_loop.resume(asking, taken.go_on());
            if let Some(ready) = reply.ready(&event_loop.shared, &mut connection, response) {
                event_loop.send_in_worker(connection, ready);
            }
        };
        if let Err(Full((asking, _))) = self.shared.workers.submit((asking, taken), Urgency::Ordinary, job) {
            self.refuse_exchange(asking, UpstreamError::NoWorker);
        }
    }

    fn refuse_exchange(self: &Arc<EventLoop>, asking: Asking, error: UpstreamError) {
        let (connection, reply, response) = self.resume(asking, Err(error));
        self.respond(connection, reply, response);
    }

    /// Lets the handler go on with a request.
    fn resume(
        &self,
        asking: Asking,
        answer: Result<IntegrationResponse, UpstreamError>,
    ) -> (Box<Connection>, Reply, Response) {
        let Asking {
            connection,
            reply,
            suspended,
            ..
        } = asking;
        let handler = &self.shared.handler;
        let resumed = catch_unwind(AssertUnwindSafe(|| handler.resume(suspended, answer)));
        let response = resumed
            .ok()
            .flatten()
            .unwrap_or_else(|| handler.refuse(RequestError::Panicked, &connection.unread_request()));
        (connection, reply, response)
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
            event_loop.send_in_worker(connection, ready);
        });
    }

    /// Sends an answer in a worker.
    fn send_in_worker(self: &Arc<EventLoop>, connection: Box<Connection>, ready: Ready) {
        let others_wait = self.has_waiting();
        let outcome = match exchange::send_ready(&self.shared, connection, ready, others_wait) {
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
