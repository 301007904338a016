//! Secrets never get in (N9): in no field, no query, no summary, no event, no copy for the integration.

use apigateway::data_plane::capture::Mode;
use serde_json::json;

use crate::management::console::Console;
use crate::support::directory::{Directory, http_proxy, route};
use crate::support::endpoint::Endpoint;

/// Text that stands nowhere else.
const SECRET: &str = "hunter2hunter2";

fn console(keeps_secrets: bool) -> Console {
    let answer =
        format!("HTTP/1.1 200 OK\r\nSet-Cookie: a={SECRET}\r\nX-New-Token: {SECRET}\r\nContent-Length: 2\r\n\r\nok");
    let endpoint = Endpoint::answering(answer);
    let mut integration = http_proxy(format!("http://{}/", endpoint.address));
    integration["RequestParameters"] = json!({
        "append:header.x_api_key_copy": "$request.header.x-credential",
        "append:querystring.session_copy": "$request.header.x-credential",
    });
    let directory = Directory::of(&[
        ("stages/$default.json", json!({})),
        ("integrations/all.json", integration),
        ("routes/a.json", route("$default", "all")),
    ]);
    Console::of(directory, endpoint, |options| {
        options.console.capture = Mode::Always;
        options.console.keeps_secrets = keeps_secrets;
    })
}

fn request() -> String {
    let fields: String = [
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "X-API-Key",
        "X-Amz-Security-Token",
        "X_Csrf_Token",
        "Client-Secret",
        "DB_PASSWORD",
        "My-Passwd",
        "PHPSESSIONID",
        "X-Credential",
        "X-Hub-Signature-256",
        "ApiKey",
    ]
    .iter()
    .map(|name| format!("{name}: {SECRET}\r\n"))
    .collect();
    let query = format!("a=1&access_token={SECRET}&%70assword={SECRET}&X-Amz-Signature={SECRET}&api_key={SECRET}&b=2");
    let referer = format!("Referer: http://x/?token={SECRET}\r\n");
    format!("GET /p?{query} HTTP/1.1\r\nHost: x\r\n{fields}{referer}\r\n")
}

#[test]
fn secrets_are_replaced_in_every_place() {
    let console = console(false);
    let mut events = console.events("");
    let answer = console.request(request());
    assert!(answer.head.contains(SECRET), "the client has what is its own");
    assert!(
        console.endpoint.next().head.contains(SECRET),
        "and so has the integration"
    );
    let found = console.captured(&answer);
    let mark = format!("«redacted, {} B»", SECRET.len());
    let path = format!("/p?a=1&access_token={mark}&%70assword={mark}&X-Amz-Signature={mark}&api_key={mark}&b=2");
    assert_eq!(found["path"], path);
    let count = |value: &serde_json::Value| value.to_string().matches(&mark).count();
    assert_eq!(count(&found["request"]["headers"]), 14, "{}", found["request"]);
    let answered = json!([["set-cookie", "«redacted, 16 B»"], ["x-new-token", mark]]);
    for pair in answered.as_array().unwrap() {
        let all = found["response"]["headers"].as_array().unwrap();
        assert!(all.contains(pair), "{}", found["response"]);
    }
    let sent = found["integrationRequest"].to_string();
    assert!(sent.contains(&format!("session_copy={mark}")), "{sent}");
    assert!(sent.contains(&format!("[\"x_api_key_copy\",\"{mark}\"]")), "{sent}");
    let both = [events.next().data, events.next().data];
    for text in [
        found.to_string(),
        console.get("requests").to_string(),
        json!(both).to_string(),
    ] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert_eq!(both[1]["path"], path);
    assert_eq!(console.get("overview")["capture"]["secrets"], false);
}

#[test]
fn secrets_can_be_kept() {
    let console = console(true);
    let found = console.captured(&console.request(request()));
    assert!(!found.to_string().contains("redacted"), "{found}");
    assert!(found["request"]["headers"].to_string().contains(SECRET));
    assert!(found["path"].as_str().unwrap().contains(SECRET));
    assert_eq!(console.get("overview")["capture"]["secrets"], true);
}
