//! Tokens: what passes, what does not and what is said then, and what the integration learns.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::{Value, json};

use apigateway::platform::clock::Clock;

use crate::support::directory::Directory;
use crate::support::endpoint::Endpoint;
use crate::support::gateway::{Gateway, options};
use crate::support::jwt::{Issuer, Signer, base64url, now};
use crate::support::jwt_api::{Api, authorizer, description, files};
use crate::support::log;

const UNAUTHORIZED: &str = r#"{"message":"Unauthorized"}"#;

const SEGMENTS: &str = "token contains an invalid number of segments";
const EXPIRED: &str = "the token has expired";
const AUDIENCE: &str = "the token does not have a valid audience";

/// The worked example of §8.1.
#[test]
fn the_worked_example() {
    let (api, issuer, signer) = Api::and_issuer();
    let answer = api.ask("/orders", &[]);
    assert_eq!((answer.status, answer.text().as_str()), (401, UNAUTHORIZED));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));

    let expired = signer.token(&issuer.claims_with(json!({"exp": now() - 1, "scope": "orders/read"})));
    let answer = api.bear("/orders", &expired);
    assert_eq!((answer.status, answer.text().as_str()), (401, UNAUTHORIZED));
    assert_eq!(
        answer.header("www-authenticate"),
        Some(r#"Bearer scope="orders/read" error="invalid_token" error_description="the token has expired""#)
    );

    let wrong = signer.token(&issuer.claims_with(json!({"scope": "orders/write"})));
    let answer = api.bear("/orders", &wrong);
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (403, r#"{"message":"Forbidden"}"#)
    );
    // Contract §3, R8.14.
    assert_eq!(answer.header("www-authenticate"), None);
    assert!(api.up.rest().is_empty());

    let good = signer.token(&issuer.claims_with(json!({"scope": "orders/read x"})));
    let event = api.event("/orders", &good);
    assert_eq!(
        event["requestContext"]["authorizer"]["jwt"]["scopes"],
        json!(["orders/read", "x"])
    );
}

/// R8.2, and what is as good as no token.
#[test]
fn without_a_token_the_challenge_is_bearer_alone() {
    let (api, issuer, _signer) = Api::and_issuer();
    for fields in [
        &[][..],
        &[("Authorization", "")],
        &[("Authorization", "  ")],
        &[("X-Authorization", "a.b.c")],
    ] {
        for target in ["/me", "/orders", "/many", "/beta/me"] {
            let answer = api.ask(target, fields);
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (401, UNAUTHORIZED),
                "{fields:?}"
            );
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{fields:?}");
        }
    }
    assert_eq!(api.ask("/open", &[]).status, 200);
    assert_eq!(issuer.discoveries(), 0, "nobody showed a token");
}

/// R8.11, R8.12: the route's scopes stand in the challenge.
#[test]
fn a_challenge_names_the_scopes_of_the_route() {
    let (api, issuer, signer) = Api::and_issuer();
    let expired = signer.token(&issuer.claims_with(json!({"exp": 1})));
    for (target, scopes) in [
        ("/me", ""),
        ("/orders", "orders/read"),
        ("/many", "orders/read https://api.test/orders.write"),
    ] {
        for (token, text) in [(expired.as_str(), EXPIRED), ("nonsense", SEGMENTS)] {
            let answer = api.bear(target, token);
            assert_eq!(description(&answer, scopes, target), text);
        }
    }
}

/// R8.1: bare, or with the prefix in any case.
#[test]
fn a_token_may_have_its_prefix() {
    let (api, issuer, signer) = Api::and_issuer();
    let token = signer.token(&issuer.claims());
    for value in [
        token.clone(),
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("BEARER {token}"),
        format!("bEaReR {token}"),
    ] {
        assert_eq!(api.ask("/me", &[("Authorization", &value)]).status, 200, "{value}");
    }
    for value in [
        format!("Basic {token}"),
        format!("Bearer{token}"),
        format!("Bearer: {token}"),
        format!("Bearer Bearer {token}"),
        format!("{token} Bearer"),
        format!("Bearer {token},"),
        format!("Bearer {token} {token}"),
        format!("Bearer \"{token}\""),
        format!("Token {token}"),
        "Bearer".to_owned(),
        "Basic dXNlcjpwYXNz".to_owned(),
    ] {
        let answer = api.ask("/me", &[("Authorization", &value)]);
        assert_eq!(answer.status, 401, "{value}");
        assert!(
            answer.header("www-authenticate").unwrap().starts_with("Bearer"),
            "{value}"
        );
    }
}

/// Two fields could be read as either; neither counts.
#[test]
fn two_tokens_are_none() {
    let (api, issuer, signer) = Api::and_issuer();
    let token = format!("Bearer {}", signer.token(&issuer.claims()));
    for (first, second) in [
        (&*token, "x"),
        ("x", &*token),
        (&*token, &*token),
        ("Bearer x.y.z", &*token),
    ] {
        let answer = api.ask("/me", &[("Authorization", first), ("Authorization", second)]);
        assert_eq!(answer.status, 401);
        assert!(api.up.rest().is_empty());
    }
}

/// R8.1, R8.15: in the query string.
#[test]
fn a_token_may_stand_in_the_query() {
    let signer = Signer::new("k1", "RS256");
    let issuer = Issuer::with(&[&signer]);
    let mut resource = authorizer(&issuer.url);
    resource["IdentitySource"] = json!(["$request.querystring.token"]);
    let api = Api::with(resource);
    let token = signer.token(&issuer.claims());
    for target in [
        format!("/me?token={token}"),
        format!("/me?a=1&token={token}&b=2"),
        format!("/me?token=Bearer%20{token}"),
        format!("/me?token=bearer+{token}"),
        format!("/me?%74oken={token}"),
    ] {
        assert_eq!(api.ask(&target, &[]).status, 200, "{target}");
    }
    api.up.rest();
    for (target, challenge) in [
        (format!("/me?Token={token}"), Some("Bearer")),
        ("/me?token=".to_owned(), Some("Bearer")),
        ("/me?token".to_owned(), Some("Bearer")),
        ("/me".to_owned(), Some("Bearer")),
        (format!("/me?token={token}&token={token}"), None),
        (format!("/me?token=x&token={token}"), None),
    ] {
        let answer = api.ask(&target, &[]);
        assert_eq!((answer.status, answer.text().as_str()), (401, UNAUTHORIZED), "{target}");
        if challenge.is_some() {
            assert_eq!(answer.header("www-authenticate"), challenge, "{target}");
        }
    }
    // The header is not where this authorizer looks.
    assert_eq!(api.bear("/me", &token).header("www-authenticate"), Some("Bearer"));
    let expired = signer.token(&issuer.claims_with(json!({"exp": now() - 1})));
    let answer = api.ask(&format!("/me?token={expired}"), &[]);
    assert_eq!(description(&answer, "", "in the query"), EXPIRED);
    assert!(api.up.rest().is_empty());
}

