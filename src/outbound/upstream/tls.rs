//! Whom the gateway trusts when it calls an upstream over TLS.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::outbound::upstream::certificate::Certificate;

/// Why a file holds no certificates that can be trusted.
#[derive(Debug)]
pub enum InvalidRoots {
    /// It is not PEM.
    Pem(rustls::pki_types::pem::Error),
    /// It has no certificate.
    Empty,
    /// A certificate cannot be used.
    Certificate(rustls::Error),
}

impl fmt::Display for InvalidRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidRoots::Pem(error) => write!(f, "not PEM: {error}"),
            InvalidRoots::Empty => f.write_str("there is no certificate in it"),
            InvalidRoots::Certificate(error) => write!(f, "a certificate cannot be used: {error}"),
        }
    }
}

impl std::error::Error for InvalidRoots {}

/// The settings for every TLS connection: TLS 1.2 and 1.3, Mozilla's roots, and the certificates of a PEM file besides.
///
/// Of those, an authority is a root. Any is trusted of the very server that shows it, as long as it is valid and for
/// that server's name: that is what a self-signed certificate can prove.
///
/// # Errors
/// The PEM text holds no certificate, or one that cannot be used.
pub fn client_config(trusted: Option<&[u8]>) -> Result<Trust, InvalidRoots> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let mut pinned = Vec::new();
    if let Some(pem) = trusted {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let der = certificate.map_err(InvalidRoots::Pem)?;
            let malformed = || InvalidRoots::Certificate(rustls::CertificateError::BadEncoding.into());
            let says = Certificate::parse(&der).ok_or_else(malformed)?;
            match says.is_authority {
                true => roots.add(der.clone()).map_err(InvalidRoots::Certificate)?,
                false => drop(ParsedCertificate::try_from(&der).map_err(InvalidRoots::Certificate)?),
            }
            pinned.push(Pinned { der, says });
        }
        if pinned.is_empty() {
            return Err(InvalidRoots::Empty);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| InvalidRoots::Certificate(rustls::Error::General(error.to_string())))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(InvalidRoots::Certificate)?;
    let config = match pinned.is_empty() {
        true => config.with_webpki_verifier(authorities),
        false => config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { authorities, pinned })),
    };
    Ok(Trust {
        config: Arc::new(config.with_no_client_auth()),
        is_built_in: trusted.is_none(),
    })
}

/// What TLS is spoken with.
#[derive(Clone, Debug)]
pub struct Trust {
    pub(super) config: Arc<ClientConfig>,
    /// Nothing but the built-in authorities is trusted.
    pub(super) is_built_in: bool,
}

impl Trust {
    /// For connections to what is no upstream.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }
}

/// A certificate of the file.
#[derive(Debug)]
struct Pinned {
    der: CertificateDer<'static>,
    says: Certificate,
}

impl Pinned {
    /// Whether a server of that name may show it now.
    fn verify(&self, name: &ServerName<'_>, now: UnixTime) -> Result<ServerCertVerified, rustls::Error> {
        self.says.is_valid_at(now)?;
        match &self.says.common_name {
            // As `openssl req -x509` makes it, unless it is asked for more.
            Some(common_name) if !self.says.has_alternative_names && is_name(common_name, name) => {}
            _ => verify_server_name(&ParsedCertificate::try_from(&self.der)?, name)?,
        }
        Ok(ServerCertVerified::assertion())
    }
}

/// Whether a common name is that one, without wildcards.
fn is_name(common_name: &str, name: &ServerName<'_>) -> bool {
    let name = name.to_str();
    name.trim_end_matches('.')
        .eq_ignore_ascii_case(common_name.trim_end_matches('.'))
}

/// As webpki verifies, but for a server that shows a certificate of the file. That it has the certificate's key is
/// verified in either case, by what it signs in the handshake.
#[derive(Debug)]
struct Verifier {
    authorities: Arc<WebPkiServerVerifier>,
    pinned: Vec<Pinned>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.pinned.iter().find(|pinned| pinned.der == *end_entity) {
            Some(pinned) => pinned.verify(server_name, now),
            None => self
                .authorities
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}
