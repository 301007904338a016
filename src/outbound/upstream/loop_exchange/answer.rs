//! The answer of an exchange on a loop: read whole where it is short, else passed on as it comes.

use std::sync::Arc;
use std::time::Instant;

use crate::http1::message::Body;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::exchange::Progress;
use crate::outbound::upstream::incoming::SMALL;
use crate::outbound::upstream::loop_content::{Coming, LoopContent};
use crate::outbound::upstream::loop_exchange::{Connecting, Extent, LoopExchange, Stage, Step};
use crate::outbound::upstream::loop_pool::LoopPool;
use crate::outbound::upstream::response::IntegrationResponse;
use crate::outbound::upstream::watcher::Watcher;

/// Bytes of content that are read at once, where they are not read whole.
const PART: usize = 16 * 1024;

/// What becomes of an answer's content.
enum Kind {
    /// There is none.
    None,
    /// It is read, whole or its beginning.
    Content,
    /// It is passed on as it comes, from its beginning.
    Stream,
}

impl LoopExchange {
    /// Reads the content of an answer whose head is here, as far as it is to be here before the head is passed on.
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
            let room = match self.extent {
                Extent::Short(length) => length - filled,
                Extent::Unknown | Extent::Long => PART,
            };
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
            let is_readable = matches!(&self.stage, Stage::Open(watched) if watched.is_readable());
            match read? {
                Progress::Bytes(_) if self.exchange.is_over() => break,
                Progress::Bytes(_) if self.has_enough() => return Ok(Step::Stream),
                Progress::Bytes(_) => {}
                Progress::End => break,
                Progress::Wait if is_readable => return self.receive(pool),
                Progress::Wait if self.has_beginning() => return Ok(Step::Stream),
                Progress::Wait => return Ok(Step::Wait),
            }
        }
        self.finish(pool, watcher, now);
        let content = std::mem::take(&mut self.content);
        Ok(Step::Over(self.response(Body::Bytes(content))))
    }

    /// Whether the rest is passed on as it comes, however much of it is here already.
    fn has_enough(&self) -> bool {
        let read = self.content.len();
        match self.extent {
            Extent::Short(_) => false,
            Extent::Unknown => read as u64 > SMALL && read >= self.looks_at,
            Extent::Long => read >= self.looks_at,
        }
    }

    /// Whether what is here is passed on where nothing more has come. What has no known length is passed on as it comes.
    fn has_beginning(&self) -> bool {
        let read = self.content.len();
        self.extent == Extent::Unknown && read > 0 && read >= self.looks_at
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
        if is_event_stream {
            return Ok(Kind::Stream);
        }
        self.extent = match self.exchange.length() {
            None => Extent::Unknown,
            Some(length) if length > SMALL => Extent::Long,
            Some(length) => Extent::Short(usize::try_from(length).unwrap_or_default()),
        };
        if let Extent::Short(length) = self.extent {
            self.content.reserve_exact(length);
        }
        Ok(Kind::Content)
    }

    fn response(&mut self, body: Body) -> IntegrationResponse {
        let (status, headers) = self.head.take().unwrap_or_default();
        IntegrationResponse { status, headers, body }
    }

    /// The answer is complete.
    fn finish(&mut self, pool: &mut LoopPool, watcher: &mut dyn Watcher, now: Instant) {
        if let Stage::Open(watched) = std::mem::replace(&mut self.stage, Stage::Over) {
            pool.take_back(&self.server, &self.exchange, watched, watcher, now);
        }
        pool.give_buffer(std::mem::take(self.exchange.input()));
    }

    /// Closes its connection.
    pub(super) fn close(&mut self, watcher: &mut dyn Watcher) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Open(watched) => LoopPool::end_watched(watched, watcher),
            Stage::Connecting(Connecting { socket, seat, .. }) => {
                drop(socket);
                watcher.vacate(seat);
            }
            Stage::Resolving | Stage::Over => {}
        }
    }

    /// The answer, whose content is on its way.
    pub(super) fn stream(&mut self) -> Option<(IntegrationResponse, LoopContent)> {
        let Stage::Open(watched) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return None;
        };
        let (status, headers) = self.head.take()?;
        let is_event_stream = self.may_stream && headers.announce_event_stream();
        let (waits, exchange) = self.take_out();
        let coming = Coming {
            server: Arc::clone(&self.server),
            slot: self.slot.handed_on(),
            waits,
            exchange,
            watched: Some(watched),
            before: std::mem::take(&mut self.content),
            passed: 0,
            since: Instant::now(),
            is_broken: false,
        };
        let (body, content) = LoopContent::of(coming, is_event_stream);
        Some((IntegrationResponse { status, headers, body }, content))
    }
}
