//! An exchange that a loop has begun and that wants a new connection over TLS: a worker makes it, and gets the answer.
//! The handshake would keep a loop from its other work.

use std::sync::Arc;

use crate::outbound::upstream::blocking::Call;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::exchange::Exchange;
use crate::outbound::upstream::incoming;
use crate::outbound::upstream::pool::{Lease, Pool};
use crate::outbound::upstream::response::IntegrationResponse;
use crate::outbound::upstream::retry;
use crate::outbound::upstream::server::Server;
use crate::outbound::upstream::waits::Waits;
use crate::platform::concurrency::ConcurrencyPermit;
use crate::platform::loops;
use crate::platform::metrics::UpstreamConnections;

/// An exchange of which nothing has been sent, or which is sent again.
#[derive(Debug)]
pub struct Unconnected {
    pub(super) pool: Arc<Pool>,
    pub(super) connections: Arc<UpstreamConnections>,
    pub(super) server: Arc<Server>,
    /// What it holds of its destination until a worker has it.
    pub(super) slot: ConcurrencyPermit,
    pub(super) waits: Waits,
    pub(super) exchange: Exchange,
    /// It has been sent on a connection that was closed.
    pub(super) is_again: bool,
    /// It may be sent again, where its kept connection turns out to be closed.
    pub(super) may_repeat: bool,
    pub(super) is_to_head: bool,
    pub(super) may_stream: bool,
}

impl Unconnected {
    /// Goes on in a worker, which counts for the destination from now on. It may wait.
    ///
    /// # Errors
    /// As many workers wait for the destination as may, and else as where a worker begins an exchange.
    pub fn go_on(self) -> Result<IntegrationResponse, UpstreamError> {
        loops::may_wait("for a connection over TLS");
        let slot = self.server.destination.take_slot()?;
        drop(self.slot);
        let lease = Lease::begun(&self.pool, self.server, slot);
        let mut call = Call::new(lease, self.waits, self.exchange, None);
        match self.is_again {
            true => call.run(false)?,
            false => retry::run(&mut call, self.may_repeat)?,
        }
        incoming::answer(call, &self.connections, self.is_to_head, self.may_stream)
    }
}
