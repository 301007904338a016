//! Who may come to a domain with mutual TLS, and through which connection (C1–C3).

use std::sync::Arc;

use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa};
use rustls::version::{TLS12, TLS13};

use super::Https;
use crate::support::https::{
    Certified, TlsClient, authority_params, client_config, client_config_of, client_params, params,
};
use crate::support::wait::wait_until;

/// A domain whose clients are of that authority.
fn mutual(clients: &Certified) -> Https {
    Https::with_domain("mutual.test", Some(clients))
}

/// Asks with that chain; the answer's status, or why there is none.
fn ask(https: &Https, chain: &[&Certified]) -> Result<u16, String> {
    let config = client_config(&[&https.authority], chain);
    let mut client =
        TlsClient::try_connect(https.gateway.address, "mutual.test", &config).map_err(|error| error.to_string())?;
    let request = "GET /a HTTP/1.1\r\nHost: mutual.test\r\n\r\n";
    std::io::Write::write_all(
        &mut rustls::Stream::new(&mut client.tls, &mut client.stream),
        request.as_bytes(),
    )
    .map_err(|error| error.to_string())?;
    client
        .try_answer()
        .map(|answer| answer.status)
        .map_err(|error| error.to_string())
}

fn intermediate(name: &str, issuer: &Certified) -> Certified {
    let mut params = authority_params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Certified::by(issuer, params)
}

#[test]
fn chains_lead_to_the_truststore_by_four_certificates_at_most() {
    let root = Certified::own(authority_params("Root"));
    let https = mutual(&root);
    let one = intermediate("One", &root);
    let two = intermediate("Two", &one);
    let three = intermediate("Three", &two);
    let leaf = |issuer: &Certified| Certified::by(issuer, client_params("client"));
    assert_eq!(ask(&https, &[&leaf(&root)]), Ok(200), "C1");
    assert_eq!(ask(&https, &[&leaf(&one), &one]), Ok(200), "C1");
    assert_eq!(ask(&https, &[&leaf(&two), &two, &one]), Ok(200), "C1: four");
    assert!(ask(&https, &[&leaf(&three), &three, &two, &one]).is_err(), "C1: five");
    assert!(ask(&https, &[&leaf(&two), &two]).is_err(), "C1: a gap");
    assert!(ask(&https, &[]).unwrap_err().contains("CertificateRequired"), "C1");
    let stranger = Certified::own(authority_params("Stranger"));
    assert!(
        ask(&https, &[&leaf(&stranger)]).unwrap_err().contains("UnknownCA"),
        "C1"
    );
    // The same name, another key.
    let namesake = Certified::own(authority_params("Root"));
    assert!(ask(&https, &[&leaf(&namesake)]).is_err(), "C1");
}

#[test]
fn an_intermediate_in_the_truststore_is_enough() {
    let root = Certified::own(authority_params("Root"));
    let one = intermediate("One", &root);
    let https = mutual(&one);
    let leaf = Certified::by(&one, client_params("client"));
    assert_eq!(ask(&https, &[&leaf]), Ok(200), "C1");
    let of_root = Certified::by(&root, client_params("client"));
    assert!(ask(&https, &[&of_root]).is_err(), "C1");
}

#[test]
fn leaves_are_valid_now_and_for_clients() {
    let root = Certified::own(authority_params("Root"));
    let https = mutual(&root);
    let with = |change: fn(&mut rcgen::CertificateParams)| {
        let mut params = client_params("client");
        change(&mut params);
        ask(&https, &[&Certified::by(&root, params)])
    };
    assert_eq!(with(|_| {}), Ok(200));
    assert_eq!(
        with(|params| params.extended_key_usages = Vec::new()),
        Ok(200),
        "C1: where it has one"
    );
    assert!(
        with(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]).is_err(),
        "C1"
    );
    assert!(
        with(|params| params.not_after = rcgen::date_time_ymd(2001, 1, 1)).is_err(),
        "C1: it has expired"
    );
    assert!(
        with(|params| params.not_before = rcgen::date_time_ymd(2100, 1, 1)).is_err(),
        "C1: not yet"
    );
    // An anchor that has expired.
    let mut params = authority_params("Old");
    params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let old = Certified::own(params);
    let https = mutual(&old);
    assert!(
        ask(&https, &[&Certified::by(&old, client_params("client"))]).is_err(),
        "C1: each valid now"
    );
}

