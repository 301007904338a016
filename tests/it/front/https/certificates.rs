//! Which certificate a client gets, and what is told of files that are none (T1, T3).

use std::process::Command;
use std::time::{Duration, SystemTime};

use rcgen::CertificateParams;
use serde_json::json;

use super::{Https, domain};
use crate::support::directory::{Directory, pass_everything};
use crate::support::endpoint::{Endpoint, nobody};
use crate::support::gateway::Gateway;
use crate::support::https::{Certified, TlsClient, authority_params, https_options, openssl, params, write_key};
use crate::support::program::{check, run, serve_by};

#[test]
fn the_certificate_is_chosen_by_the_name_that_is_asked_for() {
    let prepare = |directory: &Directory, authority: &Certified| {
        for (name, file) in [("exact.a.test", "exact"), ("*.a.test", "wildcard")] {
            let mut params = params(name);
            params.distinguished_name.push(rcgen::DnType::OrganizationName, file);
            Certified::by(authority, params).write(directory, name);
            directory.write(&format!("domains/{name}.json"), &domain(name, None).to_string());
        }
        let without = json!({"ApiMappings": [{"ApiId": "local", "Stage": "$default"}]});
        directory.write("domains/bare.a.test.json", &without.to_string());
        directory.write("domains/bare.b.test.json", &without.to_string());
    };
    let https = Https::with(Endpoint::telling_the_target(), prepare, |options| options);
    let own = |name: &str| std::fs::read_to_string(https.gateway.directory.path().join(format!("{name}.pem"))).unwrap();
    for (asked, expected) in [
        ("exact.a.test", "exact.a.test"),
        ("EXACT.a.test", "exact.a.test"),
        ("other.a.test", "*.a.test"),
        ("bare.a.test", "*.a.test"),
        ("two.labels.a.test", "listener"),
        ("bare.b.test", "listener"),
        ("a.test", "listener"),
        ("unknown.test", "listener"),
        // No name is sent for an address.
        ("127.0.0.1", "listener"),
    ] {
        let config = trusting_anything();
        let client = TlsClient::try_connect(https.gateway.address, asked, &config).unwrap();
        let leaf = client.tls.peer_certificates().unwrap()[0].clone();
        let expected_pem = own(expected);
        let der = <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(
            expected_pem.as_bytes(),
        );
        assert_eq!(leaf, der.unwrap(), "T3: {asked}");
    }
}

/// A client that takes any certificate.
fn trusting_anything() -> std::sync::Arc<rustls::ClientConfig> {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    #[derive(Debug)]
    struct Anything;

    impl ServerCertVerifier for Anything {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            let provider = rustls::crypto::ring::default_provider();
            provider.signature_verification_algorithms.supported_schemes()
        }
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(std::sync::Arc::new(Anything))
        .with_no_client_auth();
    std::sync::Arc::new(config)
}

/// An API with a domain whose files are written by the caller.
fn with_files(certificate: &str, key: &str) -> Directory {
    let directory = Directory::of(&pass_everything(nobody()));
    directory.write("a.test.pem", certificate);
    write_key(&directory, "a.test", key);
    directory.write("domains/a.test.json", &domain("a.test", None).to_string());
    directory
}

#[test]
fn every_kind_of_key_that_holds_is_taken() {
    for (kind, arguments) in [
        (
            "P-256 in SEC1",
            &["ecparam", "-name", "prime256v1", "-genkey", "-noout"][..],
        ),
        (
            "P-256 in PKCS#8",
            &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        ),
        ("P-384", &["ecparam", "-name", "secp384r1", "-genkey"]),
        ("RSA in PKCS#1", &["genrsa", "-traditional", "2048"]),
        (
            "RSA in PKCS#8",
            &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        ),
        ("RSA of 4096 bits", &["genrsa", "4096"]),
        ("Ed25519", &["genpkey", "-algorithm", "ed25519"]),
    ] {
        let key = openssl(arguments);
        let directory = with_files("", &key);
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let (key, certificate) = (path("a.test.key"), path("a.test.pem"));
        let subject = ["-subj", "/CN=a.test", "-addext", "subjectAltName=DNS:a.test"];
        let made = ["req", "-x509", "-key", &key, "-days", "40", "-out", &certificate];
        openssl(&[&made[..], &subject].concat());
        let checked = check(&directory);
        assert_eq!(
            (checked.code(), checked.stdout.len()),
            (0, 1),
            "T1: {kind}: {checked:?}"
        );
        // And it serves.
        for (name, file) in [("pem", &certificate), ("key", &key)] {
            let text = std::fs::read_to_string(file).unwrap();
            directory.write(&format!("listener.{name}"), &text);
        }
        let options = https_options(&directory);
        let gateway = Gateway::start(directory, options);
        let client = TlsClient::try_connect(gateway.address, "a.test", &trusting_anything());
        assert!(client.is_ok(), "T1: {kind}: {:?}", client.err());
    }
}

