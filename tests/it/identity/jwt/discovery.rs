//! The gateway finds an issuer's keys by discovery, and refuses tokens if that fails or takes too long.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{DISCOVERY, KEYS, fresh};
use crate::support::client::Client;
use crate::support::endpoint::nobody;
use crate::support::jwt::{Issuer, Reply, Signer};
use crate::support::jwt_api::{Api, authorizer, description};

/// Longer than an issuer is waited for twice, shorter than any other timeout.
const GIVEN_UP: Duration = Duration::from_secs(8);

/// R8.9: one discovery and one fetch for all tokens.
#[test]
fn keys_are_fetched_once() {
    let (api, issuer, signer) = Api::and_issuer();
    assert_eq!((issuer.discoveries(), issuer.fetches()), (0, 0), "nobody has asked yet");
    for number in 0..20 {
        api.passes(&fresh(&issuer, &signer, number), "a fresh token");
    }
    assert_eq!((issuer.discoveries(), issuer.fetches()), (1, 1));
    assert_eq!(issuer.others(), [""; 0]);
}

/// R8.5, R8.9: the issuer's URL has a path, a slash at its end, or neither.
#[test]
fn an_issuer_s_url_may_have_a_path_and_a_slash() {
    for path in ["", "/", "/tenant", "/tenant/", "/a/b/v2.0"] {
        let signer = Signer::new("k1", "ES256");
        let issuer = Issuer::at(path, &[&signer]);
        let api = Api::of(&issuer);
        api.passes(&signer.token(&issuer.claims()), path);
        assert_eq!(issuer.others(), [""; 0], "{path}");
        let other = match issuer.url.strip_suffix('/') {
            Some(without) => without.to_owned(),
            None => format!("{}/", issuer.url),
        };
        let text = api.refuses(&signer.token(&issuer.claims_with(json!({ "iss": other }))), path);
        assert!(text.contains("issuer does not match"), "{path}: {text}");
    }
}

/// R8.10: nobody there at all.
#[test]
fn an_issuer_that_is_down_denies() {
    let (_, issuer, signer) = Api::and_issuer();
    let url = format!("http://{}", nobody());
    let api = Api::with(authorizer(&url));
    let token = signer.token(&issuer.claims_with(json!({ "iss": url })));
    for (target, scopes) in [("/me", ""), ("/orders", "orders/read")] {
        let answer = api.bear(target, &token);
        assert_eq!(description(&answer, scopes, target), DISCOVERY);
    }
    // Without a token nobody needs to be asked.
    assert_eq!(api.ask("/me", &[]).header("www-authenticate"), Some("Bearer"));
    assert!(api.up.rest().is_empty());
}

fn with_discovery(reply: Reply) -> (String, Issuer) {
    let (api, issuer, signer) = Api::and_issuer();
    issuer.discovery(reply);
    let text = api.refuses(&signer.token(&issuer.claims()), "discovery");
    (text, issuer)
}

/// R8.10: discovery that is none.
#[test]
fn discovery_that_fails_denies() {
    let (_, other, _) = Api::and_issuer();
    let document = |value: Value| Reply::With(200, value.to_string());
    for (what, reply) in [
        ("closed", Reply::Close),
        ("404", Reply::With(404, other.document().to_string())),
        ("500", Reply::With(500, other.document().to_string())),
        ("204", Reply::Raw("HTTP/1.1 204 No Content\r\n\r\n".to_owned())),
        (
            "a redirect",
            Reply::Raw(format!(
                "HTTP/1.1 302 Found\r\nLocation: {}/.well-known/openid-configuration\r\nContent-Length: 0\r\n\r\n",
                other.url
            )),
        ),
        ("no HTTP", Reply::Raw("hello\r\n\r\n".to_owned())),
        ("not JSON", Reply::With(200, "<html>".to_owned())),
        ("empty", Reply::With(200, String::new())),
        ("a list", document(json!([]))),
        ("no jwks_uri", document(json!({"issuer": other.url}))),
        ("jwks_uri null", document(json!({"jwks_uri": null}))),
        ("jwks_uri a number", document(json!({"jwks_uri": 1}))),
        ("jwks_uri a path", document(json!({"jwks_uri": "/keys"}))),
        ("jwks_uri a file", document(json!({"jwks_uri": "file:///etc/passwd"}))),
        ("jwks_uri empty", document(json!({"jwks_uri": ""}))),
        (
            "jwks_uri with a user",
            document(json!({"jwks_uri": format!("http://a:b@{}/keys", other.address)})),
        ),
    ] {
        let (text, issuer) = with_discovery(reply);
        assert!([DISCOVERY, KEYS].contains(&text.as_str()), "{what}: {text}");
        if !what.starts_with("jwks_uri") {
            assert_eq!(text, DISCOVERY, "{what}");
        }
        assert_eq!(issuer.fetches(), 0, "{what}");
    }
    assert_eq!(
        (other.discoveries(), other.fetches()),
        (0, 0),
        "a redirect was followed"
    );
}

