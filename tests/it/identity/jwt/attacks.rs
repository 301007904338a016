//! Forged tokens, and other ways to a route, are refused, and no token is logged.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use super::{SEGMENTS, header};
use crate::support::jwt::{Issuer, Signer, base64url, now};
use crate::support::jwt_api::Api;
use crate::support::log;

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
