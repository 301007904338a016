//! A served template: what is answered, and what an edit does.

use std::fs;

use apigateway::definition::store::Fingerprint;
use apigateway::template::options::Options;
use apigateway::template::reading::read;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::client::{exchange, get};
use crate::support::directory::Directory;
use crate::support::endpoint::Endpoint;
use crate::support::program::{Served, program, serve};
use crate::support::wait::wait_until;

/// A document with a route to an endpoint.
fn document(endpoint: &Endpoint, path: &str) -> String {
    format!(
        "openapi: 3.0.1\ninfo: {{title: live, version: '1'}}\npaths:\n  {path}:\n    get:\n      \
         x-amazon-apigateway-integration: {{type: http_proxy, httpMethod: GET, uri: 'http://{}/'}}\n",
        endpoint.address
    )
}

fn served(directory: &Directory, template: &str, more: &[&str]) -> Served {
    let path = directory.path().join(template);
    let mut arguments = vec!["--template", path.to_str().unwrap(), "--access-log", "off"];
    arguments.extend(more);
    serve(directory, &arguments)
}

#[test]
fn an_edit_takes_effect_and_a_broken_one_does_not() {
    // Contract of templates, section 6.
    let endpoint = Endpoint::ok();
    let directory = Directory::empty();
    directory.write("api.yaml", &document(&endpoint, "/a"));
    let mut served = served(&directory, "api.yaml", &[]);
    served.running.complains("serving live (local): http://127.0.0.1:");
    assert_eq!(get(served.address, "/a").status, 200);
    directory.write("api.yaml", &document(&endpoint, "/b"));
    wait_until("the edit takes effect by itself", || {
        get(served.address, "/b").status == 200
    });
    assert_eq!(get(served.address, "/a").status, 404);

    directory.write("api.yaml", "openapi: 3.0.1\npaths:\n  /c: {get: {security: [{nope: []}], x-amazon-apigateway-integration: {type: mock}}}\n");
    served.running.signal(Signal::HUP);
    assert_eq!(get(served.address, "/b").status, 200, "the last good API goes on");
    served
        .running
        .complains("api.yaml:3:78#/paths/~1c/get/x-amazon-apigateway-integration/type: error: an HTTP API has no");
    served.running.complains("not reloaded");

    fs::remove_file(directory.path().join("api.yaml")).unwrap();
    served.running.signal(Signal::HUP);
    assert_eq!(get(served.address, "/b").status, 200, "also while the file is missing");
    directory.write("api.yaml", &document(&endpoint, "/d"));
    served.running.signal(Signal::HUP);
    assert_eq!(get(served.address, "/d").status, 200);
}

#[test]
fn an_included_document_is_watched_too() {
    let endpoint = Endpoint::ok();
    let directory = Directory::empty();
    let template = "Transform: AWS::Serverless-2016-10-31\nResources:\n  Api: {Type: AWS::Serverless::HttpApi, Properties: {DefinitionUri: api.yaml}}\n";
    directory.write("project/template.yaml", template);
    directory.write("project/api.yaml", &document(&endpoint, "/a"));
    let served = served(&directory, "project", &[]);
    assert_eq!(get(served.address, "/a").status, 200);
    directory.write("project/api.yaml", &document(&endpoint, "/b"));
    wait_until("the edit of the included document takes effect", || {
        get(served.address, "/b").status == 200
    });
}

#[test]
fn credentials_and_functions_of_the_root_go_with_a_template_and_its_apis_do_not() {
    // Contract of templates, section 1.
    let endpoint = Endpoint::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\"fn\"".to_vec());
    let directory = Directory::empty();
    let template = "Transform: AWS::Serverless-2016-10-31\nResources:\n  Fn:\n    Type: AWS::Serverless::Function\n    Properties:\n      PackageType: Image\n      ImageUri: x\n      Events: {A: {Type: HttpApi, Properties: {Path: /a, Method: get}}}\n";
    directory.write("template.yaml", template);
    directory.write(
        "functions/Fn.json",
        &format!("{{\"InvokeUri\": \"http://{}/x\"}}", endpoint.address),
    );
    directory.write("functions/package.json", "{\"name\": \"not a function\"}");
    directory.write("routes/broken.json", "{");
    let mut served = served(&directory, "template.yaml", &[]);
    let answer = get(served.address, "/a");
    assert_eq!((answer.status, answer.text().as_str()), (200, "fn"));
    served.running.complains("serving local (serverlesshttpapi)");
}

