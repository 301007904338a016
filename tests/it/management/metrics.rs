//! The metrics page counts requests and caches, and clients cannot make series.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;

use super::bearer;
use crate::support::directory::{http_proxy, pass_everything, route, throttled_stage};
use crate::support::endpoint::{Endpoint, Next, nobody};
use crate::support::jwt::{Issuer, Signer};
use crate::support::jwt_api;
use crate::support::metrics::{Samples, metrics, metrics_at, with_admin};

#[test]
fn requests_are_counted_by_stage_and_route() {
    let endpoint = Endpoint::start(|stream, recorded| {
        use std::io::Write;
        let status = if recorded.request().contains("bad") {
            "500 X"
        } else {
            "200 OK"
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nhello");
        stream.write_all(answer.as_bytes()).unwrap();
        Next::KeepAlive
    });
    let mut stage = throttled_stage(0.001, 2);
    stage["Routes"] = json!(["routes/a", "routes/b"]);
    let gateway = with_admin(&[
        ("stages/v1.json", stage),
        ("routes/a.json", route("GET /a", "up")),
        ("routes/b.json", route("POST /b", "up")),
        ("routes/c.json", route("GET /c", "down")),
        ("stages/v2.json", json!({"Routes": ["routes/c"]})),
        (
            "integrations/up.json",
            http_proxy(format!("http://{}/bad", endpoint.address)),
        ),
        ("integrations/down.json", http_proxy(format!("http://{}/", nobody()))),
    ]);
    if gateway.get("/v1/none").status != 404 {
        panic!("the stage has no such route");
    }
    let idle = metrics(&gateway);
    assert!(
        !idle.keys().any(|series| series.contains("POST /b")),
        "a route appears with its first request"
    );
    let post = "POST /v1/b HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 3\r\n\r\nabc";
    for _ in 0..3 {
        gateway.exchange(post);
    }
    gateway.get("/v2/c");
    gateway.get("/elsewhere");
    let samples = metrics(&gateway);
    let labels = "{api=\"local\",stage=\"v1\",route=\"POST /b\"}";
    for (name, expected) in [
        ("requests_total", 3.0),
        ("4xx_total", 1.0),
        ("5xx_total", 2.0),
        ("throttled_total", 1.0),
        // Three bodies, two answers of five bytes, and a refusal of 31.
        ("data_processed_bytes_total", 50.0),
        ("latency_seconds_count", 3.0),
        ("integration_latency_seconds_count", 2.0),
    ] {
        assert_eq!(
            samples.get(&format!("apigateway_{name}{labels}")),
            Some(&expected),
            "{name}: {samples:#?}"
        );
    }
    for (series, expected) in [
        ("apigateway_requests_total{api=\"local\",stage=\"v1\",route=\"-\"}", 1.0),
        ("apigateway_requests_total{api=\"local\",stage=\"-\",route=\"-\"}", 1.0),
        ("apigateway_5xx_total{api=\"local\",stage=\"v2\",route=\"GET /c\"}", 1.0),
        // What fails was waited for too.
        (
            "apigateway_integration_latency_seconds_count{api=\"local\",stage=\"v2\",route=\"GET /c\"}",
            1.0,
        ),
        (
            "apigateway_latency_seconds_bucket{api=\"local\",stage=\"v1\",route=\"POST /b\",le=\"+Inf\"}",
            3.0,
        ),
        ("apigateway_reloads_total{outcome=\"ok\"}", 0.0),
        ("apigateway_access_log_lost_total", 0.0),
        ("apigateway_operational_log_lost_total", 0.0),
        ("apigateway_requests_in_flight", 0.0),
        ("apigateway_queue_depth", 0.0),
    ] {
        assert_eq!(samples.get(series), Some(&expected), "{series}: {samples:#?}");
    }
    let upstream = |connection| samples[&format!("apigateway_upstream_requests_total{{connection=\"{connection}\"}}")];
    assert!((upstream("new") + upstream("reused") - 2.0).abs() < 0.5);
    assert!(upstream("new") >= 1.0);
    assert!(samples["process_resident_memory_bytes"] > 1e6);
    assert!(samples["process_open_fds"] > 3.0);
    let version = format!("apigateway_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(samples.get(&version), Some(&1.0));
}

#[test]
fn a_client_cannot_make_series() {
    let endpoint = Endpoint::ok();
    let gateway = with_admin(&pass_everything(endpoint.address));
    gateway.get("/x");
    let before = metrics(&gateway).len();
    for at in 0..50 {
        gateway.get(&format!("/made/up/{at}"));
    }
    assert_eq!(metrics(&gateway).len(), before);
}

#[test]
fn counters_go_on_over_reloads_and_the_page_is_whole_meanwhile() {
    let endpoint = Endpoint::ok();
    let gateway = with_admin(&pass_everything(endpoint.address));
    let admin = gateway.server.admin_addr().unwrap();
    let done = &AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut last = 0.0;
            while !done.load(Ordering::Relaxed) {
                let samples = metrics_at(admin);
                let count =
                    samples.get("apigateway_requests_total{api=\"local\",stage=\"$default\",route=\"ANY /{proxy+}\"}");
                let count = count.copied().unwrap_or_default();
                assert!(count >= last, "{count} after {last}");
                last = count;
            }
        });
        for at in 0..60 {
            if at % 3 == 0 {
                let description = json!({"Description": at.to_string()});
                gateway
                    .directory
                    .write("stages/$default.json", &description.to_string());
                gateway.server.reload();
            }
            assert_eq!(gateway.get("/x").status, 200);
        }
        done.store(true, Ordering::Relaxed);
    });
    gateway.directory.write("stages/$default.json", "{");
    gateway.server.reload();
    assert_eq!(gateway.get("/x").status, 200);
    let samples = metrics(&gateway);
    let count = samples["apigateway_requests_total{api=\"local\",stage=\"$default\",route=\"ANY /{proxy+}\"}"];
    assert!((count - 61.0).abs() < 0.5, "{count}");
    assert!(samples["apigateway_reloads_total{outcome=\"ok\"}"] >= 1.0);
    assert!(samples["apigateway_reloads_total{outcome=\"failed\"}"] >= 1.0);
}

