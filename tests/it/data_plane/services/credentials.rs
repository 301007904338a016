//! Where endpoint, region and static keys come from: the program with an environment and files (contract S16–S18).

use std::net::SocketAddr;

use serde_json::json;

use super::{KEY, SEND, files};
use crate::support::client::exchange;
use crate::support::directory::Directory;
use crate::support::endpoint::{Endpoint, Recorded};
use crate::support::program::{Running, program, run_with, served_by, small_api};

/// An API, and a home with files of AWS's tools.
fn home(credentials: &str, config: &str) -> Directory {
    let directory = Directory::of(&files());
    directory.write("home/.aws/credentials", credentials);
    directory.write("home/.aws/config", config);
    directory
}

/// Serves with that home and these variables, calls the queue once, and tells what came back, what arrived, and what
/// was logged.
fn call(directory: &Directory, endpoint: &Endpoint, variables: &[(&str, &str)]) -> (u16, Vec<Recorded>, Vec<String>) {
    let mut command = program();
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--log-level",
        "debug",
        "--root",
    ]);
    command.arg(directory.path());
    command.env("HOME", directory.path().join("home"));
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.envs(variables.iter().copied());
    let served = served_by(command);
    let status = exchange(served.address, SEND).status;
    served.running.signal(rustix::process::Signal::TERM);
    let ended = served.running.end();
    (status, endpoint.rest(), ended.stderr)
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

#[test]
fn the_first_source_that_is_configured_signs() {
    let endpoint = Endpoint::ok();
    let url = url(endpoint.address);
    let here = ("AWS_ENDPOINT_URL", url.as_str());
    let keys = |id: &str| format!("aws_access_key_id = {id}\naws_secret_access_key = s3cr3t\n");
    let credentials = format!(
        "[default]\n{}[x]\n{}aws_session_token = t0k3n\n",
        keys("DEFAULT"),
        keys("OFX")
    );
    let config = format!(
        "[default]\nregion = eu-west-3\n[profile y]\n{}endpoint_url = {url}/y\n",
        keys("OFY")
    );
    let directory = home(&credentials, &config);
    for (variables, id, region, token, path) in [
        (&[here][..], "DEFAULT", "eu-west-3", None, ""),
        (&[here, KEY[0], KEY[1]], "AKIDEXAMPLE", "eu-west-3", None, ""),
        (
            &[here, ("AWS_PROFILE", "x"), ("AWS_REGION", "eu-west-1")],
            "OFX",
            "eu-west-1",
            Some("t0k3n"),
            "",
        ),
        (
            &[("AWS_PROFILE", "y"), ("APIGATEWAY_REGION", "eu-west-2")],
            "OFY",
            "eu-west-2",
            None,
            "/y",
        ),
        (
            &[here, ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")],
            "test",
            "eu-west-3",
            None,
            "",
        ),
    ] {
        let (status, arrived, log) = call(&directory, &endpoint, variables);
        assert_eq!((status, arrived.len()), (200, 1), "{variables:?}: {log:?}");
        let authorization = arrived[0].headers("authorization")[0];
        let scope = format!("Credential={id}/");
        assert!(authorization.contains(&scope), "{variables:?}: {authorization}");
        assert!(
            authorization.contains(&format!("/{region}/sqs/")),
            "{variables:?}: {authorization}"
        );
        assert_eq!(arrived[0].headers("x-amz-security-token"), Vec::from_iter(token));
        assert_eq!(arrived[0].request(), format!("POST {path}/123456789012/orders"));
        let told = log.iter().filter(|line| line.contains("test/test")).count();
        assert_eq!(told, usize::from(id == "test"), "{log:?}");
        let log = log.join("\n");
        assert!(
            !log.contains("s3cr3t") && !log.contains("t0k3n") && !log.contains(KEY[1].1),
            "{log}"
        );
    }
}

#[test]
fn a_source_that_is_configured_and_gives_no_key_is_the_last() {
    let endpoint = Endpoint::ok();
    let url = url(endpoint.address);
    let here = ("AWS_ENDPOINT_URL", url.as_str());
    for (credentials, config, variables, says) in [
        (
            "[default]\naws_access_key_id = A\n",
            "",
            &[][..],
            "without aws_secret_access_key",
        ),
        (
            "[default]\naws_secret_access_key = s3cr3t\n",
            "",
            &[],
            "without aws_access_key_id",
        ),
        (
            "[default]\naws_access_key_id = A\naws_secret_access_key = s3cr3t\n",
            "[default]\nrole_arn = arn:aws:iam::123456789012:role/a\n",
            &[],
            "role_arn",
        ),
        ("", "[default]\nsso_session = s\n", &[], "sso_session"),
        (
            "",
            "[default]\ncredential_process = /bin/true\n",
            &[],
            "credential_process",
        ),
        (
            "",
            "[profile p]\nweb_identity_token_file = /t\n",
            &[("AWS_PROFILE", "p")],
            "web_identity_token_file",
        ),
        ("", "", &[("AWS_PROFILE", "none")], "of AWS_PROFILE is in neither file"),
        ("", "", &[("AWS_ACCESS_KEY_ID", "A")], "without AWS_SECRET_ACCESS_KEY"),
        (
            "",
            "",
            &[("AWS_SECRET_ACCESS_KEY", "s3cr3t")],
            "without AWS_ACCESS_KEY_ID",
        ),
        (
            "",
            "",
            &[("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")],
            "AWS_WEB_IDENTITY_TOKEN_FILE",
        ),
    ] {
        let directory = home(credentials, config);
        let variables: Vec<_> = variables.iter().copied().chain([here]).collect();
        let (status, arrived, log) = call(&directory, &endpoint, &variables);
        assert_eq!((status, arrived.len()), (500, 0), "{says}: {log:?}");
        let log = log.join("\n");
        assert!(log.contains("send.json") && log.contains(says), "{says}: {log}");
        assert!(!log.contains("s3cr3t"), "{log}");
    }
}

/// Real AWS never gets the key of stand-ins: the log tells what was tried, and nothing is sent.
#[test]
fn without_credentials_a_call_of_aws_is_500() {
    let (endpoint, directory) = (Endpoint::ok(), home("", ""));
    let (status, arrived, log) = call(&directory, &endpoint, &[]);
    assert_eq!((status, arrived.len()), (500, 0));
    let log = log.join("\n");
    for tried in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_EC2_METADATA_DISABLED",
    ] {
        assert!(log.contains(tried), "{tried}: {log}");
    }
}

