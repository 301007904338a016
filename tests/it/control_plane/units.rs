//! Each part of a root changes by itself: a broken one stays as it was, and the others go on.

use serde_json::{Value, json};

use crate::support::client::{Answer, Client};
use crate::support::directory::{Directory, http_proxy, lambda_proxy, route};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::{Gateway, options};
use crate::support::https::{Certified, authority_params};
use crate::support::metrics::{Samples, metrics_at};

/// An API that tells its name and a version.
fn api(endpoint: &Endpoint, id: &str, version: &str) -> Vec<(String, Value)> {
    let integration = http_proxy(format!("http://{}/{id}/{version}", endpoint.address));
    vec![
        (format!("apis/{id}/api.json"), json!({})),
        (format!("apis/{id}/stages/$default.json"), json!({})),
        (format!("apis/{id}/routes/a.json"), route("GET /a", "up")),
        (format!("apis/{id}/integrations/up.json"), integration),
    ]
}

fn domain(key: &str, api: &str) -> Value {
    json!({"ApiMappings": [{"ApiMappingKey": key, "ApiId": api, "Stage": "$default"}]})
}

struct Root {
    endpoint: Endpoint,
    gateway: Gateway,
}

impl Root {
    /// Two APIs and a domain for one of them.
    fn start() -> Root {
        let endpoint = Endpoint::telling_the_target();
        let directory = Directory::empty();
        for (path, json) in api(&endpoint, "one", "v1").iter().chain(&api(&endpoint, "two", "v1")) {
            directory.write(path, &json.to_string());
        }
        directory.write("domains/a.test.json", &domain("k", "one").to_string());
        let mut options = options(&directory);
        options.admin = Some("127.0.0.1:0".to_owned());
        let gateway = Gateway::start(directory, options);
        Root { endpoint, gateway }
    }

    fn write(&self, path: &str, text: impl ToString) {
        self.gateway.directory.write(path, &text.to_string());
    }

    fn write_api(&self, id: &str, version: &str) {
        for (path, json) in api(&self.endpoint, id, version) {
            self.write(&path, json);
        }
    }

    fn ask(&self, host: &str, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        Client::connect(self.gateway.address).send(request).answer_to("GET")
    }

    /// What each API answers, and the domain.
    fn answers(&self) -> [String; 3] {
        self.gateway.server.reload();
        let text = |host: &str, path: &str| {
            let answer = self.ask(host, path);
            match answer.status {
                200 => answer.text().to_owned(),
                status => status.to_string(),
            }
        };
        [
            text("one.execute-api.localhost", "/a"),
            text("two.execute-api.localhost", "/a"),
            text("a.test", "/k/a"),
        ]
    }

    fn samples(&self) -> Samples {
        metrics_at(self.gateway.server.admin_addr().unwrap())
    }

    fn stale(&self) -> Vec<String> {
        let prefix = "apigateway_config_stale{unit=\"";
        let samples = self.samples();
        let stale = samples.iter().filter(|(_, value)| **value > 0.5);
        let units = stale.filter_map(|(name, _)| name.strip_prefix(prefix));
        units.map(|unit| unit.trim_end_matches("\"}").to_owned()).collect()
    }
}

/// I3, I4: each row is an edit, what is answered after it, and which units have errors then.
#[test]
fn a_broken_unit_stays_as_it_was_and_the_others_change() {
    let root = Root::start();
    let v1 = ["/one/v1", "/two/v1", "/one/v1"];
    assert_eq!(root.answers(), v1);
    assert_eq!(root.stale(), [""; 0]);
    let failed = "apigateway_reloads_total{outcome=\"failed\"}";
    let before = root.samples()[failed];

    root.write("apis/one/routes/a.json", "{");
    root.write_api("two", "v2");
    assert_eq!(root.answers(), ["/one/v1", "/two/v2", "/one/v1"]);
    assert_eq!(root.stale(), ["apis/one"]);
    assert!(root.samples()[failed] > before);

    root.write("domains/a.test.json", "{");
    assert_eq!(root.answers(), ["/one/v1", "/two/v2", "/one/v1"]);
    assert_eq!(root.stale(), ["apis/one", "domains/a.test"]);

    // The one is mended, the other is not.
    root.write_api("one", "v3");
    assert_eq!(root.answers(), ["/one/v3", "/two/v2", "/one/v3"]);
    assert_eq!(root.stale(), ["domains/a.test"]);
    root.write("domains/a.test.json", domain("k", "two"));
    assert_eq!(root.answers(), ["/one/v3", "/two/v2", "/two/v2"]);

    // A broken function is nobody's but the functions'.
    root.write("functions/f.json", "{");
    root.write_api("two", "v4");
    assert_eq!(root.answers(), ["/one/v3", "/two/v4", "/two/v4"]);
    assert_eq!(root.stale(), ["shared"]);
    root.gateway.directory.remove("functions/f.json");
    assert_eq!(root.answers(), ["/one/v3", "/two/v4", "/two/v4"]);
    assert_eq!(root.stale(), [""; 0]);
}