/// R8.4 and the contract's extension.
#[test]
fn each_algorithm_of_the_contract_passes() {
    let signers: Vec<Signer> = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"]
        .into_iter()
        .map(|alg| Signer::new(alg, alg))
        .collect();
    let issuer = Issuer::with(&signers.iter().collect::<Vec<_>>());
    let api = Api::of(&issuer);
    for signer in &signers {
        api.passes(&signer.token(&issuer.claims()), signer.alg);
        // The same with another payload under the same signature.
        let token = signer.token(&issuer.claims());
        let parts: Vec<&str> = token.split('.').collect();
        let other = base64url(issuer.claims_with(json!({"sub": "root"})).to_string());
        api.refuses(&format!("{}.{other}.{}", parts[0], parts[2]), signer.alg);
    }
    assert_eq!(issuer.fetches(), 1);
}

/// A key whose JWK does not name an algorithm serves all of its type.
#[test]
fn a_key_without_an_algorithm_serves_its_type() {
    let mut jwk = Signer::new("k", "RS256").jwk();
    for name in ["alg", "use"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    let issuer = Issuer::with(&[]);
    issuer.keys(crate::support::jwt::Reply::With(
        200,
        json!({ "keys": [jwk] }).to_string(),
    ));
    let api = Api::of(&issuer);
    for alg in ["RS256", "RS512", "PS256"] {
        api.passes(&Signer::new("k", alg).token(&issuer.claims()), alg);
    }
    api.refuses(
        &Signer::new("k", "ES256").token(&issuer.claims()),
        "another type of key",
    );
}

/// R8.3–R8.7, in that order: what each check says. No text is known where the third column is empty.
#[test]
fn every_check_refuses() {
    let (api, issuer, signer) = Api::and_issuer();
    let with = |others: Value| signer.token(&issuer.claims_with(others));
    let day = 86_400;
    for (what, claims, says) in [
        ("expired a second ago", json!({"exp": now() - 1}), EXPIRED),
        ("expires now", json!({"exp": now()}), EXPIRED),
        ("expired long ago", json!({"exp": 1}), EXPIRED),
        ("no exp", json!({"exp": null}), ""),
        ("not yet", json!({"nbf": now() + 1}), ""),
        ("not for a day", json!({"nbf": now() + day}), ""),
        ("issued in a second", json!({"iat": now() + 1}), ""),
        ("another audience", json!({"aud": "other"}), AUDIENCE),
        ("an audience in another case", json!({"aud": "API"}), AUDIENCE),
        ("the beginning of an audience", json!({"aud": "ap"}), AUDIENCE),
        ("other audiences", json!({"aud": ["a", "b"]}), AUDIENCE),
        ("no audiences", json!({"aud": []}), AUDIENCE),
        ("an empty audience", json!({"aud": ""}), AUDIENCE),
        ("no audience", json!({"aud": null}), AUDIENCE),
        (
            "a wrong audience beside a client id",
            json!({"aud": "x", "client_id": "api"}),
            AUDIENCE,
        ),
        (
            "no audiences beside a client id",
            json!({"aud": [], "client_id": "api"}),
            AUDIENCE,
        ),
        ("another client id", json!({"aud": null, "client_id": "x"}), AUDIENCE),
        ("azp does not count", json!({"aud": null, "azp": "api"}), AUDIENCE),
        ("an audience with a blank", json!({"aud": "x api"}), AUDIENCE),
        ("an issuer that is a list", json!({"iss": [issuer.url]}), ""),
        ("an issuer that is empty", json!({"iss": ""}), ""),
        ("no issuer", json!({"iss": null}), ""),
    ] {
        let text = api.refuses(&with(claims), what);
        assert!(says.is_empty() || text == says, "{what}: {text}");
    }
    for other in [
        format!("{}/", issuer.url),
        issuer.url.to_uppercase(),
        issuer.url.replace("http://", "https://"),
        format!("{} ", issuer.url),
        format!("{}\0", issuer.url),
        issuer.url[..issuer.url.len() - 1].to_owned(),
    ] {
        let text = api.refuses(&with(json!({"iss": other})), &other);
        assert!(text.contains("issuer does not match"), "{other}: {text}");
    }
}

/// What the checks let pass.
#[test]
fn every_check_lets_pass_what_is_right() {
    let (api, issuer, signer) = Api::and_issuer();
    for (what, claims) in [
        ("one of the audiences", json!({"aud": "https://api.test/"})),
        ("one audience of several", json!({"aud": ["x", "api"]})),
        ("a client id instead", json!({"aud": null, "client_id": "api"})),
        (
            "a client id that is another's, beside an audience",
            json!({"client_id": "x"}),
        ),
        ("valid from now on", json!({"nbf": now()})),
        ("issued now", json!({"iat": now()})),
        ("expires soon", json!({"exp": now() + 20})),
        ("expires between two seconds", json!({"exp": now() as f64 + 20.5})),
        ("expires in a century", json!({"exp": now() + 3_155_760_000})),
        ("token_use does not count", json!({"token_use": "id"})),
        ("azp does not count", json!({"azp": "x"})),
        ("no subject", json!({"sub": null})),
    ] {
        api.passes(&signer.token(&issuer.claims_with(claims)), what);
    }
}

/// R8.7: a token holds in the second of its making, and ends between two seconds.
#[test]
fn dates_with_fractions_are_compared_with_the_clock_as_fine_as_they_are() {
    let signer = Signer::new("k1", "RS256");
    let issuer = Issuer::with(&[&signer]);
    let up = Endpoint::answering("HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"statusCode\":200}");
    let directory = Directory::of(&files(&up, authorizer(&issuer.url)));
    let mut options = options(&directory);
    options.settings.clock = Clock::fixed(UNIX_EPOCH + Duration::from_millis(now() * 1000 + 500));
    let gateway = Gateway::start(directory, options);
    let at = |fraction: f64| now() as f64 + fraction;
    for (claims, status) in [
        (json!({"iat": at(0.25), "nbf": at(0.25)}), 200),
        (json!({"iat": at(0.5)}), 200),
        (json!({"iat": at(0.75)}), 401),
        (json!({"nbf": at(0.75)}), 401),
        (json!({"iat": now() + 1}), 401),
        (json!({"exp": at(0.75)}), 200),
        (json!({"exp": at(0.5)}), 401),
        (json!({"exp": now()}), 401),
        (json!({"exp": now() + 1}), 200),
    ] {
        let token = signer.token(&issuer.claims_with(claims.clone()));
        let request = format!("GET /me HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer {token}\r\n\r\n");
        // Once verified, and once remembered.
        for _ in 0..2 {
            assert_eq!(gateway.exchange(&request).status, status, "{claims}");
        }
    }
}

/// R8.3–R8.7 are in order: of two faults the first is told.
#[test]
fn the_first_fault_is_told() {
    let (api, issuer, signer) = Api::and_issuer();
    let stranger = Signer::new("k1", "ES256");
    let told = |claims: Value| api.refuses(&signer.token(&issuer.claims_with(claims)), "two faults");
    assert!(told(json!({"iss": "x", "aud": "x", "exp": 1})).contains("issuer does not match"));
    assert_eq!(told(json!({"aud": "x", "exp": 1})), AUDIENCE);
    let text = api.refuses(&stranger.token(&issuer.claims_with(json!({"exp": 1}))), "a stranger's");
    assert_ne!(
        text, EXPIRED,
        "claims count for nothing before the signature is checked"
    );
    // A refusal of the token stands before one of its scopes.
    let expired = signer.token(&issuer.claims_with(json!({"exp": 1, "scope": "x"})));
    assert_eq!(
        description(&api.bear("/orders", &expired), "orders/read", "both"),
        EXPIRED
    );
}

/// R8.8 and contract §3.
#[test]
fn a_route_wants_one_of_its_scopes() {
    let (api, issuer, signer) = Api::and_issuer();
    let other = "https://api.test/orders.write";
    for (target, claims, scopes) in [
        ("/orders", json!({"scope": "orders/read"}), Some(json!(["orders/read"]))),
        (
            "/orders",
            json!({"scope": "a orders/read b"}),
            Some(json!(["a", "orders/read", "b"])),
        ),
        (
            "/orders",
            json!({"scp": "a orders/read"}),
            Some(json!(["a", "orders/read"])),
        ),
        (
            "/orders",
            json!({"scp": ["a", "orders/read"]}),
            Some(json!(["a", "orders/read"])),
        ),
        (
            "/orders",
            json!({"scope": "x", "scp": ["orders/read"]}),
            Some(json!(["orders/read"])),
        ),
        ("/many", json!({"scope": other}), Some(json!([other]))),
        ("/many", json!({"scope": "orders/read"}), Some(json!(["orders/read"]))),
        ("/orders", json!({"scope": "orders/read", "scp": ["x"]}), None),
        ("/orders", json!({"scope": "orders/read", "scp": []}), None),
        ("/orders", json!({}), None),
        ("/orders", json!({"scope": ""}), None),
        ("/orders", json!({"scope": "orders/reads"}), None),
        ("/orders", json!({"scope": "orders/rea"}), None),
        ("/orders", json!({"scope": "Orders/Read"}), None),
        ("/orders", json!({"scope": "orders"}), None),
        ("/orders", json!({"scope": "orders/read,x"}), None),
        ("/orders", json!({"scope": "*"}), None),
        ("/orders", json!({"scp": ["a orders/read"]}), None),
        ("/orders", json!({"scopes": "orders/read"}), None),
        ("/orders", json!({"roles": ["orders/read"]}), None),
        ("/many", json!({"scope": "x"}), None),
    ] {
        let token = signer.token(&issuer.claims_with(claims.clone()));
        match scopes {
            Some(scopes) => {
                let event = api.event(target, &token);
                assert_eq!(
                    event["requestContext"]["authorizer"]["jwt"]["scopes"], scopes,
                    "{claims}"
                );
            }
            None => {
                let answer = api.bear(target, &token);
                assert_eq!(answer.status, 403, "{target} {claims}");
                assert_eq!(answer.text(), r#"{"message":"Forbidden"}"#);
                assert_eq!(answer.header("www-authenticate"), None);
                assert!(api.up.rest().is_empty());
            }
        }
        // The same token on a route that wants none.
        assert_eq!(api.bear("/me", &token).status, 200, "{claims}");
        api.up.next();
    }
}

/// R8.16–R8.19, in both events.
#[test]
fn claims_are_delivered_as_text() {
    let (api, issuer, signer) = Api::and_issuer();
    let claims = format!(
        r#"{{"iss":"{}","aud":["api","x"],"exp":{},"sub":"user-7","yes":true,"no":false,"none":null,"big":12345678901234567890123,
        "fraction":1.50,"cognito:groups":["Admins","Readers"],"one":["a"],"empty":[],"mixed":[1,true,"b c"],"map":{{"a":{{"b":[1]}}}},
        "text":"a b","nothing":"","snow":"\u2603","scope":"orders/read x"}}"#,
        issuer.url,
        now() + 3600
    );
    let token = signer.token_of(&signer.header().to_string(), claims);
    let expected = json!({
        "iss": issuer.url, "aud": "[api x]", "exp": (now() + 3600).to_string(), "sub": "user-7", "yes": "true", "no": "false",
        "big": "12345678901234567890123", "fraction": "1.50", "cognito:groups": "[Admins Readers]", "one": "[a]", "empty": "[]",
        "mixed": "[1 true b c]", "map": "{\"a\":{\"b\":[1]}}", "text": "a b", "nothing": "", "snow": "\u{2603}",
        "scope": "orders/read x",
    });
    let list = json!(["orders/read", "x"]);
    for (target, block) in [
        ("/me", json!({"jwt": {"claims": expected, "scopes": null}})),
        ("/orders", json!({"jwt": {"claims": expected, "scopes": list}})),
        ("/v1", json!({"claims": expected, "scopes": null})),
        ("/v1s", json!({"claims": expected, "scopes": list})),
    ] {
        let event = api.event(target, &token);
        assert_eq!(event["requestContext"]["authorizer"], block, "{target}");
    }
    let answer = api.bear("/open", &token);
    assert_eq!(answer.status, 200);
    let event: Value = serde_json::from_slice(&api.up.next().body).unwrap();
    assert_eq!(
        event["requestContext"].get("authorizer"),
        None,
        "an open route knows nobody"
    );
}

