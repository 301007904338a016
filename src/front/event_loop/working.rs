//! A worker's part: it answers requests, and passes on long answers.

use std::sync::Arc;

use crate::front::connection::{Connection, Next};
use crate::front::event_loop::EventLoop;
use crate::front::exchange;
use crate::front::outcome::Outcome;
use crate::front::request_reader::CompleteRequest;
use crate::front::response_stream::{Progress, ResponseStream};
use crate::front::socket::Wait;
use crate::front::stream_scheduler::Permit;

impl EventLoop {
    /// Answers a request, and those that follow it at once; then the connection waits again.
    pub(super) fn serve(self: &Arc<EventLoop>, connection: Box<Connection>, whole: CompleteRequest) {
        let mut next = Some((connection, whole));
        while let Some((connection, whole)) = next {
            let progress = exchange::answer(&self.shared, connection, whole, || self.has_waiting());
            let outcome = match progress {
                Progress::Done(outcome) => outcome,
                Progress::Long(stream) => match self.move_when_permitted(stream) {
                    Some(outcome) => outcome,
                    None => return,
                },
            };
            next = self.next_request(outcome);
        }
    }

    /// Passes on a long answer; none where it waits for its permit.
    pub(super) fn move_when_permitted(self: &Arc<EventLoop>, stream: ResponseStream) -> Option<Outcome> {
        let (stream, permit) = self.permit_of(self.scheduler.ask(stream))?;
        Some(self.move_stream(stream, permit))
    }

    /// Passes on an answer that has waited for its permit, and goes on with its connection.
    pub(super) fn resume_stream(self: &Arc<EventLoop>, stream: ResponseStream, permit: Permit) {
        let Some((stream, permit)) = self.permit_of(self.scheduler.begin(stream, permit)) else {
            return;
        };
        let outcome = self.move_stream(stream, permit);
        if let Some((connection, whole)) = self.next_request(outcome) {
            self.serve(connection, whole);
        }
    }

    /// Passes on a long answer that has its permit.
    fn move_stream(self: &Arc<EventLoop>, mut stream: ResponseStream, permit: Permit) -> Outcome {
        let paused = stream.pass_on_with(&permit, self.has_waiting());
        drop(permit);
        self.begin_streams();
        stream.unblock(&self.shared, paused)
    }

    /// The next request on a connection that can take one, if it is here or comes at once. All else that a step returns
    /// is done.
    fn next_request(self: &Arc<EventLoop>, outcome: Outcome) -> Option<(Box<Connection>, CompleteRequest)> {
        let Outcome::NextRequest(mut connection) = outcome else {
            self.apply(outcome);
            return None;
        };
        if self.shared.loops_answer {
            self.give_back(connection);
            return None;
        }
        let budget = &self.shared.budget;
        let mut next = match connection.may_have_more() {
            true => connection.read_request(budget, Wait::Never),
            false if self.keeps_worker(&mut connection) => connection.read_request(budget, Wait::Briefly),
            false => Next::Wait,
        };
        loop {
            match next {
                Next::Answer(whole) if !self.shared.workers.has_waiting() => return Some((connection, whole)),
                Next::Wait => {
                    connection = self.register(connection, false)?;
                    next = connection.read_request(budget, Wait::Never);
                }
                next => {
                    self.after_read(connection, next);
                    return None;
                }
            }
        }
    }

    /// Ends the watching of a connection on which its worker waits itself. That spares the next request the way through
    /// another thread, and is done while there are so few connections that a worker has nothing better to do. Where there
    /// are as many as may be, a new one must see that this one is idle.
    fn keeps_worker(&self, connection: &mut Connection) -> bool {
        let open = self.shared.open();
        let has_room = open < self.shared.limits.max_connections.get();
        let is_of_use = open <= self.shared.few && has_room && !self.shared.workers.has_waiting();
        if is_of_use {
            self.shared.tables.of(connection).deregister(connection);
        }
        is_of_use
    }
}
