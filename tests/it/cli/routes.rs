//! `routes` shows the routes in their order, and which one answers a request.

use serde_json::json;

use crate::support::directory::{Directory, http_proxy, route};
use crate::support::program::{Ended, run};

/// A stage of its own, precedence among four routes, and throttles.
fn served_routes() -> Directory {
    Directory::of(&[
        (
            "stages/v0.json",
            json!({"DefaultRouteSettings": {"ThrottlingRateLimit": 10, "ThrottlingBurstLimit": 20},
            "RouteSettings": {"$default": {"ThrottlingRateLimit": 0}, "GET /pets/{id}": {"ThrottlingRateLimit": 0.25}}}),
        ),
        ("stages/$default.json", json!({"Routes": ["routes/one"]})),
        ("routes/one.json", route("GET /pets/{id}", "pets")),
        ("routes/any.json", route("ANY /pets/{id}", "pets")),
        ("routes/below.json", route("GET /pets/{all+}", "below")),
        ("routes/rest.json", route("$default", "pets")),
        ("integrations/pets.json", http_proxy("http://127.0.0.1:9/x")),
        ("integrations/below.json", http_proxy("http://127.0.0.1:9/{all}")),
    ])
}

fn routes(directory: &Directory, more: &[&str]) -> Ended {
    let mut arguments = vec!["routes", "--root", directory.path().to_str().unwrap()];
    arguments.extend(more);
    run(&arguments)
}

#[test]
fn routes_are_shown_in_the_order_of_precedence() {
    let ended = routes(&served_routes(), &[]);
    assert_eq!((ended.code(), &ended.stderr), (0, &Vec::new()));
    let expected = [
        "STAGE     METHOD  PATH          AUTHORIZER  INTEGRATION         THROTTLE",
        "$default  GET     /pets/{id}    -           integrations/pets   -",
        "v0        GET     /pets/{id}    -           integrations/pets   0.25/s, burst 20",
        "v0        ANY     /pets/{id}    -           integrations/pets   10/s, burst 20",
        "v0        GET     /pets/{all+}  -           integrations/below  10/s, burst 20",
        "v0        ANY     $default      -           integrations/pets   closed",
    ];
    assert_eq!(ended.stdout, expected);
}

#[test]
fn a_match_tells_the_route_and_why() {
    let ended = routes(&served_routes(), &["--match", "GET /v0/pets/a%20b?x=1"]);
    assert_eq!(ended.code(), 0);
    let expected = [
        "stage        v0: the first segment of the path",
        "route        GET /pets/{id} (routes/one.json)",
        "before       ANY /pets/{id} (routes/any.json): the method itself comes before ANY",
        "before       GET /pets/{all+} (routes/below.json): a path without a greedy variable comes first",
        "before       $default (routes/rest.json): $default comes last",
        "variable     id = \"a b\"",
        "authorizer   -: anybody may call it",
        "integration  integrations/pets",
        "throttle     0.25/s, burst 20",
    ];
    assert_eq!(ended.stdout, expected);
}

