//! What a connection leads to: scheme, host and port, and the name that a certificate must be for.

use std::sync::Arc;

use rustls::pki_types::ServerName;

use crate::http1::target::{Scheme, is_authority};
use crate::outbound::upstream::destinations::Destination;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::request::IntegrationRequest;
use crate::outbound::upstream::resolver::Host;

/// A server, as a connection knows it. A connection that was verified for one name is never found by a request that wants
/// another, since that is another server here.
#[derive(Debug)]
pub(super) struct Server {
    /// Over TLS or not.
    pub(super) scheme: Scheme,
    /// Host and port as the request has them.
    pub(super) authority: String,
    /// What the certificate must be for, where that is not the host.
    server_name: Option<ServerName<'static>>,
    /// What is looked up.
    pub(super) host: Host,
    /// What it counts for.
    pub(super) destination: Arc<Destination>,
}

impl Server {
    /// The server of a request.
    ///
    /// # Errors
    /// Its authority is no host with an optional port.
    pub(super) fn of(request: &IntegrationRequest, destination: Arc<Destination>) -> Result<Server, UpstreamError> {
        if !is_authority(&request.authority) {
            let reason = format!("{:?} is no host with an optional port", request.authority);
            return Err(UpstreamError::Unsendable(reason));
        }
        Ok(Server {
            scheme: request.scheme,
            authority: request.authority.clone(),
            server_name: request.server_name.clone(),
            host: Host::of(destination.host(), destination.port()),
            destination,
        })
    }

    /// Whether a request is for it.
    pub(super) fn is_of(&self, request: &IntegrationRequest) -> bool {
        self.authority == request.authority && self.scheme == request.scheme && self.server_name == request.server_name
    }

    /// Whether it is the same one.
    pub(super) fn is_same(&self, other: &Server) -> bool {
        self.authority == other.authority && self.scheme == other.scheme && self.server_name == other.server_name
    }

    /// What its certificate must be for.
    ///
    /// # Errors
    /// The host can be in no certificate: a sentence for the log.
    pub(super) fn name(&self) -> Result<ServerName<'static>, String> {
        if let Some(name) = &self.server_name {
            return Ok(name.clone());
        }
        let host = self.destination.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())
    }
}