#[test]
fn each_fault_of_a_pair_is_told_with_its_field() {
    let valid = Certified::own(params("a.test"));
    let other = Certified::own(params("a.test"));
    let encrypted = openssl(&[
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        "-aes256",
        "-pass",
        "pass:secret",
    ]);
    let p521 = openssl(&["ecparam", "-name", "secp521r1", "-genkey", "-noout"]);
    let small = openssl(&["genrsa", "1024"]);
    let large = openssl(&["genrsa", "4104"]);
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (certificate, key, field, text) in [
        (
            "",
            valid.key_pem.as_str(),
            "CertificateFile",
            "has no certificate in PEM",
        ),
        (
            &valid.key_pem,
            &valid.key_pem,
            "CertificateFile",
            "has no certificate in PEM",
        ),
        (
            garbage,
            &valid.key_pem,
            "CertificateFile",
            "has a certificate that cannot be read",
        ),
        (&valid.pem, "", "KeyFile", "has no private key in PEM"),
        (&valid.pem, &valid.pem, "KeyFile", "has no private key in PEM"),
        (
            &valid.pem,
            &encrypted,
            "KeyFile",
            "has an encrypted key, which is not supported",
        ),
        (
            &valid.pem,
            &p521,
            "KeyFile",
            "has a key of a kind that is not supported",
        ),
        (
            &valid.pem,
            &small,
            "KeyFile",
            "has a key of a kind that is not supported",
        ),
        (
            &valid.pem,
            &large,
            "KeyFile",
            "has a key of a kind that is not supported",
        ),
        (
            &valid.pem,
            &other.key_pem,
            "KeyFile",
            "has a key that does not fit the certificate",
        ),
    ] {
        let checked = check(&with_files(certificate, key));
        let name = if field == "KeyFile" { "a.test.key" } else { "a.test.pem" };
        let expected =
            format!("domains/a.test.json#/DomainNameConfigurations/0/{field}: error: the file {name:?} {text}");
        assert_eq!(checked.code(), 1, "T1: {text}: {checked:?}");
        assert!(checked.stdout[0].starts_with(&expected), "T1: {expected}: {checked:?}");
    }
}

#[test]
fn a_certificate_that_is_late_early_or_for_another_is_served_with_a_warning() {
    let valid = |from: i32, until: i32, name: &str| -> CertificateParams {
        let mut params = params(name);
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        params
    };
    for (params, text) in [
        (
            valid(2000, 2001, "a.test"),
            "has a certificate that expired Jan  1 00:00:00 2001 GMT",
        ),
        (valid(2100, 2101, "a.test"), "has a certificate that is not valid yet"),
        (
            valid(2000, 2101, "b.test"),
            "has a certificate that does not cover a.test",
        ),
    ] {
        let pair = Certified::own(params);
        let checked = check(&with_files(&pair.pem, &pair.key_pem));
        assert_eq!(checked.code(), 0, "T1: {checked:?}");
        assert!(
            checked.stdout[0].contains(text) && checked.stdout[0].contains(": warning: "),
            "T1: {checked:?}"
        );
    }
}

