//! The way to an issuer's keys: discovery, what is kept, and what happens when the issuer is not well.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::{Client, PATIENCE};
use crate::support::endpoint::nobody;
use crate::support::jwt::{Issuer, Reply, Signer, base64url, keys, now};
use crate::support::jwt_api::{Api, authorizer, description};

/// R8.10.
const DISCOVERY: &str = "OIDC discovery endpoint communication error";
const KEYS: &str = "JWKS communication error";

/// Longer than an issuer is waited for twice, shorter than any other timeout.
const GIVEN_UP: Duration = Duration::from_secs(8);

/// A token that the gateway has not seen yet.
fn fresh(issuer: &Issuer, signer: &Signer, number: usize) -> String {
    signer.token(&issuer.claims_with(json!({ "jti": number })))
}

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

/// R8.10: keys that are none.
#[test]
fn keys_that_cannot_be_had_deny() {
    let signer = Signer::new("k1", "RS256");
    let other = Issuer::with(&[&signer]);
    for (what, reply) in [
        ("closed", Reply::Close),
        ("404", Reply::With(404, keys(&[&signer]))),
        ("500", Reply::With(500, keys(&[&signer]))),
        (
            "a redirect",
            Reply::Raw(format!(
                "HTTP/1.1 302 Found\r\nLocation: http://{}/keys\r\nContent-Length: 0\r\n\r\n",
                other.address
            )),
        ),
        ("no HTTP", Reply::Raw("hello\r\n\r\n".to_owned())),
        ("not JSON", Reply::With(200, "<html>".to_owned())),
        ("empty", Reply::With(200, String::new())),
        ("a list", Reply::With(200, "[]".to_owned())),
        ("no keys", Reply::With(200, "{}".to_owned())),
        ("keys that are no list", Reply::With(200, r#"{"keys":{}}"#.to_owned())),
    ] {
        let issuer = Issuer::with(&[]);
        issuer.keys(reply);
        let api = Api::of(&issuer);
        let text = api.refuses(&signer.token(&issuer.claims()), what);
        assert_eq!(text, KEYS, "{what}");
    }
    assert_eq!(other.fetches(), 0, "a redirect was followed");
}

/// Keys of no use are passed over; those beside them serve.
#[test]
fn keys_of_no_use_are_passed_over() {
    let good = Signer::new("good", "RS256");
    let ec = Signer::new("ec", "ES256");
    let jwk = |others: Value| {
        let mut jwk = good.jwk();
        for (name, value) in others.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    };
    let (n, _) = good.modulus_and_exponent();
    let useless = [
        ("no kty", jwk(json!({"kid": "bad", "kty": null}))),
        ("an unknown kty", jwk(json!({"kid": "bad", "kty": "OKP"}))),
        (
            "a secret",
            json!({"kid": "bad", "kty": "oct", "k": base64url(&n), "alg": "HS256"}),
        ),
        ("for encryption", jwk(json!({"kid": "bad", "use": "enc"}))),
        ("not for verifying", jwk(json!({"kid": "bad", "key_ops": ["encrypt"]}))),
        ("no modulus", jwk(json!({"kid": "bad", "n": null}))),
        (
            "a modulus that is no base64url",
            jwk(json!({"kid": "bad", "n": "a+b/"})),
        ),
        (
            "a modulus of 1024 bits",
            jwk(json!({"kid": "bad", "n": base64url(&n[..128])})),
        ),
        ("an exponent of 1", jwk(json!({"kid": "bad", "e": "AQ"}))),
        ("an even exponent", jwk(json!({"kid": "bad", "e": "Ag"}))),
        (
            "a point that is not on the curve",
            json!({"kid": "bad", "kty": "EC", "crv": "P-256", "x": base64url([1; 32]), "y": base64url([1; 32])}),
        ),
        (
            "an unknown curve",
            json!({"kid": "bad", "kty": "EC", "crv": "secp256k1", "x": base64url([1; 32]), "y": base64url([1; 32])}),
        ),
        ("a kid that is a number", jwk(json!({"kid": 1}))),
        ("no object", json!("bad")),
        ("null", json!(null)),
    ];
    let all: Vec<Value> = useless
        .iter()
        .map(|(_, jwk)| jwk.clone())
        .chain([good.jwk(), ec.jwk()])
        .collect();
    let issuer = Issuer::with(&[]);
    issuer.keys(Reply::With(200, json!({"keys": all, "more": 1}).to_string()));
    let api = Api::of(&issuer);
    api.passes(&good.token(&issuer.claims()), "the good one");
    api.passes(&ec.token(&issuer.claims()), "the other good one");
    for (what, jwk) in useless {
        let issuer = Issuer::with(&[]);
        issuer.keys(Reply::With(200, json!({ "keys": [jwk, ec.jwk()] }).to_string()));
        let api = Api::of(&issuer);
        for alg in ["RS256", "PS256"] {
            api.refuses(&Signer::new("bad", alg).token(&issuer.claims()), what);
        }
        api.passes(&ec.token(&issuer.claims()), what);
    }
}

/// R8.9: 150,000 bytes and no more.
#[test]
fn keys_have_150_000_bytes_at_most() {
    let signer = Signer::new("k1", "RS256");
    for (length, passes) in [(150_000, true), (150_001, false), (3_000_000, false)] {
        for chunked in [false, true] {
            let issuer = Issuer::with(&[]);
            let mut set = json!({"keys": [signer.jwk()], "fill": ""});
            let fill = length - set.to_string().len();
            set["fill"] = json!("x".repeat(fill));
            let body = set.to_string();
            assert_eq!(body.len(), length);
            issuer.keys(if chunked {
                Reply::Raw(format!(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
                ))
            } else {
                Reply::With(200, body)
            });
            let api = Api::of(&issuer);
            let token = signer.token(&issuer.claims());
            if passes {
                api.passes(&token, "150,000 bytes");
            } else {
                assert_eq!(api.refuses(&token, "too many bytes"), KEYS, "{length}");
            }
        }
    }
    // Discovery is bounded too, wherever the bound is.
    let (api, issuer, signer) = Api::and_issuer();
    let mut document = issuer.document();
    document["fill"] = json!("x".repeat(20_000_000));
    issuer.discovery(Reply::With(200, document.to_string()));
    assert_eq!(
        api.refuses(&signer.token(&issuer.claims()), "20 MB of discovery"),
        DISCOVERY
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

/// Contract §3, R8.9: an unknown key's name fetches again, at most once a minute.
#[test]
fn a_new_key_is_found_once_a_minute() {
    let first = Signer::new("k1", "RS256");
    let second = Signer::new("k2", "ES256");
    let third = Signer::new("k3", "ES256");
    let issuer = Issuer::with(&[&first]);
    let api = Api::of(&issuer);
    api.passes(&first.token(&issuer.claims()), "the first key");
    issuer.rotate(&[&first, &second]);
    api.passes(&second.token(&issuer.claims()), "a key that is new");
    assert_eq!(issuer.fetches(), 2);
    issuer.rotate(&[&first, &second, &third]);
    api.refuses(&third.token(&issuer.claims()), "a key that is newer still");
    assert_eq!(issuer.fetches(), 2, "the minute is not over");
    api.passes(&first.token(&issuer.claims()), "the first key still");
}

/// A key that is gone from the set has no say any more, nor have tokens that passed with it.
#[test]
fn a_key_that_is_withdrawn_is_forgotten() {
    let first = Signer::new("k1", "RS256");
    let second = Signer::new("k2", "ES256");
    let issuer = Issuer::with(&[&first]);
    let api = Api::of(&issuer);
    let old = first.token(&issuer.claims());
    api.passes(&old, "the first key");
    api.passes(&old, "the first key again");
    issuer.rotate(&[&second]);
    api.passes(&second.token(&issuer.claims()), "the second key");
    api.refuses(&old, "a token of the key that is gone");
    api.refuses(&fresh(&issuer, &first, 1), "another token of it");
}

/// The name stays, the key is another: what was signed with the old one holds until the keys are fetched again.
#[test]
fn a_key_that_is_replaced_under_its_name_is_replaced() {
    let first = Signer::new("k1", "ES256");
    let second = Signer::new("k1", "ES256");
    let unknown = Signer::new("k2", "ES256");
    let issuer = Issuer::with(&[&first]);
    let api = Api::of(&issuer);
    api.passes(&first.token(&issuer.claims()), "the first key");
    issuer.rotate(&[&second]);
    api.refuses(&unknown.token(&issuer.claims()), "what makes the gateway fetch");
    api.refuses(&first.token(&issuer.claims()), "the old key");
    api.passes(&second.token(&issuer.claims()), "the new key");
}

/// Issue E.2: a flood of unknown names is no flood of fetches.
#[test]
fn a_flood_of_unknown_keys_fetches_once() {
    let (api, issuer, signer) = Api::and_issuer();
    api.passes(&signer.token(&issuer.claims()), "before");
    let address = api.gateway.address;
    let tokens: Vec<Vec<String>> = (0..16)
        .map(|thread| {
            let token = |number: usize| {
                let header = json!({"alg": "RS256", "kid": format!("unknown-{thread}-{number}")}).to_string();
                format!("{}.{}.AAAA", base64url(header), base64url(issuer.claims().to_string()))
            };
            (0..40).map(token).collect()
        })
        .collect();
    let threads: Vec<_> = tokens
        .into_iter()
        .map(|tokens| {
            thread::spawn(move || {
                let mut client = Client::connect(address);
                for token in tokens {
                    let request = format!("GET /me HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer {token}\r\n\r\n");
                    assert_eq!(client.send(request).answer_to("GET").status, 401);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(issuer.fetches() <= 2, "{} fetches", issuer.fetches());
    assert!(issuer.discoveries() <= 2, "{} discoveries", issuer.discoveries());
    api.passes(&signer.token(&issuer.claims()), "after");
}

/// The same before any key is known, and with an issuer that is slow to answer: one fetch at a time.
#[test]
fn many_at_once_wait_for_one_fetch() {
    let (api, issuer, signer) = Api::and_issuer();
    let address = api.gateway.address;
    let token = signer.token(&issuer.claims());
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let token = token.clone();
            thread::spawn(move || {
                let request = format!("GET /me HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer {token}\r\n\r\n");
                Client::connect(address).send(request).answer_to("GET").status
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 200);
    }
    assert_eq!((issuer.discoveries(), issuer.fetches()), (1, 1));
}

/// Many callers of an issuer that is down: it is not asked for each of them.
#[test]
fn an_issuer_that_fails_is_left_alone_for_a_while() {
    let (api, issuer, signer) = Api::and_issuer();
    issuer.discovery(Reply::With(500, String::new()));
    let began = Instant::now();
    let mut client = Client::connect(api.gateway.address);
    for number in 0..100 {
        let token = fresh(&issuer, &signer, number);
        let request = format!("GET /me HTTP/1.1\r\nHost: gw.test\r\nAuthorization: {token}\r\n\r\n");
        let answer = client.send(request).answer_to("GET");
        assert_eq!(description(&answer, "", "down"), DISCOVERY);
    }
    // However slow the machine is: no more than about one a second.
    let most = 2 + 2 * usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!(issuer.discoveries() <= most, "{} discoveries", issuer.discoveries());
}

/// An issuer that comes back is found again within its time.
#[test]
fn an_issuer_that_comes_back_serves_again() {
    let (api, issuer, signer) = Api::and_issuer();
    issuer.keys(Reply::Close);
    let token = signer.token(&issuer.claims());
    assert_eq!(api.refuses(&token, "down"), KEYS);
    issuer.rotate(&[&signer]);
    let began = Instant::now();
    while api.bear("/me", &token).status != 200 {
        assert!(began.elapsed() < PATIENCE, "the issuer is up, and nobody noticed");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Contract §3, R8.9: what is known serves on when the issuer is down.
#[test]
fn known_keys_serve_on_when_the_issuer_is_down() {
    let (api, issuer, signer) = Api::and_issuer();
    api.passes(&fresh(&issuer, &signer, 0), "before");
    issuer.discovery(Reply::Close);
    issuer.keys(Reply::Close);
    for number in 1..5 {
        api.passes(&fresh(&issuer, &signer, number), "while it is down");
        // A name that is not known makes the gateway ask in vain; the keys stay.
        api.refuses(&Signer::new("k2", "RS256").token(&issuer.claims()), "an unknown key");
    }
    issuer.keys(Reply::With(200, "{}".to_owned()));
    issuer.discovery(Reply::With(200, issuer.document().to_string()));
    api.passes(&fresh(&issuer, &signer, 9), "while it serves nonsense");
}

/// A refused token is refused whatever passes beside it, and at each use.
#[test]
fn a_remembered_token_is_no_other_token() {
    let (api, issuer, signer) = Api::and_issuer();
    let good = signer.token(&issuer.claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let expired = signer.token(&issuer.claims_with(json!({"exp": now() - 1})));
    for _ in 0..3 {
        api.passes(&good, "the good one");
        api.refuses(&format!("{message}.{}", signature.to_lowercase()), "another signature");
        api.refuses(&expired, "expired");
        api.refuses(&format!("{message}."), "no signature");
    }
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
