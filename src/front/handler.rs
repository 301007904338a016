//! What a listener's requests are given to.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;

use crate::http1::error::RequestError;
use crate::http1::message::{Request, Response, TlsNote};

/// What answers the requests of a listener: the API, or the management pages.
pub trait Handler: Send + Sync {
    /// Answers a request.
    fn handle(&self, request: Request) -> Response;

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
