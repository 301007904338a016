//! The command line takes its options, and refuses by name those that are unknown or have bad values.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::unix::ffi::OsStringExt;

use super::OPTIONS;
use crate::support::client::get;
use crate::support::directory::Directory;
use crate::support::program::{Running, announced, program, run, run_with, served_by, small_api};

#[test]
fn without_a_command_it_serves_the_directory_it_stands_in() {
    let directory = small_api();
    let mut command = program();
    command.current_dir(directory.path());
    command
        .env("APIGATEWAY_LISTEN", "127.0.0.1:0")
        .env("APIGATEWAY_ADMIN", "off");
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), "listening on http://");
    assert_eq!(get(address, "/x").status, 503);
}

/// Whoever gives a port alone gets it on loopback, and never on the network.
#[test]
fn a_port_alone_is_one_of_loopback() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    for port in ["0", ":0"] {
        let mut by_flag = program();
        by_flag.args(["serve", "--root", root, "--listen", port, "--admin", port]);
        let mut by_variable = program();
        by_variable
            .env("APIGATEWAY_ROOT", root)
            .env("APIGATEWAY_LISTEN", port)
            .env("APIGATEWAY_ADMIN", port);
        for command in [by_flag, by_variable] {
            let served = served_by(command);
            for address in [served.address, served.admin] {
                assert_eq!(address.ip().to_string(), "127.0.0.1");
            }
            assert_eq!(get(served.address, "/x").status, 503);
            assert_eq!(get(served.admin, "/healthz").text(), "ok");
        }
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for listen in [port.clone(), format!(":{port}")] {
        let ended = run(&["serve", "--root", root, "--listen", &listen, "--admin", "off"]);
        assert!(ended.refusal().contains(&format!("127.0.0.1:{port}")), "{ended:?}");
    }
}

#[test]
fn options_without_a_command_are_those_of_serve() {
    let directory = small_api();
    let mut command = program();
    command
        .args(["--admin", "off", "--listen", "127.0.0.1:0", "--root"])
        .arg(directory.path());
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), "listening on http://");
    assert_eq!(get(address, "/x").status, 503);
}

#[test]
fn a_directory_may_be_called_like_a_command() {
    let directory = small_api();
    for name in ["check", "serve"] {
        std::os::unix::fs::symlink(directory.path(), directory.path().join(name)).unwrap();
        let mut command = program();
        command.current_dir(directory.path());
        command.args(["--root", name, "--listen", "127.0.0.1:0", "--admin", "off"]);
        let mut running = Running::spawn(command);
        announced(&running.says(), "listening on http://");
    }
}

#[test]
fn unknown_options_and_commands_are_refused_by_name() {
    for (arguments, named) in [
        (&["--bogus"][..], "--bogus"),
        (&["--bogus", "x"], "--bogus"),
        (&["serve", "--bogus", "x"], "--bogus"),
        (&["check", "--listen", "127.0.0.1:0"], "--listen"),
        (&["check", "more"], "more"),
        (&["serve", "more"], "more"),
        (&["frobnicate"], "frobnicate"),
        (&["Serve"], "Serve"),
    ] {
        let ended = run(arguments);
        assert!(ended.refusal().contains(named), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn an_option_without_a_value_is_refused_by_name() {
    for (option, _) in OPTIONS {
        let ended = run(&["serve", option]);
        assert!(ended.refusal().contains(option), "{ended:?}");
    }
}

#[test]
fn an_option_twice_is_refused_by_name() {
    let may_be_repeated = ["--trusted-proxy", "--admin-host"];
    for (option, value) in OPTIONS
        .into_iter()
        .filter(|(option, _)| !may_be_repeated.contains(option))
    {
        let ended = run(&["serve", option, value, option, value]);
        assert!(ended.refusal().contains(option), "{ended:?}");
    }
}

#[test]
fn what_the_control_plane_is_told_is_checked() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    let serve = ["serve", "--root", root, "--listen", "127.0.0.1:0"];
    for (arguments, named) in [
        (&["--control-plane", "on"][..], "--control-plane"),
        (&["--control-plane", ""], "--control-plane"),
        (&["--control-plane", "open", "--admin", "off"], "--control-plane"),
        (&["--control-plane", "signed", "--admin", "off"], "--control-plane"),
        (&["--public-url", "gateway.test"], "--public-url"),
        (&["--public-url", "http://gateway.test/{Stage}"], "--public-url"),
        (&["--admin-host", "gateway.test:8001"], "--admin-host"),
        (&["--admin-host", "a b"], "--admin-host"),
    ] {
        let ended = run(&[&serve, arguments].concat());
        assert!(ended.refusal().contains(named), "{arguments:?}: {ended:?}");
    }
    for arguments in [
        &["--control-plane", "off", "--admin", "off"][..],
        &["--control-plane", "signed", "--admin", "127.0.0.1:0"],
        &["--public-url", "https://{ApiId}.{Region}.test/", "--admin", "off"],
    ] {
        let mut command = program();
        command.args(serve).args(arguments);
        announced(&Running::spawn(command).says(), "listening on http://");
    }
}

#[test]
fn beyond_loopback_calls_must_be_signed() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    let mut command = program();
    command.args([
        "serve",
        "--root",
        root,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "0.0.0.0:0",
    ]);
    let mut served = served_by(command);
    served.running.complains("no call to the control plane will be let in");
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], served.admin.port()));
    let answer = get(address, "/v2/apis");
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.header("x-amzn-errortype"),
        Some("MissingAuthenticationTokenException")
    );
}

