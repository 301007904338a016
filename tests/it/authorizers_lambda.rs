//! What the cases cannot say of Lambda authorizers: what is remembered and for whom, reloads, and time.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::{self, Answer, Client, PATIENCE};
use crate::support::directory::{Directory, lambda_proxy};
use crate::support::endpoint::{Endpoint, Next, Recorded};
use crate::support::gateway::{Gateway, options};
use crate::support::log;

const YES: &str = r#"{"isAuthorized":true,"context":{"n":1}}"#;
const NO: &str = r#"{"isAuthorized":false}"#;

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A function that answers by the event it gets.
fn function(answer: impl Fn(&Value) -> String + Send + Sync + 'static) -> Endpoint {
    Endpoint::start(move |stream, recorded| {
        let event = event(recorded);
        match stream.write_all(ok(&answer(&event)).as_bytes()) {
            Ok(()) => Next::KeepAlive,
            Err(_) => Next::Close,
        }
    })
}

fn event(recorded: &Recorded) -> Value {
    serde_json::from_slice(&recorded.body).unwrap()
}

fn saying(answer: &'static str) -> Endpoint {
    function(move |_| answer.to_owned())
}

pub fn invoke_uri(address: SocketAddr) -> Value {
    json!({"InvokeUri": format!("http://{address}/2015-03-31/functions/function/invocations")})
}

pub fn authorizer(name: &str, sources: &[&str], ttl: u64) -> Value {
    json!({
        "AuthorizerType": "REQUEST",
        "AuthorizerUri": format!("arn:aws:lambda:us-east-1:123456789012:function:{name}"),
        "AuthorizerPayloadFormatVersion": "2.0",
        "EnableSimpleResponses": true,
        "IdentitySource": sources,
        "AuthorizerResultTtlInSeconds": ttl,
    })
}

pub fn custom(key: &str, authorizer: &str) -> Value {
    json!({"RouteKey": key, "Target": "integrations/up", "AuthorizationType": "CUSTOM", "AuthorizerId": authorizer})
}

/// `/a`, `/b` and `/things/{id}` ask `one`; `/two` asks `two`, which asks the same function.
fn files(function: &Endpoint, up: &Endpoint, one: Value) -> Vec<(&'static str, Value)> {
    let two = one.clone();
    vec![
        ("stages/$default.json", json!({"Name": "$default"})),
        ("stages/beta.json", json!({"Name": "beta"})),
        ("routes/a.json", custom("ANY /a", "one")),
        ("routes/b.json", custom("ANY /b", "one")),
        ("routes/t.json", custom("ANY /things/{id}", "one")),
        ("routes/two.json", custom("ANY /two", "two")),
        ("integrations/up.json", lambda_proxy("up", "2.0")),
        ("authorizers/one.json", one),
        ("authorizers/two.json", two),
        ("functions/auth.json", invoke_uri(function.address)),
        ("functions/up.json", invoke_uri(up.address)),
    ]
}

/// A gateway whose authorizer has that many seconds and these sources.
struct Api {
    gateway: Gateway,
    function: Endpoint,
    up: Endpoint,
}

