//! A truststore: whose certificates clients may show, and the verification of a chain by it.

use std::collections::BTreeSet;
use std::fmt;

use ring::digest::{SHA256, digest};
use rustls::DistinguishedName;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath, anchor_from_trusted_cert};

use crate::identity::sha256::sha256_bytes;
use crate::identity::tls::x509::Certificate;

/// Most certificates of a chain, leaf and root counted.
const MAX_CHAIN: usize = 4;

/// Most bytes of names that clients are told, to choose a certificate by; where there are more, they are told none.
const MAX_HINTS: usize = 8 * 1024;

/// The certificates that clients' chains lead to.
pub struct Truststore {
    /// Another one for each reading, so that connections know whether they were verified by this one.
    digest: [u8; 32],
    anchors: Vec<TrustAnchor<'static>>,
    /// When each of them is valid, in seconds since 1970.
    validities: Vec<(i64, i64)>,
    hints: Vec<DistinguishedName>,
}

/// Why a chain is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untrusted {
    /// There is none.
    Missing,
    /// A certificate cannot be read.
    Malformed,
    /// The leaf is of an older version of X.509.
    Version(u8),
    /// A certificate has expired.
    Expired,
    /// A certificate is not valid yet.
    NotValidYet,
    /// It does not lead to the truststore.
    UnknownIssuer,
    /// It is longer than it may be.
    TooLong,
    /// The leaf is not for clients.
    WrongPurpose,
    /// Another reason.
    Other(String),
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Untrusted::Missing => f.write_str("there is no certificate"),
            Untrusted::Malformed => f.write_str("a certificate cannot be read"),
            Untrusted::Version(version) => {
                write!(
                    f,
                    "the certificate is of X.509 version {version}, and must be of version 3"
                )
            }
            Untrusted::Expired => f.write_str("a certificate has expired"),
            Untrusted::NotValidYet => f.write_str("a certificate is not valid yet"),
            Untrusted::UnknownIssuer => f.write_str("the chain does not lead to a certificate of the truststore"),
            Untrusted::TooLong => write!(f, "the chain has more than {MAX_CHAIN} certificates, the root counted"),
            Untrusted::WrongPurpose => {
                f.write_str("the certificate's extended key usage does not have client authentication")
            }
            Untrusted::Other(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Untrusted {}

impl Truststore {
    /// Reads PEM.
    ///
    /// # Errors
    /// A sentence without its subject, the file: it has no certificate, or one that cannot be used.
    pub fn from_pem(pem: &[u8]) -> Result<Truststore, String> {
        let mut truststore = Truststore {
            digest: [0; 32],
            anchors: Vec::new(),
            validities: Vec::new(),
            hints: Vec::new(),
        };
        let mut names = BTreeSet::new();
        for (at, der) in CertificateDer::pem_slice_iter(pem).enumerate() {
            let number = at + 1;
            let der = der.map_err(|error| format!("is not PEM: {error}"))?;
            let unusable = || format!("has a certificate that cannot be used, number {number}");
            let says = Certificate::parse(&der).ok_or_else(unusable)?;
            let anchor = anchor_from_trusted_cert(&der).map_err(|_| unusable())?.to_owned();
            names.insert(says.subject.to_vec());
            truststore.validities.push(says.validity());
            truststore.anchors.push(anchor);
        }
        if truststore.anchors.is_empty() {
            return Err("has no certificate in PEM".to_owned());
        }
        if names.iter().map(Vec::len).sum::<usize>() <= MAX_HINTS {
            truststore.hints = names.iter().map(|name| DistinguishedName::in_sequence(name)).collect();
        }
        truststore.digest = sha256_bytes(&digest(&SHA256, pem));
        Ok(truststore)
    }

    /// Tells it from files that say something else; never 0.
    pub fn id(&self) -> u64 {
        let bytes = self.digest.first_chunk().copied().unwrap_or_default();
        u64::from_le_bytes(bytes).max(1)
    }

    /// Whose certificates clients may choose.
    pub fn hints(&self) -> &[DistinguishedName] {
        &self.hints
    }

    /// When the first of its certificates ends, in seconds since 1970.
    pub fn first_end(&self) -> i64 {
        self.validities.iter().map(|(_, end)| *end).min().unwrap_or(i64::MAX)
    }

    /// Verifies a chain; tells until when it holds, in seconds since 1970.
    ///
    /// # Errors
    /// Why it is not trusted.
    pub fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<i64, Untrusted> {
        let says = Certificate::parse(leaf).ok_or(Untrusted::Malformed)?;
        if says.version != 3 {
            return Err(Untrusted::Version(says.version));
        }
        let end_entity = EndEntityCert::try_from(leaf).map_err(|error| untrusted(&error))?;
        let provider = rustls::crypto::ring::default_provider();
        let algorithms = provider.signature_verification_algorithms.all;
        let is_fit = |path: &VerifiedPath<'_>| {
            if path.intermediate_certificates().count() + 2 > MAX_CHAIN {
                return Err(webpki::Error::MaximumPathDepthExceeded);
            }
            let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            match self.validity_of(path.anchor()) {
                Some((begin, _)) if seconds < begin => Err(webpki::Error::CertNotValidYet {
                    time: now,
                    not_before: now,
                }),
                Some((_, end)) if seconds > end => Err(webpki::Error::CertExpired {
                    time: now,
                    not_after: now,
                }),
                Some(_) => Ok(()),
                None => Err(webpki::Error::UnknownIssuer),
            }
        };
        let usage = KeyUsage::client_auth();
        let verified = end_entity.verify_for_usage(
            algorithms,
            &self.anchors,
            intermediates,
            now,
            usage,
            None,
            Some(&is_fit),
        );
        let path = verified.map_err(|error| untrusted(&error))?;
        let anchor_end = self.validity_of(path.anchor()).map_or(i64::MIN, |(_, end)| end);
        let mut until = says.not_after.unix().min(anchor_end);
        for intermediate in path.intermediate_certificates() {
            let der = intermediate.der();
            let end = Certificate::parse(&der).map_or(i64::MIN, |says| says.not_after.unix());
            until = until.min(end);
        }
        Ok(until)
    }

    /// When a certificate of the truststore is valid; of several of the same name and key, the last one to end.
    fn validity_of(&self, anchor: &TrustAnchor<'_>) -> Option<(i64, i64)> {
        let same = self.anchors.iter().zip(&self.validities);
        let same = same.filter(|(known, _)| {
            known.subject == anchor.subject && known.subject_public_key_info == anchor.subject_public_key_info
        });
        same.map(|(_, validity)| *validity).max_by_key(|(_, end)| *end)
    }
}

fn untrusted(error: &webpki::Error) -> Untrusted {
    use webpki::Error;
    match error {
        Error::CertExpired { .. } => Untrusted::Expired,
        Error::CertNotValidYet { .. } => Untrusted::NotValidYet,
        Error::UnknownIssuer => Untrusted::UnknownIssuer,
        Error::MaximumPathDepthExceeded => Untrusted::TooLong,
        Error::RequiredEkuNotFoundContext(_) => Untrusted::WrongPurpose,
        Error::BadDer => Untrusted::Malformed,
        error => Untrusted::Other(format!("the chain does not hold: {error}")),
    }
}

/// Two are the same that say the same.
impl PartialEq for Truststore {
    fn eq(&self, other: &Truststore) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Truststore {}

impl fmt::Debug for Truststore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Truststore({} certificates)", self.anchors.len())
    }
}
