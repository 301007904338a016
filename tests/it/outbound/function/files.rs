//! Functions run as `functions/<name>.json` describes them: how many events at once, what they are told, and what
//! `check` says of them.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{ask, scripted, told, wait_for};
use crate::support::client::{self, PATIENCE};
use crate::support::directory::{Directory, lambda_proxy, route};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::Gateway;
use crate::support::program::{program, serve};
use crate::support::runtime;

/// `ANY /f` leads to the function `f` with that file.
fn api(function: Value) -> Vec<(&'static str, Value)> {
    vec![
        ("stages/$default.json", json!({"Name": "$default"})),
        ("routes/f.json", route("ANY /f", "f")),
        ("integrations/f.json", lambda_proxy("f", "2.0")),
        ("functions/f.json", function),
    ]
}

/// Lambda gives each event an environment of its own.
#[test]
fn ten_events_at_once_have_a_process_each_where_no_concurrency_is_given() {
    let gateway = Gateway::serve(&api(scripted(json!({}))));
    let meeting = Directory::empty();
    let event = json!({"do": "meet", "file": meeting.path(), "number": 10});
    let address = gateway.address;
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| told(&ask(address, "/f", &event)));
        }
    });
}

#[test]
fn an_event_that_found_every_process_busy_says_so_in_the_log() {
    for (concurrency, says) in [
        (1, "the only process was busy: raise Concurrency in functions/f.json"),
        (2, "all 2 processes were busy: raise Concurrency in functions/f.json"),
    ] {
        let mut files = api(scripted(json!({"Concurrency": concurrency})));
        let mut short = lambda_proxy("f", "2.0");
        short["TimeoutInMillis"] = json!(200);
        files.push(("integrations/short.json", short));
        files.push(("routes/short.json", route("ANY /short", "short")));
        let directory = Directory::of(&files);
        let elsewhere = Directory::empty();
        let mut served = serve(&directory, &[]);
        let (release, address) = (elsewhere.path().join("release"), served.address);
        thread::scope(|scope| {
            for number in 0..concurrency {
                let begun = elsewhere.path().join(format!("begun-{number}"));
                let event = json!({"do": "wait", "begun": begun, "file": release});
                scope.spawn(move || told(&ask(address, "/f", &event)));
                wait_for(&begun);
            }
            let answer = ask(served.address, "/short", &json!({}));
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (503, r#"{"message":"Service Unavailable"}"#)
            );
            std::fs::write(&release, "").unwrap();
        });
        let line = served.running.complains("busy: raise Concurrency");
        assert!(line.contains(says) && !line.contains("no whole answer"), "{line}");
    }
}

/// Counts how many requests an endpoint works on at once, and the most that it ever was.
#[derive(Default)]
struct AtOnce {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// An endpoint that takes its time, so that requests meet where nothing keeps them apart.
fn slow_endpoint() -> (Endpoint, Arc<AtOnce>) {
    let counts = Arc::new(AtOnce::default());
    let counted = Arc::clone(&counts);
    let endpoint = Endpoint::start(move |stream, _| {
        let now = counted.now.fetch_add(1, Ordering::SeqCst) + 1;
        counted.most.fetch_max(now, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(40));
        counted.now.fetch_sub(1, Ordering::SeqCst);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"statusCode\":200}");
        Next::KeepAlive
    });
    (endpoint, counts)
}

fn all_together(address: SocketAddr, targets: &[&str]) {
    thread::scope(|scope| {
        for target in targets {
            scope.spawn(|| assert_eq!(client::get(address, target).status, 200));
        }
    });
}

/// R5.45.
#[test]
fn an_emulator_gets_one_event_at_a_time_whoever_sends_them() {
    let (endpoint, counts) = slow_endpoint();
    let uri = format!("http://{}/2015-03-31/functions/function/invocations", endpoint.address);
    let mut files = api(json!({"InvokeUri": uri}));
    // Another function in the same emulator.
    files.push(("functions/g.json", json!({"InvokeUri": uri})));
    files.push(("integrations/g.json", lambda_proxy("g", "2.0")));
    files.push(("routes/g.json", route("ANY /g", "g")));
    let gateway = Gateway::serve(&files);
    all_together(gateway.address, &["/f", "/g", "/f", "/g", "/f", "/g"]);
    assert_eq!((counts.most.load(Ordering::SeqCst), endpoint.rest().len()), (1, 6));
}