#[test]
fn several_apis_of_a_template_are_reached_by_their_ids() {
    // Contract of templates, section 6: requests find their API by its host or its path.
    let (one, other) = (
        Endpoint::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none".to_vec()),
        Endpoint::ok(),
    );
    let directory = Directory::empty();
    let api = |name: &str, endpoint: &Endpoint| {
        format!(
            "  {name}: {{Type: AWS::ApiGatewayV2::Api, Properties: {{Name: n{name}, ProtocolType: HTTP, Target: 'http://{}/'}}}}\n",
            endpoint.address
        )
    };
    directory.write(
        "two.yaml",
        &format!("Resources:\n{}{}", api("One", &one), api("Two", &other)),
    );
    let mut served = served(&directory, "two.yaml", &[]);
    served
        .running
        .complains("serving nOne (one): http://one.execute-api.localhost:");
    let of = |host: &str, path: &str| exchange(served.address, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    assert_eq!(of("one.execute-api.localhost", "/").text(), "one");
    assert_eq!(of("two.execute-api.localhost:8000", "/").text(), "ok");
    assert_eq!(of("gw.test", "/_aws/execute-api/one/").text(), "one");
    assert_eq!(of("gw.test", "/").status, 404);
}

#[test]
fn a_broken_template_is_told_at_the_start() {
    let directory = Directory::empty();
    directory.write("broken.yaml", "Resources: [\n");
    directory.write("open.yaml", "openapi: 3.0.1\npaths:\n  a: {}\n");
    for (file, expected) in [
        ("broken.yaml", "broken.yaml:1:12#: error: not YAML"),
        (
            "open.yaml",
            "open.yaml:3:3#/paths/a: error: the path \"a\" does not begin with a /",
        ),
        ("none.yaml", "none.yaml#: error: the file cannot be read"),
    ] {
        let output = program()
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "off",
                "--log-format",
                "text",
                "--template",
                file,
            ])
            .current_dir(directory.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{file}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(expected), "{file}: {stderr}");
        assert!(output.stdout.is_empty(), "{file}");
    }
}

/// Contract of templates §1: calls read what a template says, and write nothing.
#[test]
fn calls_read_a_template_and_do_not_write_it() {
    let endpoint = Endpoint::ok();
    let directory = Directory::empty();
    directory.write("api.yaml", &document(&endpoint, "/a"));
    let served = served(&directory, "api.yaml", &[]);
    let admin = served.admin;
    let read = |path: &str| -> Value {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        serde_json::from_str(&exchange(admin, request).text()).unwrap()
    };
    let listed = read("/v2/apis");
    assert_eq!(listed["items"][0]["name"], "live", "{listed}");
    let id = listed["items"][0]["apiId"].as_str().unwrap();
    let routes = read(&format!("/v2/apis/{id}/routes"));
    assert_eq!(routes["items"][0]["routeKey"], "GET /a", "{routes}");
    let body = r#"{"name": "new", "protocolType": "HTTP"}"#;
    for (method, path) in [("POST", "/v2/apis".to_owned()), ("PATCH", format!("/v2/apis/{id}"))] {
        let length = body.len();
        let fields = format!("Host: localhost\r\nContent-Length: {length}\r\nConnection: close");
        let answer = exchange(admin, format!("{method} {path} HTTP/1.1\r\n{fields}\r\n\r\n{body}"));
        assert_eq!(answer.status, 409, "{method}: {}", answer.text());
        assert_eq!(answer.header("x-amzn-errortype"), Some("ConflictException"));
        assert_eq!(answer.text(), r#"{"message":"served from a template"}"#);
    }
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        1,
        "nothing was written"
    );
}

#[test]
fn an_edit_after_the_reading_began_is_not_lost() {
    // What decides the template is looked at before it is read, and not after.
    let endpoint = Endpoint::ok();
    let directory = Directory::empty();
    directory.write("api.yaml", &document(&endpoint, "/a"));
    let path = directory.path().join("api.yaml");
    let look = || Fingerprint::of(vec![path.clone()]);
    wait_until("the file's time stamp tells writes apart", || {
        !look().may_differ(&look())
    });
    let reading = read(&path, &Options::default());
    assert!(!reading.watched.may_differ(&reading.watched.again()));
    // As an editor that saves in the middle of the reading.
    directory.write("api.yaml", &document(&endpoint, "/edited"));
    assert!(reading.watched.may_differ(&reading.watched.again()));
}

#[test]
fn the_hash_of_a_template_is_told_as_that_of_files() {
    // F13. Code that stands in the template lies in a directory of the process, which is no part of the hash.
    let directory = Directory::empty();
    let template = |greeting: &str| {
        format!(
            "Transform: AWS::Serverless-2016-10-31\nResources:\n  Fn:\n    Type: AWS::Serverless::Function\n    Properties:\n      \
             Runtime: python3.12\n      Handler: index.handler\n      Environment: {{Variables: {{GREETING: {greeting}}}}}\n      \
             InlineCode: |\n        def handler(event, context):\n            return 'x'\n      Events: {{Get: {{Type: HttpApi, \
             Properties: {{Path: /a, Method: get}}}}}}\n"
        )
    };
    let checked = || {
        let path = directory.path().join("template.yaml");
        let mut command = program();
        command.args(["check", "--format", "json", "--template"]).arg(path);
        let said = command.output().unwrap().stdout;
        serde_json::from_slice::<Value>(&said).unwrap()["hash"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    directory.write("template.yaml", &template("hello"));
    let first = checked();
    assert_eq!(checked(), first);
    let mut served = served(&directory, "template.yaml", &[]);
    let line = served.running.complains("serving local from");
    assert!(line.contains(&format!("hash {first}")), "{line} {first}");
    directory.write("template.yaml", &template("goodbye"));
    let line = served.running.complains("reloaded");
    let second = checked();
    assert!(line.contains(&format!("hash {second}")), "{line} {second}");
    assert_ne!(first, second);
}
