//! An authorizer alone decides who passes, and no request passes if the authorizer fails or is taken out of the files.

use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Api, HEADER, NO, YES, event, files, function, of_policies, policy, saying, token};
use crate::support::directory::{Directory, lambda_proxy};
use crate::support::endpoint::{Endpoint, Next};
use crate::support::gateway::options;
use crate::support::lambda_authorizer::{authorizer, invoke_uri};
use crate::support::log;

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
    api.gateway.directory.write("authorizers/one.json", "{");
    api.gateway.directory.write("routes/a.json", &open);
    check("a route that is open, beside a broken authorizer");
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

/// Nor does an edit of the API let it pass again, while the file that all APIs share is broken.
#[test]
fn what_is_withdrawn_stays_so_when_its_api_is_edited() {
    let api = Api::new(saying(YES), authorizer("auth", &[HEADER], 0));
    let directory = &api.gateway.directory;
    directory.write("functions/other.json", "{");
    directory.remove("functions/auth.json");
    for edit in ["first", "second"] {
        directory.write("api.json", &json!({"Description": edit}).to_string());
        api.gateway.server.reload();
        assert_eq!(api.ask("/a", &token("t")).status, 500, "{edit}");
    }
    assert_eq!(api.asked(), 0, "the function is asked no more");
}

/// A stage whose deployment is not there serves the live files, so these say whom it trusts.
#[test]
fn what_is_withdrawn_is_so_for_a_stage_whose_deployment_is_missing() {
    let api = Api::new(saying(YES), authorizer("auth", &[HEADER], 0));
    let directory = &api.gateway.directory;
    // The only stage, since what is withdrawn is so for all stages of an API.
    directory.remove("stages/beta.json");
    directory.write("stages/$default.json", r#"{"DeploymentId": "none"}"#);
    api.gateway.server.reload();
    assert_eq!(api.ask("/a", &token("t")).status, 200);
    directory.write("routes/broken.json", "{");
    directory.remove("authorizers/one.json");
    api.gateway.server.reload();
    assert_eq!(api.ask("/a", &token("t")).status, 500);
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
