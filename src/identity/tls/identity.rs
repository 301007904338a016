//! What a TLS handshake goes on with: the settings of one domain, by one version of its files.
//!
//! Tickets are sealed with keys of the settings, so a session is resumed only within one domain and one version. Where
//! clients must show certificates, none is: rustls takes the chain of a session that is resumed from its ticket, and does
//! not verify it again.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, ServerConfig, SignatureScheme,
};

use crate::front::TlsIdentity;
use crate::http1::message::TlsNote;
use crate::identity::tls::client::TlsConnection;
use crate::identity::tls::server_certificate::ServerCertificate;
use crate::identity::tls::truststore::{Truststore, Untrusted};

/// The only protocol that is spoken inside TLS.
const PROTOCOL: &[u8] = b"http/1.1";

/// What the listener's own certificate is called.
const LISTENER: &str = "-";

/// The settings of one domain.
#[derive(Debug)]
pub struct Identity {
    /// None for the listener's.
    domain: Option<Arc<str>>,
    certificate: Arc<ServerCertificate>,
    truststore: Option<Arc<Truststore>>,
    config: Arc<ServerConfig>,
}

impl Identity {
    /// The settings of a domain with that certificate. With a truststore, clients must show certificates.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn new(
        domain: Option<&str>,
        certificate: &Arc<ServerCertificate>,
        truststore: Option<&Arc<Truststore>>,
    ) -> Result<Identity, Error> {
        let provider = Arc::new(crypto::ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = match truststore {
            Some(truststore) => builder.with_client_cert_verifier(Arc::new(Verifier {
                truststore: Arc::clone(truststore),
                provider,
            })),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(Always(Arc::clone(certificate.key()))));
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        match truststore {
            Some(_) => config.send_tls13_tickets = 0,
            None => config.ticketer = crypto::ring::Ticketer::new()?,
        }
        Ok(Identity {
            domain: domain.map(Arc::from),
            certificate: Arc::clone(certificate),
            truststore: truststore.map(Arc::clone),
            config: Arc::new(config),
        })
    }

    /// Whether it is of the same domain, and its files say the same.
    pub fn is_of(
        &self,
        domain: Option<&str>,
        certificate: &ServerCertificate,
        truststore: Option<&Arc<Truststore>>,
    ) -> bool {
        self.domain.as_deref() == domain
            && *self.certificate == *certificate
            && self.truststore.as_deref() == truststore.map(Arc::as_ref)
    }

    /// The certificate.
    pub fn certificate(&self) -> &Arc<ServerCertificate> {
        &self.certificate
    }
}

impl TlsIdentity for Identity {
    fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    fn asks_for_certificate(&self) -> bool {
        self.truststore.is_some()
    }

    fn name(&self) -> &str {
        self.domain.as_deref().unwrap_or(LISTENER)
    }

    fn note(&self, chain: &[CertificateDer<'static>]) -> TlsNote {
        Arc::new(TlsConnection::new(self.domain.clone(), chain))
    }
}

/// The certificate, whatever the client says; which one it is was decided by the settings.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Verifies clients' chains by a truststore.
#[derive(Debug)]
struct Verifier {
    truststore: Arc<Truststore>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.provider.signature_verification_algorithms
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.truststore.hints()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.truststore.verify(end_entity, intermediates, now) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(reason) => Err(Error::InvalidCertificate(match reason {
                Untrusted::Expired => CertificateError::Expired,
                Untrusted::NotValidYet => CertificateError::NotValidYet,
                Untrusted::UnknownIssuer => CertificateError::UnknownIssuer,
                Untrusted::WrongPurpose => CertificateError::InvalidPurpose,
                Untrusted::Malformed => CertificateError::BadEncoding,
                reason => CertificateError::Other(OtherError(Arc::new(reason))),
            })),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, certificate, signature, self.algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, certificate, signature, self.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}
