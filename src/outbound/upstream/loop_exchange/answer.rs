//! The answer of an exchange on a loop: read whole where it is short, else given to a worker.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::http1::message::Body;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::exchange::{Exchange, Progress};
use crate::outbound::upstream::incoming::SMALL;
use crate::outbound::upstream::loop_exchange::{Connecting, LoopExchange, Stage, Step};
use crate::outbound::upstream::loop_pool::{LoopPool, Watched};
use crate::outbound::upstream::request_side::RequestSide;
use crate::outbound::upstream::response::IntegrationResponse;
use crate::outbound::upstream::taken_over::TakenOver;
use crate::outbound::upstream::waits::Waits;
use crate::outbound::upstream::watcher::Watcher;

/// Bytes of content that are read at once, where it is not known how many there are.
const PART: usize = 16 * 1024;

/// What becomes of an answer's content.
enum Kind {
    /// There is none.
    None,
    /// It is read whole.
    Content,
    Stream,
}

impl LoopExchange {
    /// Reads the content of an answer whose head is here.
    pub(super) fn read(
        &mut self,
        pool: &mut LoopPool,
        watcher: &mut dyn Watcher,
        now: Instant,
    ) -> Result<Step, UpstreamError> {
        if self.head.is_none() {
            match self.note_head(pool)? {
                Kind::None => {
                    self.finish(pool, watcher, now);
                    return Ok(Step::Over(self.response(Body::Empty)));
                }
                Kind::Stream => return Ok(Step::Stream),
                Kind::Content => {}
            }
        }
        loop {
            let filled = self.content.len();
            let room = self.length.map_or(PART, |length| length - filled);
            // An answer that is over needs no room, and tells of it only where there is some.
            self.content.resize(filled + room.max(1), 0);
            let read = self
                .exchange
                .read_content(self.content.get_mut(filled..).unwrap_or_default());
            let count = match read {
                Ok(Progress::Bytes(count)) => count,
                _ => 0,
            };
            self.content.truncate(filled + count);
            match read? {
                Progress::Bytes(_) if self.exchange.is_over() => break,
                Progress::Bytes(_) if self.length.is_none() && self.content.len() as u64 > SMALL => {
                    return Ok(Step::Stream);
                }
                Progress::Bytes(_) => {}
                Progress::End => break,
                Progress::Wait if self.is_readable => return self.receive(),
                // What has no known length is passed on as it comes.
                Progress::Wait if self.length.is_none() && !self.content.is_empty() => return Ok(Step::Stream),
                Progress::Wait => return Ok(Step::Wait),
            }
        }
        self.finish(pool, watcher, now);
        let content = std::mem::take(&mut self.content);
        Ok(Step::Over(self.response(Body::Bytes(content))))
    }

    /// Notes the head of the answer; tells what becomes of the content.
    fn note_head(&mut self, pool: &LoopPool) -> Result<Kind, UpstreamError> {
        match self.is_new {
            true => pool.connections.new.add_one(),
            false => pool.connections.reused.add_one(),
        }
        // The answer may take long.
        self.exchange.release_request();
        let head = self.exchange.take_head();
        let (status, headers) = head.ok_or_else(|| UpstreamError::Malformed("it has no head".to_owned()))?;
        let is_event_stream = self.may_stream && headers.announce_event_stream();
        self.head = Some((status, headers));
        if self.is_to_head || matches!(status, 204 | 304) {
            return Ok(Kind::None);
        }
        let length = self.exchange.length();
        if is_event_stream || length.is_some_and(|length| length > SMALL) {
            return Ok(Kind::Stream);
        }
        self.length = length.and_then(|length| usize::try_from(length).ok());
        self.content.reserve_exact(self.length.unwrap_or_default());
        Ok(Kind::Content)
    }

    fn response(&mut self, body: Body) -> IntegrationResponse {
        let (status, headers) = self.head.take().unwrap_or_default();
        IntegrationResponse { status, headers, body }
    }

    /// The answer is complete: the connection is kept if it can be, and what came behind it is none of it.
    fn finish(&mut self, pool: &mut LoopPool, watcher: &mut dyn Watcher, now: Instant) {
        let destination = &self.server.destination;
        if self.exchange.has_surplus() {
            destination.note_surplus();
        } else if self.exchange.keeps_connection() && !self.has_ended && destination.keeps_connections() {
            if let Stage::Open(watched) = std::mem::replace(&mut self.stage, Stage::Over) {
                pool.keep(&self.server, watched, watcher, now);
            }
            return;
        }
        self.close(watcher);
    }

    /// Closes its connection.
    pub(super) fn close(&mut self, watcher: &mut dyn Watcher) {
        let seat = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Open(Watched { seat, .. }) | Stage::Connecting(Connecting { seat, .. }) => seat,
            Stage::Resolving | Stage::Over => return,
        };
        watcher.vacate(seat);
    }

    /// What a worker goes on with.
    pub(super) fn take_over(&mut self, pool: &LoopPool, watcher: &mut dyn Watcher) -> Option<TakenOver> {
        let Stage::Open(Watched { connection, seat, .. }) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return None;
        };
        watcher.give_away(seat, connection.as_fd());
        let (status, headers) = self.head.take()?;
        let none = Exchange::new(RequestSide::whole(Vec::new(), Vec::new()), false);
        let nobody = Waits::begin(Duration::ZERO, None, false);
        Some(TakenOver {
            pool: Arc::clone(&pool.pool),
            server: Arc::clone(&self.server),
            slot: self.slot.handed_on(),
            in_worker: None,
            waits: std::mem::replace(&mut self.waits, nobody),
            exchange: std::mem::replace(&mut self.exchange, none),
            connection,
            is_reset: self.is_reset,
            before: std::mem::take(&mut self.content),
            status,
            headers,
            may_stream: self.may_stream,
        })
    }
}
