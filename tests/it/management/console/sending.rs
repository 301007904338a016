//! Requests that a page sends, and sends again: through the API's own listener, and nowhere else.

use apigateway::data_plane::capture::Mode;
use serde_json::{Value, json};

use crate::management::console::{Console, everything};
use crate::support::client::Client;
use crate::support::endpoint::{Endpoint, Next};
use crate::support::https::{Certified, https_options, params};

fn send(console: &Console, request: Value) -> Value {
    console.json("POST", "send", &request)
}

#[test]
fn a_request_is_sent_as_a_client_sends_it() {
    let console = Console::with_pets();
    let answer = send(
        &console,
        json!({
            "apiId": "local", "method": "POST", "path": "/x?y=%20", "headers": [["X-A", "1"], ["x-a", "2"], ["Content-Length", "99"]],
            "body": "hällo",
        }),
    );
    assert_eq!((&answer["status"], &answer["reason"]), (&json!(200), &json!("OK")));
    assert_eq!(answer["body"], json!({"text": "ok", "length": 2, "cut": false}));
    assert!(answer["latency"].as_f64().unwrap() > 0.0);
    let recorded = console.endpoint.next();
    assert_eq!(recorded.request(), "POST /?y=%20");
    assert_eq!(recorded.body, "hällo".as_bytes());
    let found = console.get(&format!("requests/{}", answer["requestId"].as_str().unwrap()));
    assert_eq!(found["path"], "/x?y=%20");
    assert_eq!(found["sourceIp"], "127.0.0.1");
    assert!(found.get("replayOf").is_none());
    let host = format!("local.execute-api.localhost:{}", console.api().port());
    assert_eq!(
        found["request"]["headers"],
        json!([["host", host], ["X-A", "1"], ["x-a", "2"], ["content-length", "6"]])
    );
    // Bytes that are no text.
    send(
        &console,
        json!({"apiId": "local", "method": "PUT", "path": "/x", "bodyBase64": "//4="}),
    );
    assert_eq!(console.endpoint.next().body, b"\xff\xfe");
}

/// Every refusal of the data plane is an answer.
#[test]
fn refusals_are_answers() {
    let console = Console::with_pets();
    for (request, status) in [
        (json!({"apiId": "none", "method": "GET", "path": "/x"}), 404),
        (json!({"apiId": "local", "method": "BREW", "path": "/x"}), 404),
        (json!({"apiId": "local", "method": "GET", "path": "/%zz"}), 400),
        (
            json!({"apiId": "local", "method": "GET", "path": "/x", "headers": [["X", "x".repeat(20_000)]]}),
            431,
        ),
        (json!({"apiId": "local", "method": "HEAD", "path": "/x"}), 200),
        (
            json!({"method": "GET", "path": "/x", "headers": [["Host", "other.test"]]}),
            200,
        ),
    ] {
        let answer = send(&console, request.clone());
        assert_eq!(answer["status"], status, "{request}: {answer}");
        assert!(answer["requestId"].is_string(), "{request}: {answer}");
    }
}

#[test]
fn what_cannot_be_sent() {
    let console = Console::with_pets();
    let ok = json!({"apiId": "local", "method": "GET", "path": "/x"});
    for (member, value, part) in [
        ("path", json!("x"), "must begin with /"),
        ("path", json!("http://127.0.0.1:1/x"), "must begin with /"),
        ("path", json!("/x HTTP/1.1\r\nX: y"), "neither blanks nor control"),
        ("path", Value::Null, "path is missing"),
        ("method", json!("GET /"), "no token"),
        ("method", json!(""), "no token"),
        ("headers", json!({"a": "b"}), "list of pairs"),
        ("headers", json!([["a"]]), "list of pairs"),
        ("headers", json!([["a", 1]]), "list of pairs"),
        ("headers", json!([["a b", "c"]]), "cannot stand in a request"),
        ("headers", json!([["a", "b\r\nc: d"]]), "cannot stand in a request"),
        ("apiId", json!("a/b"), "no id of an API"),
        ("apiId", json!("a\r\nb"), "no id of an API"),
        ("bodyBase64", json!("***"), "no base64"),
        ("url", json!("http://x/"), "not a member"),
    ] {
        let mut request = ok.clone();
        request[member] = value;
        let answer = console.call("POST", "send", &request.to_string());
        assert_eq!(answer.status, 400, "{request}: {}", answer.text());
        assert!(answer.text().contains(part), "{request}: {}", answer.text());
    }
    let mut both = ok;
    both["body"] = json!("");
    both["bodyBase64"] = json!("");
    assert_eq!(console.call("POST", "send", &both.to_string()).status, 400);
}

