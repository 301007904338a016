//! Summaries and details of requests (N6, N8): what is captured, when, and until when.

use apigateway::data_plane::capture::Mode;
use serde_json::{Value, json};

use crate::management::console::{Console, eventually};
use crate::support::client::Client;
use crate::support::directory::{Directory, http_proxy, route};
use crate::support::endpoint::{Endpoint, Next, reset};
use crate::support::gateway::options;
use crate::support::jwt::{Issuer, Signer};
use crate::support::jwt_api;

/// N6.
#[test]
fn a_summary_and_a_detail() {
    let console = Console::with_pets();
    let answer = console.request(
        "GET /pets/7?a=%3Cb%3E HTTP/1.1\r\nHost: gw.test\r\nX-Odd-CASE: 1\r\nx-odd-case: 2\r\nContent-Length: 3\r\n\r\nabc",
    );
    let found = console.captured(&answer);
    for (name, value) in [
        ("requestId", json!(answer.header("apigw-requestid").unwrap())),
        ("method", json!("GET")),
        ("path", json!("/pets/7?a=%3Cb%3E")),
        ("apiId", json!("local")),
        ("stage", json!("$default")),
        ("routeKey", json!("GET /pets/{id}")),
        ("status", json!(200)),
        ("bytesIn", json!(3)),
        ("bytesOut", json!(2)),
        ("sourceIp", json!("127.0.0.1")),
        ("state", json!("done")),
        ("integrationErrorMessage", Value::Null),
    ] {
        assert_eq!(found[name], value, "{name}: {found}");
    }
    assert!(found["latency"].as_f64().unwrap() >= found["integrationLatency"].as_f64().unwrap());
    assert!(found["time"].as_str().unwrap().ends_with('Z'));
    // In order and spelling as received.
    let headers = json!([
        ["Host", "gw.test"],
        ["X-Odd-CASE", "1"],
        ["x-odd-case", "2"],
        ["Content-Length", "3"]
    ]);
    assert_eq!(found["request"]["headers"], headers);
    assert_eq!(
        found["request"]["body"],
        json!({"text": "abc", "length": 3, "cut": false})
    );
    assert_eq!(found["response"]["status"], 200);
    assert_eq!(
        found["response"]["body"],
        json!({"text": "ok", "length": 2, "cut": false})
    );
    let sent = &found["integrationRequest"];
    assert_eq!(
        sent["target"],
        format!("http://{}/?a=%3Cb%3E", console.endpoint.address)
    );
    assert!(sent["headers"].to_string().contains("x-amzn-trace-id"), "{sent}");
    // To the letter what the integration has got.
    let head = console.endpoint.next().head;
    let lines: Vec<&str> = head.lines().skip(1).filter(|line| !line.is_empty()).collect();
    let shown: Vec<String> = sent["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| format!("{}: {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
        .collect();
    assert_eq!(shown, lines);
    assert!(lines.contains(&"content-length: 3"), "{head}");
    assert_eq!(found["explanation"]["routeKey"], "GET /pets/{id}");
    assert_eq!(found["explanation"]["outranks"], json!(["ANY /{proxy+}"]));
    assert_eq!(found["explanation"]["variables"], json!({"id": "7"}));
    let timing = found["timing"].as_object().unwrap();
    let steps = [
        "received",
        "routed",
        "throttled",
        "integrationStart",
        "integrationHead",
        "integrationEnd",
        "sent",
    ];
    let times: Vec<u64> = steps.iter().map(|step| timing[*step].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "{timing:?}");
    assert!(!timing.contains_key("authorized"), "what did not happen is absent");
    // The list has the summary alone.
    let listed = &console.summaries()[0];
    assert_eq!(listed["requestId"], found["requestId"]);
    assert!(
        listed.get("request").is_none() && listed.get("timing").is_none(),
        "{listed}"
    );
}

/// The head as sent has the field that frames the content, also where its length was not known before it was read.
#[test]
fn the_head_as_sent_tells_where_its_content_ends() {
    let console = Console::capturing();
    let chunk = "x".repeat(50_000);
    let chunked = |count: usize| {
        let chunks = format!("c350\r\n{chunk}\r\n").repeat(count);
        format!("POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
    };
    for request in [
        "GET /x HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
        format!("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n{chunk}"),
        chunked(1),
        chunked(3),
    ] {
        let answer = console.request(&request);
        let what = request.get(..60).unwrap_or(&request);
        assert_eq!(answer.status, 200, "{what}");
        let found = console.captured(&answer);
        let sent = console.endpoint.next();
        let framing = |name: &str| {
            let pairs = found["integrationRequest"]["headers"].as_array().unwrap();
            let values = pairs.iter().filter(|pair| pair[0] == name);
            values
                .map(|pair| pair[1].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        for name in ["content-length", "transfer-encoding"] {
            assert_eq!(framing(name), sent.headers(name), "{what}");
        }
    }
}

/// What has no route, no API, and no answer of an integration.
#[test]
fn requests_that_go_nowhere() {
    let endpoint = Endpoint::start(|_, _| Next::Reset);
    let directory = Directory::of(&[
        ("stages/$default.json", json!({})),
        (
            "integrations/all.json",
            http_proxy(format!("http://{}/", endpoint.address)),
        ),
        ("routes/a.json", route("GET /a", "all")),
    ]);
    let console = Console::of(directory, endpoint, |options| {
        options.console.capture = Mode::Always;
    });
    for (request, status, why) in [
        ("GET /none HTTP/1.1\r\nHost: x\r\n\r\n", 404, "no route matches"),
        (
            "GET /_aws/execute-api/none/x HTTP/1.1\r\nHost: x\r\n\r\n",
            404,
            "there is no such API",
        ),
        ("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, ""),
    ] {
        let found = console.captured(&console.request(request));
        assert_eq!(found["status"], status, "{request}: {found}");
        assert!(
            found.get("routeKey").is_none() && found.get("integrationRequest").is_none(),
            "{found}"
        );
        assert!(found["explanation"]["why"].as_str().unwrap().contains(why), "{found}");
        assert!(found["timing"].get("integrationStart").is_none(), "{found}");
    }
    let found = console.captured(&console.request("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_eq!(found["status"], 503, "{found}");
    assert!(
        found["integrationErrorMessage"]
            .as_str()
            .unwrap()
            .contains("integrations/all.json"),
        "{found}"
    );
    // What is no request is in the list, too.
    let refused = console.request("GET / HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n");
    assert_eq!(console.captured(&refused)["status"], 400);
}

/// N6: a request is there before it has its answer, and ends also when its client goes.
#[test]
fn a_pending_request_ends_when_its_client_goes() {
    let endpoint = Endpoint::start(|stream, _| {
        // It waits until the gateway gives up.
        let _ = std::io::Read::read(stream, &mut [0]);
        Next::Close
    });
    let console = Console::with(endpoint, |_| {});
    let mut client = Client::connect(console.api());
    client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    eventually(|| !console.summaries().is_empty());
    let pending = console.summaries()[0].clone();
    assert_eq!(
        (&pending["state"], &pending["path"]),
        (&json!("pending"), &json!("/slow"))
    );
    assert!(
        pending.get("status").is_none() && pending.get("latency").is_none(),
        "{pending}"
    );
    reset(&client.stream);
    drop(client);
    eventually(|| console.summaries()[0]["state"] == "done");
    let done = console.summaries()[0].clone();
    assert_eq!(
        (&done["status"], &done["requestId"]),
        (&json!(499), &pending["requestId"])
    );
}

/// The content of a stream that breaks off, and of one whose client goes.
#[test]
fn a_streamed_answer_ends_with_its_stream() {
    let endpoint = Endpoint::start(|stream, _| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = std::io::Write::write_all(stream, format!("{head}5\r\nhello\r\n").as_bytes());
        let _ = std::io::Read::read(stream, &mut [0]);
        Next::Close
    });
    let console = Console::with(endpoint, |options| {
        options.console.capture = Mode::Always;
    });
    let mut client = Client::connect(console.api());
    client.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut seen = Vec::new();
    client.read_until(&mut seen, "hello");
    eventually(|| {
        console
            .summaries()
            .first()
            .is_some_and(|summary| summary["status"] == 200)
    });
    assert_eq!(console.summaries()[0]["state"], "pending");
    let id = console.summaries()[0]["requestId"].as_str().unwrap().to_owned();
    eventually(|| console.get(&format!("requests/{id}"))["response"]["body"]["text"] == "hello");
    drop(client);
    eventually(|| console.summaries()[0]["state"] == "done");
    let found = console.get(&format!("requests/{id}"));
    assert_eq!(
        (&found["status"], &found["bytesOut"]),
        (&json!(499), &json!(5)),
        "{found}"
    );
}

/// N8: without a page that watches there are summaries alone; with one, details; and they are gone when it is off.
#[test]
fn details_are_captured_while_a_page_watches() {
    let console = Console::start();
    let send = || console.request("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    let has_detail = |found: &Value| found.get("request").is_some();
    assert!(!has_detail(&console.captured(&send())));
    let events = console.events("");
    let watched = send();
    assert!(has_detail(&console.captured(&watched)));
    drop(events);
    // A minute longer.
    eventually(|| console.get("capture")["streams"] == 0);
    assert!(has_detail(&console.captured(&send())));
    let state = console.json("PUT", "capture", &json!({"mode": "off"}));
    assert_eq!((&state["mode"], &state["details"]), (&json!("off"), &json!(false)));
    assert!(!has_detail(&console.captured(&watched)), "nothing is kept");
    assert!(!has_detail(&console.captured(&send())));
    let state = console.json("PUT", "capture", &json!({"mode": "always"}));
    assert_eq!((&state["mode"], &state["details"]), (&json!("always"), &json!(true)));
    assert!(has_detail(&console.captured(&send())));
    assert_eq!(console.get("overview")["capture"]["mode"], "always");
    for content in ["", "{}", r#"{"mode":"on"}"#, r#"{"mode":1}"#, r#"{"mode":"off","x":1}"#] {
        assert_eq!(console.call("PUT", "capture", content).status, 400, "{content}");
    }
    assert_eq!(console.get("capture")["mode"], "always");
}

/// Requests are forgotten, and one that is under way does not come back.
#[test]
fn requests_can_be_forgotten() {
    let console = Console::capturing();
    let answer = console.request("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    let id = answer.header("apigw-requestid").unwrap().to_owned();
    console.captured(&answer);
    // The id has characters that a path may have encoded.
    assert_eq!(
        console
            .call("GET", &format!("requests/{}", id.replace('=', "%3D")), "")
            .status,
        200
    );
    assert_eq!(console.call("DELETE", "requests", "").status, 204);
    assert_eq!(console.summaries(), Vec::<Value>::new());
    assert_eq!(console.get("capture")["bytes"], 0);
    let gone = console.call("GET", &format!("requests/{id}"), "");
    assert_eq!(
        (gone.status, gone.header("x-amzn-errortype")),
        (404, Some("NotFoundException"))
    );
}

/// What answered a request is told by the files of that time.
#[test]
fn an_explanation_is_of_its_time() {
    let console = Console::with_pets();
    let answer = console.request("GET /pets/7 HTTP/1.1\r\nHost: x\r\n\r\n");
    console.captured(&answer);
    let hash = console.get("overview")["hash"].clone();
    console.plane.gateway.directory.remove("routes/pet.json");
    console.plane.gateway.server.reload();
    eventually(|| {
        console.request("GET /other HTTP/1.1\r\nHost: x\r\n\r\n");
        console.get("overview")["hash"] != hash
    });
    assert_eq!(console.captured(&answer)["explanation"]["routeKey"], "GET /pets/{id}");
    let after = console.request("GET /pets/7 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(console.captured(&after)["explanation"]["routeKey"], "ANY /{proxy+}");
}

/// N6: the authorizer's outcome, and when it was known. Nothing of a token is in it.
#[test]
fn what_an_authorizer_said() {
    let endpoint = Endpoint::ok();
    let mut signed = route("GET /a", "all");
    signed["AuthorizationType"] = json!("AWS_IAM");
    let directory = Directory::of(&[
        ("stages/$default.json", json!({})),
        (
            "integrations/all.json",
            http_proxy(format!("http://{}/", endpoint.address)),
        ),
        ("routes/a.json", signed),
        ("credentials.json", json!({"Credentials": []})),
    ]);
    let console = Console::of(directory, endpoint, |options| options.console.capture = Mode::Always);
    let request = "GET /a HTTP/1.1\r\nHost: x\r\nAuthorization: AWS4-HMAC-SHA256 Credential=hunter2\r\n\r\n";
    let found = console.captured(&console.request(request));
    assert_eq!(found["status"], 403, "{found}");
    assert_eq!(found["authorization"]["authorizer"], "AWS_IAM");
    assert_eq!(found["authorization"]["allowed"], false);
    assert!(found["authorization"]["cause"].is_string(), "{found}");
    assert!(
        found["explanation"]["authorization"]
            .as_str()
            .unwrap()
            .starts_with("AWS_IAM"),
        "{found}"
    );
    assert!(found["timing"]["authorized"].is_u64(), "{found}");
    assert!(found["timing"].get("throttled").is_none(), "{found}");
    assert!(!found.to_string().contains("hunter2"), "{found}");
}

/// N6: who asked, of a request that may pass.
#[test]
fn what_an_authorizer_let_through() {
    let signer = Signer::new("k1", "RS256");
    let issuer = Issuer::with(&[&signer]);
    let endpoint = Endpoint::ok();
    let directory = Directory::of(&jwt_api::files(&endpoint, jwt_api::authorizer(&issuer.url)));
    // Tokens are of the time of that clock.
    let clock = options(&Directory::empty()).settings.clock;
    let console = Console::of(directory, endpoint, |options| {
        options.console.capture = Mode::Always;
        options.settings.clock = clock;
    });
    let token = signer.token(&issuer.claims_with(json!({"sub": "user-7"})));
    let answer = console.request(format!(
        "GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    ));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let found = console.captured(&answer);
    let authorization = found["authorization"].as_object().unwrap();
    assert!(
        authorization["authorizer"].as_str().unwrap().starts_with("JWT "),
        "{found}"
    );
    assert_eq!(
        (&authorization["allowed"], &authorization["principal"]),
        (&json!(true), &json!("user-7"))
    );
    // What is not there is absent, and not null.
    assert!(!authorization.contains_key("cause"), "{found}");
    let at = |step: &str| found["timing"][step].as_u64().unwrap();
    assert!(
        at("routed") <= at("authorized") && at("authorized") <= at("throttled"),
        "{found}"
    );
    assert!(!found.to_string().contains(&token), "{found}");
    assert!(!found.to_string().contains(":null"), "{found}");
}