/// §10: in mappings.
#[test]
fn claims_are_sources_of_mappings() {
    let (api, issuer, signer) = Api::and_issuer();
    let claims = issuer.claims_with(json!({"groups": ["a", "b"]}));
    assert_eq!(api.bear("/mapped", &signer.token(&claims)).status, 200);
    let recorded = api.up.next();
    assert_eq!(recorded.headers("x-sub"), ["user-7"]);
    assert_eq!(recorded.headers("x-exp"), [(now() + 3600).to_string()]);
    assert_eq!(recorded.headers("x-groups"), ["[a b]"]);
    for absent in ["x-none", "x-all", "x-principal", "x-arn"] {
        assert_eq!(recorded.headers(absent), [""; 0], "{absent}");
    }
    assert_eq!(recorded.request(), "GET /mapped?who=user%3Auser-7");
    // A claim is no second field.
    let evil = signer.token(&issuer.claims_with(json!({"sub": "a\r\nX-Evil: 1"})));
    let answer = api.bear("/mapped", &evil);
    for recorded in api.up.rest() {
        assert_eq!(recorded.headers("x-evil"), [""; 0]);
    }
    assert_eq!(answer.header("x-evil"), None);
}

// ---- What an attacker tries ----

/// A header with other members laid over it; null takes one out.
fn header(signer: &Signer, others: &Value) -> String {
    let mut header = signer.header();
    for (name, value) in others.as_object().unwrap() {
        if value.is_null() {
            header.as_object_mut().unwrap().remove(name);
        } else {
            header[name] = value.clone();
        }
    }
    header.to_string()
}

