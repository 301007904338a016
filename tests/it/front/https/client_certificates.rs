//! What events, authorizers, logs and mappings say of a client's certificate (C4).

use rcgen::{CertificateParams, DnType, SerialNumber};
use serde_json::{Value, json};

use super::Https;
use crate::support::directory::{Directory, http_proxy, lambda_proxy, route};
use crate::support::endpoint::Endpoint;
use crate::support::gateway::Gateway;
use crate::support::https::{
    Certified, TlsClient, authority_params, client_config, client_params, https_options, params,
};
use crate::support::lambda_authorizer::authorizer;

/// As AWS's sample has it.
fn sample() -> CertificateParams {
    let mut params = client_params("client");
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, value) in [
        (DnType::CountryName, "US"),
        (DnType::StateOrProvinceName, "Washington"),
        (DnType::LocalityName, "Seattle"),
        (DnType::OrganizationName, "Amazon Web Services"),
        (DnType::OrganizationalUnitName, "Security"),
        (DnType::CommonName, "My Client"),
    ] {
        params.distinguished_name.push(kind, value);
    }
    params.serial_number = Some(SerialNumber::from_slice(&[0xa1; 16]));
    params.not_before = rcgen::date_time_ymd(2019, 5, 28);
    params.not_after = rcgen::date_time_ymd(2121, 8, 5);
    params
}

/// Serves a domain with mutual TLS whose integration is a function, or an HTTP server.
fn start(endpoint: Endpoint, integration: Value, change: impl FnOnce(&mut Value)) -> (Https, Certified) {
    let root = Certified::own(authority_params("Root, of all"));
    let authority = Certified::own(authority_params("Authority"));
    let mut stage = json!({"Name": "$default"});
    change(&mut stage);
    let directory = Directory::of(&[
        ("stages/$default.json", stage),
        ("routes/all.json", route("$default", "up")),
        ("integrations/up.json", integration),
    ]);
    for (name, file) in [("listener.test", "listener"), ("mutual.test", "mutual.test")] {
        Certified::by(&authority, params(name)).write(&directory, file);
    }
    directory.write("clients.pem", &root.pem);
    let domain = super::domain("mutual.test", Some("clients.pem"));
    directory.write("domains/mutual.test.json", &domain.to_string());
    let mut options = https_options(&directory);
    options.settings.lambda_endpoint = Some(format!("http://{}", endpoint.address).parse_url());
    let https = Https {
        gateway: Gateway::start(directory, options),
        endpoint,
        authority,
    };
    (https, root)
}

trait ParseUrl {
    fn parse_url(&self) -> apigateway::outbound::upstream::url::Url;
}

impl ParseUrl for String {
    fn parse_url(&self) -> apigateway::outbound::upstream::url::Url {
        apigateway::outbound::upstream::url::Url::parse(self).unwrap()
    }
}

fn connect(https: &Https, name: &str, leaf: &Certified) -> TlsClient {
    let config = client_config(&[&https.authority], &[leaf]);
    TlsClient::connect(https.gateway.address, name, &config)
}

#[test]
fn events_of_both_formats_have_the_certificate() {
    for (version, pointer) in [
        ("2.0", "/requestContext/authentication/clientCert"),
        ("1.0", "/requestContext/identity/clientCert"),
    ] {
        let endpoint = Endpoint::answering("HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"statusCode\":200}");
        let (https, root) = start(endpoint, lambda_proxy("f", version), |_| {});
        let leaf = Certified::by(&root, sample());
        let mut client = connect(&https, "mutual.test", &leaf);
        assert_eq!(client.get("mutual.test", "/a").status, 200);
        let event: Value = serde_json::from_slice(&https.endpoint.next().body).unwrap();
        let pem = leaf.pem.replace("\r\n", "\n");
        let serial_number = ["a1"; 16].join(":");
        let expected = json!({
            "clientCertPem": pem,
            "subjectDN": "C=US,ST=Washington,L=Seattle,O=Amazon Web Services,OU=Security,CN=My Client",
            "issuerDN": "CN=Root\\, of all",
            "serialNumber": serial_number,
            "validity": {"notBefore": "May 28 00:00:00 2019 GMT", "notAfter": "Aug  5 00:00:00 2121 GMT"},
        });
        assert_eq!(event.pointer(pointer), Some(&expected), "C4: {version}");
        assert_eq!(
            event
                .pointer("/headers/x-forwarded-proto")
                .or(event.pointer("/headers/X-Forwarded-Proto")),
            Some(&json!("https"))
        );
        assert_eq!(
            event
                .pointer("/headers/x-forwarded-port")
                .or(event.pointer("/headers/X-Forwarded-Port")),
            Some(&json!("443")),
            "T8"
        );
        // Another domain on the same connection, and another connection: absent, not null.
        assert_eq!(client.get("listener.test", "/a").status, 200);
        assert_eq!(
            https.connect("listener.test").get("listener.test:8443", "/a").status,
            200
        );
        for port in ["443", "8443"] {
            let event: Value = serde_json::from_slice(&https.endpoint.next().body).unwrap();
            assert_eq!(event.pointer(pointer), None, "C4: {version}");
            assert_eq!(event.pointer("/requestContext/authentication"), None, "C4: {version}");
            assert_eq!(
                event
                    .pointer("/headers/x-forwarded-port")
                    .or(event.pointer("/headers/X-Forwarded-Port")),
                Some(&json!(port)),
                "T8"
            );
        }
    }
}