#[test]
fn the_options_come_together_and_their_files_must_hold() {
    let pair = Certified::own(params("a.test"));
    let directory = with_files(&pair.pem, &pair.key_pem);
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (root, certificate, key) = (path(""), path("a.test.pem"), path("a.test.key"));
    let serve = [
        "serve",
        "--root",
        &root,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "off",
        "--log-format",
        "text",
    ];
    let with = |more: &[&str]| run(&[&serve[..], more].concat());
    assert!(
        with(&["--tls-certificate", &certificate])
            .refusal()
            .starts_with("--tls-key is missing")
    );
    assert!(
        with(&["--tls-key", &key])
            .refusal()
            .starts_with("--tls-certificate is missing")
    );
    let gone = path("gone.pem");
    for (certificate, key, expected) in [
        (&gone, &key, format!("{gone}#: error: the file cannot be read: ")),
        (
            &certificate,
            &certificate,
            format!("{certificate}#: error: the file has no private key in PEM"),
        ),
        (&key, &key, format!("{key}#: error: the file has no certificate in PEM")),
    ] {
        let ended = with(&["--tls-certificate", certificate, "--tls-key", key]);
        assert_eq!(ended.code(), 1);
        assert!(
            ended.stderr.iter().any(|line| line.starts_with(&expected)),
            "{expected}: {ended:?}"
        );
    }
}

#[test]
fn the_program_announces_https() {
    let pair = Certified::own(params("a.test"));
    let directory = with_files(&pair.pem, &pair.key_pem);
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let more = [
        "--tls-certificate",
        &path("a.test.pem"),
        "--tls-key",
        &path("a.test.key"),
    ];
    let served = serve_by(&directory, &more, "https");
    let url = format!("https://127.0.0.1:{}/a", served.address.port());
    // Nobody answers behind the gateway.
    let output = Command::new("curl")
        .args(["-k", "-s", "-o", "/dev/null", "-w", "%{http_code}", &url])
        .output();
    if let Ok(output) = output {
        assert_eq!(String::from_utf8_lossy(&output.stdout), "503");
    }
}

#[test]
fn the_log_tells_of_refused_clients_and_of_certificates_that_end_soon() {
    let clients = Certified::own(authority_params("Clients"));
    let mut soon = params("mutual.test");
    soon.not_after = (SystemTime::now() + Duration::from_secs(5 * 24 * 3600 - 3600)).into();
    let pair = Certified::own(soon);
    let directory = Directory::of(&pass_everything(nobody()));
    pair.write(&directory, "mutual.test");
    clients.write(&directory, "clients");
    directory.write(
        "domains/mutual.test.json",
        &domain("mutual.test", Some("clients.pem")).to_string(),
    );
    // OpenSSL makes leaves of version 1 where it is not told of extensions, as AWS's walk-through does.
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    write_key(&directory, "old", &Certified::own(params("old")).key_pem);
    let (old_key, request, old) = (path("old.key"), path("old.csr"), path("old.pem"));
    openssl(&["req", "-new", "-key", &old_key, "-subj", "/CN=old", "-out", &request]);
    let (issuer, issuer_key) = (path("clients.pem"), path("clients.key"));
    openssl(&[
        "x509",
        "-req",
        "-in",
        &request,
        "-CA",
        &issuer,
        "-CAkey",
        &issuer_key,
        "-set_serial",
        "1",
        "-out",
        &old,
    ]);
    let tls = [
        "--tls-certificate",
        &path("mutual.test.pem"),
        "--tls-key",
        &path("mutual.test.key"),
        "--log-format",
        "text",
    ];
    let mut served = serve_by(&directory, &tls, "https");
    served
        .running
        .complains("the certificate of the listener expires in less than 5 days");
    served
        .running
        .complains("the certificate of mutual.test expires in less than 5 days");
    let url = format!("https://mutual.test:{}/a", served.address.port());
    let resolve = format!("mutual.test:{}:127.0.0.1", served.address.port());
    let arguments = [
        "-k",
        "-s",
        "--resolve",
        &resolve,
        "--cert",
        &old,
        "--key",
        &old_key,
        &url,
    ];
    let curl = Command::new("curl").args(arguments).output().unwrap();
    assert!(!curl.status.success() && curl.stdout.is_empty(), "C1: {curl:?}");
    let line = served.running.complains("X.509 version 1");
    assert!(line.contains("mutual.test") && line.starts_with("info: "), "C1: {line}");
}
