//! The files to run the gateway with hold what they promise: containers, Kubernetes, and the static binary in an empty
//! root.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use apigateway::definition::store::Store;
use apigateway::deployment::configuration::Configuration;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::client::get;
use crate::support::directory::{Directory, http_proxy, route};
use crate::support::endpoint::Endpoint;
use crate::support::repository::{root, text_of};
use crate::support::tls::{Authority, TlsEnd, TlsServer};

/// Tells why something is not tested here.
#[expect(clippy::print_stdout, reason = "it is for whoever asks for the output")]
fn say(reason: &str) {
    println!("{reason}");
}

fn problems(directory: &Path) -> Vec<String> {
    let (_, problems) = Configuration::of(&Store::at(directory).load());
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_api_of_the_compose_file_can_be_served() {
    assert_eq!(problems(&root().join("deploy/compose")), [""; 0]);
    assert!(text_of("compose.yaml").contains("./deploy/compose:/api:ro"));
}

#[test]
fn the_example_of_several_apis_can_be_served() {
    let directory = root().join("deploy/several-apis");
    assert_eq!(problems(&directory), [""; 0]);
    let (configuration, _) = Configuration::of(&Store::at(&directory).load());
    let configuration = configuration.unwrap();
    // The addresses that the file says can be tried.
    let text = text_of("deploy/several-apis/compose.yaml");
    for (host, path, api) in [
        ("api.localhost:8000", "/orders/7", "orders"),
        ("pets.execute-api.localhost:8000", "/7", "pets"),
    ] {
        assert!(text.contains(&format!("curl http://{host}{path}")), "{host}");
        let address = configuration.address(host.as_bytes(), path);
        assert_eq!(address.api.map(|api| api.api_id()), Some(api), "{host}");
        assert!(address.target.is_ok(), "{host}");
    }
}

#[test]
fn the_api_of_the_example_with_a_queue_can_be_served() {
    assert_eq!(problems(&root().join("examples/queue")), [""; 0]);
    let compose = text_of("examples/queue/compose.yaml");
    for directory in ["stages", "routes", "integrations"] {
        assert!(
            compose.contains(&format!("./{directory}:/api/{directory}:ro")),
            "{directory}"
        );
    }
    assert!(compose.contains("build: ../.."));
}

#[test]
fn the_api_of_three_gateways_can_be_served() {
    assert_eq!(problems(&root().join("deploy/fleet/api")), [""; 0]);
    let compose = text_of("deploy/fleet/compose.yaml");
    assert!(compose.contains("./api:/api:ro") && compose.contains("APIGATEWAY_VALKEY: redis://valkey\n"));
    for gateway in ["gateway-1", "gateway-2", "gateway-3"] {
        assert!(compose.contains(&format!("  {gateway}: *gateway\n")), "{gateway}");
        let server = format!("server {gateway} {gateway}:8000");
        assert!(text_of("deploy/fleet/haproxy.cfg").contains(&server), "{gateway}");
    }
}

#[test]
fn the_fleet_in_kubernetes_has_what_a_rollout_needs() {
    // F15.
    let text = text_of("deploy/kubernetes-fleet.yaml");
    for part in [
        "replicas: 3",
        "rollingUpdate: {maxUnavailable: 0, maxSurge: 1}",
        "kind: PodDisruptionBudget",
        "topologySpreadConstraints:",
        "httpGet: {path: /healthz, port: admin}",
        "sleep: {seconds: 5}",
        "kind: NetworkPolicy",
        "kind: Secret",
        "expr: apigateway_valkey_up == 0",
        "expr: count(count by (hash) (apigateway_deployment_info)) > 1",
    ] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn the_api_in_the_config_map_can_be_served() {
    for file in ["deploy/kubernetes.yaml", "deploy/kubernetes-fleet.yaml"] {
        the_api_in_a_config_map_can_be_served(file);
    }
}

fn the_api_in_a_config_map_can_be_served(file: &str) {
    let text = text_of(file);
    let config_map = text.split("\ndata:\n").nth(1).unwrap().split("\n---").next().unwrap();
    let directory = Directory::of(&[]);
    let mut count = 0;
    for item in text.lines().filter_map(|line| line.trim().strip_prefix("- {key: ")) {
        let (key, path) = item.trim_end_matches('}').split_once(", path: ").unwrap();
        let value = config_map.split(&format!("  {key}: |\n")).nth(1).unwrap();
        let lines = value.lines().take_while(|line| line.starts_with("    "));
        directory.write(path, &lines.collect::<Vec<_>>().join("\n"));
        count += 1;
    }
    assert_eq!((count, problems(directory.path())), (3, Vec::new()));
}

/// Names of environment variables in a text.
fn variables(text: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
    let found = text.split("APIGATEWAY_").skip(1);
    found
        .map(|rest| rest.chars().take_while(|c| is_name(*c)).collect())
        .collect()
}

#[test]
fn options_in_the_files_exist() {
    let help = Command::new(env!("CARGO_BIN_EXE_apigateway"))
        .args(["serve", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut count = 0;
    for file in [
        "Dockerfile",
        "compose.yaml",
        "deploy/kubernetes.yaml",
        "deploy/kubernetes-fleet.yaml",
        "deploy/apigateway.service",
        "deploy/https/compose.yaml",
        "deploy/kubernetes-tls/deployment.yaml",
        "examples/queue/compose.yaml",
    ] {
        for variable in variables(&text_of(file)) {
            let option = variable.to_lowercase().replace('_', "-");
            // A long name has a line of its own.
            let is_there = [' ', '\n']
                .iter()
                .any(|end| help.contains(&format!("  --{option}{end}")));
            assert!(is_there, "{file}: APIGATEWAY_{variable}");
            count += 1;
        }
    }
    assert!(count >= 10, "{count}");
}

#[test]
fn what_the_image_takes_is_there_and_let_through() {
    let ignored = text_of(".dockerignore");
    for line in text_of("Dockerfile")
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
    {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        words.pop();
        for source in words
            .into_iter()
            .filter(|word| !word.starts_with("--") && !word.starts_with('/'))
        {
            assert!(root().join(source).exists(), "{source}");
            assert!(ignored.lines().any(|line| line == format!("!{source}")), "{source}");
        }
    }
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let unit = root().join("deploy/apigateway.service");
    let Ok(output) = Command::new("systemd-analyze").arg("verify").arg(&unit).output() else {
        return say("not looked at: there is no systemd-analyze here");
    };
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    // The binary is not installed where a test runs, and other units are not ours.
    let own = complaints.lines().filter(|line| line.contains("apigateway.service"));
    let own: Vec<&str> = own
        .filter(|line| !line.contains("/usr/local/bin/apigateway is not executable"))
        .collect();
    assert_eq!(own, [""; 0]);
}

/// Serves with the binary that the variable names, as nobody, in a root that has only its files. `.ci/run` sets it.
#[test]
fn the_static_binary_serves_in_an_empty_root() {
    let Some(binary) = std::env::var_os("APIGATEWAY_STATIC_BINARY") else {
        return say("not run: APIGATEWAY_STATIC_BINARY names no binary");
    };
    if !rustix::process::geteuid().is_root() {
        return say("not run: only root can change its root");
    }
    let length = std::fs::metadata(&binary).unwrap().len();
    assert!(length <= 10_000_000, "the image would have {length} bytes");
    let authority = Authority::new();
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecure";
    let secure = TlsServer::start(authority.server("upstream.test", 4000), answer, TlsEnd::Open);
    let plain = Endpoint::ok();
    let directory = Directory::of(&[]);
    let uri = |scheme, port| http_proxy(format!("{scheme}://upstream.test:{port}/"));
    for (path, json) in [
        ("api/stages/default.json", json!({})),
        ("api/routes/plain.json", route("GET /plain", "plain")),
        ("api/routes/secure.json", route("GET /secure", "secure")),
        ("api/integrations/plain.json", uri("http", plain.address.port())),
        ("api/integrations/secure.json", uri("https", secure.address.port())),
    ] {
        directory.write(path, &json.to_string());
    }
    directory.write("api/ca.pem", &authority.pem);
    directory.write("etc/hosts", "127.0.0.1 upstream.test\n");
    let copy = directory.path().join("apigateway");
    std::fs::copy(&binary, &copy).unwrap();
    std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).unwrap();
    let mut child = Command::new("chroot")
        .args(["--userspec=65532:65532"])
        .arg(directory.path())
        .args([
            "/apigateway",
            "serve",
            "--root",
            "/api",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "off",
        ])
        .args(["--upstream-ca", "/api/ca.pem"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let address = line.strip_prefix("listening on http://").unwrap().parse().unwrap();
    assert_eq!(get(address, "/plain").text(), "ok");
    assert_eq!(get(address, "/secure").text(), "secure");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(lines.count(), 2, "a line of the access log for each request");
}
