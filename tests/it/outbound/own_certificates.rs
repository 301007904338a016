//! A server may show its own certificate if that is in `--upstream-ca`, as `openssl req -x509` makes one and `curl
//! --cacert` takes it.

use std::fmt;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::SupportedProtocolVersion;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};

use super::{OK, files};
use crate::support::directory::Directory;
use crate::support::endpoint::Endpoint;
use crate::support::gateway::{Gateway, options};
use crate::support::tls::{TlsEnd, TlsServer};

/// A certificate, and the key for which it is.
struct Own {
    params: CertificateParams,
    key: KeyPair,
    der: CertificateDer<'static>,
    pem: String,
}

/// With an alternative name, and an authority by its own word or not.
fn params(name: &str, is_authority: bool) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "somebody");
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

/// With nothing but a common name: `openssl req -x509 -subj /CN=…`.
fn only_common_name(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn valid(mut params: CertificateParams, from: i32, until: i32) -> CertificateParams {
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    params
}

impl Own {
    fn of(params: CertificateParams) -> Own {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Own {
            der: certificate.der().clone(),
            pem: certificate.pem(),
            params,
            key,
        }
    }

    /// A certificate that this one has signed, whether it may or not.
    fn sign(&self, params: CertificateParams) -> Own {
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Own {
            der: certificate.der().clone(),
            pem: certificate.pem(),
            params,
            key,
        }
    }
}

/// Shows a certificate, whatever key it has.
#[derive(Clone)]
struct Shows(Arc<CertifiedKey>);

impl fmt::Debug for Shows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shows")
    }
}

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn server(shown: &[&Own], key: &Own, version: &'static SupportedProtocolVersion) -> TlsServer {
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.key.serialize_der()));
    let signing = rustls::crypto::ring::sign::any_supported_type(&der).unwrap();
    let chain = shown.iter().map(|own| own.der.clone()).collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Shows(Arc::new(CertifiedKey::new(chain, signing)))));
    TlsServer::start(Arc::new(config), OK, TlsEnd::Open)
}

/// The status of an answer of that server, where those certificates are in the file.
fn status(server: &TlsServer, host: &str, trusted: &str) -> u16 {
    let ok = Endpoint::ok();
    let uri = format!("https://{host}:{}/fault", server.address.port());
    let directory = Directory::of(&files(&uri, 15_000, ok.address));
    directory.write("own.pem", trusted);
    let mut options = options(&directory);
    options.upstream_ca = Some(directory.path().join("own.pem"));
    Gateway::start(directory, options).get("/fault").status
}

#[test]
fn a_server_that_shows_exactly_that_certificate_is_trusted() {
    let other = Own::of(params("other.test", true));
    for (what, host, own) in [
        ("an authority", "localhost", Own::of(params("localhost", true))),
        ("no authority", "localhost", Own::of(params("localhost", false))),
        ("an address", "127.0.0.1", Own::of(params("127.0.0.1", true))),
        ("a common name", "localhost", Own::of(only_common_name("localhost"))),
        (
            "an address as common name",
            "127.0.0.1",
            Own::of(only_common_name("127.0.0.1")),
        ),
        (
            "signed by somebody",
            "localhost",
            other.sign(params("localhost", false)),
        ),
    ] {
        for version in [&TLS12, &TLS13] {
            let server = server(&[&own], &own, version);
            assert_eq!(status(&server, host, &own.pem), 200, "{what}, {version:?}");
            // Beside others.
            let file = other.pem.clone() + &own.pem;
            assert_eq!(status(&server, host, &file), 200, "{what}, {version:?}");
        }
    }
}

#[test]
fn a_certificate_of_the_file_must_be_valid_and_for_the_host() {
    for (what, host, params) in [
        ("another name", "localhost", params("other.test", true)),
        ("another name, no authority", "localhost", params("other.test", false)),
        ("another address", "127.0.0.1", params("127.0.0.2", true)),
        ("a name for an address", "127.0.0.1", params("localhost", true)),
        ("another common name", "localhost", only_common_name("other.test")),
        ("an alternative name and another common name", "localhost", {
            let mut params = params("other.test", true);
            params.distinguished_name.push(DnType::CommonName, "localhost");
            params
        }),
        ("expired", "localhost", valid(params("localhost", true), 2000, 2020)),
        (
            "expired, no authority",
            "localhost",
            valid(params("localhost", false), 2000, 2020),
        ),
        (
            "expired, common name",
            "localhost",
            valid(only_common_name("localhost"), 2000, 2020),
        ),
        ("not yet", "localhost", valid(params("localhost", true), 3000, 4000)),
        (
            "not yet, no authority",
            "localhost",
            valid(params("localhost", false), 3000, 4000),
        ),
    ] {
        let own = Own::of(params);
        let server = server(&[&own], &own, &TLS13);
        assert_eq!(status(&server, host, &own.pem), 500, "{what}");
    }
}

#[test]
fn nobody_else_is_trusted_because_of_it() {
    let own = Own::of(params("localhost", false));
    let twin = Own::of(params("localhost", false));
    let signed = own.sign(params("localhost", false));
    for (what, shown) in [
        ("one that looks the same", vec![&twin]),
        ("one that looks the same, with it", vec![&twin, &own]),
        ("one that it has signed", vec![&signed]),
        ("one that it has signed, with it", vec![&signed, &own]),
    ] {
        let server = server(&shown, shown[0], &TLS13);
        assert_eq!(status(&server, "localhost", &own.pem), 500, "{what}");
    }
    // An authority signs, and is trusted for it.
    let authority = Own::of(params("localhost", true));
    let signed = authority.sign(params("localhost", false));
    let server = server(&[&signed], &signed, &TLS13);
    assert_eq!(status(&server, "localhost", &authority.pem), 200);
}

/// Anybody has the certificate; the server has its key, and signs with it.
#[test]
fn who_shows_it_without_its_key_is_not_trusted() {
    for is_authority in [false, true] {
        let own = Own::of(params("localhost", is_authority));
        let thief = Own::of(params("localhost", is_authority));
        for version in [&TLS12, &TLS13] {
            let server = server(&[&own], &thief, version);
            assert_eq!(
                status(&server, "localhost", &own.pem),
                500,
                "{is_authority}, {version:?}"
            );
        }
    }
}