/// No signature, under each name that a reader could take for that.
#[test]
fn a_token_without_a_signature_is_refused() {
    let (api, issuer, signer) = Api::and_issuer();
    let payload = base64url(issuer.claims().to_string());
    let good = signer.token(&issuer.claims());
    let signature = good.rsplit('.').next().unwrap();
    for header in [
        r#"{"alg":"none","kid":"k1"}"#,
        r#"{"alg":"None","kid":"k1"}"#,
        r#"{"alg":"NONE","kid":"k1"}"#,
        r#"{"alg":"nOnE","kid":"k1"}"#,
        r#"{"alg":"none ","kid":"k1"}"#,
        r#"{"alg":"","kid":"k1"}"#,
        r#"{"alg":null,"kid":"k1"}"#,
        r#"{"\u0061lg":"n\u006fne","kid":"k1"}"#,
        r#"{"kid":"k1"}"#,
        r#"{"alg":["none"],"kid":"k1"}"#,
        r#"{"alg":false,"kid":"k1"}"#,
        r#"{"alg":"RS256","alg":"none","kid":"k1"}"#,
        r#"{"alg":"none","alg":"RS256","kid":"k1"}"#,
    ] {
        let message = format!("{}.{payload}", base64url(header));
        for token in [
            format!("{message}."),
            format!("{message}.{signature}"),
            format!("{message}.AA"),
        ] {
            api.refuses(&token, header);
        }
        assert_eq!(api.refuses(&message, header), SEGMENTS);
    }
    let (message, _) = good.rsplit_once('.').unwrap();
    api.refuses(&format!("{message}."), "an empty signature");
}

/// The public key as the secret of an HMAC, in each form in which it is published.
#[test]
fn a_public_key_is_no_secret() {
    let (api, issuer, signer) = Api::and_issuer();
    let pkcs1 = signer.public_key();
    let (n, e) = signer.modulus_and_exponent();
    let lines = |label: &str, der: &[u8]| {
        let text = STANDARD.encode(der);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .map(|line| str::from_utf8(line).unwrap())
            .collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    };
    // RFC 8017: the algorithm's identifier, and the key as a bit string.
    let algorithm = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    let length = |length: usize| [0x82, (length >> 8) as u8, length as u8];
    let mut bits = vec![3];
    bits.extend(length(pkcs1.len() + 1));
    bits.push(0);
    bits.extend(&pkcs1);
    let mut spki = vec![0x30];
    spki.extend(length(algorithm.len() + bits.len()));
    spki.extend(algorithm);
    spki.extend(bits);
    let pem = lines("PUBLIC KEY", &spki);
    let secrets: Vec<Vec<u8>> = vec![
        pem.clone().into_bytes(),
        pem.trim().as_bytes().to_vec(),
        lines("RSA PUBLIC KEY", &pkcs1).into_bytes(),
        spki,
        pkcs1,
        n.clone(),
        base64url(&n).into_bytes(),
        [n, e].concat(),
        signer.jwk().to_string().into_bytes(),
        Vec::new(),
    ];
    for secret in secrets {
        for (alg, algorithm) in [
            ("HS256", hmac::HMAC_SHA256),
            ("HS384", hmac::HMAC_SHA384),
            ("HS512", hmac::HMAC_SHA512),
            // The algorithm that the key is for, but an HMAC as the signature.
            ("RS256", hmac::HMAC_SHA256),
        ] {
            let header = base64url(json!({"alg": alg, "kid": "k1", "typ": "JWT"}).to_string());
            let message = format!("{header}.{}", base64url(issuer.claims().to_string()));
            let tag = hmac::sign(&hmac::Key::new(algorithm, &secret), message.as_bytes());
            api.refuses(&format!("{message}.{}", base64url(tag)), alg);
        }
    }
}