/// I3: what is new and broken is not there, and what is gone is gone.
#[test]
fn new_units_with_errors_and_units_that_are_gone() {
    let root = Root::start();
    root.write("apis/new/api.json", "{");
    root.write("domains/new.test.json", "{");
    // A domain that was an address of the root API before answers 403, and does not fall to it.
    assert_eq!(root.answers()[0], "/one/v1");
    assert_eq!(root.ask("new.execute-api.localhost", "/a").status, 404);
    assert_eq!(root.ask("new.test", "/a").status, 403);
    assert_eq!(root.stale(), ["apis/new", "domains/new.test"]);
    root.write_api("new", "v1");
    root.write("domains/new.test.json", domain("", "new"));
    root.gateway.server.reload();
    assert_eq!(root.ask("new.execute-api.localhost", "/a").text(), "/new/v1");
    assert_eq!(root.ask("new.test", "/a").text(), "/new/v1");

    // The mapping's API goes away: 404, and the mapping is told to be wrong.
    std::fs::remove_dir_all(root.gateway.directory.path().join("apis/one")).unwrap();
    assert_eq!(root.answers(), ["404", "/two/v1", "404"]);
    assert_eq!(root.stale(), ["domains/a.test"]);
    // It does not fall to a shorter key that was there before.
    root.write(
        "domains/new.test.json",
        json!({"ApiMappings": [
            {"ApiMappingKey": "", "ApiId": "two", "Stage": "$default"},
            {"ApiMappingKey": "a/b", "ApiId": "new", "Stage": "$default"},
        ]}),
    );
    root.gateway.server.reload();
    assert_eq!(root.ask("new.test", "/a").text(), "/two/v1");
    std::fs::remove_dir_all(root.gateway.directory.path().join("apis/new")).unwrap();
    root.gateway.server.reload();
    assert_eq!(root.ask("new.test", "/a/b").status, 404);
    root.write_api("one", "v2");
    assert_eq!(root.answers(), ["/one/v2", "/two/v1", "/one/v2"]);
    root.gateway.directory.remove("domains/a.test.json");
    assert_eq!(root.answers()[2], "404", "two APIs, and none at the root");
}

/// M2, I3: the id of another API is refused to the one that comes second.
#[test]
fn an_id_that_is_taken() {
    let root = Root::start();
    root.write("api.json", json!({"ApiId": "ROOT"}));
    assert_eq!(root.answers()[0], "/one/v1");
    assert_eq!(root.ask("root.execute-api.localhost", "/").status, 404);
    root.write("api.json", json!({"ApiId": "One"}));
    assert_eq!(root.answers()[0], "/one/v1");
    assert_eq!(root.stale(), ["."]);
    root.write("api.json", json!({"ApiId": "three"}));
    root.write_api("three", "v1");
    assert_eq!(root.answers()[0], "/one/v1");
    assert_eq!(root.ask("three.execute-api.localhost", "/a").status, 404);
    assert_eq!(root.stale().len(), 1);
    root.write("api.json", json!({"ApiId": "four"}));
    assert_eq!(root.answers()[0], "/one/v1");
    assert_eq!(root.ask("three.execute-api.localhost", "/a").text(), "/three/v1");
    assert_eq!(root.stale(), [""; 0]);
}

