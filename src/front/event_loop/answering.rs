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
use crate::front::loop_exchanges::{Answered, Asking, LoopExchanges};
use crate::front::memory_budget::Class;
use crate::front::outcome::Outcome;
use crate::front::pending_write::AfterWrite;
use crate::front::queued_request::{self, Verdict};
use crate::front::request_reader::CompleteRequest;
use crate::front::response_stream::on_loop::LoopStream;
use crate::front::response_stream::{Progress, ResponseStream};
use crate::front::send::{self, Sent, Unwaited};
use crate::front::worker_pool::{Full, Urgency};
use crate::front::write_queue::WriteQueue;
use crate::http1::error::RequestError;
use crate::http1::message::{Response, Version};
use crate::http1::request_head::Head;
use crate::outbound::upstream::{IntegrationRequest, IntegrationResponse, Unconnected, UpstreamError};
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
        let shared = &self.shared;
        let now = happened.at;
        exchanges.share_turns(happened.outbound.len() + happened.away.len() + happened.ready.len());
        for ready in happened.outbound.drain(..) {
            self.guarded(table, exchanges, |exchanges| {
                exchanges.on_ready(shared, table, ready, now)
            });
        }
        for event in happened.away.drain(..) {
            self.guarded(table, exchanges, |exchanges| exchanges.on_client(table, event));
        }
        exchanges.due(table, due, now);
        for number in due.drain(..) {
            self.guarded(table, exchanges, |exchanges| {
                exchanges.on_due(shared, table, number, Instant::now())
            });
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
        let time = SystemTime::now();
        // What is late is told by an exchange's own time, the time of day may be that of all requests of a batch.
        let moment = || Moment {
            instant: Instant::now(),
            time,
        };
        for (connection, whole) in whole.drain(..) {
            match exchanges {
                _ if !self.shared.loops_answer || connection.is_in_reserve() => {
                    let _ = catch_unwind(AssertUnwindSafe(|| self.hand_over(connection, whole)));
                }
                Some(exchanges) => self.guarded(table, exchanges, |exchanges| {
                    let moment = moment();
                    let (asked, asking) = self.begin(connection, whole, moment)?;
                    exchanges.begin(&self.shared, table, *asked, asking, moment.instant)
                }),
                None => {
                    let _ = catch_unwind(AssertUnwindSafe(|| {
                        if let Some((_, asking)) = self.begin(connection, whole, moment()) {
                            let nobody = UpstreamError::Unsendable("nobody is asked here".to_owned());
                            self.refuse_exchange(asking, nobody);
                        }
                    }));
                }
            }
        }
    }

    /// Does a step, and goes on with what was answered. A panic is a defect of ours, and must not cost the other
    /// connections.
    fn guarded(
        self: &Arc<EventLoop>,
        table: &ConnectionTable<Connection>,
        exchanges: &mut LoopExchanges,
        step: impl FnOnce(&mut LoopExchanges) -> Option<Answered>,
    ) {
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let mut next = step(exchanges);
            while let Some(answered) = next {
                next = self.on_answer(table, exchanges, answered);
            }
        }));
    }

    /// Begins to answer a request; what an integration is to be asked, if anything.
    fn begin(
        self: &Arc<EventLoop>,
        mut connection: Box<Connection>,
        whole: CompleteRequest,
        moment: Moment,
    ) -> Option<(Box<IntegrationRequest>, Asking)> {
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
                Some((asked, asking))
            }
            Begun::Waits(request) => {
                let head = Head { request, framing };
                self.hand_over(connection, CompleteRequest { head, reservation });
                None
            }
        }
    }

    /// Goes on with a request whose integration has answered.
    fn on_answer(
        self: &Arc<EventLoop>,
        table: &ConnectionTable<Connection>,
        exchanges: &mut LoopExchanges,
        answered: Answered,
    ) -> Option<Answered> {
        match answered {
            Answered::Whole(asking, answer) => {
                let (connection, reply, response) = self.resume(asking, answer);
                self.respond(connection, reply, response);
                None
            }
            Answered::InWorker(asking, exchange) => {
                self.connect_in_worker(asking, exchange);
                None
            }
            Answered::Begun(asking, response, coming) => {
                let (mut connection, reply, response) = self.resume(asking, Ok(*response));
                let Some(mut ready) = reply.ready(&self.shared, &mut connection, response) else {
                    exchanges.drop_content(table, coming);
                    return None;
                };
                let shared = &self.shared;
                let Some(rest) = ready.answer.rest.take() else {
                    exchanges.drop_content(table, coming);
                    self.send_whole(connection, ready);
                    return None;
                };
                let Ready { answer, then, writer } = ready;
                exchanges.pass_on(shared, table, coming, |content| {
                    let stream = ResponseStream::new(shared, connection, answer.bytes, rest, then, writer);
                    LoopStream::begin(shared, stream, content)
                })
            }
            Answered::Passed(stream, sent) => {
                self.apply(stream.end(&self.shared, sent));
                None
            }
        }
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
        match ready.answer.rest.is_some() {
            true => self.pass_on(connection, ready),
            false => self.send_whole(connection, ready),
        }
    }

    /// Sends an answer that is here whole.
    fn send_whole(self: &Arc<EventLoop>, mut connection: Box<Connection>, ready: Ready) {
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

    /// Lets a worker pass on an answer whose content comes from elsewhere than from an integration of a loop.
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

    /// Lets a worker ask an integration to which there is no connection over TLS. Where none is free in time, or nobody
    /// waits any more, it is not asked.
    fn connect_in_worker(self: &Arc<EventLoop>, asking: Asking, exchange: Box<Unconnected>) {
        let event_loop = Arc::clone(self);
        self.shared.metrics.queue_depth.rise();
        let job = move |(mut asking, exchange): (Asking, Box<Unconnected>), waited| {
            let shared = &event_loop.shared;
            shared.metrics.queue_depth.fall();
            let refusal = match queued_request::verdict(shared, &mut asking.connection, waited) {
                Verdict::Serve => None,
                Verdict::ClientGone => Some(UpstreamError::ClientGone),
                Verdict::TooLate => Some(UpstreamError::NoWorker),
            };
            if let Some(refusal) = refusal {
                drop(exchange);
                return event_loop.refuse_exchange(asking, refusal);
            }
            let _busy = InFlightGuard::new(&shared.metrics.workers_busy);
            let (mut connection, reply, response) = event_loop.resume(asking, exchange.go_on());
            if let Some(ready) = reply.ready(shared, &mut connection, response) {
                event_loop.send_in_worker(connection, ready);
            }
        };
        if let Err(Full((asking, _))) = self.shared.workers.submit((asking, exchange), Urgency::Ordinary, job) {
            self.shared.metrics.queue_depth.fall();
            self.refuse_exchange(asking, UpstreamError::NoWorker);
        }
    }

    fn refuse_exchange(self: &Arc<EventLoop>, asking: Asking, error: UpstreamError) {
        let (connection, reply, response) = self.resume(asking, Err(error));
        self.respond(connection, reply, response);
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