impl Api {
    fn new(function: Endpoint, authorizer: Value) -> Api {
        let up = saying(r#"{"statusCode":200,"body":"up"}"#);
        let gateway = Gateway::serve(&files(&function, &up, authorizer));
        Api { gateway, function, up }
    }

    fn ask(&self, target: &str, fields: &[(&str, &str)]) -> Answer {
        self.gateway.exchange(request(target, fields))
    }

    /// How often the function has been asked since this was called last.
    fn asked(&self) -> usize {
        self.function.rest().len()
    }
}

fn request(target: &str, fields: &[(&str, &str)]) -> String {
    let mut text = format!("GET {target} HTTP/1.1\r\nHost: gw.test\r\n");
    for (name, value) in fields {
        text += &format!("{name}: {value}\r\n");
    }
    text + "\r\n"
}

const HEADER: &str = "$request.header.Authorization";
const QUERY: &str = "$request.querystring.token";

fn token(value: &str) -> [(&str, &str); 1] {
    [("Authorization", value)]
}

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

fn policy(statements: &Value) -> String {
    json!({"principalId": "u", "policyDocument": {"Version": "2012-10-17", "Statement": statements}}).to_string()
}

fn of_policies(name: &str, ttl: u64) -> Value {
    let mut authorizer = authorizer(name, &[HEADER], ttl);
    authorizer["EnableSimpleResponses"] = json!(false);
    authorizer
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

/// Issue E.5: files that do not compile leave the old ones in force, and nothing open.
#[test]
fn a_broken_authorizer_at_a_reload_opens_nothing() {
    let api = Api::new(saying(NO), authorizer("auth", &[HEADER], 0));
    let check = |what: &str| {
        api.gateway.server.reload();
        assert_eq!(api.ask("/a", &[]).status, 401, "{what}");
        assert_eq!(api.ask("/a", &token("t")).status, 403, "{what}");
        assert_eq!(api.asked(), 1, "{what}");
    };
    check("at first");
    let good = authorizer("auth", &[HEADER], 0);
    for broken in [
        "{".to_owned(),
        String::new(),
        "[]".to_owned(),
        "{}".to_owned(),
        json!({"AuthorizerType": "NONE"}).to_string(),
        json!({"AuthorizerType": "REQUEST"}).to_string(),
        json!({"AuthorizerType": "REQUEST", "AuthorizerUri": "x", "AuthorizerPayloadFormatVersion": "2.0"}).to_string(),
    ] {
        api.gateway.directory.write("authorizers/one.json", &broken);
        check(&broken);
    }
    api.gateway.directory.write("authorizers/one.json", &good.to_string());
    api.gateway.directory.write("functions/auth.json", "{");
    check("a broken function");
    let open = json!({"RouteKey": "ANY /a", "Target": "integrations/up"}).to_string();
    api.gateway.directory.write("routes/a.json", &open);
    check("a route that is open, beside a broken function");
    assert!(api.up.rest().is_empty(), "a request was passed on");
}

/// What is taken out of the files lets nobody pass any more, whatever other files say.
#[test]
fn what_is_withdrawn_lets_nobody_pass_while_another_file_is_broken() {
    let api = Api::new(saying(YES), authorizer("auth", &[HEADER], 300));
    let directory = &api.gateway.directory;
    let good = authorizer("auth", &[HEADER], 300).to_string();
    let ask = |what: &str, status: u16| {
        api.gateway.server.reload();
        for fields in [&token("t")[..], &token("other")] {
            assert_eq!(api.ask("/a", fields).status, status, "{what}");
        }
        // The other authorizer is as it was, but for its function.
        api.asked()
    };
    assert_eq!(ask("at first", 200), 2);
    directory.write("routes/broken.json", "{");
    assert_eq!(ask("beside a broken file", 200), 2);
    let function = invoke_uri(api.function.address).to_string();
    let elsewhere = invoke_uri(api.up.address).to_string();
    let another = good.replace(":auth", ":up");
    for (what, path, good, withdrawn) in [
        ("the authorizer is gone", "authorizers/one.json", &good, None),
        (
            "it names another function",
            "authorizers/one.json",
            &good,
            Some(&another),
        ),
        ("its function is gone", "functions/auth.json", &function, None),
        (
            "its function is elsewhere",
            "functions/auth.json",
            &function,
            Some(&elsewhere),
        ),
    ] {
        match withdrawn {
            Some(text) => directory.write(path, text),
            None => directory.remove(path),
        }
        assert_eq!(ask(what, 500), 0, "{what}: nobody is asked");
        directory.write(path, "{");
        assert_eq!(ask(what, 500), 0, "{what}, then broken: nobody is asked");
        directory.write(path, good);
        assert_eq!(ask(&format!("restored after: {what}"), 200), 2);
    }
    // A file that is broken itself says nothing.
    for path in ["authorizers/one.json", "functions/auth.json"] {
        directory.write(path, "{");
        assert_eq!(ask(path, 200), 2);
    }
}

/// R8.25: a wildcard that a client sends is none in a policy that repeats the ARN.
#[test]
fn a_wildcard_of_a_client_opens_no_other_path() {
    let echo = |event: &Value| {
        let arn = event["routeArn"].as_str().unwrap();
        let effect = if arn.contains("secret") { "Deny" } else { "Allow" };
        policy(&json!({"Effect": effect, "Action": "execute-api:Invoke", "Resource": arn}))
    };
    for wildcard in [
        "*",
        "%2a",
        "%2A",
        "secre%3f",
        "secre%3F",
        "%3f%3F%3f%3f%3f%3f",
        "s*",
        "%252a",
        "secre%253f",
        "**",
    ] {
        let api = Api::new(function(echo), of_policies("auth", 300));
        let first = api.ask(&format!("/things/{wildcard}"), &token("t")).status;
        assert!(matches!(first, 200 | 403), "{wildcard}: {first}");
        assert_eq!(api.ask("/things/secret", &token("t")).status, 403, "{wildcard}");
        assert_eq!(api.asked(), 1, "{wildcard}: the answer is remembered");
    }
}

/// What `Connection` names concerns the connection, so nobody sees it: not the authorizer, nor a mapping, nor what an
/// answer is remembered by.
#[test]
fn connection_hides_nothing_from_the_authorizer_alone() {
    let answer = |event: &Value| {
        let tenant = event["headers"]["x-tenant"].as_str();
        json!({"isAuthorized": tenant.is_none_or(|tenant| tenant == "bobs")}).to_string()
    };
    let named = [("Authorization", "t"), ("X-Tenant", "acme"), ("Connection", "X-Tenant")];
    let plain = [("Authorization", "t"), ("X-Tenant", "acme")];
    for (sources, status) in [(&[HEADER][..], 200), (&[HEADER, "$request.header.X-Tenant"], 401)] {
        let api = Api::new(function(answer), authorizer("auth", sources, 300));
        let mut up = lambda_proxy("up", "2.0");
        up["RequestParameters"] = json!({"append:header.mapped": "<${request.header.X-Tenant}>"});
        api.gateway.directory.write("integrations/up.json", &up.to_string());
        api.gateway.server.reload();
        assert_eq!(api.ask("/a", &named).status, status, "{sources:?}");
        if status == 200 {
            let seen = event(&api.up.next());
            assert_eq!(seen["headers"]["mapped"], "<>");
            assert_eq!(seen["headers"]["x-tenant"], Value::Null);
        }
        if sources.len() > 1 {
            assert_eq!(api.ask("/a", &plain).status, 403, "{sources:?}");
        }
    }
}

/// Some servers take `X_Tenant` for `X-Tenant`, by which the authorizer tells who asks: it does not pass.
#[test]
fn a_field_that_says_who_asks_has_no_twin() {
    let api = Api::new(saying(YES), authorizer("auth", &["$request.header.X-Tenant"], 300));
    let twins = [
        ("X_Tenant", "acme"),
        ("X-Tenant", "bobs"),
        ("X.Tenant", "acme"),
        ("X_Tenants", "1"),
    ];
    for round in 0..2 {
        assert_eq!(api.ask("/a", &twins).status, 200);
        for seen in (round == 0)
            .then(|| event(&api.function.next()))
            .into_iter()
            .chain([event(&api.up.next())])
        {
            let headers = seen["headers"].as_object().unwrap();
            assert_eq!(
                (&headers["x-tenant"], &headers["x_tenants"]),
                (&json!("bobs"), &json!("1"))
            );
            assert!(
                !headers.contains_key("x_tenant") && !headers.contains_key("x.tenant"),
                "{headers:?}"
            );
        }
    }
    assert_eq!(api.ask("/a", &twins[..1]).status, 401);
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

/// Issue E.5: a server does not start with an authorizer that does not compile.
#[test]
fn nothing_is_served_with_a_broken_authorizer() {
    use apigateway::server::Server;
    let up = saying("{}");
    for broken in [
        json!({}),
        json!({"AuthorizerType": "TOKEN"}),
        json!({"AuthorizerType": "JWT"}),
    ] {
        let directory = Directory::of(&files(&up, &up, broken));
        assert!(Server::start(options(&directory)).is_err());
    }
}

/// R8.29: ten seconds, and not the integration's time.
#[test]
fn an_authorizer_that_never_answers_is_given_up() {
    let (_until_dropped, dropped) = channel::<()>();
    let dropped = Mutex::new(dropped);
    let silent = Endpoint::start(move |_, _| {
        let _ = dropped.lock().unwrap().recv_timeout(Duration::from_secs(60));
        Next::Close
    });
    let api = Api::new(silent, authorizer("auth", &[HEADER], 300));
    let began = Instant::now();
    let answer = api.ask("/a", &token("t"));
    let took = began.elapsed();
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (500, r#"{"message":"Internal Server Error"}"#)
    );
    assert!(
        (Duration::from_millis(9_900)..Duration::from_secs(15)).contains(&took),
        "{took:?}"
    );
    assert!(api.up.rest().is_empty());
}

/// The answer breaks off, after a yes or before it.
#[test]
fn half_an_answer_is_none() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"isAuthorized\":true}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n{\"isAuthorized\":true}\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "",
    ] {
        let cutting = Endpoint::start(move |stream, _| {
            let _ = stream.write_all(text.as_bytes());
            Next::Close
        });
        let api = Api::new(cutting, authorizer("auth", &[HEADER], 300));
        assert_eq!(api.ask("/a", &token("t")).status, 500, "{text:?}");
        assert!(api.up.rest().is_empty(), "{text:?}");
    }
}

/// An event has one principal, whatever the context calls itself.
#[test]
fn an_event_names_one_principal() {
    let answer = r#"{"principalId":"u","context":{"principalId":"root"},"policyDocument":{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}}"#;
    let api = Api::new(saying(answer), of_policies("auth", 0));
    let mut integration =
        json!({"IntegrationType": "AWS_PROXY", "IntegrationMethod": "POST", "PayloadFormatVersion": "1.0"});
    integration["IntegrationUri"] = json!("arn:aws:lambda:us-east-1:123456789012:function:up");
    let text = integration.to_string();
    api.gateway.directory.write("integrations/up.json", &text);
    api.gateway.server.reload();
    assert_eq!(api.ask("/a", &token("t")).status, 200);
    let event = String::from_utf8(api.up.next().body).unwrap();
    assert_eq!(event.matches("\"principalId\"").count(), 1, "{event}");
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

/// Issue E.6: identities are not for the log, whatever becomes of them.
#[test]
fn identities_are_not_logged() {
    const SECRET: &str = "lambda-identity-that-nobody-logs";
    log::watch_for(SECRET);
    for answer in [YES, NO, "nonsense", r#"{"errorMessage":"x","errorType":"E"}"#] {
        let api = Api::new(saying(answer), authorizer("auth", &[HEADER], 300));
        for _ in 0..2 {
            let answer = api.ask("/a", &token(SECRET));
            assert!(!answer.head.contains(SECRET) && !answer.text().contains(SECRET));
        }
        api.ask(&format!("/a?token={SECRET}"), &[]);
    }
    assert_eq!(log::leaks_of(SECRET), [""; 0]);
}