/// A route for each kind of authorizer, and functions.
fn guarded_routes() -> Directory {
    let guarded = |key: &str, kind: &str, authorizer: Option<&str>| {
        let mut route = route(key, "up");
        route["AuthorizationType"] = json!(kind);
        route["AuthorizerId"] = json!(authorizer);
        route
    };
    let mut scoped = guarded("GET /scoped", "JWT", Some("idp"));
    scoped["AuthorizationScopes"] = json!(["pets/read", "pets/write"]);
    let arn = |name: &str| format!("arn:aws:lambda:us-east-1:123456789012:function:{name}");
    let lambda = |name: &str| json!({"IntegrationType": "AWS_PROXY", "IntegrationUri": arn(name), "PayloadFormatVersion": "2.0"});
    let directory = Directory::of(&[
        ("api.json", json!({"CorsConfiguration": {"AllowOrigins": ["*"]}})),
        ("stages/$default.json", json!({"StageVariables": {"fn": "hello"}})),
        ("routes/a.json", guarded("ANY /jwt", "JWT", Some("authorizers/idp"))),
        ("routes/b.json", scoped),
        ("routes/c.json", guarded("GET /lambda", "CUSTOM", Some("keys"))),
        ("routes/d.json", guarded("GET /signed", "AWS_IAM", None)),
        ("routes/e.json", route("GET /open", "live")),
        ("integrations/up.json", lambda("${stageVariables.fn}")),
        ("integrations/live.json", lambda("hello:live")),
        (
            "authorizers/idp.json",
            json!({
                "AuthorizerType": "JWT",
                "IdentitySource": ["$request.header.Authorization"],
                "JwtConfiguration": {"Issuer": "https://idp.test", "Audience": ["api"]},
            }),
        ),
        (
            "authorizers/keys.json",
            json!({
                "AuthorizerType": "REQUEST",
                "AuthorizerUri": arn("check-key"),
                "AuthorizerPayloadFormatVersion": "2.0",
                "EnableSimpleResponses": true,
            }),
        ),
    ]);
    for name in ["hello", "check-key"] {
        let function = json!({"InvokeUri": "http://127.0.0.1:9/"});
        directory.write(&format!("functions/{name}.json"), &function.to_string());
    }
    directory.write("credentials.json", r#"{"Credentials": []}"#);
    directory
}

#[test]
fn routes_show_who_may_pass_and_which_function_answers() {
    let ended = routes(&guarded_routes(), &[]);
    assert_eq!((ended.code(), &ended.stderr), (0, &Vec::new()));
    let rows: Vec<Vec<&str>> = ended.stdout[1..].iter().map(|row| row.split("  ").collect()).collect();
    let mut cells: Vec<Vec<&str>> = Vec::new();
    for row in rows {
        let row = row.into_iter().map(str::trim).filter(|cell| !cell.is_empty());
        cells.push(row.collect());
    }
    cells.sort_unstable();
    let expected = [
        ["$default", "ANY", "/jwt", "JWT idp", "function hello", "-"],
        ["$default", "GET", "/lambda", "CUSTOM keys", "function hello", "-"],
        ["$default", "GET", "/open", "-", "function hello:live", "-"],
        ["$default", "GET", "/scoped", "JWT idp", "function hello", "-"],
        ["$default", "GET", "/signed", "AWS_IAM", "function hello", "-"],
    ];
    assert_eq!(cells, expected);
}

#[test]
fn a_match_tells_who_would_be_asked() {
    let directory = guarded_routes();
    for (request, told) in [
        (
            "GET /jwt",
            &[
                "JWT idp: a token of https://idp.test",
                "function hello (integrations/up)",
            ][..],
        ),
        (
            "GET /scoped",
            &["JWT idp: a token of https://idp.test with the scope pets/read or pets/write"],
        ),
        ("GET /lambda", &["CUSTOM keys: function check-key"]),
        ("GET /signed", &["AWS_IAM: a signature of somebody in credentials.json"]),
        (
            "GET /open",
            &["-: anybody may call it", "function hello:live (integrations/live)"],
        ),
        // R7.9: the authorizer comes first.
        (
            "OPTIONS /jwt",
            &[
                "JWT idp: a token of https://idp.test",
                "401 or 403 by the authorizer, for browsers send preflights without credentials; else 204 by the CORS \
                 configuration",
            ],
        ),
    ] {
        let ended = routes(&directory, &["--match", request]);
        assert_eq!(ended.code(), 0, "{request}: {ended:?}");
        let lines = ended.stdout.iter().filter_map(|line| line.split_once("  "));
        let values: Vec<&str> = lines
            .filter(|(name, _)| ["authorizer", "integration", "answer"].contains(&name.trim()))
            .map(|(_, value)| value.trim())
            .collect();
        assert_eq!(&values[..told.len()], told, "{request}");
    }
}

#[test]
fn a_match_takes_a_whole_url() {
    let directory = served_routes();
    directory.write("api.json", r#"{"ApiId": "abc123"}"#);
    let expected = routes(&directory, &["--match", "GET /v0/pets/7?x=1"]).stdout;
    assert_eq!(expected[1], "route        GET /pets/{id} (routes/one.json)");
    for request in [
        "GET http://127.0.0.1:8000/v0/pets/7?x=1",
        "GET HTTPS://abc123.execute-api.us-east-1.amazonaws.com/v0/pets/7#top",
        "GET http://[::1]/v0/pets/7",
        "http://localhost:8000/v0/pets/7",
    ] {
        let ended = routes(&directory, &["--match", request]);
        let address = match request.contains("execute-api") {
            true => "address      host name",
            false => "address      root API",
        };
        assert_eq!(ended.stdout[..2], ["api          abc123 (.)", address], "{request}");
        assert_eq!(
            (ended.code(), &ended.stdout[2..]),
            (0, &expected[..]),
            "{request}: {ended:?}"
        );
    }
    // The path of such a URL is a slash, for which the default stage has no route.
    for request in ["GET http://gw.test", "http://gw.test?x=/v0/pets/7"] {
        let ended = routes(&directory, &["--match", request]);
        assert_eq!(ended.code(), 1, "{request}: {ended:?}");
        assert_eq!(ended.stdout[2], "stage        $default: no stage is named \"\"");
    }
}

/// Routes that differ from the request in one thing are named, three at most.
#[test]
fn a_match_that_nothing_answers_names_near_misses() {
    let directory = Directory::of(&[
        ("stages/$default.json", json!({})),
        ("routes/a.json", route("GET /pets", "up")),
        ("routes/b.json", route("PUT /pets", "up")),
        ("routes/c.json", route("DELETE /pets", "up")),
        ("routes/d.json", route("HEAD /pets", "up")),
        ("routes/e.json", route("GET /pets/{id}/toys", "up")),
        ("integrations/up.json", http_proxy("http://127.0.0.1:9/")),
    ]);
    for (request, near) in [
        (
            "POST /pets",
            &[
                "GET /pets (routes/a.json): the method is another",
                "PUT /pets (routes/b.json): the method is another",
                "DELETE /pets (routes/c.json): the method is another",
            ][..],
        ),
        ("GET /pets/", &["GET /pets (routes/a.json): the path ends in a slash"]),
        (
            "GET /Pets/7/toys",
            &["GET /pets/{id}/toys (routes/e.json): the path has \"Pets\" in place of \"pets\""],
        ),
        ("GET /cats", &[]),
    ] {
        let ended = routes(&directory, &["--match", request]);
        assert_eq!(ended.code(), 1, "{request}: {ended:?}");
        let named = ended
            .stdout
            .iter()
            .filter_map(|line| line.strip_prefix("near         "));
        assert_eq!(named.collect::<Vec<_>>(), near, "{request}: {ended:?}");
    }
}

#[test]
fn a_match_that_nothing_answers_is_a_failure() {
    let directory = served_routes();
    for (request, told) in [
        ("GET /pets", "none: 404"),
        ("POST /pets/7", "none: 404"),
        ("TRACE /pets/7", "404: no route can have the method TRACE"),
        ("GET /pets/%zz", "400: "),
        ("GET /../x", "400: "),
        // What no client can send, or the gateway does not read.
        (
            "GET /v0/pets/é",
            "400: the target has a character that must be percent-encoded",
        ),
        ("GET /v0/pets/7#top", "400: the target has a fragment"),
        ("G@T /v0/pets/7", "400: the method is not a token"),
        ("CONNECT /v0/pets/7", "400: CONNECT is for proxies"),
    ] {
        let ended = routes(&directory, &["--match", request]);
        assert_eq!((ended.code(), ended.stderr.len()), (1, 0), "{ended:?}");
        assert!(ended.stdout.join("\n").contains(told), "{request}: {ended:?}");
    }
    for request in [
        "",
        " ",
        "GET",
        "GET pets",
        "GET  /pets",
        "nonsense",
        "GET ?x=1",
        "/pets/7",
        "GET http://",
        "GET http:///pets/7",
        "GET ftp://gw.test/pets/7",
        "GET gw.test/pets/7",
        "GET http://gw.test/pets 7",
    ] {
        let ended = routes(&directory, &["--match", request]);
        assert!(ended.refusal().contains("--match"), "{ended:?}");
    }
    directory.write("routes/one.json", "{");
    assert!(
        routes(&directory, &[])
            .refusal()
            .starts_with("routes/one.json#: error: not JSON")
    );
}