#[test]
fn a_request_for_another_domain_than_the_connection_s_is_misdirected() {
    let root = Certified::own(authority_params("Root"));
    let https = mutual(&root);
    for name in ["listener.test", "127.0.0.1"] {
        let mut client = match name {
            "127.0.0.1" => {
                // Without a name in the handshake.
                let mut config = (*https.config()).clone();
                config.enable_sni = false;
                TlsClient::connect(https.gateway.address, "listener.test", &Arc::new(config))
            }
            name => https.connect(name),
        };
        for host in ["other.test", "listener.test"] {
            assert_eq!(client.get(host, "/a").status, 200);
        }
        let answer = client.get("Mutual.test.:443", "/a");
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (421, r#"{"message":"Misdirected Request"}"#),
            "C2"
        );
        assert_eq!(answer.header("connection"), Some("close"), "C2");
        assert_eq!(client.end(), Ok(()));
    }
    // A target in absolute form names the host, too.
    let mut client = https.connect("listener.test");
    let answer = client
        .send("GET https://mutual.test/a HTTP/1.1\r\nHost: listener.test\r\n\r\n")
        .answer();
    assert_eq!(answer.status, 421, "C2");
    let recorded = https.endpoint.rest();
    assert!(
        !recorded.iter().any(|recorded| recorded.head.contains("mutual.test")),
        "C2: a request came through"
    );
    // The other way round it is served.
    let leaf = Certified::by(&root, client_params("client"));
    let config = client_config(&[&https.authority], &[&leaf]);
    let mut client = TlsClient::connect(https.gateway.address, "mutual.test", &config);
    assert_eq!(client.get("listener.test", "/a").status, 200, "C2");
    assert_eq!(client.get("mutual.test", "/a").status, 200, "C2");
}

#[test]
fn a_certificate_is_looked_at_again_when_the_truststore_has_changed() {
    let root = Certified::own(authority_params("Root"));
    let leaf = Certified::by(&root, client_params("client"));
    let other = Certified::own(authority_params("Other"));
    let https = mutual(&root);
    for version in [&TLS12, &TLS13] {
        https.gateway.directory.write("clients.pem", &root.pem);
        https.gateway.server.reload();
        let config = client_config_of(&[&https.authority], &[&leaf], &[version]);
        let mut client = TlsClient::connect(https.gateway.address, "mutual.test", &config);
        assert_eq!(client.get("mutual.test", "/a").status, 200);
        // With one more, it holds on.
        https
            .gateway
            .directory
            .write("clients.pem", &format!("{}{}", root.pem, other.pem));
        https.gateway.server.reload();
        assert_eq!(client.get("mutual.test", "/a").status, 200, "C3");
        // A truststore that is none changes nothing.
        https.gateway.directory.write("clients.pem", "");
        https.gateway.server.reload();
        assert_eq!(client.get("mutual.test", "/a").status, 200, "C3");
        https.gateway.directory.write("clients.pem", &other.pem);
        https.gateway.server.reload();
        let answer = client.get("mutual.test", "/a");
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (403, r#"{"message":"Forbidden"}"#),
            "C3"
        );
        assert_eq!(answer.header("connection"), Some("close"), "C3");
        assert_eq!(client.end(), Ok(()));
        assert!(ask(&https, &[&leaf]).is_err(), "C3: no new connection either");
    }
}

#[test]
fn a_certificate_ends_while_its_connection_lives() {
    let root = Certified::own(authority_params("Root"));
    let https = mutual(&root);
    let mut params = client_params("client");
    let end = std::time::SystemTime::now() + std::time::Duration::from_secs(3);
    params.not_after = end.into();
    let leaf = Certified::by(&root, params);
    let config = client_config(&[&https.authority], &[&leaf]);
    let mut client = TlsClient::connect(https.gateway.address, "mutual.test", &config);
    assert_eq!(client.get("mutual.test", "/a").status, 200);
    let mut last = 200;
    wait_until("the certificate is refused", || {
        last = client.get("mutual.test", "/a").status;
        last != 200
    });
    assert_eq!(last, 403, "C3");
}

#[test]
fn a_domain_without_a_certificate_of_its_own_asks_for_one_all_the_same() {
    let root = Certified::own(authority_params("Root"));
    let prepare = |directory: &crate::support::directory::Directory, authority: &Certified| {
        let mut both = params("listener.test");
        both.subject_alt_names = vec![rcgen::SanType::DnsName("mutual.test".try_into().unwrap())];
        Certified::by(authority, both).write(directory, "listener");
        directory.write("clients.pem", &root.pem);
        let mut file = super::domain("mutual.test", Some("clients.pem"));
        file.as_object_mut().unwrap().remove("DomainNameConfigurations");
        directory.write("domains/mutual.test.json", &file.to_string());
    };
    let https = Https::with(
        crate::support::endpoint::Endpoint::telling_the_target(),
        prepare,
        |options| options,
    );
    assert!(ask(&https, &[]).is_err(), "C1");
    assert_eq!(
        ask(&https, &[&Certified::by(&root, client_params("client"))]),
        Ok(200),
        "C1, T3"
    );
}
