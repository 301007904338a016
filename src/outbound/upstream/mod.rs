//! Sends a request to an integration and reads its answer. The only user of ureq.
//!
//! ureq speaks the protocol; what it meets the network with is ours: a resolver with a cache, and a transport that
//! keeps one deadline for the whole exchange, tells a reused connection from a new one, and reports what failed.

mod error;
mod settings;
mod request;
mod response;
mod addresses;
mod exchange;
mod resolver;
mod socket;
mod chunks;
mod answer;
mod destinations;
mod transport;
mod connector;
mod outgoing;
mod clients;
mod incoming;

mod certificate;
pub mod tls;
pub mod url;

#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::http1::message::{Body, Method};
use crate::http1::target::Scheme;
use crate::outbound::upstream::clients::{Clients, Lease};
use crate::outbound::upstream::outgoing::Outgoing;
use crate::outbound::upstream::resolver::LookUp;
use crate::platform::metrics::UpstreamConnections;
use crate::platform::slots::{ConcurrencyLimit, ConcurrencyPermit};

pub use crate::outbound::upstream::error::UpstreamError;
pub use crate::outbound::upstream::request::{IntegrationRequest, MAX_REQUEST_PART_LENGTH};
pub use crate::outbound::upstream::response::IntegrationResponse;
pub use crate::outbound::upstream::settings::{DNS_TTL, Settings};

/// The way to every integration.
#[derive(Debug)]
pub struct Upstream {
    clients: Arc<Clients>,
    connections: UpstreamConnections,
    share: NonZeroUsize,
}

impl Upstream {
    /// Nothing is connected yet.
    pub fn new(settings: Settings) -> Upstream {
        Upstream::with_look_up(settings, Box::new(resolver::of_the_system))
    }

    fn with_look_up(settings: Settings, look_up: LookUp) -> Upstream {
        Upstream {
            share: settings.share,
            clients: Clients::new(settings, look_up),
            connections: UpstreamConnections::default(),
        }
    }

    /// Most workers that wait for one destination.
    pub fn share(&self) -> NonZeroUsize {
        self.share
    }

    /// Sends a request and reads the answer's head, and its body too where it is small. The worker counts as one that
    /// waits for the destination until the answer's body has been read to its end, or dropped.
    ///
    /// # Errors
    /// See [`UpstreamError`]. Nothing of the answer has been passed on then.
    pub fn send(&self, request: IntegrationRequest) -> Result<IntegrationResponse, UpstreamError> {
        let client = Clients::lease(&self.clients, &request, |destination| destination.take_slot().map(Some))?;
        self.exchange(request, client)
    }

    /// What workers that wait for the destination of a URL with that scheme and authority hold of it.
    pub fn slots(&self, scheme: Scheme, authority: &str) -> Arc<ConcurrencyLimit> {
        Arc::clone(self.clients.destination(scheme, authority).slots())
    }

    /// Takes a slot of the destination of a URL with that scheme and authority, for a worker that waits before it sends.
    ///
    /// # Errors
    /// As many workers wait for it as may.
    pub fn take_slot(&self, scheme: Scheme, authority: &str) -> Result<ConcurrencyPermit, UpstreamError> {
        self.clients.destination(scheme, authority).take_slot()
    }

    /// As [`Upstream::send`], for a worker that counts already: it holds that slot of the request's destination.
    ///
    /// # Errors
    /// See [`UpstreamError`].
    pub fn send_within(
        &self,
        _: &ConcurrencyPermit,
        request: IntegrationRequest,
    ) -> Result<IntegrationResponse, UpstreamError> {
        let client = Clients::lease(&self.clients, &request, |_| Ok(None))?;
        self.exchange(request, client)
    }

    fn exchange(&self, request: IntegrationRequest, client: Lease) -> Result<IntegrationResponse, UpstreamError> {
        client.exchange.begin(request.timeout, request.client, request.runs_on);
        let mut outgoing = Outgoing::new(request.method, request.body)?;
        client
            .exchange
            .set_head(outgoing.head(&request.parts)?, !outgoing.is_empty());
        let mut answer = client.run(&mut outgoing);
        // R3.19: no retry but this one. The server closed a kept connection while the request was on its way, which
        // is the protocol's own race; a safe request without a body may be sent again, and so
        // may one whose sender says so.
        let may_repeat = outgoing.is_empty() && request.method.is_safe() || request.is_repeatable;
        if let Err(UpstreamError::Broken(_)) = answer
            && may_repeat
            && outgoing.is_whole()
            && client.exchange.reused_connection_in_vain()
        {
            client.exchange.begin_again();
            answer = client.run(&mut outgoing);
        }
        let answer = answer?;
        if client.exchange.has_connected() {
            self.connections.new.add_one();
        } else {
            self.connections.reused.add_one();
        }
        read_answer(request.method, request.may_stream, answer, client)
    }

    /// How many requests took which connection.
    pub fn connections(&self) -> &UpstreamConnections {
        &self.connections
    }

    /// Closes connections that nobody has used for a while.
    pub fn close_idle(&self) {
        self.clients.close_idle();
    }
}

fn read_answer(
    method: Method,
    may_stream: bool,
    answer: http::Response<ureq::Body>,
    client: Lease,
) -> Result<IntegrationResponse, UpstreamError> {
    let (parts, body) = answer.into_parts();
    let headers = client.exchange.take_fields();
    let headers = headers.ok_or_else(|| UpstreamError::Malformed("it has no head".to_owned()))?;
    let status = parts.status.as_u16();
    let body = match status {
        _ if matches!(status, 204 | 304) || method == Method::Head => {
            // There is none, whatever came.
            drop(body);
            client.note_end();
            Body::Empty
        }
        _ => {
            let is_event_stream = may_stream && headers.announce_event_stream();
            incoming::receive(body, is_event_stream, client)?
        }
    };
    Ok(IntegrationResponse { status, headers, body })
}