/// A token that brings its own key, or says where one is.
#[test]
fn a_token_cannot_bring_its_key() {
    let (api, issuer, signer) = Api::and_issuer();
    let attacker = Signer::new("k1", "ES256");
    let theirs = Issuer::with(&[&attacker]);
    let url = |path: &str| format!("http://{}{path}", theirs.address);
    for (what, others) in [
        ("jwk", json!({"jwk": attacker.jwk()})),
        ("jwk without kid", json!({"jwk": attacker.jwk(), "kid": null})),
        ("jku", json!({"jku": url("/keys")})),
        ("x5u", json!({"x5u": url("/cert")})),
        ("x5c", json!({"x5c": [STANDARD.encode(attacker.public_key())]})),
        (
            "all",
            json!({"jwk": attacker.jwk(), "jku": url("/keys"), "x5u": url("/cert"), "x5t": "AA"}),
        ),
        ("iss in the header", json!({"iss": theirs.url, "jwk": attacker.jwk()})),
    ] {
        api.refuses(
            &attacker.token_of(&header(&attacker, &others), issuer.claims().to_string()),
            what,
        );
        api.refuses(
            &attacker.token_of(&header(&attacker, &others), theirs.claims().to_string()),
            what,
        );
    }
    assert_eq!((theirs.discoveries(), theirs.fetches()), (0, 0));
    assert_eq!(theirs.others(), [""; 0], "a token led the gateway somewhere");
    // What is ignored does not spoil a good token.
    let others = json!({"jku": url("/keys"), "jwk": attacker.jwk()});
    api.passes(
        &signer.token_of(&header(&signer, &others), issuer.claims().to_string()),
        "ignored",
    );
    assert_eq!((theirs.fetches(), theirs.others().len()), (0, 0));
}

/// R8.3: the key's name is a name.
#[test]
fn a_key_id_is_no_path() {
    let (api, issuer, signer) = Api::and_issuer();
    let theirs = Issuer::with(&[&signer]);
    for kid in [
        json!("../../../../../../etc/passwd"),
        json!("/dev/null"),
        json!("file:///dev/null"),
        json!(format!("http://{}/keys", theirs.address)),
        json!(format!("//{}/keys", theirs.address)),
        json!("k1' UNION SELECT 'x"),
        json!("k1\u{0}"),
        json!("k1 "),
        json!(" k1"),
        json!("K1"),
        json!("k"),
        json!(""),
        json!("k1|id"),
        json!("x".repeat(5_000)),
        json!(null),
        json!(1),
        json!(true),
        json!(["k1"]),
        json!({"k1": "k1"}),
    ] {
        let text = kid.to_string();
        let token = signer.token_of(&header(&signer, &json!({ "kid": kid })), issuer.claims().to_string());
        api.refuses(&token, &text);
    }
    assert_eq!(
        (theirs.discoveries(), theirs.fetches(), theirs.others().len()),
        (0, 0, 0)
    );
    assert_eq!(issuer.others(), [""; 0]);
    // Once for the keys, once because a name was unknown.
    assert!(issuer.fetches() <= 2, "{} fetches", issuer.fetches());
}

/// What the header says must be understood and fit the key.
#[test]
fn a_header_must_fit() {
    let rsa = Signer::new("rsa", "RS256");
    let ec = Signer::new("ec", "ES256");
    let ec384 = Signer::new("ec384", "ES384");
    let issuer = Issuer::with(&[&rsa, &ec, &ec384]);
    let api = Api::of(&issuer);
    let claims = issuer.claims().to_string();
    for (what, signer, others) in [
        ("RSA under an EC key's name", &rsa, json!({"kid": "ec"})),
        ("EC under an RSA key's name", &ec, json!({"kid": "rsa"})),
        ("P-256 under P-384's name", &ec, json!({"kid": "ec384"})),
        ("ES256 that says ES384", &ec, json!({"alg": "ES384"})),
        ("ES384 that says ES256", &ec384, json!({"alg": "ES256"})),
        ("RS256 that says RS512", &rsa, json!({"alg": "RS512"})),
        ("RS256 that says PS256", &rsa, json!({"alg": "PS256"})),
        ("RS256 in lower case", &rsa, json!({"alg": "rs256"})),
        ("RS256 with a blank", &rsa, json!({"alg": "RS256 "})),
        ("RS1", &rsa, json!({"alg": "RS1"})),
        ("EdDSA", &rsa, json!({"alg": "EdDSA"})),
        ("ES256K", &ec, json!({"alg": "ES256K"})),
        (
            "an unknown extension that is critical",
            &rsa,
            json!({"crit": ["b64"], "b64": false}),
        ),
        ("a critical claim", &rsa, json!({"crit": ["exp"], "exp": now() + 60})),
        ("an empty list of what is critical", &rsa, json!({"crit": []})),
        ("crit that is no list", &rsa, json!({"crit": "exp"})),
    ] {
        api.refuses(&signer.token_of(&header(signer, &others), &claims), what);
    }
    // The key is for RS256 alone, since its JWK says so.
    for alg in ["RS384", "RS512", "PS256", "PS384", "PS512"] {
        api.refuses(&Signer::new("rsa", alg).token(&issuer.claims()), alg);
    }
    for typ in [json!("at+jwt"), json!("JWT"), json!("jwt"), json!(null)] {
        let text = typ.to_string();
        api.passes(&rsa.token_of(&header(&rsa, &json!({ "typ": typ })), &claims), &text);
    }
}

