//! An API as an OpenAPI document, by calls and by the command: what goes out comes in again, and all of it or nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::calls::{ControlPlane, call};
use crate::support::client::get;
use crate::support::directory::{Directory, http_proxy, lambda_proxy, route};
use crate::support::program::{program, serve};
use crate::support::properties::Chance;
use crate::support::wait::wait_until;

/// How often an import is killed; `CRASHES=1000` for more of it.
const CRASHES: u64 = 40;

/// Files and what they say, hidden ones too.
pub fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let below = tree(&path).into_iter();
            found.extend(below.map(|(path, text)| (format!("{name}/{path}"), text)));
        } else {
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// An API with everything that a document can say.
fn files() -> Vec<(&'static str, Value)> {
    let guarded = |key: &str, kind: &str, authorizer: &str| {
        let mut route = route(key, "get");
        route["AuthorizationType"] = kind.into();
        route["AuthorizerId"] = authorizer.into();
        route
    };
    let mut scoped = guarded("GET /scoped", "JWT", "jwt");
    scoped["AuthorizationScopes"] = json!(["a", "b"]);
    let mut signed = route("POST /signed", "function");
    signed["AuthorizationType"] = "AWS_IAM".into();
    let mut mapped = http_proxy("http://127.0.0.1:9/{proxy}");
    mapped["RequestParameters"] = json!({"append:header.a": "$context.requestId"});
    mapped["ResponseParameters"] = json!({"404": {"overwrite:statuscode": "403"}});
    mapped["TimeoutInMillis"] = 900.into();
    vec![
        (
            "apis/a1/api.json",
            json!({
                "ApiId": "a1", "Name": "all \"of\" it: é", "Description": "- a\n- b", "Version": "2026-01-01",
                "DisableExecuteApiEndpoint": true,
                "CorsConfiguration": {"AllowOrigins": ["https://a.test"], "AllowMethods": ["GET"], "MaxAge": 5},
            }),
        ),
        ("apis/a1/stages/$default.json", json!({"AutoDeploy": true})),
        ("apis/a1/integrations/get.json", http_proxy("http://127.0.0.1:9/")),
        ("apis/a1/integrations/mapped.json", mapped),
        ("apis/a1/integrations/function.json", lambda_proxy("f", "2.0")),
        (
            "apis/a1/authorizers/jwt.json",
            json!({
                "Name": "tokens", "AuthorizerType": "JWT", "IdentitySource": ["$request.header.Authorization"],
                "JwtConfiguration": {"Audience": ["x", "y"], "Issuer": "http://127.0.0.1:9/pool"},
            }),
        ),
        (
            "apis/a1/authorizers/ask.json",
            json!({
                "Name": "ask", "AuthorizerType": "REQUEST", "AuthorizerPayloadFormatVersion": "2.0",
                "AuthorizerUri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f/invocations",
                "IdentitySource": ["$request.header.X"], "AuthorizerResultTtlInSeconds": 60, "EnableSimpleResponses": true,
            }),
        ),
        ("apis/a1/routes/scoped.json", scoped),
        ("apis/a1/routes/asked.json", guarded("ANY /asked", "CUSTOM", "ask")),
        ("apis/a1/routes/signed.json", signed),
        ("apis/a1/routes/greedy.json", route("ANY /files/{proxy+}", "mapped")),
        ("apis/a1/routes/default.json", route("$default", "get")),
    ]
}

fn export(plane: &ControlPlane, api: &str, query: &str) -> String {
    let answer = plane.call("GET", &format!("/v2/apis/{api}/exports/OAS30?{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let expected = if query.contains("YAML") {
        "application/yaml"
    } else {
        "application/json"
    };
    assert_eq!(answer.header("content-type"), Some(expected));
    answer.text()
}

#[test]
fn what_was_exported_and_imported_is_exported_the_same() {
    let directory = Directory::of(&[]);
    for (path, json) in files() {
        directory.write(path, &json.to_string());
    }
    let plane = ControlPlane::start(directory, |_| {});
    for format in ["outputType=YAML", "outputType=JSON"] {
        let first = export(&plane, "a1", format);
        assert!(first.contains("disableExecuteApiEndpoint"), "{first}");
        let imported = plane.expect(201, "PUT", "/v2/apis?failOnWarnings=true", &json!({"body": first}));
        let api = imported["apiId"].as_str().unwrap();
        let second = export(&plane, api, format);
        // The address is that of the API.
        assert_eq!(second.replace(api, "a1"), first);
        let before = tree(&plane.gateway.directory.path().join("apis").join(api));
        plane.expect(
            201,
            "PUT",
            &format!("/v2/apis/{api}?failOnWarnings=true"),
            &json!({"body": second}),
        );
        let after = tree(&plane.gateway.directory.path().join("apis").join(api));
        assert_eq!(after, before, "an import of what is there changes no byte");
        plane.expect(201, "PUT", "/v2/apis/a1?failOnWarnings=true", &json!({"body": first}));
        assert_eq!(
            export(&plane, "a1", format),
            first,
            "also in the place of what it was exported from"
        );
    }
}

#[test]
fn a_template_is_exported_and_not_imported_into() {
    let directory = Directory::empty();
    directory.write(
        "api.yaml",
        "openapi: 3.0.1\ninfo: {title: t, version: '1'}\npaths:\n  /a:\n    get:\n      x-amazon-apigateway-integration: \
         {type: http_proxy, httpMethod: GET, uri: 'http://127.0.0.1:9/'}\n",
    );
    let path = directory.path().join("api.yaml");
    let served = serve(
        &directory,
        &["--template", path.to_str().unwrap(), "--access-log", "off"],
    );
    let exported = call(served.admin, "GET", "/v2/apis/local/exports/OAS30?outputType=YAML", b"");
    assert_eq!(exported.status, 200, "{}", exported.text());
    assert!(exported.text().contains("  /a:\n    get:\n"), "{}", exported.text());
    let body = json!({"body": exported.text()}).to_string();
    for path in ["/v2/apis", "/v2/apis/local"] {
        let refused = call(served.admin, "PUT", path, body.as_bytes());
        assert_eq!(refused.status, 409, "{}", refused.text());
        assert_eq!(refused.text(), r#"{"message":"served from a template"}"#);
    }
}

/// A document with so many routes, to one path of an integration.
pub fn document(routes: usize, path: &str) -> String {
    let paths = (0..routes).map(|number| {
        let integration = json!({
            "type": "http_proxy", "httpMethod": "GET", "payloadFormatVersion": "1.0",
            "uri": format!("http://127.0.0.1:9/{path}/{number}"),
        });
        (
            format!("/{path}{number}"),
            json!({"get": {"x-amazon-apigateway-integration": integration}}),
        )
    });
    let paths: serde_json::Map<String, Value> = paths.collect();
    json!({"openapi": "3.0.1", "info": {"title": path, "version": "1"}, "paths": paths}).to_string()
}

#[test]
fn an_import_that_is_killed_is_done_or_not() {
    let crashes = std::env::var("CRASHES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(CRASHES);
    let documents = Directory::empty();
    documents.write("one.json", &document(60, "one"));
    // Some routes are in both, with other integrations.
    documents.write(
        "other.json",
        &document(50, "one").replace("127.0.0.1:9/one", "127.0.0.1:9/other"),
    );
    let import = |root: &Path, name: &str| {
        let mut command = program();
        command.arg("import").arg(documents.path().join(name));
        command.arg("--root").arg(root).arg("--replace");
        command
    };
    let whole = ["one.json", "other.json"].map(|name| {
        let root = Directory::empty();
        assert!(import(root.path(), "one.json").output().unwrap().status.success());
        let began = Instant::now();
        let output = import(root.path(), name).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        (tree(root.path()), began.elapsed())
    });
    let longest = whole.iter().map(|(_, took)| *took).max().unwrap();
    let (mut chance, mut interrupted) = (Chance(99), 0);
    let root = Directory::empty();
    assert!(import(root.path(), "one.json").output().unwrap().status.success());
    for round in 0..crashes {
        let mut child = import(root.path(), ["other.json", "one.json"][round as usize % 2])
            .spawn()
            .unwrap();
        let part = u32::try_from(chance.below(1000)).unwrap();
        thread::sleep(longest * part / 1000);
        let _ = child.kill();
        child.wait().unwrap();
        let left = tree(root.path());
        interrupted += u64::from(left.keys().any(|path| path.contains("/.") || path.starts_with('.')));
        // The next start finishes it; every other time it is the next import.
        if chance.below(2) == 0 {
            let served = serve(&root, &["--log-level", "error", "--access-log", "off"]);
            assert_eq!(get(served.address, "/none").status, 404);
            drop(served);
            let found = tree(root.path());
            assert!(
                whole.iter().any(|(tree, _)| *tree == found),
                "round {round}: {:?}",
                found.keys()
            );
        }
        let output = import(root.path(), ["other.json", "one.json"][round as usize % 2])
            .output()
            .unwrap();
        assert!(output.status.success(), "round {round}: {output:?}");
        let served = serve(&root, &["--log-level", "error", "--access-log", "off"]);
        drop(served);
        assert_eq!(tree(root.path()), whole[(round as usize + 1) % 2].0, "round {round}");
    }
    assert!(
        interrupted > 0,
        "no import was interrupted in {crashes} rounds of up to {longest:?}"
    );
}

#[test]
fn an_import_that_is_refused_changes_nothing() {
    let documents = Directory::empty();
    documents.write("one.json", &document(40, "one"));
    let bad = document(2, "bad").replace("http://127.0.0.1:9/bad/1", "nonsense");
    documents.write("bad.json", &bad);
    let root = Directory::empty();
    let run = |name: &str| {
        let mut command = program();
        command.arg("import").arg(documents.path().join(name));
        let output = command.arg("--root").arg(root.path()).arg("--replace").output();
        output.unwrap().status.success()
    };
    assert!(run("one.json"));
    let before = tree(root.path());
    assert!(!run("bad.json"));
    assert_eq!(tree(root.path()), before);
}

#[test]
fn a_gateway_finishes_an_import_that_was_killed() {
    // Contract of templates, section 4: who is served meanwhile sees the API change once.
    let root = Directory::of(&[
        ("routes/old.json", route("GET /old", "i")),
        ("integrations/i.json", http_proxy("http://127.0.0.1:1/")),
        ("stages/$default.json", json!({"AutoDeploy": true})),
    ]);
    let served = serve(&root, &["--access-log", "off"]);
    assert_eq!(get(served.address, "/old").status, 503);
    // As an import leaves the files that has written one of two routes, and not removed the third.
    let text = |key: &str| route(key, "i").to_string();
    root.write("routes/.new2.apigateway-new", &text("GET /new2"));
    let old = fs::read_to_string(root.path().join("routes/old.json")).unwrap();
    let hash = ring::digest::digest(&ring::digest::SHA256, old.as_bytes());
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let journal = json!({"Edits": [
        {"Path": "routes/new1.json", "New": "routes/.new1.apigateway-new"},
        {"Path": "routes/new2.json", "New": "routes/.new2.apigateway-new"},
        {"Path": "routes/old.json", "Before": hash},
    ]});
    root.write(".x.apigateway-journal", &journal.to_string());
    root.write("routes/new1.json", &text("GET /new1"));
    wait_until("the import is finished", || get(served.address, "/new2").status == 503);
    let statuses = ["/old", "/new1", "/new2"].map(|path| get(served.address, path).status);
    assert_eq!(statuses, [404, 503, 503]);
    assert!(!tree(root.path()).keys().any(|path| path.contains(".apigateway")));
}

#[test]
fn a_gateway_waits_for_an_import_that_is_under_way() {
    let root = Directory::of(&[
        ("routes/old.json", route("GET /old", "i")),
        ("integrations/i.json", http_proxy("http://127.0.0.1:1/")),
        ("stages/$default.json", json!({"AutoDeploy": true})),
    ]);
    let served = serve(&root, &["--access-log", "off"]);
    root.write(".x.apigateway-journal", r#"{"Edits": []}"#);
    root.write("routes/new.json", &route("GET /new", "i").to_string());
    let mut looks = 0;
    loop {
        let status = get(served.address, "/new").status;
        // It goes before what it announces is served.
        if !root.path().join(".x.apigateway-journal").exists() {
            break;
        }
        assert_eq!(status, 404, "half of it is served");
        looks += 1;
    }
    assert!(looks > 1);
    wait_until("then it is taken up", || get(served.address, "/new").status == 503);
}
