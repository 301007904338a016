//! Answers of authorizers are remembered for one caller, for their time, and until a reload.

use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Api, HEADER, NO, YES, event, files, function, of_policies, ok, policy, request, saying, token};
use crate::support::client::{self, Client, PATIENCE};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::Gateway;
use crate::support::lambda_authorizer::{authorizer, invoke_uri};

const QUERY: &str = "$request.querystring.token";

/// R8.32 and the worked example of §8.2.
#[test]
fn an_answer_is_remembered_for_every_route_of_its_authorizer() {
    let api = Api::new(saying(YES), authorizer("auth", &[HEADER], 300));
    for target in ["/a", "/a", "/a?x=1", "/b", "/things/7", "/b"] {
        assert_eq!(api.ask(target, &token("t")).status, 200, "{target}");
        let up = event(&api.up.next());
        let delivered = &up["requestContext"]["authorizer"];
        assert_eq!(*delivered, json!({"lambda": {"n": 1}}), "{target}");
    }
    assert_eq!(api.asked(), 1, "one answer for all routes");
    assert_eq!(api.ask("/a", &[]).status, 401);
    assert_eq!(api.asked(), 0);
}

/// R8.32: another value is another caller.
#[test]
fn another_value_is_asked_for_again() {
    let answer = |event: &Value| {
        let value = event["identitySource"][0].as_str().unwrap();
        json!({"isAuthorized": value.starts_with("good"), "context": {"who": value}}).to_string()
    };
    let api = Api::new(function(answer), authorizer("auth", &[HEADER], 300));
    for _ in 0..2 {
        for (value, status) in [
            ("good", 200),
            ("good2", 200),
            ("Good", 403),
            ("bad", 403),
            ("good ,x", 200),
        ] {
            assert_eq!(api.ask("/a", &token(value)).status, status, "{value}");
            if status == 200 {
                let up = event(&api.up.next());
                assert_eq!(up["requestContext"]["authorizer"]["lambda"]["who"], value);
            }
        }
    }
    assert_eq!(api.asked(), 5, "each value once, the refused ones too");
}

/// R8.32: all sources together are the key, and none of them can pass for another.
#[test]
fn several_sources_are_not_mixed_up() {
    let api = Api::new(saying(YES), authorizer("auth", &[HEADER, QUERY], 300));
    let mut count = 0;
    for (header, query) in [
        ("a,b", "c"),
        ("a", "b,c"),
        ("a", "b"),
        ("b", "a"),
        ("ab", "c"),
        ("a", "bc"),
    ] {
        for _ in 0..2 {
            assert_eq!(api.ask(&format!("/a?token={query}"), &token(header)).status, 200);
        }
        count += 1;
        assert_eq!(api.asked(), 1, "{header:?} and {query:?}, caller {count}");
    }
    // What differs besides the sources is not another caller.
    assert_eq!(
        api.ask("/a?token=c&x=1", &[("Authorization", "a,b"), ("X", "1")])
            .status,
        200
    );
    assert_eq!(api.asked(), 0);
}

/// R8.32: AWS's advice where routes must be told apart.
#[test]
fn the_route_key_as_a_source_separates_routes() {
    let answer = |event: &Value| json!({"isAuthorized": event["routeKey"] == "ANY /a"}).to_string();
    let api = Api::new(
        function(answer),
        authorizer("auth", &[HEADER, "$context.routeKey"], 300),
    );
    for _ in 0..2 {
        assert_eq!(api.ask("/a", &token("t")).status, 200);
        assert_eq!(api.ask("/b", &token("t")).status, 403);
        assert_eq!(api.ask("/things/1", &token("t")).status, 403);
    }
    assert_eq!(api.asked(), 3);
}

