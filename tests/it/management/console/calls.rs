//! What is served, problems, routes, explanations, metrics: each call, good and bad.

use serde_json::{Value, json};

use crate::management::console::{Console, eventually};
use crate::support::directory::{Directory, http_proxy, route};
use crate::support::endpoint::Endpoint;

#[test]
fn an_overview() {
    let console = Console::start();
    let overview = console.get("overview");
    assert_eq!(overview["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(overview["region"], "us-east-1");
    assert_eq!(overview["accountId"], "123456789012");
    assert_eq!(overview["dataPlane"], format!("http://{}", console.api()));
    assert_eq!(overview["controlPlane"], "open");
    assert_eq!(overview["capture"]["mode"], "auto");
    assert_eq!(overview["capture"]["secrets"], false);
    assert_eq!(overview["problems"], 0);
    assert_eq!(overview["hash"].as_str().unwrap().len(), 16);
    let endpoint = format!("http://local.execute-api.localhost:{}", console.api().port());
    let api = json!({"apiId": "local", "name": "", "endpoint": endpoint, "routes": 1, "stages": ["$default"]});
    assert_eq!(overview["apis"], json!([api]));
    // What the control plane makes is there at once.
    let body = json!({"name": "<b>&\u{2028}", "protocolType": "HTTP"});
    let made = console.plane.expect(201, "POST", "/v2/apis", &body);
    let answer = console.call("GET", "overview", "");
    assert!(
        answer.text().contains(r"\u003cb\u003e\u0026\u2028"),
        "N20: {}",
        answer.text()
    );
    let overview = console.get("overview");
    assert_eq!(overview["apis"][1]["apiId"], made["apiId"]);
    assert_eq!(overview["apis"][1]["name"], body["name"]);
}

#[test]
fn problems_of_the_files_as_they_are() {
    let console = Console::start();
    let none = console.get("problems");
    assert_eq!((&none["problems"], &none["serving"]), (&json!([]), &json!(false)));
    let route = console.plane.gateway.directory.path().join("routes/bad.json");
    std::fs::write(&route, r#"{"RouteKey": "GET pets<"}"#).unwrap();
    // Whether the watcher has seen it or not.
    let found = console.get("problems");
    assert_eq!(found["errors"], 1, "{found}");
    assert_eq!(found["problems"][0]["file"], "routes/bad.json");
    assert_eq!(found["problems"][0]["pointer"], "/RouteKey");
    assert_eq!(found["problems"][0]["severity"], "error");
    assert_eq!(found["serving"], true, "what is served is older");
    let count = found["problems"].as_array().unwrap().len();
    assert_eq!(console.get("overview")["problems"], count);
    std::fs::remove_file(route).unwrap();
    assert_eq!(console.get("problems")["problems"], json!([]));
    eventually(|| console.get("problems")["serving"] == false);
}

#[test]
fn routes_in_the_order_of_precedence() {
    let console = Console::with_pets();
    let routes = console.get("apis/local/routes?stage=%24default");
    let keys: Vec<&str> = routes
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["routeKey"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["GET /pets/{id}", "ANY /{proxy+}"]);
    assert_eq!(
        routes[0],
        json!({
            "routeKey": "GET /pets/{id}", "file": "routes/pet.json", "target": "integrations/pets",
            "integration": "integrations/pets", "authorization": "-", "throttle": "-", "requests": 0,
        })
    );
    console.request("GET /pets/7 HTTP/1.1\r\nHost: x\r\n\r\n");
    eventually(|| console.get("apis/local/routes")[0]["requests"] == 1);
    let routes = console.get("apis/local/routes");
    assert!(routes[0]["lastSeen"].as_str().unwrap().ends_with('Z'), "{routes}");
    assert!(routes[1].get("lastSeen").is_none(), "{routes}");
    for (path, status) in [
        ("apis/none/routes", 404),
        ("apis/local/routes?stage=none", 404),
        ("apis/local/routes?stage=a&stage=b", 400),
        ("apis/local/routes?stage=%ff", 400),
        ("apis/local", 404),
    ] {
        assert_eq!(console.call("GET", path, "").status, status, "{path}");
    }
}

/// Ten thousand routes are one answer.
#[test]
fn many_routes() {
    let endpoint = Endpoint::ok();
    let directory = Directory::of(&[
        ("stages/$default.json", json!({})),
        (
            "integrations/all.json",
            http_proxy(format!("http://{}/", endpoint.address)),
        ),
    ]);
    for number in 0..10_000 {
        let text = route(&format!("GET /things/{number}/{{id}}"), "all").to_string();
        directory.write(&format!("routes/r{number}.json"), &text);
    }
    let console = Console::of(directory, endpoint, |_| {});
    let routes = console.get("apis/local/routes");
    assert_eq!(routes.as_array().unwrap().len(), 10_000);
    assert_eq!(console.get("overview")["apis"][0]["routes"], 10_000);
    let why = console.json("POST", "explain", &json!({"method": "GET", "path": "/things/77/x"}));
    assert_eq!(why["routeKey"], "GET /things/77/{id}");
}

#[test]
fn explanations() {
    let console = Console::with_pets();
    let explain = |request: Value| console.json("POST", "explain", &request);
    let found = explain(json!({"apiId": "local", "method": "GET", "path": "/pets/7?a=b"}));
    assert_eq!(found["stage"], "$default");
    assert_eq!(found["routeKey"], "GET /pets/{id}");
    assert_eq!(found["outranks"], json!(["ANY /{proxy+}"]));
    assert_eq!(found["variables"], json!({"id": "7"}));
    assert_eq!(found["authorization"], "-: anybody may call it");
    assert_eq!(found["integration"], "integrations/pets");
    assert_eq!(found["throttle"], "-");
    assert!(
        found["why"].as_str().unwrap().contains("before ANY /{proxy+}: "),
        "{found}"
    );
    assert!(found.get("status").is_none());
    for (request, status, why) in [
        (
            json!({"apiId": "none", "method": "GET", "path": "/x"}),
            json!(404),
            "there is no such API",
        ),
        (
            json!({"host": "none.execute-api.test", "apiId": "local", "method": "GET", "path": "/x"}),
            json!(404),
            "there is no such API",
        ),
        (
            json!({"method": "TRACE", "path": "/x"}),
            json!(404),
            "no route can have the method TRACE",
        ),
        (
            json!({"method": "GET", "path": "/%zz"}),
            json!(400),
            "the path has a '%' without two hex digits",
        ),
        // What the data plane does not read has no route.
        (
            json!({"method": "GET", "path": "/pets/a b"}),
            json!(400),
            "the target has a character that must be percent-encoded",
        ),
        (
            json!({"method": "GET", "path": "/pets/é"}),
            json!(400),
            "the target has a character that must be percent-encoded",
        ),
        (
            json!({"method": "GET", "path": "/pets/7#top"}),
            json!(400),
            "the target has a fragment",
        ),
        (
            json!({"method": "GET", "path": "/pets/7?a=b c"}),
            json!(400),
            "the target has a character that must be percent-encoded",
        ),
        (
            json!({"method": "GE T", "path": "/pets/7"}),
            json!(400),
            "the request line",
        ),
        (
            json!({"method": "", "path": "/pets/7"}),
            json!(400),
            "the method is not a token",
        ),
        (
            json!({"method": "CONNECT", "path": "/pets/7"}),
            json!(400),
            "CONNECT is for proxies",
        ),
        (
            json!({"method": "GET", "path": "/pets/7", "host": "a b"}),
            json!(400),
            "Host is not a host with an optional port",
        ),
        (
            json!({"method": "GET", "path": format!("/pets/{}", "x".repeat(11_000))}),
            json!(431),
            "Request Header Fields Too Large",
        ),
    ] {
        let found = explain(request.clone());
        assert!(found.get("routeKey").is_none(), "{request}: {found}");
        assert_eq!(found["status"], status, "{request}: {found}");
        assert!(found["why"].as_str().unwrap().contains(why), "{request}: {found}");
    }
    // What the gateway answers is what was said of it.
    for (target, status) in [("/pets/a b", 400), ("/pets/7#top", 400), ("/pets/7", 200)] {
        let answer = console.request(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(answer.status, status, "{target}");
    }
    for (content, part) in [
        ("", "method is missing"),
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
        (r#"{"method":"GET"}"#, "path is missing"),
        (r#"{"method":1,"path":"/"}"#, "method must be a string"),
        (r#"{"method":"GET","path":"x"}"#, "path must begin with /"),
        (r#"{"method":"GET","path":"/","x":1}"#, "\\\"x\\\" is not a member"),
        (r#"{"method":"GET","path":"/","path":"/"}"#, "occurs twice"),
        (r#"{"method":"GET","path":"\ud800"}"#, "not JSON"),
    ] {
        let answer = console.call("POST", "explain", content);
        assert_eq!(answer.status, 400, "{content}");
        assert!(answer.text().contains(part), "{content}: {}", answer.text());
        assert_eq!(answer.header("x-amzn-errortype"), Some("BadRequestException"));
    }
}

#[test]
fn three_hundred_seconds() {
    let console = Console::start();
    for target in ["/a", "/b"] {
        console.request(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    console.request("GET /_aws/execute-api/none/x HTTP/1.1\r\nHost: x\r\n\r\n");
    let sum = |points: &Value, name: &str| -> u64 {
        points
            .as_array()
            .unwrap()
            .iter()
            .map(|point| point[name].as_u64().unwrap())
            .sum()
    };
    eventually(|| sum(&console.get("metrics")["points"], "requests") == 3);
    let metrics = console.get("metrics");
    assert_eq!(metrics["points"].as_array().unwrap().len(), 300);
    assert_eq!(metrics["apis"]["local"].as_array().unwrap().len(), 300);
    assert_eq!(sum(&metrics["points"], "status4xx"), 1);
    assert_eq!(sum(&metrics["apis"]["local"], "requests"), 2);
    let busy = metrics["apis"]["local"]
        .as_array()
        .unwrap()
        .iter()
        .find(|point| point["requests"] != 0)
        .unwrap();
    for name in ["latencyP50", "latencyP99", "integrationP50"] {
        assert!(busy[name].as_f64().unwrap() > 0.0, "{busy}");
    }
    // What is not known is absent.
    let idle = metrics["points"][0].as_object().unwrap();
    assert_eq!(idle.keys().collect::<Vec<_>>(), ["requests", "status4xx", "status5xx"]);
}

/// A path that is there has its methods.
#[test]
fn methods_of_the_calls() {
    let console = Console::start();
    for (method, path, status, allowed) in [
        ("PUT", "overview", 405, Some("GET")),
        ("DELETE", "problems", 405, Some("GET")),
        ("GET", "explain", 405, Some("POST")),
        ("GET", "send", 405, Some("POST")),
        ("PUT", "requests", 405, Some("DELETE, GET")),
        ("DELETE", "requests/x", 405, Some("GET")),
        ("GET", "requests/x/replay", 405, Some("POST")),
        ("POST", "events", 405, Some("GET")),
        ("POST", "metrics", 405, Some("GET")),
        ("POST", "apis/local/routes", 405, Some("GET")),
        ("DELETE", "capture", 405, Some("GET, PUT")),
        ("GET", "overview/", 404, None),
        ("GET", "requests/x/y", 404, None),
        ("PUT", "capture", 400, None),
    ] {
        let answer = console.call(method, path, "");
        // RFC 9110 §15.5.6.
        assert_eq!(
            (answer.status, answer.header("allow")),
            (status, allowed),
            "{method} {path}"
        );
    }
}
