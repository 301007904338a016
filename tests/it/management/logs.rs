//! The access log has one line for each request, however its response ends.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use apigateway::data_plane::access_log::Destination;
use apigateway::server::Options;
use serde_json::{Value, json};

use super::{GET, bearer};
use crate::support::client::{Client, PATIENCE};
use crate::support::directory::{Directory, pass_everything};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::{Gateway, options};
use crate::support::jwt::{Issuer, Signer};
use crate::support::jwt_api;

fn logged(files: &[(&str, Value)]) -> (Gateway, std::path::PathBuf) {
    logged_with(files, |_| {})
}

fn logged_with(files: &[(&str, Value)], change: impl FnOnce(&mut Options)) -> (Gateway, std::path::PathBuf) {
    let directory = Directory::of(files);
    let path = directory.path().join("access.log");
    let mut options = options(&directory);
    options.access_log = Destination::File(path.clone());
    change(&mut options);
    (Gateway::start(directory, options), path)
}

/// The first line, once it is there.
fn first_line(path: &std::path::Path) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(path).unwrap();
        if let Some((line, _)) = text.split_once('\n') {
            return line.to_owned();
        }
        assert!(Instant::now() < until);
        thread::yield_now();
    }
}

fn pass_everything_with_format(endpoint: &Endpoint, format: &str) -> Vec<(&'static str, Value)> {
    let mut files = pass_everything(endpoint.address);
    files[0].1 = json!({"AccessLogSettings": {"Format": format}});
    files
}

fn lines_at_the_end(gateway: Gateway, path: &std::path::Path) -> Vec<String> {
    gateway.server.stop(PATIENCE);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn an_answer_that_breaks_off_is_logged_with_what_was_sent() {
    let endpoint = Endpoint::start(|stream, _| {
        use std::io::Write;
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&vec![b'x'; 100_000]).unwrap();
        Next::Close
    });
    let format = "$context.requestId $context.status $context.responseLength [$context.integrationErrorMessage]";
    let (gateway, path) = logged(&pass_everything_with_format(&endpoint, format));
    let answer = gateway.get("/x");
    assert!(!answer.complete);
    let lines = lines_at_the_end(gateway, &path);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let start = "AAECAwQFBgcICQo= 200 100000 [the connection broke: ";
    assert!(lines[0].starts_with(start), "{lines:?}");
}

#[test]
fn a_client_that_goes_away_is_logged_too() {
    let endpoint = Endpoint::start(|stream, _| {
        use std::io::Write;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            .unwrap();
        // Until the gateway has noticed.
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
        Next::Close
    });
    let (gateway, path) = logged(&pass_everything_with_format(
        &endpoint,
        "$context.requestId $context.responseLength",
    ));
    let mut client = Client::connect(gateway.address);
    client.send(GET);
    client.next_bytes();
    drop(client);
    let line = first_line(&path);
    let length: u64 = line.strip_prefix("AAECAwQFBgcICQo= ").unwrap().parse().unwrap();
    assert!((1..100_000_000).contains(&length), "{length}");
}

#[test]
fn an_answer_that_its_client_does_not_take_is_logged_as_far_as_it_was_taken() {
    // More than the sockets between us hold, and less than is kept for a slow client.
    const LENGTH: usize = 9_000_000;
    let endpoint = Endpoint::start(|stream, _| {
        use std::io::Write;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let _ = stream.write_all(&vec![b'x'; LENGTH]);
        Next::Close
    });
    let (gateway, path) = logged_with(
        &pass_everything_with_format(&endpoint, "$context.requestId $context.responseLength"),
        |options| options.limits.write_timeout = Duration::from_secs(1),
    );
    let mut client = Client::connect(gateway.address);
    client.send(GET);
    let line = first_line(&path);
    let length: usize = line.strip_prefix("AAECAwQFBgcICQo= ").unwrap().parse().unwrap();
    assert!((1..LENGTH).contains(&length), "{length}");
}

#[test]
fn a_stream_that_finds_no_worker_is_one_request() {
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let endpoint = Endpoint::start(move |stream, _| {
        use std::io::Write;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = stream.write_all(head.as_bytes());
        let _ = released.lock().unwrap().recv_timeout(PATIENCE);
        let _ = stream.write_all(b"5\r\nevent\r\n0\r\n\r\n");
        Next::Close
    });
    let (gateway, path) = logged_with(
        &pass_everything_with_format(&endpoint, "$context.requestId $context.status $context.responseLength"),
        |options| {
            // A loop needs no worker for an event stream.
            options.loops = 0;
            options.workers = 2.try_into().unwrap();
        },
    );
    let mut client = Client::connect(gateway.address);
    assert!(client.send(GET).next_bytes().starts_with(b"HTTP/1.1 200 "));
    let refused = Client::connect(gateway.address).send(GET).answer_to("GET");
    assert_eq!(refused.status, 503);
    drop(release);
    client.next_bytes();
    let lines = lines_at_the_end(gateway, &path);
    assert_eq!(lines, ["AAECAwQFBgcICQo= 503 33", "AAECAwQFBgcICQo= 200 5"]);
}

