//! Whom the gateway trusts when it calls an upstream over TLS.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Why a file holds no roots that can be trusted.
#[derive(Debug)]
pub enum InvalidRoots {
    /// It is not PEM.
    Pem(rustls::pki_types::pem::Error),
    /// It has no certificate.
    Empty,
    /// A certificate cannot be used as a root.
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

/// The settings for every TLS connection: TLS 1.2 and 1.3, Mozilla's roots, and those of a PEM file besides.
///
/// # Errors
/// The PEM text holds no certificate, or one that cannot be a root.
pub fn client_config(more_roots: Option<&[u8]>) -> Result<Arc<ClientConfig>, InvalidRoots> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(pem) = more_roots {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(InvalidRoots::Pem)?;
            roots.add(certificate).map_err(InvalidRoots::Certificate)?;
        }
        if roots.len() == before {
            return Err(InvalidRoots::Empty);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(InvalidRoots::Certificate)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
