//! Temporary keys of an agent of containers and of the instance metadata service (contract S18).

use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use super::{SEND, serve};
use crate::support::client::{PATIENCE, exchange};
use crate::support::directory::Directory;
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::NOW;

/// The gateway's clock stands still; a key ends so many seconds later.
fn key(id: &str, seconds: u64) -> String {
    // 2026-07-10T19:19:05Z is the clock; the day is long enough.
    let at = NOW.as_secs() + seconds - 1_783_641_600;
    let (hour, minute, second) = (at / 3600, at / 60 % 60, at % 60);
    format!(
        r#"{{"AccessKeyId":"{id}","SecretAccessKey":"s3cr3t","Token":"tok3n","Expiration":"2026-07-10T{hour:02}:{minute:02}:{second:02}Z"}}"#
    )
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Gives one answer after another, the last of them again and again.
fn answering_in_turn(answers: Vec<String>) -> Endpoint {
    let answers = Mutex::new(answers);
    Endpoint::start(move |stream, _| {
        let mut answers = answers.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        };
        let _ = stream.write_all(answer.as_bytes());
        Next::KeepAlive
    })
}

#[test]
fn a_container_s_agent_is_asked_with_its_token() {
    let service = Endpoint::ok();
    let agent = answering_in_turn(vec![ok(&key("FIRST", 3600)), ok(&key("SECOND", 3600))]);
    let url = format!("http://{}/creds?a=b", agent.address);
    let directory = Directory::empty();
    directory.write("token", "first t0ken\n");
    let file = directory.path().join("token");
    let gateway = serve(
        service.address,
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap()),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "other"),
        ],
    );
    for _ in 0..3 {
        assert_eq!(gateway.exchange(SEND).status, 200);
        let arrived = service.next();
        assert!(arrived.headers("authorization")[0].contains("Credential=FIRST/"));
        assert_eq!(arrived.headers("x-amz-security-token"), ["tok3n"]);
    }
    let asked = agent.rest();
    assert_eq!(asked.len(), 1, "an hour is left");
    assert_eq!(asked[0].request(), "GET /creds?a=b");
    assert_eq!(asked[0].headers("authorization"), ["first t0ken"]);
}

#[test]
fn a_key_with_less_than_five_minutes_left_is_fetched_anew() {
    let service = Endpoint::ok();
    let failing = "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n".to_owned();
    let agent = answering_in_turn(vec![
        ok(&key("FIRST", 299)),
        ok(&key("SECOND", 299)),
        failing,
        ok(&key("THIRD", 3600)),
    ]);
    let url = format!("http://{}/creds", agent.address);
    let gateway = serve(service.address, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]);
    // After a failure the old one goes on, and nobody asks again at once.
    for id in ["FIRST", "SECOND", "SECOND", "SECOND"] {
        assert_eq!(gateway.exchange(SEND).status, 200);
        let arrived = service.next();
        let authorization = arrived.headers("authorization");
        assert!(
            authorization[0].contains(&format!("Credential={id}/")),
            "{id}: {authorization:?}"
        );
    }
    assert_eq!(agent.rest().len(), 3);
}

#[test]
fn the_first_key_is_fetched_once_however_many_wait() {
    let service = Endpoint::ok();
    let (release, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let agent = Endpoint::start(move |stream, _| {
        let _ = gate.lock().unwrap().recv_timeout(PATIENCE);
        let _ = stream.write_all(ok(&key("A", 3600)).as_bytes());
        Next::KeepAlive
    });
    let url = format!("http://{}/creds", agent.address);
    let gateway = serve(service.address, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]);
    thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| exchange(gateway.address, SEND).status))
            .collect();
        release.send(()).unwrap();
        for call in calls {
            assert_eq!(call.join().unwrap(), 200);
        }
    });
    assert_eq!((agent.rest().len(), service.rest().len()), (1, 8));
}

#[test]
fn a_container_s_agent_that_fails_is_500_and_is_not_asked_again_at_once() {
    let service = Endpoint::ok();
    for (answer, status) in [
        ("HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n".to_owned(), 500),
        (ok("{}"), 500),
        (ok(&key("A/B", 3600)), 500),
        (ok(&key("A", 3600).replace("2026-", "soon")), 500),
        (ok("no JSON"), 500),
    ] {
        let agent = answering_in_turn(vec![answer.clone()]);
        let url = format!("http://{}/creds", agent.address);
        let gateway = serve(service.address, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]);
        for _ in 0..3 {
            assert_eq!(gateway.exchange(SEND).status, status, "{answer}");
        }
        assert_eq!((agent.rest().len(), service.rest().len()), (1, 0), "{answer}");
    }
}

/// An instance that wants the token of version 2, which it gives for a PUT.
fn instance(role: &'static str) -> Endpoint {
    Endpoint::start(move |stream, recorded| {
        let has_token = recorded.headers("x-aws-ec2-metadata-token") == ["imds-t0ken"];
        let answer = match recorded.request() {
            "PUT /base/latest/api/token" if recorded.headers("x-aws-ec2-metadata-token-ttl-seconds") == ["21600"] => {
                ok("imds-t0ken")
            }
            _ if !has_token => "HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "GET /base/latest/meta-data/iam/security-credentials/" if !role.is_empty() => ok(role),
            "GET /base/latest/meta-data/iam/security-credentials/my-role" => ok(&key("OFROLE", 3600)),
            _ => "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n".to_owned(),
        };
        let _ = stream.write_all(answer.as_bytes());
        Next::KeepAlive
    })
}

#[test]
fn an_instance_s_role_is_asked_for_by_version_2() {
    let service = Endpoint::ok();
    let instance = instance("my-role\n");
    let url = format!("http://{}/base/", instance.address);
    let variables = [
        ("AWS_EC2_METADATA_DISABLED", "false"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str()),
    ];
    let gateway = serve(service.address, &variables);
    assert_eq!(gateway.exchange(SEND).status, 200);
    assert!(service.next().headers("authorization")[0].contains("Credential=OFROLE/"));
    let asked: Vec<String> = instance.rest().iter().map(|asked| asked.request().to_owned()).collect();
    let list = "/base/latest/meta-data/iam/security-credentials/";
    assert_eq!(
        asked,
        [
            "PUT /base/latest/api/token".to_owned(),
            format!("GET {list}"),
            format!("GET {list}my-role")
        ]
    );
}

#[test]
fn an_instance_without_a_role_is_no_source_and_one_that_fails_is_the_last() {
    let service = Endpoint::ok();
    let without_role = instance("");
    let failing = Endpoint::answering("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n");
    for (instance, base, status, arrived) in [(&without_role, "/base", 200, 1), (&failing, "", 500, 0)] {
        let url = format!("http://{}{base}", instance.address);
        let variables = [
            ("AWS_EC2_METADATA_DISABLED", "false"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str()),
        ];
        let gateway = serve(service.address, &variables);
        assert_eq!(gateway.exchange(SEND).status, status);
        assert_eq!(service.rest().len(), arrived);
    }
}
