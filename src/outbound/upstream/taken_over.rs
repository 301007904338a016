//! An exchange that a loop has begun and a worker goes on with: its answer is long, or has no known end.

use std::sync::Arc;
use std::time::Duration;

use crate::http1::message::Headers;
use crate::outbound::upstream::blocking::Call;
use crate::outbound::upstream::connection::Connection;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::exchange::Exchange;
use crate::outbound::upstream::incoming;
use crate::outbound::upstream::pool::{Lease, Pool};
use crate::outbound::upstream::response::IntegrationResponse;
use crate::outbound::upstream::server::Server;
use crate::outbound::upstream::waits::Waits;
use crate::platform::concurrency::ConcurrencyPermit;
use crate::platform::loops;

/// The exchange: the head of its answer is here.
#[derive(Debug)]
pub struct TakenOver {
    pub(super) pool: Arc<Pool>,
    pub(super) server: Arc<Server>,
    /// What it holds of its destination until a worker has it.
    pub(super) slot: ConcurrencyPermit,
    /// What the worker that has it will hold.
    pub(super) in_worker: Option<ConcurrencyPermit>,
    pub(super) waits: Waits,
    pub(super) exchange: Exchange,
    pub(super) connection: Connection,
    /// It has been reset, which the system has told.
    pub(super) is_reset: bool,
    /// Content that was read already.
    pub(super) before: Vec<u8>,
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) may_stream: bool,
}

impl TakenOver {
    /// Whether a worker may have it now: whether one more may wait for the destination. The request is carried out by
    /// now, so where none may it waits for that, and is not refused.
    pub fn may_go_on(&mut self) -> bool {
        if self.in_worker.is_none() {
            self.in_worker = self.server.destination.take_slot().ok();
        }
        self.in_worker.is_some()
    }

    /// Whether its answer is an event stream, which has no end that others could wait for.
    pub fn is_event_stream(&self) -> bool {
        self.may_stream && self.headers.announce_event_stream()
    }

    /// Whether it is worth to wait on.
    ///
    /// # Errors
    /// Its time is over, or its client is gone.
    pub fn may_wait_on(&self) -> Result<(), UpstreamError> {
        let left = self.waits.next_wait()?;
        self.waits.wait_on(left, Duration::ZERO).map(drop)
    }

    /// Goes on in a worker, which counts for the destination from now on.
    ///
    /// # Errors
    /// As many workers wait for the destination as may, or the answer breaks off before a part of it could be passed on.
    pub fn go_on(self) -> Result<IntegrationResponse, UpstreamError> {
        loops::may_wait("for an integration's answer");
        let is_event_stream = self.is_event_stream();
        let slot = match self.in_worker {
            Some(slot) => slot,
            None => self.server.destination.take_slot()?,
        };
        drop(self.slot);
        let lease = Lease::taken_over(&self.pool, self.server, slot);
        let mut call = Call::taken_over(lease, self.waits, self.exchange, self.connection, self.before);
        call.is_reset = self.is_reset;
        Ok(IntegrationResponse {
            body: incoming::receive(call, is_event_stream)?,
            status: self.status,
            headers: self.headers,
        })
    }
}
