//! Sends a request to an integration and reads its answer.
//!
//! # How it works
//!
//! `exchange` is one exchange without sockets and without a clock: bytes of the request out, bytes of the answer in, and
//! what it wants next. `http1` reads the bytes as strictly as those of clients. `connection` moves them, plain or over TLS.
//! `blocking` drives both in the thread that asks, `loop_exchange` in a loop, within what `waits` allows. `pool` keeps
//! connections. So the rules of
//! the protocol are tables of bytes, and another driver needs none of them again.
//!
//! * **One deadline.** `TimeoutInMillis` bounds the whole exchange, from the look-up of the name to the last byte. `waits`
//!   holds the deadline that every wait asks for. For an event stream it bounds each wait instead. Time in which the front
//!   waits for the client of an answer, or for the answer's turn, puts it off (`http1::message::Deadline`).
//! * **No wait for a client that has gone.** Every wait, for a name, a connection, bytes or a function, is cut into
//!   parts of 500 ms. After each, `Waits::wait_on` looks whether the client is still there (`http1::message::Client`, one
//!   `poll` of its socket). So the usual exchange pays nothing for it, and no thread must tell another one to stop.
//! * **Causes.** An `UpstreamError` says what failed (refused, TLS, timeout, reset, malformed); the gateway turns it into a
//!   status in one `match`.
//! * **No cut answer looks whole.** An answer is over where its framing says so. The end of a connection is an end only for
//!   an answer that has no other, and only if it is in order: not a reset, and over TLS with `close_notify`.
//!
//! A request is sent as far as the socket takes it. Where the socket takes no more, what is answered meanwhile is taken in
//! (10 MB at most), so an upstream that answers while it reads is not held up. An upstream that has refused the request and
//! takes nothing for 250 ms, or has ended its side, gets no more of it. Its answer counts, and the connection is closed.
//!
//! Before a kept connection is used, one `recv` peeks without waiting. Bytes that no request asked for make a connection as
//! unusable as its end, since they would be read as the next answer. The same holds of bytes behind a complete answer that
//! were received with it. Either way, no connection to the destination is kept for a minute. That is a remedy and no proof:
//! bytes that come when the next request is already on its way are its answer.
//!
//! A loop begins each batch with a look at all of its connections, which tells of bytes and of ends on those that are
//! kept, and it closes these before any request is sent. So for two milliseconds after a look no peek is needed (`loop_pool`),
//! where the connection was kept before the look, the look saw all that had happened, and the request may be repeated,
//! as the connection may have ended since. A request that was sent after such bytes had come is read in the same look or
//! in a later one, so it never gets them. What comes between the look and the sending of a request is its answer, as is what
//! comes until the true one does, which with most integrations takes longer.
//!
//! The resolver is asked before each request, kept connection or not. A kept connection to an address that is no longer
//! among the host's addresses counts as closed. Where no connection could be made to any of them, these addresses are
//! forgotten, and the next request looks the name up; look-ups of one name are one at a time.
//!
//! webpki takes whatever is in `--upstream-ca` for an authority, and no authority for a server. So `tls` gives it
//! only those that say that they are one, and compares what a server shows with every certificate of the file byte by
//! byte. Of one that is there, `certificate` has read the time and the common name; all else, what the server signs
//! in the handshake above all, is verified by webpki.
//!
//! A connection belongs to one server for good: scheme, host, port and `ServerNameToVerify`. A request that wants another
//! name never meets a connection that was verified for the first. The pool is one list under one lock, which is held over
//! no system call. The connection that was kept last goes out first, and after 4 s without use it is closed.
//!
//! A worker that waits for an upstream holds a slot of its destination (`platform/concurrency`, `destinations`), so that
//! one that hangs never holds all workers: scheme, host and port, whatever the certificate must be for.
//! `Upstream::send` takes it, and the answer's stream keeps it to its end. A server knows its destination, so a
//! request needs no look-up. A function that runs here has slots of its own. Requests that wait for another one's
//! fetch of an issuer's keys hold slots of the server that is asked (`identity/jwt/waiting`), and a fetch keeps its
//! slot from discovery to the keys where both are at one.
//!
//! Answers up to 64 KiB of a known length are read whole, so that a break inside them is still a 503. All others are
//! streamed, with one part read beforehand unless they are event streams. Once our head is out, an upstream's failure
//! can only be told by cutting the connection.
//!
//! A request is repeated once in one case: a safe method without a body, or an event for a function, on a kept
//! connection that was closed before a single byte came back. One that says so is never repeated: a call of a service
//! of AWS's, since a message that is sent twice is worse than a 503.
//!
//! ureq runs the gateway's own errands (`errand`): documents of issuers, where nothing but the built-in authorities is
//! trusted.

mod error;
mod settings;
mod request;
mod response;
mod addresses;
mod waits;
mod readiness;
mod resolver;
mod destinations;
mod server;
mod connection;
mod connector;
mod request_side;
mod exchange;
mod outgoing;
mod pool;
mod blocking;
mod incoming;
mod retry;
mod errand;
pub mod watcher;
mod watched;
mod unconnected;
pub mod loop_pool;
pub mod loop_content;
pub mod loop_exchange;

