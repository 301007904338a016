//! The certificate of the TLS upstream.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};

use crate::Outcome;

/// The name that the certificate is for, besides 127.0.0.1.
pub const NAME: &str = "localhost";

/// Where the PEM files are.
#[derive(Debug)]
pub struct Certificate {
    /// The root to be trusted.
    pub ca: PathBuf,
    /// The server's certificate.
    pub chain: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Makes a root and a certificate for [`NAME`], and writes them into the directory.
///
/// # Errors
/// A file cannot be written.
pub fn make(directory: &Path) -> Outcome<Certificate> {
    let pem = issue().map_err(|error| format!("the certificate cannot be made: {error}"))?;
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok::<_, String>(path)
    };
    Ok(Certificate {
        ca: write("ca.pem", &pem.ca)?,
        chain: write("server.pem", &pem.chain)?,
        key: write("server.key", &pem.key)?,
    })
}

struct Pem {
    ca: String,
    chain: String,
    key: String,
}

fn issue() -> Result<Pem, rcgen::Error> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name = common_name("bench root");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let key = KeyPair::generate()?;
    let mut server = CertificateParams::new(vec![NAME.to_owned(), "127.0.0.1".to_owned()])?;
    // One like the root's would make it look as if it had signed itself.
    server.distinguished_name = common_name(NAME);
    let chain = server.signed_by(&key, &Issuer::new(ca, ca_key))?.pem();
    Ok(Pem {
        ca: ca_pem,
        chain,
        key: key.serialize_pem(),
    })
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, name);
    distinguished_name
}
