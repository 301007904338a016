//! `routes` with several APIs and custom domains (I6).

use serde_json::{Value, json};

use crate::support::directory::{Directory, http_proxy, route};
use crate::support::program::{Ended, run};

fn root() -> Directory {
    let directory = Directory::empty();
    for prefix in ["", "apis/pets/", "apis/orders/"] {
        for (path, json) in [
            ("api.json", json!({})),
            ("stages/$default.json", json!({})),
            ("routes/a.json", route("GET /a/{id}", "up")),
            ("integrations/up.json", http_proxy("http://127.0.0.1:9/{id}")),
        ] {
            directory.write(&format!("{prefix}{path}"), &json.to_string());
        }
    }
    directory.write("apis/closed/api.json", r#"{"DisableExecuteApiEndpoint": true}"#);
    let mappings = json!([
        {"ApiMappingKey": "v1", "ApiId": "orders", "Stage": "$default"},
        {"ApiId": "local", "Stage": "$default"},
    ]);
    directory.write("domains/api.test.json", &json!({"ApiMappings": mappings}).to_string());
    directory.write("domains/none.test.json", "{}");
    directory
}

fn routes(directory: &Directory, more: &[&str]) -> Ended {
    let mut arguments = vec!["routes", "--root", directory.path().to_str().unwrap()];
    arguments.extend(more);
    run(&arguments)
}

#[test]
fn apis_and_domains_have_their_tables() {
    let directory = root();
    let ended = routes(&directory, &[]);
    assert_eq!((ended.code(), &ended.stderr), (0, &Vec::new()));
    assert_eq!(
        ended.stdout,
        [
            "API     STAGE     METHOD  PATH     AUTHORIZER  INTEGRATION      THROTTLE",
            "local   $default  GET     /a/{id}  -           integrations/up  -",
            "orders  $default  GET     /a/{id}  -           integrations/up  -",
            "pets    $default  GET     /a/{id}  -           integrations/up  -",
            "",
            "DOMAIN     KEY  API     STAGE     TLS",
            "api.test   -    local   $default  -",
            "api.test   v1   orders  $default  -",
            "none.test  -    -       -         -",
        ]
    );
    let ended = routes(&directory, &["--format", "json"]);
    let table: Value = serde_json::from_str(&ended.stdout[0]).unwrap();
    let apis: Vec<&Value> = table["routes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| &route["api"])
        .collect();
    assert_eq!(apis, ["local", "orders", "pets"]);
    assert_eq!(table["domains"][1]["key"], "v1");
}

#[test]
fn a_match_tells_the_api_and_its_address() {
    let directory = root();
    for (request, expected) in [
        (
            "GET https://API.test:443/v1/a/7",
            Ok(["orders (apis/orders)", "mapping \"v1\" of api.test"]),
        ),
        ("GET http://api.test/a/7", Ok(["local (.)", "mapping \"\" of api.test"])),
        (
            "GET http://pets.execute-api.localhost/a/7",
            Ok(["pets (apis/pets)", "host name"]),
        ),
        (
            "GET /_aws/execute-api/pets/a/7",
            Ok(["pets (apis/pets)", "path prefix"]),
        ),
        ("GET /a/7", Ok(["local (.)", "root API"])),
        (
            "GET http://none.test/a/7",
            Err("403: no mapping of the domain fits the path"),
        ),
        (
            "GET http://other.execute-api.localhost/a/7",
            Err("404: there is no such API"),
        ),
        (
            "GET http://closed.execute-api.localhost/a/7",
            Err("404: DisableExecuteApiEndpoint is set: it is reached by its custom domains only"),
        ),
    ] {
        let ended = routes(&directory, &["--match", request]);
        let lines = &ended.stdout;
        match expected {
            Ok([api, address]) => {
                assert_eq!(ended.code(), 0, "{request}: {ended:?}");
                assert_eq!(lines[0], format!("api          {api}"), "{request}");
                assert_eq!(lines[1], format!("address      {address}"), "{request}");
                assert!(
                    lines.iter().any(|line| line.starts_with("route        GET /a/{id}")),
                    "{request}"
                );
            }
            Err(text) => {
                assert_eq!(ended.code(), 1, "{request}: {ended:?}");
                assert_eq!(lines.last().unwrap(), text, "{request}");
            }
        }
    }
    let ended = routes(&directory, &["--match", "GET /a/7", "--format", "json"]);
    let told: Value = serde_json::from_str(&ended.stdout[0]).unwrap();
    assert_eq!((&told["api"], &told["answered"]), (&json!("local"), &json!(true)));

    // One API in `apis/`, and none at the root.
    let only = Directory::empty();
    only.write("apis/one/api.json", "{}");
    only.write("apis/one/stages/$default.json", "{}");
    let ended = routes(&only, &["--match", "GET /a"]);
    assert_eq!(
        ended.stdout[..2],
        ["api          one (apis/one)", "address      the only API"]
    );
}

#[test]
fn check_tells_programs_the_api() {
    let directory = root();
    directory.write("apis/pets/routes/a.json", "{");
    directory.write("api.json", r#"{"Colour": "red"}"#);
    let ended = run(&[
        "check",
        "--root",
        directory.path().to_str().unwrap(),
        "--format",
        "json",
    ]);
    assert_eq!(ended.code(), 1);
    let told: Value = serde_json::from_str(&ended.stdout[0]).unwrap();
    let problems = told["problems"].as_array().unwrap();
    let of = |file: &str| problems.iter().find(|problem| problem["file"] == file).unwrap();
    assert_eq!(of("apis/pets/routes/a.json")["api"], "pets");
    assert_eq!(of("api.json")["api"], "local");
}

#[test]
fn a_match_knows_the_endpoint_that_one_stage_has_closed() {
    // B4: the stage serves a deployment that has the endpoint closed, and the live files have it open.
    let directory = Directory::empty();
    let (integration, route) = (http_proxy("http://127.0.0.1:9/"), route("GET /a", "i"));
    directory.write("api.json", "{}");
    directory.write("routes/a.json", &route.to_string());
    directory.write("integrations/i.json", &integration.to_string());
    directory.write("stages/open.json", r#"{"AutoDeploy": true}"#);
    directory.write("stages/closed.json", r#"{"DeploymentId": "d"}"#);
    let deployment = json!({
        "Api": {"DisableExecuteApiEndpoint": true}, "Routes": {"a": route}, "Integrations": {"i": integration},
        "Authorizers": {},
    });
    directory.write("deployments/d.json", &deployment.to_string());
    let closed = routes(&directory, &["--match", "GET /closed/a"]);
    assert_eq!(closed.code(), 1, "{closed:?}");
    let text =
        "404: DisableExecuteApiEndpoint is set in what the stage closed serves: it is reached by custom domains only";
    assert_eq!(closed.stdout.last().unwrap(), text);
    assert_eq!(routes(&directory, &["--match", "GET /open/a"]).code(), 0);
}
