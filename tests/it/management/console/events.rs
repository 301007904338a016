//! The stream of events (N7, N10): begin and end of requests, deployments, problems, bounds, and streams that come back.

use serde_json::json;

use crate::management::console::{Console, eventually};
use crate::support::client::{self, Client};

#[test]
fn a_request_is_told_at_its_begin_and_at_its_end() {
    let console = Console::start();
    let mut events = console.events("");
    let head = events.head().to_lowercase();
    for part in [
        "http/1.1 200",
        "content-type: text/event-stream",
        "cache-control: no-store",
        "content-security-policy: ",
    ] {
        assert!(head.contains(part), "{head}");
    }
    let answer = console.request("GET /a?b=<c> HTTP/1.1\r\nHost: x\r\n\r\n");
    let _ = answer;
    let (begin, end) = (events.next(), events.next());
    assert_eq!((begin.name.as_str(), end.name.as_str()), ("request", "request"));
    assert_eq!(begin.data["state"], "pending");
    assert_eq!(end.data["state"], "done");
    assert_eq!(begin.data["requestId"], end.data["requestId"]);
    // N20: text that a page of HTML would read is escaped here, too.
    let seen = String::from_utf8_lossy(&events.seen).into_owned();
    assert!(seen.contains(r"/a?b=\u003cc\u003e") && !seen.contains("<c>"), "{seen}");
    assert_eq!(end.id.unwrap(), begin.id.unwrap() + 1);
}

#[test]
fn deployments_and_problems_are_told() {
    let console = Console::start();
    let mut events = console.events("");
    console.plane.gateway.directory.write("stages/other.json", "{}");
    let (deployment, problems) = (events.next(), events.next());
    assert_eq!(
        (deployment.name.as_str(), problems.name.as_str()),
        ("deployment", "problems")
    );
    assert_eq!(deployment.data["hash"], console.get("overview")["hash"]);
    console.plane.gateway.directory.write("stages/other.json", "{");
    // Files with errors are told of, too.
    while events.next().name != "problems" {}
    assert_eq!(console.get("problems")["serving"], true);
}

/// N7: a ninth is refused, and none of the eight holds a worker.
#[test]
fn eight_streams_hold_no_worker() {
    let console = Console::start();
    let mut streams: Vec<_> = (0..8).map(|_| console.events("")).collect();
    assert_eq!(console.get("capture")["streams"], 8);
    let ninth = console.call("GET", "events", "");
    assert_eq!(ninth.status, 503, "{}", ninth.text());
    assert_eq!(ninth.header("x-amzn-errortype"), Some("ServiceUnavailableException"));
    // All sixteen workers are free for others: as many slow calls find one each.
    let mut calls: Vec<Client> = (0..16).map(|_| Client::connect(console.admin())).collect();
    for call in &mut calls {
        call.send("GET /console/api/overview HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    for call in &mut calls {
        assert_eq!(call.answer_to("GET").status, 200);
    }
    let metrics = client::get(console.admin(), "/metrics").text();
    assert!(metrics.contains("apigateway_requests_total"), "{metrics}");
    console.request("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    for stream in &mut streams {
        assert_eq!(stream.next().name, "request");
    }
    // A page that goes makes room for another.
    streams.pop();
    eventually(|| console.get("capture")["streams"] == 7);
    streams.push(console.events(""));
    drop(streams);
    eventually(|| console.get("capture")["streams"] == 0);
}

/// N7: fifty a second are told, the others are counted.
#[test]
fn a_burst_is_one_event() {
    let console = Console::start();
    let mut events = console.events("");
    let mut client = Client::connect(console.api());
    for _ in 0..200 {
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(client.answer_to("GET").status, 200);
    }
    // Each has two.
    let (mut told, mut counted, mut bursts) = (0, 0, 0);
    while told + counted < 400 {
        let event = events.next();
        match event.name.as_str() {
            "request" => told += 1,
            "burst" => {
                bursts += 1;
                counted += event.data["burst"].as_u64().unwrap();
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(told + counted, 400);
    assert!(bursts >= 1 && told <= 50 * (bursts + 1), "{told} told, {bursts} bursts");
}

/// A stream that comes back gets what it has missed.
#[test]
fn a_stream_goes_on_behind_its_last_event() {
    let console = Console::start();
    let mut events = console.events("");
    console.request("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    events.next();
    let last = events.next().id.unwrap();
    drop(events);
    eventually(|| console.get("capture")["streams"] == 0);
    console.request("GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    eventually(|| console.summaries()[0]["state"] == "done");
    let mut events = console.events(&format!("Last-Event-ID: {last}\r\n"));
    let (begin, end) = (events.next(), events.next());
    assert_eq!((begin.id, &begin.data["path"]), (Some(last + 1), &json!("/b")));
    assert_eq!((end.id, &end.data["state"]), (Some(last + 2), &json!("done")));
    // Ids of another process, and what is none, begin now.
    for id in ["99999999", "x", "-1", ""] {
        let mut events = console.events(&format!("Last-Event-ID: {id}\r\n"));
        console.request("GET /c HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(events.next().data["path"], "/c", "{id}");
        drop(events);
    }
}

/// A stream that missed more than is kept is told how many those are.
#[test]
fn what_is_lost_is_counted() {
    let console = Console::start();
    let mut events = console.events("");
    console.request("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    events.next();
    let last = events.next().id.unwrap();
    drop(events);
    let mut other = console.events("");
    // A deployment has two events, and no bound on how many there are in a second.
    for number in 0..150 {
        let body = json!({"name": format!("n{number}")});
        console.plane.expect(200, "PATCH", "/v2/apis/local", &body);
    }
    while other.next().id.unwrap() < last + 300 {}
    let mut events = console.events(&format!("Last-Event-ID: {last}\r\n"));
    let first = events.next();
    assert!(first.id.unwrap() > last + 1, "{first:?}");
    loop {
        let event = events.next();
        if event.name == "dropped" {
            assert_eq!(event.data["dropped"], first.id.unwrap() - last - 1);
            break;
        }
    }
}

/// The end of the gateway is not put off by a page.
#[test]
fn a_stop_waits_for_no_page() {
    let console = Console::start();
    let mut events = console.events("");
    let left = console.plane.gateway.server.stop(client::PATIENCE);
    assert_eq!(left, 0);
    assert!(events.client.is_closed());
}