/// What is no JSON, or twice the same, or too deep.
#[test]
fn header_and_payload_are_objects_without_doubles() {
    let (api, issuer, signer) = Api::and_issuer();
    let good_header = signer.header().to_string();
    let good = issuer.claims().to_string();
    let doubled = |name: &str, value: &str| format!(r#"{},"{name}":{value}}}"#, &good[..good.len() - 1]);
    for payload in [
        doubled("exp", "99999999999"),
        format!(r#"{{"exp":1,{}"#, &good[1..]),
        format!(r#"{{"iss":"x",{}"#, &good[1..]),
        format!(r#"{{"aud":"x",{}"#, &good[1..]),
        doubled("aud", r#""other""#),
        doubled("\\u0065xp", "99999999999"),
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "\"x\"".to_owned(),
        format!("[{good}]"),
        format!("{good}{good}"),
        format!("{good}x"),
        good[..good.len() - 1].to_owned(),
        format!("\u{feff}{good}"),
        good.replace('"', "'"),
    ] {
        let what = payload.get(..60).unwrap_or(&payload).to_owned();
        api.refuses(&signer.token_of(&good_header, payload), &what);
    }
    let mut latin1 = good.clone().into_bytes();
    latin1.splice(1..1, b"\"x\":\"\xff\",".iter().copied());
    api.refuses(&signer.token_of(&good_header, latin1), "not UTF-8");
    for header in [
        String::new(),
        "null".to_owned(),
        format!("[{good_header}]"),
        format!("{good_header} x"),
        format!(r#"{{"kid":"x",{}"#, &good_header[1..]),
        format!(r#"{},"alg":"RS256"}}"#, &good_header[..good_header.len() - 1]),
        good_header[..good_header.len() - 1].to_owned(),
    ] {
        api.refuses(&signer.token_of(&header, &good), &header);
    }
    // Blanks are JSON's.
    let spaced = format!(" {} ", good.replace(':', " : ").replace("http : ", "http:"));
    assert_eq!(serde_json::from_str::<Value>(&good).unwrap()["sub"], "user-7");
    let spaced = spaced.replace("127.0.0.1 : ", "127.0.0.1:");
    api.passes(&signer.token_of(&good_header, spaced), "blanks");
}

/// RFC 7519 §2: a time is a number.
#[test]
fn a_time_is_a_number_in_range() {
    let (api, issuer, signer) = Api::and_issuer();
    let good_header = signer.header().to_string();
    for name in ["exp", "nbf", "iat"] {
        for value in [
            "\"99999999999\"",
            "\"\"",
            "true",
            "false",
            "[]",
            "[99999999999]",
            "{}",
            "-1e400",
            "1e400",
            "1e999999999",
            "NaN",
            "Infinity",
            "0x7fffffffff",
            "\"NaN\"",
        ] {
            let claims = issuer.claims_with(json!({ name: null })).to_string();
            let payload = format!(r#"{{"{name}":{value},{}"#, &claims[1..]);
            api.refuses(&signer.token_of(&good_header, payload), &format!("{name} {value}"));
        }
    }
    for value in ["-1", "-0", "-99999999999"] {
        let claims = issuer.claims_with(json!({"exp": null})).to_string();
        let payload = format!(r#"{{"exp":{value},{}"#, &claims[1..]);
        api.refuses(&signer.token_of(&good_header, payload), value);
    }
    for value in ["0", "1e3", "1783711144.999"] {
        let claims = issuer.claims_with(json!({"exp": null})).to_string();
        let payload = format!(r#"{{"exp":{value},{}"#, &claims[1..]);
        assert_eq!(
            api.refuses(&signer.token_of(&good_header, payload), value),
            EXPIRED,
            "{value}"
        );
    }
    for value in ["18446744073709551616", "9223372036854775808", "1e19"] {
        let claims = issuer.claims_with(json!({"exp": null})).to_string();
        let payload = format!(r#"{{"nbf":{value},"exp":{},{}"#, now() + 60, &claims[1..]);
        api.refuses(&signer.token_of(&good_header, payload), &format!("nbf {value}"));
    }
}

/// Segments: three, in base64url to the letter.
#[test]
fn a_token_has_three_segments_in_one_spelling() {
    let (api, issuer, signer) = Api::and_issuer();
    let good = signer.token(&issuer.claims());
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!()
    };
    for token in [
        "nonsense".to_owned(),
        "a.b".to_owned(),
        format!("{header}.{payload}"),
        format!("{good}.{signature}"),
        format!("{good}.{payload}.{signature}"),
        format!("{good}."),
        format!(".{good}"),
    ] {
        assert_eq!(api.refuses(&token, &token), SEGMENTS, "{token}");
    }
    for token in [
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{good}="),
        format!("{good}=="),
        format!("{header} .{payload}.{signature}"),
        format!("{header}. {payload}.{signature}"),
        format!("{header}.{payload}.{signature}!"),
        format!("{header}.{payload}.\"{signature}\""),
        format!("{header}.{payload}.{}", &signature[..signature.len() - 4]),
        format!("{header}.{payload}.{signature}AAAA"),
        format!("{header}.{payload}.AAAA{signature}"),
        format!("{header}.{payload}.{}", "A".repeat(signature.len())),
        format!("{payload}.{header}.{signature}"),
    ] {
        api.refuses(&token, &token);
    }
    // Two texts for the same bytes: the unused bits of the last letter, and the other alphabet.
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert_eq!(bytes.len() % 3, 1, "256 bytes leave four bits unused");
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let other = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let twin = format!("{}{other}", &signature[..signature.len() - 1]);
    api.refuses(&format!("{header}.{payload}.{twin}"), "bits that are not used");
    let standard = STANDARD.encode(&bytes);
    api.refuses(&format!("{header}.{payload}.{standard}"), "the other alphabet, padded");
    // A token in a token.
    let nested = signer.token_of(&signer.header().to_string(), &good);
    api.refuses(&nested, "nested");
    let nested = signer.token_of(&self::header(&signer, &json!({"cty": "JWT"})), &good);
    api.refuses(&nested, "nested, and it says so");
    api.passes(&good, "the good one itself");
}

/// ECDSA's signatures have one form, and none that always holds.
#[test]
fn an_ecdsa_signature_is_two_numbers_in_range() {
    let signer = Signer::new("k1", "ES256");
    let issuer = Issuer::with(&[&signer]);
    let api = Api::of(&issuer);
    let good = signer.token(&issuer.claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let (r, s) = bytes.split_at(32);
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let integer = |number: &[u8]| {
        let mut number = number.to_vec();
        if number[0] & 0x80 != 0 {
            number.insert(0, 0);
        }
        [vec![2, number.len() as u8], number].concat()
    };
    let inside = [integer(r), integer(s)].concat();
    let der = [vec![0x30, inside.len() as u8], inside].concat();
    for (what, bytes) in [
        ("DER", der),
        ("zeros", vec![0; 64]),
        ("r is zero", [&[0; 32][..], s].concat()),
        ("s is zero", [r, &[0; 32]].concat()),
        ("the order twice", [order, order].concat()),
        ("r is the order", [&order[..], s].concat()),
        ("swapped", [s, r].concat()),
        ("shorter", bytes[..63].to_vec()),
        ("longer", [&bytes[..], &[0]].concat()),
        ("padded to 48 bytes each", [&[0; 16][..], r, &[0; 16], s].concat()),
        ("nothing", Vec::new()),
        ("ones", vec![0xff; 64]),
    ] {
        api.refuses(&format!("{message}.{}", base64url(bytes)), what);
    }
    api.passes(&good, "the good one itself");
}

/// Escapes are read before anything is compared.
#[test]
fn escapes_do_not_disguise() {
    let (api, issuer, signer) = Api::and_issuer();
    let good_header = signer.header().to_string();
    let good = issuer.claims().to_string();
    for (what, header, payload) in [
        (
            "an issuer and NUL",
            good_header.clone(),
            good.replace(&issuer.url, &format!("{}\\u0000", issuer.url)),
        ),
        (
            "an issuer and a blank",
            good_header.clone(),
            good.replace(&issuer.url, &format!("{}\\u0020", issuer.url)),
        ),
        (
            "a surrogate alone",
            good_header.clone(),
            good.replace("user-7", "\\ud800"),
        ),
        (
            "a NUL in the key's name",
            good_header.replace("\"k1\"", "\"k1\\u0000\""),
            good.clone(),
        ),
        (
            "a NUL in the algorithm",
            good_header.replace("RS256", "RS256\\u0000"),
            good.clone(),
        ),
        (
            "a letter that looks alike",
            good_header.replace("RS256", "\\u0420S256"),
            good.clone(),
        ),
    ] {
        assert!(header != good_header || payload != good, "{what}");
        api.refuses(&signer.token_of(&header, payload), what);
    }
    let escaped = good.replace("http:", "\\u0068ttp:");
    api.passes(
        &signer.token_of(&good_header, escaped),
        "an escaped letter is the letter",
    );
}

/// Whatever the length, there is an answer, and it is no other request's.
#[test]
fn huge_tokens_are_answered() {
    let (api, issuer, signer) = Api::and_issuer();
    for length in [1_000, 3_000, 5_000, 6_500] {
        let token = signer.token(&issuer.claims_with(json!({"fill": "x".repeat(length)})));
        let status = api.bear("/me", &token).status;
        assert!([200, 401].contains(&status), "{} bytes: {status}", token.len());
    }
    let _ = api.up.rest();
    api.passes(
        &signer.token(&issuer.claims_with(json!({"fill": "x".repeat(2_000)}))),
        "2,000 bytes",
    );
    let token = signer.token(&issuer.claims_with(json!({"fill": "x".repeat(9_000)})));
    assert_eq!(api.bear("/me", &token).status, 431);
    api.refuses(&"a.".repeat(4_000), "8,000 segments");
    api.refuses(&format!("{}.a.b", "a".repeat(9_000)), "a header of 9,000 letters");
    // Depth: an answer either way, and no stack that overflows.
    let claims = issuer.claims().to_string();
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let depth = 800;
        let inner = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let token = signer.token_of(
            &signer.header().to_string(),
            format!(r#"{{"deep":{inner},{}"#, &claims[1..]),
        );
        let status = api.bear("/me", &token).status;
        assert!([200, 401].contains(&status), "depth {depth}: {status}");
    }
    api.up.rest();
    let many: serde_json::Map<String, Value> = (0..400).map(|number| (format!("c{number}"), json!(number))).collect();
    api.passes(&signer.token(&issuer.claims_with(Value::Object(many))), "400 claims");
}

/// Methods, stages and routes: whatever leads to the route, the route asks.
#[test]
fn there_is_no_way_around() {
    let (api, _issuer, _signer) = Api::and_issuer();
    for request in [
        "GET /me",
        "HEAD /me",
        "POST /me",
        "OPTIONS /me",
        "GET /beta/me",
        "GET /%6de",
        "GET /%6De",
        "GET /m%65?x",
        "GET /me?token=x",
    ] {
        let answer = api.gateway.exchange(format!(
            "{request} HTTP/1.1\r\nHost: gw.test\r\nX-HTTP-Method-Override: GET\r\n\r\n"
        ));
        assert_eq!(answer.status, 401, "{request}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{request}");
    }
    let absolute = "GET http://gw.test/me HTTP/1.1\r\nHost: gw.test\r\n\r\n";
    assert_eq!(api.gateway.exchange(absolute).status, 401);
    assert!(api.up.rest().is_empty());
}

/// Issue E.5 with tokens: an edit that does not compile leaves the old files in force.
#[test]
fn a_broken_edit_opens_nothing() {
    let (api, issuer, signer) = Api::and_issuer();
    let token = signer.token(&issuer.claims());
    for broken in [
        "{".to_owned(),
        "{}".to_owned(),
        json!({"AuthorizerType": "JWT"}).to_string(),
        json!({"AuthorizerType": "NONE", "IdentitySource": ["$request.header.a"]}).to_string(),
    ] {
        api.gateway.directory.write("authorizers/jwt.json", &broken);
        let open = json!({"RouteKey": "ANY /me", "Target": "integrations/v2"}).to_string();
        api.gateway.directory.write("routes/me.json", &open);
        api.gateway.server.reload();
        assert_eq!(
            api.ask("/me", &[]).header("www-authenticate"),
            Some("Bearer"),
            "{broken}"
        );
        api.passes(&token, &broken);
    }
    // An authorizer for others, which compiles, holds at once, for tokens too that have passed before.
    let mut others = authorizer(&issuer.url);
    others["JwtConfiguration"]["Audience"] = json!(["others"]);
    api.gateway.directory.write("authorizers/jwt.json", &others.to_string());
    let closed =
        json!({"RouteKey": "ANY /me", "Target": "integrations/v2", "AuthorizationType": "JWT", "AuthorizerId": "jwt"});
    api.gateway.directory.write("routes/me.json", &closed.to_string());
    api.gateway.server.reload();
    assert_eq!(api.refuses(&token, "another audience"), AUDIENCE);
}

/// Whose trust is taken out of the files lets nobody pass any more, whatever other files say; not for a token either that
/// has passed before.
#[test]
fn an_issuer_that_is_withdrawn_lets_nobody_pass_while_another_file_is_broken() {
    let (api, issuer, signer) = Api::and_issuer();
    let token = signer.token(&issuer.claims());
    let directory = &api.gateway.directory;
    let write = |authorizer: &Value| {
        directory.write("authorizers/jwt.json", &authorizer.to_string());
        api.gateway.server.reload();
    };
    let good = authorizer(&issuer.url);
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed["JwtConfiguration"][field] = value;
        changed
    };
    directory.write("routes/broken.json", "{");
    write(&good);
    api.passes(&token, "beside a broken file");
    for (what, changed) in [
        ("another issuer", with("Issuer", json!("http://other.test"))),
        ("fewer audiences", with("Audience", json!(["https://api.test/"]))),
        ("another type", {
            json!({
                "AuthorizerType": "REQUEST",
                "AuthorizerUri": "arn:aws:lambda:us-east-1:123456789012:function:up",
                "AuthorizerPayloadFormatVersion": "2.0",
            })
        }),
    ] {
        write(&changed);
        assert_eq!(api.refuses(&token, what), "issuer does not match", "{what}");
        // What was withdrawn does not come back because the file breaks, nor does an error besides keep it.
        directory.write("authorizers/jwt.json", "{");
        api.gateway.server.reload();
        api.refuses(&token, &format!("{what}, then broken"));
        write(&good);
        api.passes(&token, &format!("restored after: {what}"));
        let mut faulty = changed.clone();
        faulty["IdentitySource"] = json!(5);
        write(&faulty);
        api.refuses(&token, &format!("{what} beside an error"));
        write(&good);
        api.passes(&token, &format!("restored once more after: {what}"));
    }
    write(&with("Audience", json!(["more", "https://api.test/", "api"])));
    api.passes(&token, "more audiences");
    directory.remove("authorizers/jwt.json");
    api.gateway.server.reload();
    assert_eq!(api.refuses(&token, "it is gone"), "issuer does not match");
    assert_eq!(api.ask("/open", &[]).status, 200);
}

/// R8.42: who has a token learns of the limit, and nobody else.
#[test]
fn a_long_arn_is_refused_after_the_token() {
    let (api, issuer, signer) = Api::and_issuer();
    let route = json!({"RouteKey": "ANY /long/{p+}", "Target": "integrations/v2", "AuthorizationType": "JWT", "AuthorizerId": "jwt"});
    api.gateway.directory.write("routes/long.json", &route.to_string());
    api.gateway.server.reload();
    let long = format!("/long/{}", "a".repeat(1_600));
    assert_eq!(api.bear(&long, &signer.token(&issuer.claims())).status, 414);
    assert_eq!(api.bear(&long, "a.b.c").status, 401);
    assert_eq!(api.ask(&long, &[]).status, 401);
    assert!(api.up.rest().is_empty());
}

/// A token that was verified once is bound to what it was verified for.
#[test]
fn a_verified_token_is_verified_for_its_route_only() {
    let (api, issuer, signer) = Api::and_issuer();
    let token = signer.token(&issuer.claims_with(json!({"scope": "x"})));
    for _ in 0..2 {
        assert_eq!(api.bear("/me", &token).status, 200);
        assert_eq!(api.bear("/orders", &token).status, 403);
        assert_eq!(api.bear("/v1", &token).status, 200);
    }
    let good = signer.token(&issuer.claims_with(json!({"scope": "orders/read"})));
    api.up.rest();
    for _ in 0..2 {
        assert_eq!(
            api.event("/orders", &good)["requestContext"]["authorizer"]["jwt"]["scopes"],
            json!(["orders/read"])
        );
        assert_eq!(
            api.event("/me", &good)["requestContext"]["authorizer"]["jwt"]["scopes"],
            Value::Null
        );
    }
}

/// R7.17 and contract §3: refusals carry CORS headers, and their challenge.
#[test]
fn refusals_carry_cors_headers() {
    let (api, _issuer, _signer) = Api::and_issuer();
    let cors = json!({"CorsConfiguration": {"AllowOrigins": ["https://app.test"], "AllowMethods": ["*"]}});
    api.gateway.directory.write("api.json", &cors.to_string());
    api.gateway.server.reload();
    let answer = api.ask("/me", &[("Origin", "https://app.test")]);
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.test"));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    // R7.9: the route takes OPTIONS too, and asks before the preflight is answered.
    let preflight = "OPTIONS /me HTTP/1.1\r\nHost: gw.test\r\nOrigin: https://app.test\r\nAccess-Control-Request-Method: GET\r\n\r\n";
    assert_eq!(api.gateway.exchange(preflight).status, 401);
}

/// Issue E.6: the reason is logged, never the token.
#[test]
fn tokens_are_not_logged() {
    let (api, issuer, signer) = Api::and_issuer();
    let claims = issuer.claims_with(json!({"sub": "nobody-logs-this-subject"}));
    let good = signer.token(&claims);
    let expired = signer.token(&issuer.claims_with(json!({"sub": "nobody-logs-this-subject", "exp": 1})));
    let stranger = Signer::new("k1", "ES256").token(&claims);
    let unknown = Signer::new("k2", "RS256").token(&claims);
    let mut secrets = vec!["nobody-logs-this-subject".to_owned()];
    for token in [&good, &expired, &stranger, &unknown] {
        secrets.extend(token.split('.').map(str::to_owned).filter(|part| part.len() > 40));
    }
    secrets.iter().for_each(log::watch_for);
    for (token, status) in [(&good, 200), (&expired, 401), (&stranger, 401), (&unknown, 401)] {
        assert_eq!(api.bear("/me", token).status, status);
        for target in ["/me", "/orders"] {
            let answer = api.bear(target, token);
            for secret in &secrets {
                assert!(!answer.head.contains(secret) && !answer.text().contains(secret));
            }
        }
    }
    for secret in &secrets {
        assert_eq!(log::leaks_of(secret), [""; 0]);
    }
}