#[test]
fn the_public_url_stands_in_answers() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    for (url, expected) in [
        ("https://gw.test/", "https://gw.test/_aws/execute-api/local"),
        ("https://{ApiId}.{Region}.test", "https://local.us-east-1.test"),
    ] {
        let mut command = program();
        command.args([
            "serve",
            "--root",
            root,
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ]);
        let served = served_by({
            command.args(["--public-url", url, "--admin-host", "gw.test"]);
            command
        });
        let answer = get(served.admin, "/v2/apis/local");
        assert!(
            answer.text().contains(&format!("\"apiEndpoint\":\"{expected}\"")),
            "{}",
            answer.text()
        );
    }
}

#[test]
fn a_refusal_is_one_line_whatever_was_given() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    let serve = ["serve", "--root", root, "--listen", "127.0.0.1:0"];
    for arguments in [
        &["serve", "--root", "no\nwhere"][..],
        &["serve", "--root", root, "--listen", "no\nwhere"],
        &[&serve[..], &["--admin", "no\nwhere"]].concat(),
        &[&serve[..], &["--admin", "off", "--upstream-ca", "no\nwhere"]].concat(),
        &["serve", "--grace", "1\n2"],
        &["serve", "--workers", "1\n2"],
        &["serve", "--bo\ngus", "x"],
        &["frob\nnicate"],
    ] {
        run(arguments).refusal();
    }
}

#[test]
fn an_argument_that_is_not_utf8_is_refused() {
    let mut command = program();
    command
        .arg("serve")
        .arg("--root")
        .arg(OsString::from_vec(b"/\xff".to_vec()));
    let ended = Running::spawn(command).end();
    assert!(ended.refusal().contains("UTF-8"), "{ended:?}");
}

/// Values that an option cannot have, for the flag and for the variable.
pub const BAD_VALUES: [(&str, &[&str]); 19] = [
    ("--access-log", &["", "/nowhere/access.log", "/"]),
    ("--log-level", &["", "Info", "trace", "off"]),
    ("--log-format", &["", "JSON", "xml"]),
    (
        "--listen",
        &[
            "nonsense",
            "127.0.0.1",
            "127.0.0.1:65536",
            "127.0.0.1:http",
            "65536",
            ":65536",
            "::8000",
            "+8000",
            "-1",
            ":http",
            ":",
            "",
        ],
    ),
    ("--admin", &["nonsense", "Off", "127.0.0.1:-1", "65536", ":99999", ""]),
    (
        "--lambda-endpoint",
        &["nonsense", "ftp://h", "http://h?a=b", "http://h/{a}", ""],
    ),
    // S16: without scheme or host, with a query or userinfo.
    (
        "--aws-endpoint-url",
        &[
            "nonsense",
            "localhost:4566",
            "http://",
            "ftp://h",
            "http://h?a=b",
            "http://u:p@h",
            "",
        ],
    ),
    (
        "--trusted-proxy",
        &["nonsense", "10.0.0.0/33", "10.0.0.0/8,", "10.0.0.0/8 ::1", ""],
    ),
    ("--region", &["US-EAST-1", "us east", "eu/west", ""]),
    (
        "--account-id",
        &["12345678901", "1234567890123", "12345678901x", "+12345678901", ""],
    ),
    ("--loops", &["-1", "1.5", "many", "", "257"]),
    ("--workers", &["0", "-1", "1.5", "many", "", "99999999999999999999999"]),
    ("--max-connections", &["0", "-1", "1.5", "many", ""]),
    ("--dns-ttl", &["0", "-1", "1.5", "1s", "", "99999999999"]),
    ("--head-timeout", &["0", "-1", "1.5", "1s", ""]),
    ("--body-timeout", &["0", "-1", "1.5", "1s", ""]),
    ("--idle-timeout", &["0", "-1", "1.5", "1s", ""]),
    ("--write-timeout", &["0", "-1", "1.5", "1s", ""]),
    (
        "--grace",
        &["-1", "1.5", "1s", "forever", "", "99999999999999999999999"],
    ),
];

