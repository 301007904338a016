//! Goes on with exchanges of a loop, and with their answers.

use std::time::Instant;

use crate::front::connection::Connection;
use crate::front::connection_table::{AwayEvent, ConnectionTable, ReadySocket};
use crate::front::loop_exchanges::{Answered, Asking, Coming, LoopExchanges, Pending, Work};
use crate::front::outbound_seats::User;
use crate::front::response_stream::on_loop::{LoopStream, Passed};
use crate::front::send::{self, Sent};
use crate::front::shared::Shared;
use crate::http1::response_writer::SendError;
use crate::outbound::upstream::loop_content::LoopContent;
use crate::outbound::upstream::loop_exchange::{Driven, LoopExchange};
use crate::outbound::upstream::{IntegrationResponse, Unconnected, UpstreamError};

/// What is next with the work of a place.
enum Step {
    Waits,
    Yields,
    Ends(End),
}

/// How work ends.
enum End {
    Answered(Result<IntegrationResponse, UpstreamError>),
    InWorker(Box<Unconnected>),
    Begun(Box<IntegrationResponse>, LoopContent),
    Passed(Result<Sent, SendError>),
}

impl LoopExchanges {
    /// Drives an exchange that is taken out of its place.
    pub(super) fn drive(
        &mut self,
        shared: &Shared,
        table: &ConnectionTable<Connection>,
        number: usize,
        mut pending: Box<Pending>,
        now: Instant,
    ) -> Option<Answered> {
        let Pending { work, until, .. } = &mut *pending;
        let driven = match work {
            Work::Asking(asking, exchange) => self.ask(table, number, asking, exchange, until, now),
            Work::Passing(stream) => self.pass(shared, table, number, stream, until),
        };
        let end = match driven {
            Step::Waits => {
                self.put(number, pending);
                return None;
            }
            Step::Yields => {
                self.queue(number);
                self.put(number, pending);
                return None;
            }
            Step::Ends(end) => end,
        };
        self.end(table, number, *pending, end)
    }

    /// Goes on with an exchange for which a client waits.
    fn ask(
        &mut self,
        table: &ConnectionTable<Connection>,
        number: usize,
        asking: &mut Asking,
        exchange: &mut LoopExchange,
        until: &mut Instant,
        now: Instant,
    ) -> Step {
        let mut watcher = self.seats.watcher(table, Some(number)).counting(&mut asking.answer);
        match exchange.drive(&mut self.pool, &mut watcher, now) {
            Driven::Waits(at) => {
                if exchange.is_resolving() {
                    self.resolving.push(number);
                }
                *until = at;
                Step::Waits
            }
            Driven::Yields => Step::Yields,
            Driven::Over(answer) => Step::Ends(End::Answered(answer)),
            Driven::Connects(exchange) => Step::Ends(End::InWorker(exchange)),
            Driven::Streams(response, content) => Step::Ends(End::Begun(response, content)),
        }
    }

    /// Goes on with an answer.
    fn pass(
        &mut self,
        shared: &Shared,
        table: &ConnectionTable<Connection>,
        number: usize,
        stream: &mut LoopStream,
        until: &mut Instant,
    ) -> Step {
        if self.left == 0 {
            return Step::Yields;
        }
        let mut watcher = self.seats.watcher(table, Some(number));
        let passed = stream.go_on(self.turn, |content| content.settle(&mut self.pool, &mut watcher));
        self.left = self.left.saturating_sub(stream.moved());
        match passed {
            Passed::Waits => {
                if stream.waits_for_client() && table.watch_for_room(stream.connection()).is_err() {
                    return Step::Ends(End::Passed(Err(send::too_slow())));
                }
                *until = stream.until(&shared.limits);
                Step::Waits
            }
            Passed::Yields => Step::Yields,
            Passed::Over(sent) => Step::Ends(End::Passed(sent)),
        }
    }