/// R5.42: the name of the function in an emulator is `function`.
#[test]
fn an_emulator_as_lambda_endpoint_gets_one_event_at_a_time() {
    let (endpoint, counts) = slow_endpoint();
    let directory = Directory::of(&[
        ("stages/$default.json", json!({"Name": "$default"})),
        ("routes/f.json", route("ANY /f", "f")),
        ("integrations/f.json", lambda_proxy("function", "2.0")),
    ]);
    let mut options = crate::support::gateway::options(&directory);
    let uri = format!("http://{}", endpoint.address);
    options.settings.lambda_endpoint = Some(apigateway::outbound::upstream::url::Url::parse(&uri).unwrap());
    let gateway = Gateway::start(directory, options);
    all_together(gateway.address, &["/f"; 4]);
    assert_eq!((counts.most.load(Ordering::SeqCst), endpoint.rest().len()), (1, 4));
}

#[test]
fn an_invoke_uri_gets_as_many_events_at_once_as_its_concurrency_says() {
    let (endpoint, counts) = slow_endpoint();
    for (path, concurrency) in [("2015-03-31/functions/function/invocations", 3), ("f", 2)] {
        let uri = format!("http://{}/{path}", endpoint.address);
        let gateway = Gateway::serve(&api(json!({"InvokeUri": uri, "Concurrency": concurrency})));
        counts.most.store(0, Ordering::SeqCst);
        all_together(gateway.address, &["/f"; 8]);
        let most = counts.most.load(Ordering::SeqCst);
        assert!(
            (1..=concurrency).contains(&most),
            "{most} at once, {concurrency} may be"
        );
    }
}

#[test]
fn any_other_invoke_uri_gets_as_many_events_as_come() {
    const TOGETHER: usize = 4;
    let barrier = Barrier::new(TOGETHER);
    let endpoint = Endpoint::start(move |stream, _| {
        barrier.wait();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"statusCode\":200}");
        Next::KeepAlive
    });
    let uri = format!("http://{}/functions/f/invocations", endpoint.address);
    let gateway = Gateway::serve(&api(json!({"InvokeUri": uri})));
    all_together(gateway.address, &["/f"; TOGETHER]);
}

#[test]
fn an_event_that_an_emulator_had_no_time_for_says_so_in_the_log() {
    let endpoint = Endpoint::start(|_, _| {
        thread::sleep(PATIENCE);
        Next::Close
    });
    let uri = format!("http://{}/2015-03-31/functions/function/invocations", endpoint.address);
    let mut files = api(json!({"InvokeUri": uri}));
    files[2].1["TimeoutInMillis"] = json!(3000);
    let mut short = lambda_proxy("f", "2.0");
    short["TimeoutInMillis"] = json!(100);
    files.push(("integrations/short.json", short));
    files.push(("routes/short.json", route("ANY /short", "short")));
    let mut served = serve(&Directory::of(&files), &[]);
    let address = served.address;
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(client::get(address, "/f").status, 503));
        endpoint.next();
        assert_eq!(client::get(address, "/short").status, 503);
    });
    assert_eq!(endpoint.rest(), [], "the second was sent");
    served
        .running
        .complains("it was busy with one event, and gets one at once: Concurrency in functions/f.json");
}

/// The variables that a function has, by where it is asked.
fn environment(gateway: &Gateway, target: &str) -> Value {
    told(&ask(gateway.address, target, &json!({"do": "tell"})))["environment"].clone()
}