#[test]
fn authorizers_get_the_certificate_too() {
    let policy = r#"{"principalId":"u","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}]}}"#;
    for (version, pointer, is_simple, answer) in [
        (
            "2.0",
            "/requestContext/authentication/clientCert/subjectDN",
            true,
            r#"{"isAuthorized":true}"#,
        ),
        ("1.0", "/requestContext/identity/clientCert/subjectDN", false, policy),
    ] {
        let up = Endpoint::ok();
        let function = Endpoint::answering(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        ));
        let (https, root) = start(function, http_proxy(format!("http://{}", up.address)), |_| {});
        let mut asked = authorizer("f", &["$request.header.Host"], 0);
        asked["AuthorizerPayloadFormatVersion"] = json!(version);
        asked["EnableSimpleResponses"] = json!(is_simple);
        let mut guarded = route("$default", "up");
        guarded["AuthorizationType"] = json!("CUSTOM");
        guarded["AuthorizerId"] = json!("one");
        let directory = &https.gateway.directory;
        directory.write("authorizers/one.json", &asked.to_string());
        directory.write("routes/all.json", &guarded.to_string());
        https.gateway.server.reload();
        for (name, expected) in [("mutual.test", Some(json!("CN=client"))), ("listener.test", None)] {
            let leaf = Certified::by(&root, client_params("client"));
            assert_eq!(
                connect(&https, name, &leaf).get(name, "/a").status,
                200,
                "C4: {version}"
            );
            let event: Value = serde_json::from_slice(&https.endpoint.next().body).unwrap();
            assert_eq!(event.pointer(pointer), expected.as_ref(), "C4: {version}: {event}");
        }
    }
}

#[test]
fn mappings_and_logs_have_it_and_http_integrations_only_what_is_mapped() {
    let endpoint = Endpoint::telling_the_target();
    let mut integration = http_proxy(format!("http://{}", endpoint.address));
    integration["RequestParameters"] = json!({
        "append:header.x-pem": "$context.identity.clientCert.clientCertPem",
        "append:header.x-subject": "$context.identity.clientCert.subjectDN",
        "append:header.x-end": "$context.identity.clientCert.validity.notAfter",
        "append:header.x-serial": "n-$context.identity.clientCert.serialNumber",
    });
    let log = |stage: &mut Value| {
        stage["AccessLogSettings"] = json!({
            "Format": "$context.requestId $context.identity.clientCert.subjectDN|$context.identity.clientCert.issuerDN"
        });
    };
    let (https, root) = start(endpoint, integration, log);
    let mut params = sample();
    params.serial_number = Some(SerialNumber::from(255_u64));
    let leaf = Certified::by(&root, params);
    assert_eq!(
        connect(&https, "mutual.test", &leaf).get("mutual.test", "/a").status,
        200
    );
    let recorded = https.endpoint.next();
    let pem = leaf.pem.replace("\r\n", "\n").trim_end().replace('\n', " ");
    assert_eq!(recorded.headers("x-pem"), [pem], "C4");
    let subject = "C=US,ST=Washington,L=Seattle,O=Amazon Web Services,OU=Security,CN=My Client";
    assert_eq!(recorded.headers("x-subject"), [subject], "C4");
    assert_eq!(recorded.headers("x-end"), ["Aug  5 00:00:00 2121 GMT"], "C4");
    assert_eq!(recorded.headers("x-serial"), ["n-255"], "C4");
    // R3.11: nothing of it by itself; and nothing on another domain.
    assert_eq!(https.connect("listener.test").get("listener.test", "/a").status, 200);
    let recorded = https.endpoint.next();
    assert!(
        recorded.headers("x-pem").is_empty() && recorded.headers("x-subject").is_empty(),
        "{}",
        recorded.head
    );
}
