//! Sends a request to an integration and reads its answer. The only user of ureq.
//!
//! ureq speaks the protocol; what it meets the network with is ours: a resolver with a cache, and a transport that
//! keeps one deadline for the whole exchange, tells a reused connection from a new one, and reports what failed.
//!
//! # How it works
//!
//! ureq speaks HTTP/1.1; below it the resolver and the transport are ours, for four reasons.
//!
//! * **One deadline.** `TimeoutInMillis` bounds the whole exchange. ureq's global timeouts cannot change when the
//!   answer turns out to be an event stream. `exchange` holds the deadline that every read, write, connect and
//!   look-up asks for; a socket's timeout is set again only when it is more than 5 ms off. Time in which the front
//!   waits for the client of an answer, or for the answer's turn, puts it off (`http1::message::Deadline`).
//! * **No wait for a client that has gone.** Every wait, for a name, a connection, bytes or a function, is cut into
//!   parts of 500 ms. After each, `Exchange::wait_on` looks whether the client is still there
//!   (`http1::message::Client`, one `poll` of its socket). So the usual exchange pays nothing for it, and no thread
//!   must tell another one to stop.
//! * **Causes.** The transport notes what failed (refused, TLS, timeout, reset), where ureq's errors say less; the
//!   gateway turns it into a status in one `match`.
//! * **No cut answer looks whole.** ureq takes a reset for the end of a body that lasts until the connection closes.
//!   The transport gives it an error that it does not take for an end.
//!
//! ureq reads nothing before the whole request is sent. So once 64 KiB are out, the transport takes in what comes
//! while it sends (10 MB at most), and hands it to ureq afterwards: an upstream that answers while it reads is not
//! held up. Where it has refused the request and takes no more, or has gone, the rest of the request is swallowed
//! here, the answer is read, and the connection counts as closed. Over TLS only the last holds.
//!
//! ureq asks `is_open` twice in each exchange: when it gives a connection back, which costs no system call, and when
//! it takes it, which is one `recv` that peeks without waiting. Bytes that no request asked for make a connection as
//! unusable as its end, since they would be read as the next answer. What an answer leaves over in ureq's buffer is
//! noted when the connection is dropped, and counts once the answer is known to be complete. Either way, no
//! connection to the destination is kept for a minute. That is a remedy and no proof: bytes that come when the next
//! request is already on its way are its answer.
//!
//! ureq asks the resolver before each request, kept connection or not. The addresses are noted in the exchange, and a
//! kept connection to an address that is no longer among them counts as closed. Where no connection could be made to
//! any of them, these addresses are forgotten, and the next request looks the name up; look-ups of one name are one
//! at a time.
//!
//! ureq is told little of a request and of an answer, since its types for fields cost more than all else that it
//! does. `outgoing` makes the head of a request, and the transport sends it in the place of ureq's own, in one piece
//! with the beginning of the content. An answer is read by the transport first (`answer`), since ureq takes neither
//! 256 fields, nor a 100 with fields, nor a chunk's extensions beyond some 20 bytes, but takes `+2` for a size.
//! `http1/response_head.rs` skips interim answers, reads the fields and leaves to ureq those that frame the content;
//! `chunks` leaves of chunks their sizes and content. Both do so in ureq's own buffer. What is malformed is refused
//! here, so that ureq's judgement never differs from ours.
//!
//! webpki takes whatever is in `--upstream-ca` for an authority, and no authority for a server. So `tls` gives it
//! only those that say that they are one, and compares what a server shows with every certificate of the file byte by
//! byte. Of one that is there, `certificate` has read the time and the common name; all else, what the server signs
//! in the handshake above all, is verified by webpki.
//!
//! An agent finds its connections by host alone, and keeps few of them. So each belongs to one destination for good:
//! scheme, host and `ServerNameToVerify`. A request that wants another name never meets a connection that was
//! verified for the first.
//!
//! A worker that waits for an upstream holds a slot of its destination (`platform/slots`, `destinations`), so that
//! one that hangs never holds all workers: scheme, host and port, whatever the certificate must be for.
//! `Upstream::send` takes it, and the answer's stream keeps it to its end. An agent knows its destination, so a
//! request needs no look-up. A function that runs here has slots of its own. Requests that wait for another one's
//! fetch of an issuer's keys hold slots of the server that is asked (`identity/jwt/waiting`), and a fetch keeps its
//! slot from discovery to the keys where both are at one.
//!
//! An agent belongs to one exchange at a time and is kept on a stack (`clients`): its pool of connections is one
//! mutex that would be held over system calls, and the last agent given back has the warmest connections. An agent
//! that is idle for 5 s is dropped with its connections.
//!
//! Answers up to 64 KiB of a known length are read whole, so that a break inside them is still a 503. All others are
//! streamed, with one part read beforehand unless they are event streams. Once our head is out, an upstream's failure
//! can only be told by cutting the connection.
//!
//! A request is repeated once in one case: a safe method without a body, or an event for a function, on a kept
//! connection that was closed before a single byte came back. One that says so is never repeated: a call of a service
//! of AWS's, since a message that is sent twice is worse than a 503.

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
mod retry;

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
use crate::platform::concurrency::{ConcurrencyLimit, ConcurrencyPermit};
use crate::platform::metrics::UpstreamConnections;

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

    /// Takes a slot of the destination of a URL with that scheme and authority, for a worker that waits before it
    /// sends.
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
        let is_harmless = outgoing.is_empty() && request.method.is_safe() || request.is_repeatable;
        let may_repeat = is_harmless && !request.is_single_attempt;
        let answer = retry::run(&client, &mut outgoing, may_repeat)?;
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

    /// Closes connections that have not been used for a while.
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
