//! What is to be seen of TLS (§6, T6, T8).

use std::fs;

use apigateway::control_plane::api::settings::Mode;
use apigateway::data_plane::access_log::Destination;
use rustls::HandshakeKind;
use serde_json::json;

use super::{Https, with_admin};
use crate::support::calls;
use crate::support::client::{Client, PATIENCE};
use crate::support::endpoint::Endpoint;
use crate::support::https::{Certified, TlsClient, authority_params, client_config, params};
use crate::support::metrics::{Samples, metrics_at};
use crate::support::wait::wait_until;

#[test]
fn ends_of_certificates_and_outcomes_of_handshakes_are_shown() {
    let mut clients = authority_params("Clients");
    clients.not_after = rcgen::date_time_ymd(2040, 1, 1);
    let clients = Certified::own(clients);
    let mut later = authority_params("Later");
    later.not_after = rcgen::date_time_ymd(2050, 1, 1);
    let later = Certified::own(later);
    let https = Https::with_domain_and("mutual.test", Some(&clients), with_admin);
    let directory = &https.gateway.directory;
    directory.write("clients.pem", &format!("{}{}", later.pem, clients.pem));
    let mut own = params("mutual.test");
    own.not_after = rcgen::date_time_ymd(2045, 1, 1);
    Certified::by(&https.authority, own).write(directory, "mutual.test");
    https.gateway.server.reload();
    let admin = https.gateway.server.admin_addr().unwrap();
    let year = |samples: &Samples, name: &str, domain: &str| {
        let series = format!("apigateway_{name}_expiry_timestamp_seconds{{domain=\"{domain}\"}}");
        samples
            .get(&series)
            .map(|at| 1970.0 + (at / 86400.0 / 365.2425).round())
    };
    // rcgen's own end is the year 4096; of a truststore it is the earliest.
    let expected = [Some(4096.0), Some(2045.0), Some(2040.0), None];
    wait_until("§6: the ends are shown", || {
        let samples = metrics_at(admin);
        expected
            == [
                year(&samples, "certificate", "-"),
                year(&samples, "certificate", "mutual.test"),
                year(&samples, "truststore", "mutual.test"),
                year(&samples, "truststore", "-"),
            ]
    });
    // Outcomes.
    let config = https.config();
    let connect = |name: &'static str| {
        let mut client = TlsClient::try_connect(https.gateway.address, name, &config).ok()?;
        client.send("GET /a HTTP/1.1\r\nHost: listener.test\r\n\r\n");
        client.try_answer().ok()?;
        client.tls.handshake_kind()
    };
    assert_eq!(connect("listener.test"), Some(HandshakeKind::Full));
    assert_eq!(connect("listener.test"), Some(HandshakeKind::Resumed));
    assert_eq!(connect("mutual.test"), None);
    let mut plain = Client::connect(https.gateway.address);
    assert_eq!(
        plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer_to("GET").status,
        400
    );
    // A probe that only connects is none.
    drop(std::net::TcpStream::connect(https.gateway.address).unwrap());
    let outcomes = ["ok", "resumed", "failed", "timeout", "plain_http"];
    let counts = || {
        let samples = metrics_at(admin);
        outcomes.map(|outcome| samples[&format!("apigateway_tls_handshakes_total{{outcome=\"{outcome}\"}}")])
    };
    wait_until("counted", || counts() == [1.0, 1.0, 1.0, 0.0, 1.0]);
}

#[test]
fn plain_text_is_logged_like_other_unread_requests() {
    let mut log = std::path::PathBuf::new();
    let https = Https::with(
        Endpoint::telling_the_target(),
        |_, _| {},
        |mut options| {
            log = options.root.join("access.log");
            options.access_log = Destination::File(log.clone());
            options
        },
    );
    let mut plain = Client::connect(https.gateway.address);
    let answer = plain.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").answer_to("GET");
    assert_eq!(answer.status, 400);
    let malformed = https.connect("listener.test").send("GET\r\n\r\n").answer();
    assert_eq!(malformed.status, 400);
    https.gateway.server.stop(PATIENCE);
    let text = fs::read_to_string(log).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "T6: {text}");
    for (line, id) in lines.iter().zip([&answer, &malformed]) {
        assert_eq!(line["requestId"].as_str(), id.header("apigw-requestid"), "T6: {text}");
        assert_eq!(line["status"], lines[1]["status"], "T6: {text}");
    }
    let members = |line: &serde_json::Value| line.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&lines[0]), members(&lines[1]), "T6: {text}");
}

#[test]
fn nothing_of_https_is_told_to_clients_and_the_control_plane_says_it() {
    let https = Https::with(
        Endpoint::telling_the_target(),
        |_, _| {},
        |mut options| {
            options.control_plane = Some(Mode::Open);
            with_admin(options)
        },
    );
    let config = client_config(&[&https.authority], &[]);
    let answer = TlsClient::connect(https.gateway.address, "listener.test", &config).get("a", "/a");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("strict-transport-security"), None, "T8");
    assert_eq!(answer.header("location"), None, "T8");
    let admin = https.gateway.server.admin_addr().unwrap();
    let made = calls::expect(
        admin,
        201,
        "POST",
        "/v2/apis",
        &json!({"name": "one", "protocolType": "HTTP"}),
    );
    let endpoint = made["apiEndpoint"].as_str().unwrap();
    assert!(endpoint.starts_with("https://"), "{endpoint}");
    let port = format!(":{}", https.gateway.address.port());
    assert!(endpoint.contains(&port), "{endpoint}");
}
