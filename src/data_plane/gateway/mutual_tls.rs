//! Whether a request may be answered on its connection: a domain whose clients must show certificates is reached only
//! through a handshake for that very domain.

use std::sync::Arc;

use rustls::pki_types::UnixTime;

use crate::data_plane::error::GatewayError;
use crate::deployment::configuration::Configuration;
use crate::http1::message::Request;
use crate::identity::tls::client::{ClientCertificate, TlsConnection};

/// The certificate of a request's client, where its domain asks for one.
///
/// # Errors
/// The connection was made for another domain, or the certificate does not hold any more.
pub(super) fn admit(
    configuration: &Configuration,
    request: &Request,
) -> Result<Option<Arc<ClientCertificate>>, GatewayError> {
    let Some((domain, truststore)) = configuration.mutual_tls(request.host()) else {
        return Ok(None);
    };
    // Where the listener speaks plain text, such a domain is not served at all.
    let connection = request
        .tls
        .as_ref()
        .and_then(|note| note.downcast_ref::<TlsConnection>());
    let chosen = connection.filter(|connection| connection.domain.as_deref() == Some(&domain.name));
    let connection = chosen.ok_or(GatewayError::Misdirected)?;
    let verified = connection.verify(truststore, UnixTime::now());
    verified.map_err(|reason| GatewayError::CertificateRefused(format!("the client's certificate: {reason}")))?;
    let unknown = || GatewayError::CertificateRefused("the client's certificate cannot be read".to_owned());
    connection.certificate.clone().map(Some).ok_or_else(unknown)
}
