//! Which calls are let in (contract §7): mode, `Host`, `Origin`, `Sec-Fetch-Site`, signatures, sizes.

use std::time::Instant;

use apigateway::control_plane::api::settings::Mode;
use serde_json::json;

use crate::support::calls::{ControlPlane, call};
use crate::support::client::{self, Answer, PATIENCE};
use crate::support::directory::Directory;
use crate::support::sigv4::{NOW, Request, Signer};

fn plane(mode: Mode) -> ControlPlane {
    ControlPlane::start(Directory::empty(), |options| {
        options.control_plane = Some(mode);
        options.admin_hosts = vec!["Gateway.Test.".to_owned()];
    })
}

/// What is answered to a call with these fields besides.
fn with_fields(plane: &ControlPlane, method: &str, fields: &str) -> Answer {
    client::exchange(plane.admin, format!("{method} /v2/apis HTTP/1.1\r\n{fields}\r\n"))
}

fn assert_refused(answer: &Answer, exception: &str, message: &str, what: &str) {
    assert_eq!(answer.status, 403, "{what}: {}", answer.text());
    assert_eq!(answer.header("x-amzn-errortype"), Some(exception), "{what}");
    assert_eq!(answer.text(), json!({ "message": message }).to_string(), "{what}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
}

#[test]
fn off_there_are_no_calls() {
    let plane = plane(Mode::Off);
    for (method, path) in [
        ("GET", "/v2/apis"),
        ("POST", "/v2/apis"),
        ("GET", "/v2/"),
        ("GET", "/v2/nothing"),
    ] {
        let answer = plane.call(method, path);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (404, r#"{"message":"Not Found"}"#),
            "{path}"
        );
    }
    assert_eq!(plane.call("GET", "/healthz").status, 200);
}

#[test]
fn open_a_call_must_name_this_machine() {
    let plane = plane(Mode::Open);
    for (fields, is_let_in) in [
        ("Host: localhost\r\n", true),
        ("Host: LOCALHOST.:9\r\n", true),
        ("Host: a.localhost:8001\r\n", true),
        ("Host: 10.1.2.3\r\n", true),
        ("Host: [::1]:8001\r\n", true),
        ("Host: gateway.test:1\r\n", true),
        ("Host: rebound.test\r\n", false),
        ("Host: localhost.rebound.test\r\n", false),
        ("Host: localhost:8001\r\nOrigin: http://localhost:8001\r\n", true),
        ("Host: localhost:8001\r\nOrigin: https://localhost:8001\r\n", true),
        ("Host: localhost:8001\r\nOrigin: http://localhost:8002\r\n", false),
        ("Host: localhost:8001\r\nOrigin: http://localhost\r\n", false),
        ("Host: localhost:8001\r\nOrigin: null\r\n", false),
        ("Host: localhost:8001\r\nOrigin: http://evil.test\r\n", false),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site\r\n", false),
        ("Host: localhost\r\nSec-Fetch-Site: same-site\r\n", false),
        ("Host: localhost\r\nSec-Fetch-Site: same-origin\r\n", true),
        ("Host: localhost\r\nSec-Fetch-Site: none\r\n", true),
        ("Host: localhost\r\nAuthorization: nonsense\r\n", true),
    ] {
        for method in ["GET", "OPTIONS", "HEAD"] {
            let answer = with_fields(&plane, method, fields);
            match (is_let_in, method) {
                (true, "OPTIONS") => assert_eq!(answer.status, 404, "{fields}"),
                (true, _) => assert_eq!(answer.status, 200, "{fields}"),
                (false, "HEAD") => assert_eq!(answer.status, 403, "{fields}"),
                (false, _) => assert_refused(&answer, "ForbiddenException", "Forbidden", fields),
            }
            let allows = answer
                .headers
                .iter()
                .any(|(name, _)| name.starts_with("access-control-"));
            assert!(!allows, "{fields}: {}", answer.head);
        }
    }
    // HTTP/1.0 need not say a host, and a target in absolute form counts for it.
    let answer = client::exchange(plane.admin, "GET /v2/apis HTTP/1.0\r\n\r\n");
    assert_refused(&answer, "ForbiddenException", "Forbidden", "no Host");
    let answer = client::exchange(
        plane.admin,
        "GET http://evil.test/v2/apis HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    assert_refused(&answer, "ForbiddenException", "Forbidden", "an absolute form");
    // The order of the checks: the host comes before the path.
    let answer = client::exchange(plane.admin, "GET /v2/nothing HTTP/1.1\r\nHost: evil.test\r\n\r\n");
    assert_refused(&answer, "ForbiddenException", "Forbidden", "an unknown path");
    for path in ["/healthz", "/metrics", "/echo"] {
        let answer = client::exchange(plane.admin, format!("GET {path} HTTP/1.1\r\nHost: evil.test\r\n\r\n"));
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[test]
fn a_content_has_a_size() {
    let plane = plane(Mode::Open);
    let longest = 10 * 1024 * 1024;
    let whole = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
    let answer = call(plane.admin, "POST", "/v2/apis", whole(longest).as_bytes());
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (400, r#"{"message":"A is not a member of CreateApi"}"#)
    );
    // The answer may come before the content is sent.
    let head = format!(
        "POST /v2/apis HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        longest + 1
    );
    let answer = client::exchange(plane.admin, head);
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert!(answer.header("x-amzn-errortype").is_some(), "{}", answer.head);
    let mut chunked = b"POST /v2/apis HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = "x".repeat(1024 * 1024);
    for _ in 0..11 {
        chunked.extend_from_slice(format!("100000\r\n{chunk}\r\n").as_bytes());
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let mut client = client::Client::connect(plane.admin);
    let _ = std::io::Write::write_all(&mut client.stream, &chunked);
    assert_eq!(client.answer_to("POST").status, 413);
}

#[test]
fn a_deep_content_is_refused_at_once() {
    let plane = plane(Mode::Open);
    let began = Instant::now();
    let deep = format!("{{\"a\":{}", "[".repeat(5_000_000));
    let answer = call(plane.admin, "POST", "/v2/apis", deep.as_bytes());
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("nested deeper than 64"), "{}", answer.text());
    assert!(began.elapsed() < PATIENCE);
}

fn signer(id: &str, secret: &str) -> Signer {
    Signer {
        access_key_id: id.to_owned(),
        secret: secret.to_owned(),
        session_token: None,
        date: NOW.to_owned(),
        region: "eu-north-1".to_owned(),
        service: "apigateway".to_owned(),
        day: None,
        terminator: "aws4_request".to_owned(),
    }
}

fn credential(id: &str, administrator: bool) -> serde_json::Value {
    json!({
        "AccessKeyId": id, "SecretAccessKey": "secret", "UserArn": format!("arn:aws:iam::123456789012:user/{id}"),
        "UserId": "U", "Administrator": administrator,
    })
}

#[test]
fn signed_only_administrators_are_let_in() {
    let directory = Directory::empty();
    let token = {
        let mut with_token = credential("TOKEN", true);
        with_token["SessionToken"] = json!("token");
        with_token
    };
    let list = json!({"Credentials": [credential("ADMIN", true), credential("OTHER", false), token]});
    directory.write("credentials.json", &list.to_string());
    let plane = ControlPlane::start(directory, |options| options.control_plane = Some(Mode::Signed));
    let get = || Request::new("GET", "/v2/apis");
    let post = || Request::new("POST", "/v2/apis").body(r#"{"name":"x","protocolType":"HTTP"}"#);
    let send = |request: Request| client::exchange(plane.admin, request.bytes());
    let admin = signer("ADMIN", "secret");
    // The host is covered by the signature, so that any will do, and any region.
    assert_eq!(send(admin.sign(get())).status, 200);
    assert_eq!(send(admin.sign(post())).status, 201);
    assert_eq!(send(admin.presign(get(), "60")).status, 200);
    let mut with_token = signer("TOKEN", "secret");
    with_token.session_token = Some("token".to_owned());
    assert_eq!(send(with_token.sign(get())).status, 200);

    let unrecognized = "The security token included in the request is invalid.";
    for (what, request, exception, message) in [
        (
            "no signature",
            get(),
            "MissingAuthenticationTokenException",
            Some("Missing Authentication Token"),
        ),
        (
            "unknown key",
            signer("NONE", "secret").sign(get()),
            "UnrecognizedClientException",
            Some(unrecognized),
        ),
        (
            "no token",
            signer("TOKEN", "secret").sign(get()),
            "UnrecognizedClientException",
            Some(unrecognized),
        ),
        (
            "wrong secret",
            signer("ADMIN", "other").sign(get()),
            "InvalidSignatureException",
            None,
        ),
        (
            "another content",
            admin.sign(post()).body(r#"{"name":"y","protocolType":"HTTP"}"#),
            "InvalidSignatureException",
            None,
        ),
        (
            "another service",
            Signer {
                service: "execute-api".to_owned(),
                ..admin.clone()
            }
            .sign(get()),
            "InvalidSignatureException",
            None,
        ),
        (
            "another time",
            Signer {
                date: "20260710T192406Z".to_owned(),
                ..admin.clone()
            }
            .sign(get()),
            "InvalidSignatureException",
            None,
        ),
        (
            "no administrator",
            signer("OTHER", "secret").sign(post()),
            "AccessDeniedException",
            Some("User: arn:aws:iam::123456789012:user/OTHER is not authorized to perform: apigateway:POST"),
        ),
        (
            "another page",
            admin.sign(get().header("Origin", "http://evil.test")),
            "ForbiddenException",
            Some("Forbidden"),
        ),
    ] {
        let answer = send(request);
        assert_eq!(answer.status, 403, "{what}");
        assert_eq!(
            answer.header("x-amzn-errortype"),
            Some(exception),
            "{what}: {}",
            answer.text()
        );
        if let Some(message) = message {
            assert_eq!(answer.text(), json!({ "message": message }).to_string(), "{what}");
        }
    }
    let apis = send(admin.sign(get())).text();
    assert_eq!(apis.matches("apiId").count(), 1, "{apis}");
}