/// I1: counters, throttles and what is remembered of authorizers are an API's own; by two addresses it is one.
#[test]
fn apis_do_not_touch() {
    let endpoint = Endpoint::telling_the_target();
    let function = Endpoint::start(|stream, _| {
        let _ = std::io::Write::write_all(
            stream,
            b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{\"isAuthorized\": true}",
        );
        Next::KeepAlive
    });
    let directory = Directory::empty();
    for id in ["one", "two"] {
        for (path, json) in api(&endpoint, id, "v1") {
            directory.write(&path, &json.to_string());
        }
        let settings = json!({"DefaultRouteSettings": {"ThrottlingRateLimit": 0.001, "ThrottlingBurstLimit": 2}});
        directory.write(&format!("apis/{id}/stages/$default.json"), &settings.to_string());
        let guarded = json!({
            "RouteKey": "GET /guarded", "Target": "integrations/up",
            "AuthorizationType": "CUSTOM", "AuthorizerId": "auth",
        });
        directory.write(&format!("apis/{id}/routes/guarded.json"), &guarded.to_string());
        let authorizer = json!({
            "AuthorizerType": "REQUEST",
            "AuthorizerUri": lambda_proxy("auth", "2.0")["IntegrationUri"],
            "AuthorizerPayloadFormatVersion": "2.0",
            "EnableSimpleResponses": true,
            "IdentitySource": ["$request.header.authorization"],
            "AuthorizerResultTtlInSeconds": 300,
        });
        directory.write(&format!("apis/{id}/authorizers/auth.json"), &authorizer.to_string());
    }
    directory.write("domains/a.test.json", &domain("", "one").to_string());
    let invoke = format!("http://{}/2015-03-31/functions/auth/invocations", function.address);
    directory.write("functions/auth.json", &json!({"InvokeUri": invoke}).to_string());
    let mut options = options(&directory);
    options.admin = Some("127.0.0.1:0".to_owned());
    let root = Root {
        gateway: Gateway::start(directory, options),
        endpoint,
    };

    let status = |host: &str| root.ask(host, "/a").status;
    assert_eq!(status("one.execute-api.localhost"), 200);
    assert_eq!(status("a.test"), 200);
    assert_eq!(status("one.execute-api.localhost"), 429, "a bucket for both addresses");
    assert_eq!(status("a.test"), 429);
    assert_eq!(status("two.execute-api.localhost"), 200, "another API has its own");
    let samples = root.samples();
    for (id, count) in [("one", 4.0), ("two", 1.0)] {
        let name = format!("apigateway_requests_total{{api=\"{id}\",stage=\"$default\",route=\"GET /a\"}}");
        assert_eq!(samples[&name], count, "{samples:#?}");
    }

    let ask = |host: &str| {
        let fields = "Authorization: t\r\nConnection: close";
        let request = format!("GET /guarded HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n\r\n");
        Client::connect(root.gateway.address)
            .send(request)
            .answer_to("GET")
            .status
    };
    assert_eq!((ask("one.execute-api.localhost"), function.rest().len()), (200, 1));
    assert_eq!(
        (ask("a.test"), function.rest().len()),
        (200, 0),
        "remembered by both addresses"
    );
    assert_eq!((ask("two.execute-api.localhost"), function.rest().len()), (200, 1));
    // An edit of the one API makes the other forget nothing.
    root.write("apis/one/api.json", json!({"Description": "edited"}));
    root.gateway.server.reload();
    assert_eq!((ask("two.execute-api.localhost"), function.rest().len()), (200, 0));
}

/// I2: what finds no API is counted by itself.
#[test]
fn requests_without_an_api_are_counted() {
    let root = Root::start();
    assert_eq!(root.ask("other.execute-api.localhost", "/a").status, 404);
    assert_eq!(root.ask("a.test", "/").status, 403);
    assert_eq!(root.ask("one.execute-api.localhost", "/none").status, 404);
    let samples = root.samples();
    for (labels, count) in [
        ("api=\"-\",stage=\"-\",route=\"-\"", 2.0),
        ("api=\"one\",stage=\"$default\",route=\"-\"", 1.0),
    ] {
        assert_eq!(
            samples[&format!("apigateway_requests_total{{{labels}}}")],
            count,
            "{labels}"
        );
    }
}

/// Contract §4: without TLS a domain whose clients must show certificates would be open.
#[test]
fn a_domain_with_mutual_tls_is_refused_without_tls() {
    let root = Root::start();
    let mutual = |domain: Value| {
        let mut domain = domain;
        domain["MutualTlsAuthentication"] = json!({"TruststoreFile": "t.pem"});
        domain.to_string()
    };
    root.write("t.pem", Certified::own(authority_params("Clients")).pem);
    root.write("domains/a.test.json", mutual(domain("k", "two")));
    root.write("domains/b.test.json", mutual(domain("k", "two")));
    assert_eq!(root.answers()[2], "/one/v1", "it goes on as it was");
    assert_eq!(root.ask("b.test", "/k/a").status, 403);
    assert_eq!(root.stale(), ["domains/a.test", "domains/b.test"]);
    let started = apigateway::server::Server::start(options(&root.gateway.directory));
    let text = started.unwrap_err().to_string();
    assert!(
        text.contains("domains/a.test.json#/MutualTlsAuthentication: error: "),
        "{text}"
    );
}
