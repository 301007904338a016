//! A certificate of the gateway with its key, as two PEM files have them.

use std::fmt;
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use rustls::Error;
use rustls::InconsistentKeys;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SigningKey};
use webpki::EndEntityCert;

use crate::identity::sha256::sha256_bytes;
use crate::identity::tls::x509::Certificate;

const UNREADABLE: &str = "has a certificate that cannot be read";

/// What stands for any label below a wildcard.
const ANY_LABEL: &str = "any-label";

/// A certificate chain with its key.
pub struct ServerCertificate {
    key: Arc<CertifiedKey>,
    digest: [u8; 32],
    /// Seconds since 1970.
    validity: (i64, i64),
    not_after: String,
}

/// What is wrong with a pair of files: a sentence without its subject, the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidPair {
    /// With the certificate's file.
    Certificate(String),
    /// With the key's.
    Key(String),
}

impl ServerCertificate {
    /// Reads a chain, leaf first, and its key.
    ///
    /// # Errors
    /// All that is wrong, see [`InvalidPair`].
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<ServerCertificate, Vec<InvalidPair>> {
        let (chain, signing_key) = match (chain(certificate), signing_key(key)) {
            (Ok(chain), Ok(key)) => (chain, key),
            (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
        };
        let unreadable = || vec![InvalidPair::Certificate(UNREADABLE.to_owned())];
        let says = chain.first().and_then(|leaf| Certificate::parse(leaf));
        let says = says.ok_or_else(unreadable)?;
        let (validity, not_after) = (says.validity(), says.not_after.to_string());
        let mut digest = Context::new(&SHA256);
        for der in &chain {
            digest.update(der);
        }
        digest.update(key);
        let certified = CertifiedKey::new(chain, signing_key);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(_)) => {
                let text = "has a key that does not fit the certificate";
                return Err(vec![InvalidPair::Key(text.to_owned())]);
            }
            Err(error) => {
                let text = format!("has a certificate that cannot be used: {error}");
                return Err(vec![InvalidPair::Certificate(text)]);
            }
        }
        Ok(ServerCertificate {
            key: Arc::new(certified),
            digest: sha256_bytes(&digest.finish()),
            validity,
            not_after,
        })
    }

    /// The chain with its key, as a handshake wants them.
    pub fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// The last second in which it is valid, since 1970.
    pub fn end(&self) -> i64 {
        self.validity.1
    }

    /// What is to be told of it at that time, in seconds since 1970: sentences without their subject.
    pub fn warnings(&self, domain: Option<&str>, now: i64) -> Vec<String> {
        let mut warnings = Vec::new();
        match self.validity {
            (begin, _) if now < begin => warnings.push("has a certificate that is not valid yet".to_owned()),
            (_, end) if now > end => warnings.push(format!("has a certificate that expired {}", self.not_after)),
            _ => {}
        }
        if let Some(domain) = domain.filter(|domain| !self.covers(domain)) {
            warnings.push(format!("has a certificate that does not cover {domain}"));
        }
        warnings
    }

    /// Whether it is for that domain; for a wildcard, whether it is for any label.
    fn covers(&self, domain: &str) -> bool {
        let name = match domain.strip_prefix("*.") {
            Some(rest) => format!("{ANY_LABEL}.{rest}"),
            None => domain.to_owned(),
        };
        let leaf = self.key.end_entity_cert().ok();
        let leaf = leaf.and_then(|leaf| EndEntityCert::try_from(leaf).ok());
        let name = ServerName::try_from(name.as_str());
        leaf.is_some_and(|leaf| name.is_ok_and(|name| leaf.verify_is_valid_for_subject_name(&name).is_ok()))
    }
}

/// The certificates of a PEM file, of which the first can be read.
fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, InvalidPair> {
    let mut chain = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem) {
        chain.push(der.map_err(|error| InvalidPair::Certificate(format!("is not PEM: {error}")))?);
    }
    let Some(leaf) = chain.first() else {
        return Err(InvalidPair::Certificate("has no certificate in PEM".to_owned()));
    };
    match Certificate::parse(leaf) {
        Some(says) if says.version == 3 => Ok(chain),
        Some(says) => {
            let version = says.version;
            let text = format!("has a certificate of X.509 version {version}, and version 3 is needed");
            Err(InvalidPair::Certificate(text))
        }
        None => Err(InvalidPair::Certificate(UNREADABLE.to_owned())),
    }
}

fn signing_key(pem: &[u8]) -> Result<Arc<dyn SigningKey>, InvalidPair> {
    let provider = rustls::crypto::ring::default_provider();
    provider.key_provider.load_private_key(private_key(pem)?).map_err(|_| {
        let text = "has a key of a kind that is not supported: RSA of 2048 to 4096 bits, ECDSA with P-256 or P-384, and \
                    Ed25519 are";
        InvalidPair::Key(text.to_owned())
    })
}

/// The first private key of a PEM file.
fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, InvalidPair> {
    let text = String::from_utf8_lossy(pem);
    let is_encrypted =
        text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED");
    let first = PrivateKeyDer::pem_slice_iter(pem).next();
    match first {
        _ if is_encrypted && !text.contains("-----BEGIN PRIVATE KEY-----") => Err(InvalidPair::Key(
            "has an encrypted key, which is not supported".to_owned(),
        )),
        Some(Ok(key)) => Ok(key),
        Some(Err(error)) => Err(InvalidPair::Key(format!("is not PEM: {error}"))),
        None => Err(InvalidPair::Key("has no private key in PEM".to_owned())),
    }
}

/// Two are the same that say the same.
impl PartialEq for ServerCertificate {
    fn eq(&self, other: &ServerCertificate) -> bool {
        self.digest == other.digest
    }
}

impl Eq for ServerCertificate {}

/// Without the key.
impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerCertificate(until {})", self.not_after)
    }
}
