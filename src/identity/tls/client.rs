//! A client's certificate, as events, logs and mappings have it; and the chain that a connection has shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, UnixTime};

use crate::identity::tls::name;
use crate::identity::tls::truststore::{Truststore, Untrusted};
use crate::identity::tls::x509::Certificate;

/// Columns of a certificate in PEM (RFC 7468 §2).
const COLUMNS: usize = 64;

/// A client's certificate in the words of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// `clientCertPem`.
    pub pem: String,
    /// `subjectDN`.
    pub subject: String,
    /// `issuerDN`.
    pub issuer: String,
    /// `serialNumber`.
    pub serial_number: String,
    /// `validity.notBefore`.
    pub not_before: String,
    /// `validity.notAfter`.
    pub not_after: String,
}

impl ClientCertificate {
    /// Reads a certificate; none where it is malformed.
    pub fn parse(der: &[u8]) -> Option<ClientCertificate> {
        let certificate = Certificate::parse(der)?;
        Some(ClientCertificate {
            pem: pem(der),
            subject: name::text_of(certificate.subject)?,
            issuer: name::text_of(certificate.issuer)?,
            serial_number: name::serial_number(certificate.serial_number),
            not_before: certificate.not_before.to_string(),
            not_after: certificate.not_after.to_string(),
        })
    }
}

fn pem(der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, behind) = rest.split_at_checked(COLUMNS).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = behind;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// What is known of a connection once its TLS handshake is over.
#[derive(Debug)]
pub struct TlsConnection {
    /// The custom domain that the client asked for; none for the listener's certificate.
    pub domain: Option<Arc<str>>,
    /// The client's certificate; none where none was asked for.
    pub certificate: Option<Arc<ClientCertificate>>,
    chain: Vec<CertificateDer<'static>>,
    /// By which truststore the chain was verified last, and until when it holds by that.
    verified_by: AtomicU64,
    holds_until: AtomicI64,
}

impl TlsConnection {
    /// A connection whose client has shown that chain, leaf first; it is empty where none was asked for.
    pub fn new(domain: Option<Arc<str>>, chain: &[CertificateDer<'static>]) -> TlsConnection {
        let certificate = chain.first().and_then(|leaf| ClientCertificate::parse(leaf));
        TlsConnection {
            domain,
            certificate: certificate.map(Arc::new),
            chain: chain.to_vec(),
            verified_by: AtomicU64::new(0),
            holds_until: AtomicI64::new(i64::MIN),
        }
    }

    /// Whether the client's chain holds now. It is verified anew only where the truststore is another one than before.
    ///
    /// # Errors
    /// Why it does not.
    pub fn verify(&self, truststore: &Truststore, now: UnixTime) -> Result<(), Untrusted> {
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        // The time is stored first, and read last.
        if self.verified_by.load(Ordering::Acquire) != truststore.id() {
            let (leaf, intermediates) = self.chain.split_first().ok_or(Untrusted::Missing)?;
            let until = truststore.verify(leaf, intermediates, now)?;
            self.holds_until.store(until, Ordering::Release);
            self.verified_by.store(truststore.id(), Ordering::Release);
        }
        match seconds > self.holds_until.load(Ordering::Acquire) {
            true => Err(Untrusted::Expired),
            false => Ok(()),
        }
    }
}