#[test]
fn every_request_has_its_line_and_lines_do_not_mix() {
    let endpoint = Endpoint::ok();
    let (gateway, path) = logged(&pass_everything_with_format(
        &endpoint,
        "$context.requestId $context.path end",
    ));
    let clients: Vec<Client> = (0..4)
        .map(|_| {
            let mut client = Client::connect(gateway.address);
            client
                .send("GET /first HTTP/1.1\r\nHost: gw.test\r\n\r\n")
                .answer_to("GET");
            client
        })
        .collect();
    thread::scope(|scope| {
        for (number, mut client) in clients.into_iter().enumerate() {
            scope.spawn(move || {
                for at in 0..100 {
                    let request = format!("GET /{number}/{at} HTTP/1.1\r\nHost: gw.test\r\n\r\n");
                    client.send(request).answer_to("GET");
                }
            });
        }
    });
    let lines = lines_at_the_end(gateway, &path);
    assert_eq!(lines.len(), 404);
    for number in 0..4 {
        for at in 0..100 {
            let line = format!("AAECAwQFBgcICQo= /{number}/{at} end");
            assert_eq!(lines.iter().filter(|found| **found == line).count(), 1, "{line}");
        }
    }
}

#[test]
fn the_log_has_claims_and_the_reason_of_a_refusal_to_the_letter() {
    let signer = Signer::new("k1", "RS256");
    let issuer = Issuer::with(&[&signer]);
    let up = Endpoint::answering("HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"statusCode\":200}");
    let mut files = jwt_api::files(&up, jwt_api::authorizer(&issuer.url));
    files[0].1 = json!({"AccessLogSettings": {"Format": "$context.requestId $context.status [$context.authorizer.error] \
        [$context.authorizer.claims.sub] [$context.authorizer.claims.groups] [$context.authorizer.claims.none] \
        [$context.authorizer.claims]"}});
    let (gateway, path) = logged(&files);
    let claims = |more: Value| signer.token(&issuer.claims_with(more));
    let good = claims(json!({"sub": "joe", "groups": ["a", "b"]}));
    let expired = claims(json!({"exp": 1}));
    let without_scope = claims(json!({"scope": "other"}));
    for (target, token, status) in [
        ("/me", &good, 200),
        // As it is remembered.
        ("/me", &good, 200),
        ("/me", &expired, 401),
        ("/orders", &without_scope, 403),
    ] {
        assert_eq!(gateway.exchange(bearer(target, token)).status, status, "{target}");
    }
    let lines = lines_at_the_end(gateway, &path);
    let expected = [
        "AAECAwQFBgcICQo= 200 [-] [joe] [[a b]] [-] [-]",
        "AAECAwQFBgcICQo= 200 [-] [joe] [[a b]] [-] [-]",
        "AAECAwQFBgcICQo= 401 [invalid_token: the token has expired] [-] [-] [-] [-]",
        "AAECAwQFBgcICQo= 403 [insufficient_scope: the token does not have a required scope] [-] [-] [-] [-]",
    ];
    assert_eq!(lines, expected);
}

/// R4.8: the claims of AWS's own user pools have such names.
#[test]
fn claims_with_a_colon_or_a_dash_in_their_names_are_logged_and_mapped() {
    let signer = Signer::new("k1", "RS256");
    let issuer = Issuer::with(&[&signer]);
    let up = Endpoint::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let mut files = jwt_api::files(&up, jwt_api::authorizer(&issuer.url));
    files[0].1 = json!({"AccessLogSettings": {"Format": "$context.requestId [$context.authorizer.claims.cognito:groups] \
        $context.authorizer.claims.custom:tenant-id:$context.status"}});
    let mapped = files
        .iter_mut()
        .find(|(path, _)| *path == "integrations/mapped.json")
        .unwrap();
    mapped.1["RequestParameters"] = json!({
        "overwrite:header.x-groups": "$context.authorizer.claims.cognito:groups",
        "overwrite:header.x-tenant": "of ${context.authorizer.claims.custom:tenant-id}",
    });
    let (gateway, path) = logged(&files);
    let token = signer.token(&issuer.claims_with(json!({"cognito:groups": ["a", "b"], "custom:tenant-id": "t-7"})));
    assert_eq!(gateway.exchange(bearer("/mapped", &token)).status, 200);
    let recorded = up.next();
    assert_eq!(recorded.headers("x-groups"), ["[a b]"]);
    assert_eq!(recorded.headers("x-tenant"), ["of t-7"]);
    assert_eq!(lines_at_the_end(gateway, &path), ["AAECAwQFBgcICQo= [[a b]] t-7:200"]);
}

/// An event stream for which no worker may wait is refused after its route has answered.
#[test]
fn an_event_stream_in_whose_place_503_is_sent_is_logged_with_its_route() {
    let endpoint = Endpoint::start(|stream, _| {
        use std::io::Write;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(format!("{head}1\r\n!\r\n").as_bytes()).unwrap();
        Next::KeepAlive
    });
    let format = "$context.requestId $context.httpMethod $context.path $context.routeKey $context.status \
                  $context.responseLength $context.error.message $context.error.responseType";
    let files = pass_everything_with_format(&endpoint, format);
    let (gateway, path) = logged_with(&files, |options| {
        options.loops = 0;
        options.workers = std::num::NonZeroUsize::new(2).unwrap();
    });
    let mut watching = Client::connect(gateway.address);
    watching.send("GET /first HTTP/1.1\r\nHost: gw.test\r\n\r\n");
    assert!(watching.next_bytes().starts_with(b"HTTP/1.1 200 "));
    let refused = gateway.get("/second?a=1");
    assert_eq!(
        (refused.status, refused.text().as_str()),
        (503, r#"{"message":"Service Unavailable"}"#)
    );
    let id = refused.header("apigw-requestid").unwrap();
    let expected = format!("{id} GET /second ANY /{{proxy+}} 503 33 Service Unavailable DEFAULT_5XX");
    assert_eq!(first_line(&path), expected);
}