/// R8.9: 1,500 ms each, whichever part does not come.
#[test]
fn an_issuer_is_waited_for_1_500_ms() {
    let endless = || Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n{".to_owned());
    let half = || Reply::Raw("HTTP/1.1 200 OK\r\nContent-Le".to_owned());
    let all: Vec<_> = [
        (true, Reply::Hang),
        (true, endless()),
        (true, half()),
        (false, Reply::Hang),
        (false, endless()),
    ]
    .into_iter()
    .map(|(is_discovery, reply)| {
        thread::spawn(move || {
            let (api, issuer, signer) = Api::and_issuer();
            if is_discovery {
                issuer.discovery(reply);
            } else {
                issuer.keys(reply);
            }
            let began = Instant::now();
            let text = api.refuses(&signer.token(&issuer.claims()), "slow");
            assert_eq!(text, if is_discovery { DISCOVERY } else { KEYS });
            let took = began.elapsed();
            assert!((Duration::from_millis(1_400)..GIVEN_UP).contains(&took), "{took:?}");
        })
    })
    .collect();
    for thread in all {
        thread.join().unwrap();
    }
}

/// While one issuer is silent, routes that do not need it are answered.
#[test]
fn a_silent_issuer_holds_up_nobody_else() {
    let (api, issuer, signer) = Api::and_issuer();
    issuer.discovery(Reply::Hang);
    let mut waiting = Client::connect(api.gateway.address);
    let token = signer.token(&issuer.claims());
    waiting.send(format!(
        "GET /me HTTP/1.1\r\nHost: gw.test\r\nAuthorization: {token}\r\n\r\n"
    ));
    let began = Instant::now();
    assert_eq!(api.ask("/open", &[]).status, 200);
    assert_eq!(api.ask("/me", &[]).status, 401);
    assert!(
        began.elapsed() < Duration::from_millis(1_300),
        "an open route waited for an issuer"
    );
    assert_eq!(waiting.answer_to("GET").status, 401);
}

/// Two authorizers, two issuers: keys are the issuer's own.
#[test]
fn issuers_do_not_share_keys() {
    let ours = Signer::new("k1", "ES256");
    let theirs = Signer::new("k1", "ES256");
    let issuer = Issuer::with(&[&ours]);
    let other = Issuer::with(&[&theirs]);
    let api = Api::of(&issuer);
    api.gateway
        .directory
        .write("authorizers/other.json", &authorizer(&other.url).to_string());
    let route = json!({"RouteKey": "GET /other", "Target": "integrations/v2", "AuthorizationType": "JWT", "AuthorizerId": "other"});
    api.gateway.directory.write("routes/other.json", &route.to_string());
    api.gateway.server.reload();
    let (good, foreign) = (ours.token(&issuer.claims()), theirs.token(&other.claims()));
    for _ in 0..2 {
        assert_eq!(api.bear("/me", &good).status, 200);
        assert_eq!(api.bear("/other", &foreign).status, 200);
        assert_eq!(api.bear("/me", &foreign).status, 401);
        assert_eq!(api.bear("/other", &good).status, 401);
        assert_eq!(api.bear("/me", &theirs.token(&issuer.claims())).status, 401);
        assert_eq!(api.bear("/other", &ours.token(&other.claims())).status, 401);
    }
}