#[test]
fn a_function_is_told_the_region_of_its_arn_and_not_of_the_option() {
    let mut files = api(scripted(json!({"Environment": {"Variables": {"TABLE": "pets"}}})));
    for (file, path, region) in [
        ("integrations/paris.json", "routes/paris.json", "eu-west-3"),
        ("integrations/beijing.json", "routes/beijing.json", "cn-north-1"),
    ] {
        let partition = if region.starts_with("cn") { "aws-cn" } else { "aws" };
        let mut integration = lambda_proxy("f", "2.0");
        integration["IntegrationUri"] = json!(format!("arn:{partition}:lambda:{region}:000000000007:function:f"));
        let name = file
            .strip_prefix("integrations/")
            .unwrap()
            .strip_suffix(".json")
            .unwrap();
        files.push((file, integration));
        files.push((path, route(&format!("ANY /{name}"), name)));
    }
    let gateway = Gateway::serve(&files);
    for (target, region) in [
        ("/paris", "eu-west-3"),
        ("/beijing", "cn-north-1"),
        ("/f", "us-east-1"),
        ("/paris", "eu-west-3"),
    ] {
        let environment = environment(&gateway, target);
        assert_eq!(environment["AWS_REGION"], region, "{target}");
        assert_eq!(environment["AWS_DEFAULT_REGION"], region, "{target}");
        assert_eq!(environment["_HANDLER"], *runtime::command().last().unwrap());
        assert_eq!(environment["TABLE"], "pets", "as AWS prints it");
    }
}

/// What `check` prints of an API with these ARNs of functions, with these options.
fn checked(arns: &[&str], options: &[&str]) -> Vec<String> {
    let directory = Directory::of(&[("stages/$default.json", json!({"Name": "$default"}))]);
    for (number, arn) in arns.iter().enumerate() {
        let mut integration = lambda_proxy("f", "2.0");
        integration["IntegrationUri"] = json!(arn);
        directory.write(&format!("integrations/i{number}.json"), &integration.to_string());
        let route = route(&format!("GET /{number}"), &format!("i{number}"));
        directory.write(&format!("routes/r{number}.json"), &route.to_string());
    }
    directory.write("functions/f.json", r#"{"InvokeUri": "http://h.test/"}"#);
    let mut command = program();
    command.args(["check", "--root"]).arg(directory.path()).args(options);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn check_warns_where_all_arns_agree_on_what_the_options_do_not_say() {
    const PARIS: &str = "arn:aws:lambda:eu-west-3:123456789012:function:f";
    const OF_ANOTHER: &str = "arn:aws:lambda:eu-west-3:000000000007:function:f";
    const OURS: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";
    let region = "integrations/i0.json#/IntegrationUri: warning: every function's ARN has the region \"eu-west-3\", but \
                  events and the ARNs of requests have \"us-east-1\": --region eu-west-3";
    let account = "integrations/i0.json#/IntegrationUri: warning: every function's ARN has the account \
                   \"000000000007\", but events and the ARNs of requests have \"123456789012\": --account-id 000000000007";
    let (none, one, two) = ("0 errors, 0 warnings", "0 errors, 1 warnings", "0 errors, 2 warnings");
    for (arns, options, expected) in [
        (vec![OURS], vec![], vec![none]),
        (vec![PARIS], vec![], vec![region, one]),
        (vec![PARIS, OF_ANOTHER], vec![], vec![region, one]),
        (vec![OF_ANOTHER, OF_ANOTHER], vec![], vec![account, region, two]),
        (vec![PARIS, OURS], vec![], vec![none]),
        (vec![PARIS], vec!["--region", "eu-west-3"], vec![none]),
        (
            vec![OF_ANOTHER],
            vec!["--region", "eu-west-3", "--account-id", "000000000007"],
            vec![none],
        ),
        (
            vec![],
            vec!["--region", "eu-west-3"],
            vec![
                "functions/f.json#: warning: not used: no integration and no authorizer invokes it",
                one,
            ],
        ),
    ] {
        assert_eq!(checked(&arns, &options), expected, "{arns:?} {options:?}");
    }
}

#[test]
fn serving_warns_of_the_region_too() {
    let mut files = api(json!({"InvokeUri": "http://127.0.0.1:9/"}));
    files[2].1["IntegrationUri"] = json!("arn:aws:lambda:eu-west-3:123456789012:function:f");
    serve(&Directory::of(&files), &[])
        .running
        .complains("--region eu-west-3");
}
