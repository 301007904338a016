//! A key set may hold keys of no use and has a largest size; without a usable key a token is refused.

use serde_json::{Value, json};

use super::{DISCOVERY, KEYS};
use crate::support::jwt::{Issuer, Reply, Signer, base64url, keys};
use crate::support::jwt_api::Api;

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
