//! Who is let in (N4, N5): names, pages, the field of the console's own page, signatures.

use apigateway::control_plane::api::settings::Mode;
use serde_json::json;

use crate::management::console::Console;
use crate::support::client::{self, Answer};
use crate::support::directory::Directory;
use crate::support::endpoint::Endpoint;
use crate::support::sigv4::{Request, Signer};

fn send(console: &Console, line: &str, fields: &str) -> Answer {
    client::exchange(
        console.admin(),
        format!("{line} HTTP/1.1\r\n{fields}Content-Length: 0\r\n\r\n"),
    )
}

/// N4 holds for the page, its parts, its calls, and `/v2/`.
#[test]
fn a_request_must_name_this_machine() {
    let console = Console::start();
    for (fields, is_let_in) in [
        ("Host: localhost\r\n", true),
        ("Host: a.localhost:8001\r\n", true),
        ("Host: 10.1.2.3\r\n", true),
        ("Host: [::1]:8001\r\n", true),
        ("Host: rebound.test\r\n", false),
        ("Host: localhost.rebound.test\r\n", false),
        ("Host: localhost:1\r\nOrigin: http://localhost:1\r\n", true),
        ("Host: localhost:1\r\nOrigin: http://localhost:2\r\n", false),
        ("Host: localhost:1\r\nOrigin: http://evil.test\r\n", false),
        ("Host: localhost:1\r\nOrigin: null\r\n", false),
        ("Host: localhost\r\nSec-Fetch-Site: same-origin\r\n", true),
        ("Host: localhost\r\nSec-Fetch-Site: none\r\n", true),
        (
            "Host: localhost\r\nSec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors\r\n",
            false,
        ),
        (
            "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n",
            false,
        ),
        (
            "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n",
            false,
        ),
    ] {
        for path in ["/", "/console/app.js", "/console/api/overview", "/v2/apis"] {
            let answer = send(&console, &format!("GET {path}"), fields);
            let expected = if is_let_in { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{path} {fields}");
            if !is_let_in {
                assert_eq!(answer.text(), r#"{"message":"Forbidden"}"#);
            }
            assert!(!answer.head.contains("access-control-"), "{}", answer.head);
        }
    }
    // Any page may lead to this one, and to nothing else.
    let led =
        "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    for (path, status) in [
        ("/", 200),
        ("/console/app.js", 403),
        ("/console/api/overview", 403),
        ("/v2/apis", 403),
    ] {
        assert_eq!(send(&console, &format!("GET {path}"), led).status, status, "{path}");
    }
    for fields in [
        led.replace("document", "iframe"),
        led.replace("localhost", "evil.test"),
        format!("{led}Origin: http://evil.test\r\n"),
    ] {
        assert_eq!(send(&console, "GET /", &fields).status, 403, "{fields}");
    }
}

/// N4: what changes something needs a field that no form can send.
#[test]
fn what_is_no_get_needs_the_field() {
    let console = Console::start();
    for line in [
        "POST /console/api/explain",
        "POST /console/api/send",
        "POST /console/api/requests/x/replay",
        "DELETE /console/api/requests",
        "PUT /console/api/capture",
        "HEAD /console/api/overview",
        "OPTIONS /console/api/overview",
        "POST /console/api/nothing",
    ] {
        for (field, is_let_in) in [
            ("", false),
            ("X-Apigateway-Console: 2\r\n", false),
            ("X-Apigateway-Console: \r\n", false),
            ("X-Apigateway-Console: 1\r\n", true),
        ] {
            let answer = send(&console, line, &format!("Host: localhost\r\n{field}"));
            assert_eq!(answer.status != 403, is_let_in, "{line} {field}");
        }
    }
    assert_eq!(
        send(&console, "GET /console/api/overview", "Host: localhost\r\n").status,
        200
    );
}

/// N5: without a control plane all can be looked at.
#[test]
fn off_all_can_be_looked_at() {
    let console = Console::with(Endpoint::ok(), |options| options.control_plane = Some(Mode::Off));
    assert_eq!(console.get("overview")["controlPlane"], "off");
    assert_eq!(console.get("overview")["apis"][0]["apiId"], "local");
    assert_eq!(console.get("apis/local/routes")[0]["routeKey"], "$default");
    assert_eq!(console.plane.call("GET", "/v2/apis").status, 404);
    let answer = client::exchange(
        console.admin(),
        "GET /console/api/overview HTTP/1.1\r\nHost: evil.test\r\n\r\n",
    );
    assert_eq!(answer.status, 403);
}

/// N5: the page itself is for all; its calls are for administrators.
#[test]
fn signed_calls_are_for_administrators() {
    let credential = |id: &str, administrator: bool| {
        json!({
            "AccessKeyId": id, "SecretAccessKey": "secret", "UserArn": format!("arn:aws:iam::123456789012:user/{id}"),
            "UserId": "U", "Administrator": administrator,
        })
    };
    let directory = Directory::empty();
    let list = json!({"Credentials": [credential("ADMIN", true), credential("OTHER", false)]});
    directory.write("credentials.json", &list.to_string());
    let console = Console::of(directory, Endpoint::ok(), |options| {
        options.control_plane = Some(Mode::Signed);
        options.settings.clock = crate::support::gateway::options(&Directory::empty()).settings.clock;
    });
    let signer = |id: &str| Signer {
        access_key_id: id.to_owned(),
        secret: "secret".to_owned(),
        session_token: None,
        date: crate::support::sigv4::NOW.to_owned(),
        region: "us-east-1".to_owned(),
        service: "apigateway".to_owned(),
        day: None,
        terminator: "aws4_request".to_owned(),
    };
    for path in ["/console/api/overview", "/console/api/requests", "/console/api/metrics"] {
        let get = || Request::new("GET", path);
        for (request, status) in [
            (signer("ADMIN").sign(get()), 200),
            (signer("OTHER").sign(get()), 403),
            (signer("NONE").sign(get()), 403),
            (get(), 403),
        ] {
            let answer = client::exchange(console.admin(), request.bytes());
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
        }
    }
    let missing = console.call("GET", "events", "");
    assert_eq!(
        (missing.status, missing.header("x-amzn-errortype")),
        (403, Some("MissingAuthenticationTokenException"))
    );
    for path in ["/", "/console/app.js"] {
        assert_eq!(
            send(&console, &format!("GET {path}"), "Host: gateway.test\r\n").status,
            200,
            "{path}"
        );
    }
    // The stream is signed as any other call.
    let request = signer("ADMIN").sign(Request::new("GET", "/console/api/events"));
    let mut client = client::Client::connect(console.admin());
    client.send(request.bytes());
    let mut seen = Vec::new();
    client.read_until(&mut seen, "text/event-stream");
}