    /// Gives up the place of what has ended, unless it goes on with its content.
    fn end(
        &mut self,
        table: &ConnectionTable<Connection>,
        number: usize,
        pending: Pending,
        end: End,
    ) -> Option<Answered> {
        let client = pending.client;
        if !matches!(end, End::Begun(..)) {
            self.give_up(client, number);
        }
        // Each kind of work has its own ends.
        Some(match (end, pending.work) {
            (End::Passed(sent), Work::Passing(stream)) => {
                stream.content().close(&mut self.seats.watcher(table, Some(number)));
                Answered::Passed(stream, sent)
            }
            (End::Answered(answer), Work::Asking(asking, _)) => Answered::Whole(asking, answer),
            (End::InWorker(exchange), Work::Asking(asking, _)) => Answered::InWorker(asking, exchange),
            (End::Begun(response, content), Work::Asking(asking, _)) => {
                let coming = Coming {
                    number,
                    client,
                    content,
                };
                Answered::Begun(asking, response, coming)
            }
            (End::Passed(_), Work::Asking(..)) | (_, Work::Passing(_)) => return None,
        })
    }

    fn give_up(&mut self, client: Option<usize>, number: usize) {
        self.set_client(client, None);
        self.free.push(number);
    }

    /// Passes on content that is on its way.
    pub(crate) fn pass_on(
        &mut self,
        shared: &Shared,
        table: &ConnectionTable<Connection>,
        coming: Coming,
        begin: impl FnOnce(LoopContent) -> LoopStream,
    ) -> Option<Answered> {
        let Coming {
            number,
            client,
            content,
        } = coming;
        let now = Instant::now();
        let pending = Pending {
            work: Work::Passing(Box::new(begin(content))),
            client,
            until: now,
        };
        self.drive(shared, table, number, Box::new(pending), now)
    }

    /// Ends an exchange whose content nobody passes on.
    pub(crate) fn drop_content(&mut self, table: &ConnectionTable<Connection>, coming: Coming) {
        coming
            .content
            .close(&mut self.seats.watcher(table, Some(coming.number)));
        self.give_up(coming.client, coming.number);
    }

    /// Goes on with what a socket is ready for.
    pub(crate) fn on_ready(
        &mut self,
        shared: &Shared,
        table: &ConnectionTable<Connection>,
        ready: ReadySocket,
        now: Instant,
    ) -> Option<Answered> {
        match self.seats.user(ready.seat) {
            User::Nobody => None,
            User::Kept => {
                // No request asked for it, so the connection is closed before a request takes it.
                if ready.is_readable || ready.has_ended {
                    self.pool.end(ready.seat, &mut self.seats.watcher(table, None));
                }
                None
            }
            User::Exchange(number) => {
                let mut pending = self.take(number)?;
                match &mut pending.work {
                    Work::Asking(_, exchange) => exchange.note_ready(ready.is_readable, ready.has_ended),
                    Work::Passing(stream) => {
                        stream.content().note_ready(ready.is_readable, ready.has_ended);
                        // Behind those that did not get their turn.
                        self.queue(number);
                        self.put(number, pending);
                        return None;
                    }
                }
                self.drive(shared, table, number, pending, now)
            }
        }
    }

    /// Goes on with the exchange of a client that may take more, and ends that of one that has gone.
    pub(crate) fn on_client(&mut self, table: &ConnectionTable<Connection>, event: AwayEvent) -> Option<Answered> {
        let number = self.by_client.get(event.slot).copied().flatten()?;
        let mut pending = self.take(number)?;
        let end = match &mut pending.work {
            Work::Passing(stream) => {
                if !(event.is_end && stream.is_abandoned()) {
                    if stream.waits_for_client() {
                        self.queue(number);
                    }
                    self.put(number, pending);
                    return None;
                }
                End::Passed(Err(send::client_gone()))
            }
            Work::Asking(asking, exchange) if event.is_end && asking.connection.socket.is_abandoned() => {
                let mut watcher = self.seats.watcher(table, Some(number)).counting(&mut asking.answer);
                End::Answered(Err(exchange.abandon(&mut watcher)))
            }
            Work::Asking(..) => {
                self.put(number, pending);
                return None;
            }
        };
        self.end(table, number, *pending, end)
    }

    /// Goes on with an exchange that is due.
    pub(crate) fn on_due(
        &mut self,
        shared: &Shared,
        table: &ConnectionTable<Connection>,
        number: usize,
        now: Instant,
    ) -> Option<Answered> {
        if let Some(place) = self.places.get_mut(number) {
            place.is_queued = false;
        }
        let mut pending = self.take(number)?;
        if let Work::Passing(stream) = &mut pending.work
            && stream.is_late(shared)
        {
            return self.end(table, number, *pending, End::Passed(Err(send::too_slow())));
        }
        self.drive(shared, table, number, pending, now)
    }
}
