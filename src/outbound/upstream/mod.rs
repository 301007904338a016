//! Sends a request to an integration and reads its answer. The only user of ureq.
//!
//! ureq speaks the protocol; what it meets the network with is ours: a resolver with a cache, and a transport that
//! keeps one deadline for the whole exchange, tells a reused connection from a new one, and reports what failed.

mod destinations;
mod exchange;
mod resolver;
mod socket;
mod chunks;
mod answer;
mod transport;
mod outgoing;
mod clients;
mod incoming;

mod certificate;
pub mod tls;
pub mod url;

#[cfg(test)]
mod tests;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;

use crate::http1::message::{Body, Client, Headers, Method, RequestParts};
use crate::http1::target::Scheme;
use crate::outbound::upstream::clients::{Clients, Lease};
use crate::outbound::upstream::outgoing::Outgoing;
use crate::outbound::upstream::resolver::LookUp;
use crate::platform::metrics::UpstreamConnections;
use crate::platform::slots::{ConcurrencyLimit, ConcurrencyPermit};

/// Most bytes of a request's target, and of all its fields. A client's head has no more than a third of it, and
/// percent-encoding makes three bytes of one; only what files add gets there.
pub const MAX_REQUEST_PART_LENGTH: usize = 32 * 1024;

/// How long the addresses of a name are used unless an option says otherwise: container platforms move a name about as
/// fast.
pub const DNS_TTL: Duration = Duration::from_secs(5);

/// A request to an integration. Its fields are end-to-end ones; ureq's transport adds the framing.
#[derive(Debug)]
pub struct IntegrationRequest {
    /// Over TLS or not.
    pub scheme: Scheme,
    /// Host, and port where it is not the scheme's.
    pub authority: String,
    /// What its certificate must be for, where that is not the host.
    pub server_name: Option<ServerName<'static>>,
    /// Path, query, and end-to-end fields with `host`.
    pub parts: RequestParts,
    /// The method.
    pub method: Method,
    /// The content.
    pub body: Body,
    /// Whether it may be sent again where a kept connection turns out to be closed, whatever its method.
    pub is_repeatable: bool,
    /// Whether an event stream may last as long as it likes, each wait for a part of it being bounded.
    pub may_stream: bool,
    /// Bounds the exchange from the look-up of the name to the last byte of the body.
    pub timeout: Duration,
    /// Who waits for the answer. The exchange ends within a second when nobody does any more.
    pub client: Option<Client>,
    /// Whether it goes on without its client once it is sent, as the invocation of a function does.
    pub runs_on: bool,
}

/// An integration's answer.
#[derive(Debug)]
pub struct IntegrationResponse {
    /// The status, 200–999.
    pub status: u16,
    /// All fields, hop-by-hop ones too.
    pub headers: Headers,
    /// The content: [`Body::Empty`] where there is none by definition (HEAD, 204, 304).
    pub body: Body,
}

/// What went wrong with an exchange, in words for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamError {
    /// The timeout was reached.
    TimedOut(Duration),
    /// The host has no address.
    NotResolved {
        /// The host.
        host: String,
        /// What the resolver says.
        reason: String,
    },
    /// No connection: refused, unreachable, reset.
    NotConnected {
        /// Host and port.
        host: String,
        /// What the operating system says.
        reason: String,
    },
    /// A connection, but no TLS on it that could be trusted.
    Tls {
        /// Host and port.
        host: String,
        /// What the TLS library says.
        reason: String,
    },
    /// The connection ended before an answer, or inside one of which nothing was passed on.
    Broken(String),
    /// The answer is none that HTTP/1.1 allows.
    Malformed(String),
    /// The request cannot be written as HTTP/1.1.
    Unsendable(String),
    /// As many workers wait for the destination as may, so nothing was sent.
    Overloaded {
        /// Scheme, host and port.
        destination: String,
        /// How many that is.
        most: NonZeroUsize,
    },
    /// The client's body is larger than 10 MB.
    BodyTooLarge,
    /// The client's body ended early.
    BodyCut(String),
    /// Nobody waits for the answer any more.
    ClientGone,
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpstreamError::TimedOut(timeout) => {
                write!(f, "no whole answer within {} ms", timeout.as_millis())
            }
            UpstreamError::NotResolved { host, reason } => {
                write!(f, "{host} was not resolved: {reason}")
            }
            UpstreamError::NotConnected { host, reason } => {
                write!(f, "no connection to {host}: {reason}")
            }
            UpstreamError::Tls { host, reason } => write!(f, "no TLS with {host}: {reason}"),
            UpstreamError::Broken(reason) => write!(f, "the connection broke: {reason}"),
            UpstreamError::Malformed(reason) => write!(f, "the answer is malformed: {reason}"),
            UpstreamError::Unsendable(reason) => write!(f, "the request cannot be sent: {reason}"),
            UpstreamError::Overloaded { destination, most } => {
                write!(f, "{destination} holds {most} workers, as many as one destination may")
            }
            UpstreamError::BodyTooLarge => f.write_str("the request's body is too large"),
            UpstreamError::BodyCut(reason) => write!(f, "the request's body ended early: {reason}"),
            UpstreamError::ClientGone => f.write_str("the client is gone"),
        }
    }
}

impl std::error::Error for UpstreamError {}

/// How upstreams are reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What TLS is spoken with, see [`tls::client_config`].
    pub tls: Arc<rustls::ClientConfig>,
    /// Most connections, in use or not: where there are so many, none is kept.
    pub most_connections: usize,
    /// Most workers that wait for one destination, see [`share`](crate::platform::slots::share); one more is refused.
    pub share: NonZeroUsize,
    /// How long the addresses of a name are used before it is looked up again.
    pub dns_ttl: Duration,
}

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