#[test]
fn bad_values_are_refused_with_the_option_s_name() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    for (option, values) in BAD_VALUES {
        for value in values {
            let mut arguments = vec!["serve", "--root", root];
            for (name, good) in [("--listen", "127.0.0.1:0"), ("--admin", "off")] {
                if name != option {
                    arguments.extend([name, good]);
                }
            }
            arguments.extend([option, value]);
            let ended = run(&arguments);
            let line = ended.refusal();
            assert!(
                line.contains(option) && line.contains(value),
                "{option} {value:?}: {line}"
            );
        }
    }
}

#[test]
fn an_address_in_use_is_refused_with_option_and_address() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (listen, admin, option) in [
        (address.as_str(), "off", "--listen"),
        ("127.0.0.1:0", address.as_str(), "--admin"),
    ] {
        let ended = run(&["serve", "--root", root, "--listen", listen, "--admin", admin]);
        let line = ended.refusal();
        assert!(line.contains(option) && line.contains(&address), "{line}");
    }
}

#[test]
fn a_root_that_is_no_directory_is_refused() {
    let file = Directory::empty();
    file.write("file", "");
    for root in ["/nowhere/at/all", file.path().join("file").to_str().unwrap()] {
        let ended = run(&["serve", "--root", root, "--listen", "127.0.0.1:0", "--admin", "off"]);
        let line = ended.refusal();
        assert!(line.contains(root) && line.contains(": error: "), "{line}");
        let ended = run(&["check", "--root", root]);
        assert_eq!(ended.code(), 1);
        assert_eq!(ended.stdout, [line, "1 errors, 0 warnings"]);
    }
}

#[test]
fn upstream_ca_must_be_a_file_with_certificates() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    let files = Directory::empty();
    files.write("empty.pem", "");
    files.write("prose.pem", "There is no certificate in here.\n");
    files.write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
    );
    files.write(
        "garbage.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    files.write(
        "key.pem",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    files.write("good.pem", include_str!("ca.pem"));
    files.write(
        "mixed.pem",
        &format!(
            "{}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            include_str!("ca.pem")
        ),
    );
    let serve = ["serve", "--root", root, "--listen", "127.0.0.1:0", "--admin", "off"];
    for name in [
        "missing.pem",
        "empty.pem",
        "prose.pem",
        "broken.pem",
        "garbage.pem",
        "key.pem",
        "mixed.pem",
        ".",
    ] {
        let path = files.path().join(name);
        let path = path.to_str().unwrap();
        let ended = run(&[&serve[..], &["--upstream-ca", path]].concat());
        let line = ended.refusal();
        assert!(line.contains("--upstream-ca") && line.contains(path), "{line}");
        let ended = run_with(&serve, &[("APIGATEWAY_UPSTREAM_CA", path)]);
        let line = ended.refusal();
        let named = line.contains("--upstream-ca") || line.contains("APIGATEWAY_UPSTREAM_CA");
        assert!(named && line.contains(path), "{line}");
    }
    let good = files.path().join("good.pem");
    let mut command = program();
    command.args(serve).arg("--upstream-ca").arg(good);
    announced(&Running::spawn(command).says(), "listening on http://");
}
