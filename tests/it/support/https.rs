//! Provides certificates, and a client that speaks HTTP over TLS and forgives nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;

use apigateway::definition::store::TlsFiles;
use apigateway::server::Options;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::client::{Answer, PATIENCE, parse};
use super::directory::Directory;
use super::gateway::options;

/// A certificate with its key, which may sign others.
pub struct Certified {
    pub issuer: Issuer<'static, KeyPair>,
    pub der: CertificateDer<'static>,
    pub pem: String,
    pub key_pem: String,
}

/// What a certificate says: a name for servers, and for people.
pub fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// An authority's.
pub fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// A client's.
pub fn client_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

impl Certified {
    /// Signed by itself.
    pub fn own(params: CertificateParams) -> Certified {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Certified::of(params, key, &certificate)
    }

    /// Signed by another one.
    pub fn by(issuer: &Certified, params: CertificateParams) -> Certified {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer.issuer).unwrap();
        Certified::of(params, key, &certificate)
    }

    fn of(params: CertificateParams, key: KeyPair, certificate: &rcgen::Certificate) -> Certified {
        Certified {
            der: certificate.der().clone(),
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Writes certificate and key beside the API, as `<name>.pem` and `<name>.key`.
    pub fn write(&self, directory: &Directory, name: &str) {
        directory.write(&format!("{name}.pem"), &self.pem);
        write_key(directory, name, &self.key_pem);
    }
}

/// Writes a key, which is for its owner only.
pub fn write_key(directory: &Directory, name: &str, pem: &str) {
    use std::os::unix::fs::PermissionsExt;
    directory.write(&format!("{name}.key"), pem);
    let path = directory.path().join(format!("{name}.key"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A command of OpenSSL's, which makes keys of kinds that others do not make.
pub fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Options with the listener's certificate, which lies beside the API as `listener.pem` and `listener.key`.
pub fn https_options(directory: &Directory) -> Options {
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    Options {
        tls: Some(TlsFiles {
            certificate: path("listener.pem"),
            key: path("listener.key"),
        }),
        ..options(directory)
    }
}

/// A client's settings: whom it trusts, and what it shows.
pub fn client_config(trusted: &[&Certified], shown: &[&Certified]) -> Arc<ClientConfig> {
    client_config_of(trusted, shown, rustls::DEFAULT_VERSIONS)
}

pub fn client_config_of(
    trusted: &[&Certified],
    shown: &[&Certified],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certified in trusted {
        roots.add(certified.der.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let config = match shown.first() {
        None => builder.with_no_client_auth(),
        Some(leaf) => {
            let chain = shown.iter().map(|certified| certified.der.clone()).collect();
            let key = PrivateKeyDer::from_pem_slice(leaf.key_pem.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    Arc::new(config)
}

/// Bytes of the first answer, as far as its head is here and tells them.
fn announced_length(bytes: &[u8]) -> usize {
    let head = bytes.get(..bytes.len().min(4096)).unwrap_or_default();
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let Some((head, _)) = head.split_once("\r\n\r\n") else {
        return 0;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    head.len() + 4 + length.unwrap_or_default()
}

/// A connection over TLS.
pub struct TlsClient {
    pub tls: ClientConnection,
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

impl TlsClient {
    /// Connects and ends the handshake on this side.
    pub fn try_connect(
        address: SocketAddr,
        name: &str,
        config: &Arc<ClientConfig>,
    ) -> Result<TlsClient, std::io::Error> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut tls = ClientConnection::new(Arc::clone(config), name).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        Ok(TlsClient {
            tls,
            stream,
            buffer: Vec::new(),
        })
    }

    pub fn connect(address: SocketAddr, name: &str, config: &Arc<ClientConfig>) -> TlsClient {
        TlsClient::try_connect(address, name, config).unwrap()
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut TlsClient {
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.stream);
        stream.write_all(bytes.as_ref()).unwrap();
        stream.flush().unwrap();
        self
    }

    pub fn get(&mut self, host: &str, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .answer()
    }

    /// Reads the answer to a request that is no HEAD.
    pub fn answer(&mut self) -> Answer {
        self.try_answer().unwrap()
    }

    pub fn try_answer(&mut self) -> Result<Answer, std::io::Error> {
        loop {
            // A long answer is taken apart once.
            let whole = self.buffer.len() >= announced_length(&self.buffer);
            if let Some((answer, used)) = whole.then(|| parse(&self.buffer, "GET", false)).flatten() {
                self.buffer.drain(..used);
                return Ok(answer);
            }
            let mut part = [0; 65536];
            let count = rustls::Stream::new(&mut self.tls, &mut self.stream).read(&mut part)?;
            if count == 0 {
                let text = String::from_utf8_lossy(&self.buffer);
                return Err(std::io::Error::other(format!("the connection ended: {text:?}")));
            }
            self.buffer.extend_from_slice(&part[..count]);
        }
    }

    /// How the connection ends: cleanly, or cut.
    pub fn end(&mut self) -> Result<(), std::io::ErrorKind> {
        let mut rest = [0; 1024];
        loop {
            match rustls::Stream::new(&mut self.tls, &mut self.stream).read(&mut rest) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(error.kind()),
            }
        }
    }
}