mod certificate;
pub mod tls;
pub mod url;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crate::http1::message::{Body, Headers, Method};
use crate::http1::request_writer;
use crate::http1::target::Scheme;
use crate::outbound::upstream::blocking::Call;
use crate::outbound::upstream::errand::Errands;
use crate::outbound::upstream::exchange::Exchange;
use crate::outbound::upstream::loop_pool::LoopPool;
use crate::outbound::upstream::outgoing::Outgoing;
use crate::outbound::upstream::pool::{Lease, Pool};
use crate::outbound::upstream::request_side::RequestSide;
use crate::outbound::upstream::resolver::LookUp;
use crate::outbound::upstream::url::Url;
use crate::outbound::upstream::waits::Waits;
use crate::platform::concurrency::{ConcurrencyLimit, ConcurrencyPermit};
use crate::platform::metrics::UpstreamConnections;

pub use crate::outbound::upstream::error::UpstreamError;
pub use crate::outbound::upstream::outgoing::framing_of_unknown;
pub use crate::outbound::upstream::request::{IntegrationRequest, MAX_REQUEST_PART_LENGTH};
pub use crate::outbound::upstream::response::IntegrationResponse;
pub use crate::outbound::upstream::settings::{DNS_TTL, Settings};
pub use crate::outbound::upstream::unconnected::Unconnected;

/// The way to every integration.
#[derive(Debug)]
pub struct Upstream {
    pool: Arc<Pool>,
    /// Where ureq can run the gateway's own errands.
    errands: Option<Errands>,
    connections: Arc<UpstreamConnections>,
    share: NonZeroUsize,
}

impl Upstream {
    /// Nothing is connected yet.
    pub fn new(settings: Settings) -> Upstream {
        Upstream::with_look_up(settings, Box::new(resolver::of_the_system))
    }

    /// The same with a host that stands for a service of this process. `start` is asked for the service's address when
    /// the host, with its port, is looked up.
    pub fn with_own_host(
        settings: Settings,
        host: &'static str,
        start: impl Fn() -> io::Result<SocketAddr> + Send + Sync + 'static,
    ) -> Upstream {
        let look_up = move |name: &str| match name.eq_ignore_ascii_case(host) {
            true => Ok(vec![start()?]),
            false => resolver::of_the_system(name),
        };
        Upstream::with_look_up(settings, Box::new(look_up))
    }

    fn with_look_up(settings: Settings, look_up: LookUp) -> Upstream {
        Upstream {
            share: settings.share,
            errands: settings.tls.is_built_in.then(Errands::new),
            pool: Pool::new(settings, look_up),
            connections: Arc::default(),
        }
    }

    /// The way of a loop to integrations, with connections of its own.
    pub fn of_loop(&self) -> LoopPool {
        LoopPool::new(Arc::clone(&self.pool), Arc::clone(&self.connections))
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
        let lease = Pool::lease(&self.pool, &request, |destination| destination.take_slot().map(Some))?;
        self.exchange(request, lease)
    }

    /// What workers that wait for the destination of a URL with that scheme and authority hold of it.
    pub fn slots(&self, scheme: Scheme, authority: &str) -> Arc<ConcurrencyLimit> {
        Arc::clone(self.pool.destination(scheme, authority).slots())
    }

    /// Takes a slot of the destination of a URL with that scheme and authority, for a worker that waits before it
    /// sends.
    ///
    /// # Errors
    /// As many workers wait for it as may.
    pub fn take_slot(&self, scheme: Scheme, authority: &str) -> Result<ConcurrencyPermit, UpstreamError> {
        self.pool.destination(scheme, authority).take_slot()
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
        let lease = Pool::lease(&self.pool, &request, |_| Ok(None))?;
        self.exchange(request, lease)
    }

    /// Asks for a document for the gateway itself, for a worker that holds that slot of the URL's destination. The timeout
    /// bounds the whole.
    ///
    /// # Errors
    /// See [`UpstreamError`].
    pub fn get_document(
        &self,
        slot: &ConcurrencyPermit,
        url: &Url,
        fields: &[(&'static str, &str)],
        timeout: Duration,
    ) -> Result<IntegrationResponse, UpstreamError> {
        if let Some(errands) = &self.errands {
            return errands
                .get(url, fields, timeout)
                .inspect(|_| self.connections.new.add_one());
        }
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.put(name, value);
        }
        self.send_within(slot, url.request(Method::Get, headers, Body::Empty, timeout))
    }

    fn exchange(&self, request: IntegrationRequest, lease: Lease) -> Result<IntegrationResponse, UpstreamError> {
        let waits = Waits::begin(request.timeout, request.client, request.runs_on);
        let outgoing = Outgoing::new(request.body)?;
        let is_harmless = outgoing.is_empty() && request.method.is_safe() || request.is_repeatable;
        let may_repeat = is_harmless && !request.is_single_attempt;
        let framing = outgoing.framing();
        let room = match &outgoing {
            Outgoing::Whole(content) => RequestSide::beginning(content.len()),
            Outgoing::Stream(..) => 0,
        };
        let head = request_writer::head(request.method, &request.parts, framing, room);
        let head = head.map_err(|reason| UpstreamError::Unsendable(reason.to_owned()))?;
        let is_to_head = request.method == Method::Head;
        let (side, source) = match outgoing {
            Outgoing::Whole(content) => (RequestSide::whole(head, content), None),
            Outgoing::Stream(source, framing) => (RequestSide::fed(head, framing), Some(source)),
        };
        let mut call = Call::new(lease, waits, Exchange::new(side, is_to_head), source);
        retry::run(&mut call, may_repeat)?;
        incoming::answer(call, &self.connections, is_to_head, request.may_stream)
    }

    /// How many requests took which connection.
    pub fn connections(&self) -> &UpstreamConnections {
        &self.connections
    }

    /// Closes connections that have not been used for a while.
    pub fn close_idle(&self) {
        self.pool.close_idle();
    }
}
