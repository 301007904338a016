//! A token passes if every check of it holds, and the client is told the first one that does not.

use std::time::{Duration, UNIX_EPOCH};

use apigateway::platform::clock::Clock;
use serde_json::{Value, json};

use super::{AUDIENCE, EXPIRED};
use crate::support::directory::Directory;
use crate::support::endpoint::Endpoint;
use crate::support::gateway::{Gateway, options};
use crate::support::jwt::{Issuer, Signer, base64url, now};
use crate::support::jwt_api::{Api, authorizer, description, files};

const UNAUTHORIZED: &str = r#"{"message":"Unauthorized"}"#;

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