/// A replay is a new entry beside the original, and has no secret.
#[test]
fn a_request_is_sent_again() {
    let console = Console::with_pets();
    let original = console.request(
        "POST /x?token=abc&a=1 HTTP/1.1\r\nHost: evil.test:80\r\nX-A: 1\r\nAuthorization: Bearer s\r\nContent-Length: 2\r\n\r\nhi",
    );
    let id = original.header("apigw-requestid").unwrap();
    let before = console.captured(&original);
    console.endpoint.next();
    let answer = console.json("POST", &format!("requests/{id}/replay"), &json!({}));
    assert_eq!((&answer["status"], &answer["replayOf"]), (&json!(200), &json!(id)));
    let recorded = console.endpoint.next();
    assert_eq!(
        (recorded.request(), recorded.body.as_slice()),
        ("POST /?a=1", &b"hi"[..])
    );
    assert_eq!(recorded.headers("x-a"), ["1"]);
    assert_eq!(recorded.headers("authorization"), [""; 0]);
    let found = console.get(&format!("requests/{}", answer["requestId"].as_str().unwrap()));
    assert_eq!(found["replayOf"], id);
    assert_eq!(found["path"], "/x?a=1");
    assert_eq!(
        found["request"]["headers"][0],
        json!(["Host", "evil.test:80"]),
        "as it was, but to our listener"
    );
    assert_eq!(console.captured(&original), before, "the original never changes");
    // With changes, where what stands for secrets is left out.
    let changes = json!({
        "method": "PUT", "path": "/y?token=«redacted, 3 B»&b=2", "body": "other",
        "headers": [["X-B", "2"], ["Authorization", "«redacted, 8 B»"]],
    });
    let answer = console.json("POST", &format!("requests/{id}/replay"), &json!({ "changes": changes }));
    let recorded = console.endpoint.next();
    assert_eq!(
        (recorded.request(), recorded.body.as_slice()),
        ("PUT /?b=2", &b"other"[..])
    );
    assert_eq!(recorded.headers("x-a"), [""; 0]);
    assert_eq!(recorded.headers("authorization"), [""; 0]);
    let found = console.get(&format!("requests/{}", answer["requestId"].as_str().unwrap()));
    assert_eq!(found["replayOf"], id);
    for (path, content, status) in [
        ("requests/none/replay", "{}", 404),
        (&*format!("requests/{id}/replay"), r#"{"changes":1}"#, 400),
        (&format!("requests/{id}/replay"), r#"{"changes":{"host":"x"}}"#, 400),
        (&format!("requests/{id}/replay"), r#"{"url":"http://x/"}"#, 400),
        (
            &format!("requests/{id}/replay"),
            r#"{"changes":{"path":"http://127.0.0.1/"}}"#,
            400,
        ),
    ] {
        assert_eq!(console.call("POST", path, content).status, status, "{path} {content}");
    }
}

/// Without its detail, or with a body that was cut, a request cannot be sent as it was.
#[test]
fn what_cannot_be_sent_again() {
    let console = Console::start();
    let unwatched = console.request("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    console.captured(&unwatched);
    let path = |answer: &crate::support::client::Answer| {
        format!("requests/{}/replay", answer.header("apigw-requestid").unwrap())
    };
    assert_eq!(console.call("POST", &path(&unwatched), "").status, 409);
    console.json("PUT", "capture", &json!({"mode": "always"}));
    let content = "x".repeat(70_000);
    let long = console.request(format!(
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n{content}"
    ));
    console.captured(&long);
    let refused = console.call("POST", &path(&long), "");
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("was cut"), "{}", refused.text());
    let changed = console.call("POST", &path(&long), r#"{"changes":{"body":"short"}}"#);
    assert_eq!(changed.status, 200, "{}", changed.text());
}

/// No more than four at once, whatever the integration does; other calls find a worker.
#[test]
fn few_are_under_way_at_once() {
    let (ask, asked) = std::sync::mpsc::channel();
    let endpoint = Endpoint::start(move |stream, _| {
        let _ = ask.send(());
        let _ = std::io::Read::read(stream, &mut [0]);
        Next::Close
    });
    let console = Console::with(endpoint, |_| {});
    let content = json!({"apiId": "local", "method": "GET", "path": "/x"}).to_string();
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(console.admin())).collect();
    for client in &mut clients {
        client.send(format!(
            "POST /console/api/send HTTP/1.1\r\nHost: localhost\r\nX-Apigateway-Console: 1\r\nContent-Length: {}\r\n\r\n{content}",
            content.len()
        ));
        asked.recv_timeout(crate::support::client::PATIENCE).unwrap();
    }
    let fifth = console.call("POST", "send", &content);
    assert_eq!(fifth.status, 503, "{}", fifth.text());
    assert_eq!(console.get("overview")["apis"][0]["apiId"], "local");
}

/// A listener that speaks TLS is spoken to in TLS, by the certificate that it has.
#[test]
fn a_listener_with_tls() {
    let endpoint = Endpoint::ok();
    let directory = everything(&endpoint);
    Certified::own(params("listener.test")).write(&directory, "listener");
    let tls = https_options(&directory).tls;
    let console = Console::of(directory, endpoint, |options| {
        options.tls = tls;
        options.console.capture = Mode::Always;
    });
    assert!(
        console.get("overview")["dataPlane"]
            .as_str()
            .unwrap()
            .starts_with("https://")
    );
    let answer = send(&console, json!({"apiId": "local", "method": "GET", "path": "/x"}));
    assert_eq!(answer["status"], 200, "{answer}");
    let id = answer["requestId"].as_str().unwrap();
    let again = console.json("POST", &format!("requests/{id}/replay"), &Value::Null);
    assert_eq!((&again["status"], &again["replayOf"]), (&json!(200), &json!(id)));
}