#[test]
fn an_endpoint_that_is_none_ends_the_start() {
    let directory = Directory::of(&files());
    let root = directory.path().to_str().unwrap();
    let serve = ["serve", "--root", root, "--listen", "127.0.0.1:0", "--admin", "off"];
    for variable in [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_SQS",
        "APIGATEWAY_AWS_ENDPOINT_URL",
    ] {
        for url in [
            "localhost:4566",
            "http://",
            "http://h.test?a=b",
            "http://u:p4ss@h.test",
            "ftp://h.test",
        ] {
            let ended = run_with(&serve, &[(variable, url), ("HOME", "/nowhere")]);
            assert_eq!(ended.code(), 1, "{variable}={url}");
            let last = ended.stderr.last().unwrap();
            assert!(last.contains(variable), "{variable}={url}: {last}");
        }
    }
    // Without the three in the middle it would go to AWS, and there is none to be asked before a call.
    let ignored = [
        ("AWS_ENDPOINT_URL", "nonsense"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
    ];
    let mut command = program();
    command.args(serve).env("HOME", "/nowhere").envs(ignored);
    let mut running = Running::spawn(command);
    assert!(running.says().contains("listening"));
}

/// Whatever the variables and the files of AWS's tools say, they are not looked at.
#[test]
fn a_gateway_without_services_reads_nothing_of_aws() {
    let directory = small_api();
    // To read it would be an error: it is a directory.
    directory.write("aws/config/x", "");
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--root"]);
    command.arg(directory.path());
    command
        .env("AWS_ENDPOINT_URL", "nonsense")
        .env("AWS_REGION", "no region");
    command.env("AWS_CONFIG_FILE", directory.path().join("aws/config"));
    let mut running = Running::spawn(command);
    assert!(running.says().contains("listening"));

    let with_services = Directory::of(&files());
    let config = directory.path().join("aws/config");
    let variables = [("AWS_CONFIG_FILE", config.to_str().unwrap()), ("HOME", "/nowhere")];
    let root = with_services.path().to_str().unwrap();
    let serve = ["serve", "--root", root, "--listen", "127.0.0.1:0", "--admin", "off"];
    let ended = run_with(&serve, &variables);
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert!(ended.stderr.last().unwrap().contains("aws/config"), "{ended:?}");
}

#[test]
fn check_and_routes_look_at_no_variable() {
    let directory = Directory::of(&files());
    let root = directory.path().to_str().unwrap();
    let variables = [("AWS_ENDPOINT_URL", "nonsense"), ("HOME", "/nowhere")];
    let ended = run_with(&["check", "--root", root], &variables);
    assert_eq!(
        (ended.code(), ended.stdout),
        (0, vec!["0 errors, 0 warnings".to_owned()])
    );
    let ended = run_with(&["routes", "--root", root], &variables);
    let table = ended.stdout.join("\n");
    assert!(
        table.contains("SQS-SendMessage") && table.contains("AppConfig-GetConfiguration"),
        "{table}"
    );
    let ended = run_with(&["routes", "--root", root, "--match", "POST /send"], &variables);
    let text = ended.stdout.join("\n");
    assert!(text.contains("SQS-SendMessage (integrations/send)"), "{text}");
    directory.write(
        "integrations/send.json",
        &json!({"IntegrationType": "AWS_PROXY"}).to_string(),
    );
    assert_eq!(run_with(&["check", "--root", root], &variables).code(), 1);
}
