//! What a listener's requests are given to.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;

use crate::http1::error::RequestError;
use crate::http1::message::{Request, Response, TlsNote};
use crate::outbound::upstream::{IntegrationRequest, IntegrationResponse, Upstream, UpstreamError};
use crate::platform::clock::Moment;

/// What a handler makes of a request on a loop.
#[derive(Debug)]
pub enum Begun {
    /// It has its answer.
    Answer(Response),
    /// This is to be sent to an integration. What is answered is for [`Handler::resume`].
    Ask(Box<IntegrationRequest>, Suspended),
    /// It has to wait for something, so a worker answers it. Nothing has happened yet.
    Waits(Box<Request>),
}

/// A request whose integration is being asked, as its handler knows it.
pub struct Suspended(Box<dyn Any + Send>);

impl Suspended {
    /// What the handler needs to go on.
    pub fn new<State: Any + Send>(state: Box<State>) -> Suspended {
        Suspended(state)
    }

    /// The same again; none where it is of another kind.
    pub fn into_state<State: Any>(self) -> Option<Box<State>> {
        self.0.downcast().ok()
    }
}

impl fmt::Debug for Suspended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Suspended")
    }
}

/// What answers the requests of a listener: the API, or the management pages.
pub trait Handler: Send + Sync {
    /// Answers a request. A worker asks, so it may wait.
    fn handle(&self, request: Request) -> Response;

    /// Begins to answer a request, at that moment. A loop asks, so it must not wait. Defaults to leave all to workers.
    fn begin(&self, request: Box<Request>, _: Moment) -> Begun {
        Begun::Waits(request)
    }

    /// Goes on with a request whose integration has answered, or failed. Nothing where the handler has not begun it. What
    /// is answered whole needs no wait.
    fn resume(&self, _: Suspended, _: Result<IntegrationResponse, UpstreamError>) -> Option<Response> {
        None
    }

    /// The way to the integrations that it asks; none where it asks none, which is the default.
    fn upstream(&self) -> Option<&Upstream> {
        None
    }

    /// Whether what requests are answered by is about to be another, so that those that come now have to wait for that. It
    /// is asked once for many requests, after they have been read. Defaults to no.
    fn is_changing(&self) -> bool {
        false
    }

    /// The answer to what the front could not make a request of.
    ///
    /// `request` is what is known of it, without content.
    fn refuse(&self, error: RequestError, request: &Request) -> Response;

    /// Whether a request is to be answered also where there is no room for others, and before them. It must take little
    /// time. Defaults to none.
    fn is_vital(&self, _: &Request) -> bool {
        false
    }

    /// Whether the listener speaks TLS, and nothing else. Defaults to no.
    fn speaks_tls(&self) -> bool {
        false
    }

    /// What a TLS handshake goes on with whose client asks for that name, which is in lower case. A worker asks, so it may
    /// wait. None where there is nothing for it; that is the default.
    fn tls_identity(&self, _: Option<&str>) -> Option<Arc<dyn TlsIdentity>> {
        None
    }
}

/// What a TLS handshake goes on with.
pub trait TlsIdentity: fmt::Debug + Send + Sync {
    /// Its settings. What is resumed is in them, so nothing is across two.
    fn config(&self) -> Arc<ServerConfig>;

    /// Whether clients must show a certificate.
    fn asks_for_certificate(&self) -> bool;

    /// What it is called in the log.
    fn name(&self) -> &str;

    /// What the requests of a connection get to know, given the chain that its client has shown.
    fn note(&self, chain: &[CertificateDer<'static>]) -> TlsNote;
}
