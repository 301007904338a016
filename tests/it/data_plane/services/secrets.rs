//! Secrets of AWS's stay with the gateway: no function is handed them unless its file names them.

use serde_json::{Value, json};

use super::KEY;
use crate::support::client::exchange;
use crate::support::directory::{Directory, lambda_proxy, route};
use crate::support::program::{json_of, program, served_by};
use crate::support::runtime;

#[test]
fn no_function_is_handed_the_gateway_s_key() {
    let api = Directory::of(&[("stages/$default.json", json!({}))]);
    let own = json!({"Variables": {"AWS_ACCESS_KEY_ID": "own", "AWS_SECRET_ACCESS_KEY": "own-secret"}});
    for (name, environment) in [("plain", json!({"Variables": {}})), ("named", own)] {
        let function = json!({"Command": runtime::command(), "Timeout": 30, "Environment": environment});
        let files = [
            (format!("routes/{name}.json"), route(&format!("POST /{name}"), name)),
            (format!("integrations/{name}.json"), lambda_proxy(name, "2.0")),
            (format!("functions/{name}.json"), function),
        ];
        for (path, json) in files {
            api.write(&path, &json.to_string());
        }
    }
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--root"]);
    command.arg(api.path()).envs(KEY);
    command
        .env("AWS_SESSION_TOKEN", "s3ssion")
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "c0ntainer")
        .env("AWS_ENDPOINT_URL", "http://stand-in.test");
    let served = served_by(command);
    let environment = |name: &str| -> Value {
        let request = format!(
            "POST /{name} HTTP/1.1\r\nHost: gw.test\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n\
             {{\"do\":\"tell\"}}"
        );
        json_of(&exchange(served.address, request))["environment"].clone()
    };
    let plain = environment("plain");
    for secret in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    ] {
        assert_eq!(plain[secret], Value::Null, "{plain}");
    }
    // What is no secret goes along as ever.
    assert_eq!(plain["AWS_ENDPOINT_URL"], "http://stand-in.test");
    let named = environment("named");
    assert_eq!(
        (&named["AWS_ACCESS_KEY_ID"], &named["AWS_SECRET_ACCESS_KEY"]),
        (&json!("own"), &json!("own-secret"))
    );
    assert_eq!(named["AWS_SESSION_TOKEN"], Value::Null);
}
