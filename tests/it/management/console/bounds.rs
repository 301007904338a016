//! Bounds of what is captured (N7), and content of every kind.

use apigateway::data_plane::capture::Mode;
use serde_json::{Value, json};

use crate::management::console::{Console, eventually};
use crate::support::client::{Answer, Client};
use crate::support::endpoint::Endpoint;

fn post(console: &Console, path: &str, content: &[u8]) -> Answer {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        content.len()
    );
    console.request([head.as_bytes(), content].concat())
}

#[test]
fn the_last_two_hundred_are_kept() {
    let console = Console::capturing();
    let mut client = Client::connect(console.api());
    let mut ids = Vec::new();
    for number in 0..201 {
        client.send(format!("GET /n{number} HTTP/1.1\r\nHost: x\r\n\r\n"));
        ids.push(client.answer_to("GET").header("apigw-requestid").unwrap().to_owned());
    }
    eventually(|| console.summaries().iter().all(|summary| summary["state"] == "done"));
    let kept: Vec<String> = console
        .summaries()
        .iter()
        .map(|row| row["requestId"].as_str().unwrap().to_owned())
        .collect();
    let newest: Vec<String> = ids.iter().skip(1).rev().cloned().collect();
    assert_eq!(kept, newest, "the newest first");
    assert_eq!(console.call("GET", &format!("requests/{}", ids[0]), "").status, 404);
    let few = console.get("requests?limit=3");
    assert_eq!(few.as_array().unwrap().len(), 3);
    assert_eq!(few[0]["path"], "/n200");
    for limit in ["0", "201", "-1", "x", "", "1&limit=2"] {
        assert_eq!(
            console.call("GET", &format!("requests?limit={limit}"), "").status,
            400,
            "{limit}"
        );
    }
}

#[test]
fn bodies_are_cut_at_64_kib() {
    let console = Console::capturing();
    for (length, kept) in [(65_536, 65_536), (65_537, 65_536), (300_000, 65_536)] {
        let answer = post(&console, "/", "x".repeat(length).as_bytes());
        assert_eq!(answer.status, 200);
        let found = console.captured(&answer);
        let body = &found["request"]["body"];
        assert_eq!(body["text"].as_str().unwrap().len(), kept);
        assert_eq!(body["length"], length);
        assert_eq!(body["cut"], length > kept);
        assert_eq!(found["replayable"], length == kept);
    }
    // A long answer passes whole.
    let long = "y".repeat(1_000_000);
    let endpoint = Endpoint::answering(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{long}",
        long.len()
    ));
    let console = Console::with(endpoint, |options| {
        options.console.capture = Mode::Always;
    });
    let answer = console.request("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(answer.body.len(), 1_000_000);
    let body = console.captured(&answer)["response"]["body"].clone();
    assert_eq!(body["text"].as_str().unwrap().len(), 65_536);
    assert_eq!((&body["length"], &body["cut"]), (&json!(1_000_000), &json!(true)));
}

/// N7: 32 MiB are the bound of all together.
#[test]
fn all_together_have_a_bound() {
    let content = vec![b'z'; 65_536];
    let endpoint = Endpoint::answering(
        [
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len()).as_bytes(),
            &content,
        ]
        .concat(),
    );
    let console = Console::with(endpoint, |options| {
        options.console.capture = Mode::Always;
    });
    // A head, and two bodies: 200 of them are less than the bound, and each is counted.
    for _ in 0..10 {
        assert_eq!(post(&console, "/", &content).status, 200);
    }
    eventually(|| console.summaries().iter().all(|summary| summary["state"] == "done"));
    let state = console.get("capture");
    let bytes = state["bytes"].as_u64().unwrap();
    assert!((10 * 131_072..10 * 140_000).contains(&bytes), "{state}");
}

#[test]
fn content_of_every_kind_is_json() {
    let console = Console::capturing();
    for (content, body) in [
        (
            &b"\x00\x1b\"\\</script>"[..],
            json!({"text": "\u{0}\u{1b}\"\\</script>", "length": 13, "cut": false}),
        ),
        (
            "\u{202e}é\u{2028}".as_bytes(),
            json!({"text": "\u{202e}é\u{2028}", "length": 8, "cut": false}),
        ),
        (b"\xff\xfe", json!({"base64": "//4=", "length": 2, "cut": false})),
        // A lone surrogate.
        (b"\xed\xa0\x80", json!({"base64": "7aCA", "length": 3, "cut": false})),
    ] {
        let answer = post(&console, "/", content);
        assert_eq!(console.captured(&answer)["request"]["body"], body);
    }
    // A character that is cut in two is left out.
    let answer = post(&console, "/", format!("x{}", "é".repeat(40_000)).as_bytes());
    let body = console.captured(&answer)["request"]["body"].clone();
    assert_eq!(body["text"].as_str().unwrap().len(), 65_535);
    let answer = console.request(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\xffb<\xc3\xa9\r\n\r\n");
    let headers = console.captured(&answer)["request"]["headers"].clone();
    assert_eq!(headers[1][1], "a\\xffb<é");
    let id = answer.header("apigw-requestid").unwrap();
    let text = console.call("GET", &format!("requests/{id}"), "").text();
    assert!(text.contains("a\\\\xffb\\u003cé"), "{text}");
}

/// A path of 10 KB, and as many fields as a head may have.
#[test]
fn large_heads() {
    let console = Console::capturing();
    let long = "p".repeat(9_000);
    let answer = console.request(format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_eq!(answer.status, 200);
    assert_eq!(console.captured(&answer)["path"].as_str().unwrap().len(), 9_001);
    let fields: String = (0..200).map(|number| format!("X-{number}: v\r\n")).collect();
    let answer = console.request(format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
    let headers = console.captured(&answer)["request"]["headers"].clone();
    assert_eq!(
        headers.as_array().map(Vec::len),
        Some(201),
        "{}",
        Value::from(answer.status)
    );
}
