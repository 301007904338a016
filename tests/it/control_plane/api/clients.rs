//! AWS's own clients: boto3 and the AWS CLI, where `.ci/run` has installed them below `target/python`.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::calls::ControlPlane;
use crate::support::client;
use crate::support::directory::Directory;
use crate::support::repository::root;

/// A program of the virtual environment; none, and a word about it that no test runner hides, where it is not there.
fn installed(name: &str) -> Option<PathBuf> {
    let path = root().join("target/python/bin").join(name);
    if path.exists() {
        return Some(path);
    }
    let text = format!("\nNOT TESTED: {} is not there; .ci/run installs it\n", path.display());
    std::io::stderr().lock().write_all(text.as_bytes()).unwrap();
    None
}

fn said(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn boto3_configures_what_is_served() {
    let Some(python) = installed("python") else { return };
    let plane = ControlPlane::empty();
    let mut command = Command::new(python);
    command.arg(root().join("tests/clients/with_boto3.py"));
    command.args([format!("http://{}", plane.admin), plane.gateway.address.to_string()]);
    assert_eq!(said(&command.output().unwrap()), "done\n");
}

#[test]
fn the_aws_cli_configures_what_is_served() {
    let Some(aws) = installed("aws") else { return };
    let plane = ControlPlane::empty();
    let endpoint = format!("http://{}", plane.admin);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&aws);
        command.args(["apigatewayv2", "--endpoint-url", &endpoint, "--output", "json"]);
        command.args(arguments).envs([
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_CONFIG_FILE", "/nowhere"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere"),
        ]);
        let said = said(&command.output().unwrap());
        serde_json::from_str::<Value>(&said).unwrap_or_default()
    };
    let echo = format!("{endpoint}/echo");
    let api = run(&[
        "create-api",
        "--name",
        "cli",
        "--protocol-type",
        "HTTP",
        "--target",
        &echo,
    ]);
    let (id, url) = (api["ApiId"].as_str().unwrap(), api["ApiEndpoint"].as_str().unwrap());
    let host = url.strip_prefix("http://").unwrap();
    let request = format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n");
    assert_eq!(client::exchange(plane.gateway.address, &request).status, 200);
    let stage = run(&["get-stage", "--api-id", id, "--stage-name", "$default"]);
    assert_eq!(stage["AutoDeploy"], true);
    let routes = run(&["get-routes", "--api-id", id]);
    assert_eq!(routes["Items"][0]["RouteKey"], "$default");
    run(&[
        "update-api",
        "--api-id",
        id,
        "--cors-configuration",
        "AllowOrigins=https://a.test",
    ]);
    assert_eq!(
        run(&["get-api", "--api-id", id])["CorsConfiguration"]["AllowOrigins"][0],
        "https://a.test"
    );
    let exported = Directory::empty();
    let file = exported.path().join("api.yaml");
    let file = file.to_str().unwrap();
    let of_export = [
        "export-api",
        "--api-id",
        id,
        "--specification",
        "OAS30",
        "--output-type",
        "YAML",
    ];
    run(&[of_export.as_slice(), &[file]].concat());
    let body = format!("file://{file}");
    let imported = run(&["import-api", "--body", &body, "--fail-on-warnings"]);
    assert_eq!(imported["Name"], "cli");
    let copy = imported["ApiId"].as_str().unwrap();
    let again = run(&["reimport-api", "--api-id", copy, "--body", &body, "--basepath", "split"]);
    assert_eq!(again["ApiId"], copy);
    assert_eq!(
        run(&["get-routes", "--api-id", copy])["Items"][0]["RouteKey"],
        "$default"
    );
    run(&["delete-api", "--api-id", copy]);
    run(&["delete-api", "--api-id", id]);
    assert_eq!(run(&["get-apis"])["Items"], Value::Array(Vec::new()));
    assert_eq!(client::exchange(plane.gateway.address, &request).status, 404);
}
