//! Variables of the environment take the place of options, and a flag overrides its variable.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{AT_ONCE, OPTIONS};
use crate::cli::options::BAD_VALUES;
use crate::support::client::{Client, get};
use crate::support::directory::{Directory, pass_everything};
use crate::support::program::{Running, announced, program, run_with, small_api, waiting_endpoint};

#[test]
fn bad_values_in_the_environment_are_refused_with_the_option_s_or_the_variable_s_name() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    for (option, values) in BAD_VALUES {
        let variable = variable(option);
        for value in values {
            let mut environment = vec![
                ("APIGATEWAY_ROOT", root),
                ("APIGATEWAY_LISTEN", "127.0.0.1:0"),
                ("APIGATEWAY_ADMIN", "off"),
            ];
            environment.push((variable.as_str(), value));
            let ended = run_with(&["serve"], &environment);
            let line = ended.refusal();
            assert!(
                (line.contains(option) || line.contains(&variable)) && line.contains(value),
                "{variable}={value:?}: {line}"
            );
        }
    }
}

#[test]
fn a_variable_that_is_not_utf8_is_refused_by_name() {
    for (option, _) in OPTIONS {
        let mut command = program();
        command.arg("serve");
        command.env(variable(option), OsString::from_vec(b"\xff".to_vec()));
        let ended = Running::spawn(command).end();
        assert!(ended.refusal().contains(&variable(option)), "{ended:?}");
    }
}

fn variable(option: &str) -> String {
    format!("APIGATEWAY_{}", option[2..].replace('-', "_").to_uppercase())
}

#[test]
fn the_environment_gives_root_listen_and_admin() {
    let directory = small_api();
    let mut command = program();
    command.arg("serve");
    command.env("APIGATEWAY_ROOT", directory.path());
    command
        .env("APIGATEWAY_LISTEN", "localhost:0")
        .env("APIGATEWAY_ADMIN", "127.0.0.1:0");
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), "listening on http://");
    let admin = announced(&running.says(), "admin on http://");
    assert_eq!(get(address, "/x").status, 503);
    assert_eq!(get(admin, "/healthz").text(), "ok");
}

#[test]
fn the_flag_wins_over_the_environment() {
    let directory = small_api();
    let mut command = program();
    for (option, _) in OPTIONS {
        command.env(variable(option), "neither a path, an address nor a number");
    }
    let roots = Directory::empty();
    roots.write("ca.pem", include_str!("ca.pem"));
    command.arg("serve");
    for (option, value) in OPTIONS {
        match option {
            "--admin" => command.args([option, "127.0.0.1:0"]),
            "--root" | "--upstream-ca" => &mut command,
            _ => command.args([option, value]),
        };
    }
    command.arg("--root").arg(directory.path());
    command.arg("--upstream-ca").arg(roots.path().join("ca.pem"));
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), "listening on http://");
    announced(&running.says(), "admin on http://");
    assert_eq!(get(address, "/x").status, 503);
}

#[test]
fn check_takes_its_root_from_the_environment_too() {
    let directory = small_api();
    let root = directory.path().to_str().unwrap();
    let ended = run_with(&["check"], &[("APIGATEWAY_ROOT", root)]);
    assert_eq!(
        (ended.code(), ended.stdout.as_slice()),
        (0, &["0 errors, 0 warnings".to_owned()][..])
    );
    let ended = run_with(&["check", "--root", root], &[("APIGATEWAY_ROOT", "/nowhere")]);
    assert_eq!(ended.code(), 0, "{ended:?}");
}

#[test]
fn the_environment_gives_grace() {
    let (endpoint, _release) = waiting_endpoint();
    let directory = Directory::of(&pass_everything(endpoint.address));
    let mut command = program();
    command.env("APIGATEWAY_GRACE", "0").env("APIGATEWAY_ADMIN", "off");
    command
        .args(["--listen", "127.0.0.1:0", "--root"])
        .arg(directory.path());
    let mut running = Running::spawn(command);
    let address = announced(&running.says(), "listening on http://");
    Client::connect(address).send("GET /slow HTTP/1.1\r\nHost: gw.test\r\n\r\n");
    endpoint.next();
    let start = Instant::now();
    running.signal(Signal::TERM);
    assert_eq!(running.end().code(), 0);
    assert!(start.elapsed() < AT_ONCE);
}

#[test]
fn workers_from_flag_and_environment_limit_what_is_handled_at_once() {
    for from_flag in [true, false] {
        let (endpoint, release) = waiting_endpoint();
        let directory = Directory::of(&pass_everything(endpoint.address));
        let mut command = program();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "off", "--root"])
            .arg(directory.path());
        if from_flag {
            command
                .args(["--workers", "1", "--loops", "0"])
                .env("APIGATEWAY_WORKERS", "50")
                .env("APIGATEWAY_LOOPS", "2");
        } else {
            command.env("APIGATEWAY_WORKERS", "1").env("APIGATEWAY_LOOPS", "0");
        }
        let mut running = Running::spawn(command);
        let address = announced(&running.says(), "listening on http://");
        let request = "GET /x HTTP/1.1\r\nHost: gw.test\r\n\r\n";
        let mut clients: Vec<Client> = (0..2).map(|_| Client::connect(address)).collect();
        clients[0].send(request);
        endpoint.next();
        // The second waits for the only worker, or is refused; it does not reach the endpoint beside the first.
        clients[1].send(request);
        let until = Instant::now() + Duration::from_millis(200);
        while Instant::now() < until {
            assert_eq!(endpoint.rest(), []);
            thread::yield_now();
        }
        release.send(()).unwrap();
        assert_eq!(clients[0].answer_to("GET").text(), "late");
        release.send(()).unwrap();
        assert!([200, 503].contains(&clients[1].answer_to("GET").status));
    }
}