/// R8.33: the document is remembered, and says yes or no for each route.
#[test]
fn a_policy_is_weighed_again_for_each_route() {
    let statements = json!([
        {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:*/*/GET/*"},
        {"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": "*/GET/things/7"},
    ]);
    let api = Api::new(function(move |_| policy(&statements)), of_policies("auth", 300));
    for _ in 0..2 {
        for (target, status) in [("/a", 200), ("/b", 200), ("/things/7", 403), ("/things/8", 200)] {
            assert_eq!(api.ask(target, &token("t")).status, status, "{target}");
        }
        let put = "PUT /a HTTP/1.1\r\nHost: gw.test\r\nAuthorization: t\r\n\r\n";
        assert_eq!(api.gateway.exchange(put).status, 403);
    }
    assert_eq!(api.asked(), 1);
}

/// The first route that asks does not decide for the others: here it is refused.
#[test]
fn a_policy_that_refuses_the_first_route_lets_another_pass() {
    let statements = json!({"Effect": "Allow", "Action": "*", "Resource": "*/GET/b"});
    let api = Api::new(function(move |_| policy(&statements)), of_policies("auth", 300));
    assert_eq!(api.ask("/a", &token("t")).status, 403);
    assert_eq!(api.ask("/b", &token("t")).status, 200);
    assert_eq!(api.ask("/a", &token("t")).status, 403);
    assert_eq!(api.asked(), 1);
}

/// Issue E.3: no answer leaks to another stage or another authorizer.
#[test]
fn stages_and_authorizers_remember_apart() {
    let answer = |event: &Value| {
        let context = &event["requestContext"];
        let passes = context["stage"] == "$default" && event["routeKey"] != "ANY /two";
        json!({"isAuthorized": passes}).to_string()
    };
    let api = Api::new(function(answer), authorizer("auth", &[HEADER], 300));
    for _ in 0..2 {
        assert_eq!(api.ask("/a", &token("t")).status, 200);
        assert_eq!(api.ask("/beta/a", &token("t")).status, 403);
        assert_eq!(api.ask("/two", &token("t")).status, 403);
        assert_eq!(api.ask("/beta/two", &token("t")).status, 403);
    }
    assert_eq!(api.asked(), 4);
}

/// R8.32: a no is remembered as well.
#[test]
fn a_refusal_is_remembered() {
    let api = Api::new(saying(NO), authorizer("auth", &[HEADER], 300));
    for target in ["/a", "/a", "/b"] {
        assert_eq!(api.ask(target, &token("t")).status, 403);
    }
    assert_eq!(api.asked(), 1);
    assert!(api.up.rest().is_empty(), "a refused request was passed on");
}

/// R8.35: what failed is asked for again.
#[test]
fn a_failure_is_not_remembered() {
    for (broken, status) in [
        ("nonsense", 500),
        ("{}", 500),
        (r#"{"isAuthorized":"true"}"#, 500),
        (r#"{"errorMessage":"x","errorType":"E"}"#, 500),
        (r#"{"errorMessage":"Unauthorized","errorType":"E"}"#, 401),
        (r#"{"isAuthorized":true,"context":{"claims":{}}}"#, 500),
    ] {
        let answers = Mutex::new(vec![YES, broken, broken]);
        let function = function(move |_| answers.lock().unwrap().pop().unwrap_or(NO).to_owned());
        let api = Api::new(function, authorizer("auth", &[HEADER], 300));
        assert_eq!(api.ask("/a", &token("t")).status, status, "{broken}");
        assert_eq!(api.ask("/a", &token("t")).status, status, "{broken}");
        assert_eq!(api.ask("/a", &token("t")).status, 200, "{broken}");
        assert_eq!(api.ask("/a", &token("t")).status, 200, "{broken}");
        assert_eq!(api.asked(), 3, "{broken}");
    }
}

/// R8.22: without a source there is nothing to remember by.
#[test]
fn without_sources_everybody_is_asked_for() {
    let answers = Mutex::new(vec![NO, YES, NO]);
    let function = function(move |_| answers.lock().unwrap().pop().unwrap_or(NO).to_owned());
    let api = Api::new(function, authorizer("auth", &[], 300));
    for status in [403, 200, 403, 403] {
        assert_eq!(api.ask("/a", &token("t")).status, status);
    }
    assert_eq!(api.asked(), 4);
}

/// Contract §3, R8.34: nothing is remembered unless a TTL says so.
#[test]
fn without_a_ttl_nothing_is_remembered() {
    let mut absent = authorizer("auth", &[HEADER], 0);
    absent.as_object_mut().unwrap().remove("AuthorizerResultTtlInSeconds");
    for authorizer in [authorizer("auth", &[HEADER], 0), absent] {
        let api = Api::new(saying(YES), authorizer);
        for _ in 0..3 {
            assert_eq!(api.ask("/a", &token("t")).status, 200);
        }
        assert_eq!(api.asked(), 3);
    }
}

/// R8.32: no longer than the TTL, which is asked for here until it is over.
#[test]
fn an_answer_is_forgotten_after_its_time() {
    let api = Api::new(saying(YES), authorizer("auth", &[HEADER], 1));
    assert_eq!(api.ask("/a", &token("t")).status, 200);
    assert_eq!(api.asked(), 1);
    let remembered = Instant::now();
    let mut client = Client::connect(api.gateway.address);
    while api.asked() == 0 {
        assert!(remembered.elapsed() < PATIENCE, "an answer for 1 s is still remembered");
        let answer = client.send(request("/a", &token("t"))).answer_to("GET");
        assert_eq!(answer.status, 200);
    }
    // It was remembered a little before it was here.
    let lasted = remembered.elapsed();
    assert!(lasted > Duration::from_millis(700), "forgotten after {lasted:?}");
}

/// A new deployment may ask another function, or the same one for another reason.
#[test]
fn a_reload_forgets() {
    let api = Api::new(saying(YES), authorizer("auth", &[HEADER], 300));
    assert_eq!(api.ask("/a", &token("t")).status, 200);
    assert_eq!(api.ask("/a", &token("t")).status, 200);
    assert_eq!(api.asked(), 1);
    let refusing = saying(NO);
    let moved = invoke_uri(refusing.address).to_string();
    api.gateway.directory.write("functions/auth.json", &moved);
    api.gateway.server.reload();
    assert_eq!(api.ask("/a", &token("t")).status, 403);
    assert_eq!((api.asked(), refusing.rest().len()), (0, 1));
}

/// An answer that was asked for under the old files is not remembered under the new ones.
#[test]
fn an_answer_that_comes_after_a_reload_is_not_remembered() {
    let (arrive, arrived) = channel();
    let (go_on, waiting) = channel::<()>();
    let arrive = Mutex::new(arrive);
    let waiting = Mutex::new(waiting);
    let slow = function(move |_| {
        arrive.lock().unwrap().send(()).unwrap();
        let _ = waiting.lock().unwrap().recv_timeout(PATIENCE);
        YES.to_owned()
    });
    let api = Api::new(slow, authorizer("auth", &[HEADER], 300));
    let address = api.gateway.address;
    let first = thread::spawn(move || client::exchange(address, request("/a", &token("t"))));
    arrived.recv_timeout(PATIENCE).unwrap();

    let refusing = saying(NO);
    let moved = invoke_uri(refusing.address).to_string();
    api.gateway.directory.write("functions/auth.json", &moved);
    api.gateway.server.reload();
    assert_eq!(api.ask("/b", &token("other")).status, 403);

    go_on.send(()).unwrap();
    assert_eq!(
        first.join().unwrap().status,
        200,
        "the old files hold for what was in flight"
    );
    assert_eq!(api.ask("/a", &token("t")).status, 403);
}

/// What an event tells apart is remembered apart, though the text of the source is the same.
#[test]
fn values_that_are_joined_are_remembered_apart() {
    let answer = |_: &Value| YES.to_owned();
    for (source, one, other) in [
        ("$request.header.Cookie", &["a=1,b=2"][..], &["a=1", "b=2"][..]),
        ("$request.header.X-B", &["d", "c"], &["d,c"]),
        ("$request.header.X-B", &["d", "c", ""], &["d", "c,"]),
    ] {
        let name = source.rsplit('.').next().unwrap();
        let api = Api::new(function(answer), authorizer("auth", &[source], 300));
        for values in [one, other, one, other] {
            let fields: Vec<_> = values.iter().map(|value| (name, *value)).collect();
            assert_eq!(api.ask("/a", &fields).status, 200);
        }
        assert_eq!(api.asked(), 2, "{source} {one:?} {other:?}");
    }
    let api = Api::new(function(answer), authorizer("auth", &[QUERY], 300));
    for target in [
        "/a?token=1&token=2",
        "/a?token=1,2",
        "/a?token=1&token=2",
        "/a?token=1%2C2",
    ] {
        assert_eq!(api.ask(target, &[]).status, 200);
    }
    assert_eq!(api.asked(), 2);
    // What the event has is more than what the client sent: its address.
    let api = Api::new(
        function(answer),
        authorizer("auth", &["$request.header.X-Forwarded-For"], 300),
    );
    assert_eq!(api.ask("/a", &[("X-Forwarded-For", "192.0.2.1")]).status, 200);
    let asked = event(&api.function.next());
    assert_eq!(asked["identitySource"], json!(["192.0.2.1, 127.0.0.1"]));
}

/// Many callers at once: each gets its own answer.
#[test]
fn callers_at_once_do_not_get_one_another_s_answers() {
    let answer = |event: &Value| {
        let value = event["identitySource"][0].as_str().unwrap();
        json!({"isAuthorized": value.ends_with('0'), "context": {"who": value}}).to_string()
    };
    let up = Endpoint::start(|stream, recorded| {
        let event = event(recorded);
        let who = event["requestContext"]["authorizer"]["lambda"]["who"]
            .as_str()
            .unwrap()
            .to_owned();
        let answer = json!({"statusCode": 200, "body": who}).to_string();
        match stream.write_all(ok(&answer).as_bytes()) {
            Ok(()) => Next::KeepAlive,
            Err(_) => Next::Close,
        }
    });
    let function = function(answer);
    let gateway = Gateway::serve(&files(&function, &up, authorizer("auth", &[HEADER], 300)));
    let address = gateway.address;
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            thread::spawn(move || {
                let mut client = Client::connect(address);
                for number in 0..60 {
                    let value = format!("{}-{}", thread % 4, number % 20);
                    let answer = client.send(request("/a", &token(&value))).answer_to("GET");
                    if value.ends_with('0') {
                        assert_eq!((answer.status, answer.text()), (200, value));
                    } else {
                        assert_eq!(answer.status, 403, "{value}");
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    // Two that ask for the same at the same time may both be told.
    let asked = function.rest().len();
    assert!((80..=160).contains(&asked), "asked {asked} times for 80 callers");
}