#[test]
fn counters_of_routes_that_are_gone_are_gone() {
    let endpoint = Endpoint::ok();
    let gateway = with_admin(&pass_everything(endpoint.address));
    gateway.get("/x");
    assert!(metrics(&gateway).keys().any(|series| series.contains("proxy")));
    gateway
        .directory
        .write("routes/all.json", &route("GET /other", "up").to_string());
    gateway.directory.write(
        "integrations/up.json",
        &http_proxy(format!("http://{}/", endpoint.address)).to_string(),
    );
    gateway.server.reload();
    assert_eq!(gateway.get("/other").status, 200);
    let samples = metrics(&gateway);
    assert!(!samples.keys().any(|series| series.contains("proxy")), "{samples:#?}");
}

/// Hits and misses.
fn authorizer_cache(samples: &Samples, cache: &str) -> [f64; 2] {
    let of =
        |outcome| samples[&format!("apigateway_authorizer_cache_total{{cache=\"{cache}\",outcome=\"{outcome}\"}}")];
    [of("hit"), of("miss")]
}

#[test]
fn remembered_tokens_are_counted() {
    let signer = Signer::new("k1", "RS256");
    let issuer = Issuer::with(&[&signer]);
    let up = Endpoint::answering("HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"statusCode\":200}");
    let gateway = with_admin(&jwt_api::files(&up, jwt_api::authorizer(&issuer.url)));
    assert_eq!(authorizer_cache(&metrics(&gateway), "jwt"), [0.0, 0.0]);
    let good = signer.token(&issuer.claims());
    for _ in 0..3 {
        assert_eq!(gateway.exchange(bearer("/me", &good)).status, 200);
    }
    // One that does not hold is never remembered; without one, nothing is looked for.
    for _ in 0..2 {
        assert_eq!(gateway.exchange(bearer("/me", "a.b.c")).status, 401);
    }
    assert_eq!(gateway.get("/me").status, 401);
    assert_eq!(gateway.get("/open").status, 200);
    let samples = metrics(&gateway);
    assert_eq!(authorizer_cache(&samples, "jwt"), [2.0, 3.0]);
    assert_eq!(authorizer_cache(&samples, "lambda"), [0.0, 0.0]);
}

#[test]
fn remembered_answers_of_functions_are_counted() {
    let yes = r#"{"isAuthorized":true}"#;
    let function = Endpoint::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{yes}", yes.len()));
    let up = Endpoint::ok();
    let authorizer = |ttl: u64| {
        json!({
            "AuthorizerType": "REQUEST",
            "AuthorizerUri": "arn:aws:lambda:us-east-1:123456789012:function:auth",
            "AuthorizerPayloadFormatVersion": "2.0",
            "EnableSimpleResponses": true,
            "IdentitySource": ["$request.header.Authorization"],
            "AuthorizerResultTtlInSeconds": ttl,
        })
    };
    let guarded = |key: &str, authorizer: &str| {
        let mut route = route(key, "up");
        route["AuthorizationType"] = json!("CUSTOM");
        route["AuthorizerId"] = json!(authorizer);
        route
    };
    let gateway = with_admin(&[
        ("stages/$default.json", json!({})),
        ("routes/kept.json", guarded("GET /kept", "kept")),
        ("routes/asked.json", guarded("GET /asked", "asked")),
        ("authorizers/kept.json", authorizer(300)),
        ("authorizers/asked.json", authorizer(0)),
        (
            "functions/auth.json",
            json!({"InvokeUri": format!("http://{}/", function.address)}),
        ),
        ("integrations/up.json", http_proxy(format!("http://{}/", up.address))),
    ]);
    for (target, token) in [
        ("/kept", "a"),
        ("/kept", "a"),
        ("/kept", "b"),
        ("/kept", "a"),
        ("/asked", "a"),
    ] {
        assert_eq!(gateway.exchange(bearer(target, token)).status, 200);
    }
    let samples = metrics(&gateway);
    // Where nothing may be remembered, nothing is missed.
    assert_eq!(authorizer_cache(&samples, "lambda"), [2.0, 2.0]);
    assert_eq!(authorizer_cache(&samples, "jwt"), [0.0, 0.0]);
}
