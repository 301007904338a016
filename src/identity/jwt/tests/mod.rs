//! Tokens that hold, tokens that do not, and what attackers try.

mod attacks;
mod claims;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::identity::caller::Verified;
use crate::identity::jwt::algorithm::Algorithm;
use crate::identity::jwt::key::{self, Found, KeySet, PublicKey};
use crate::identity::jwt::refusal::{Description, Refusal};
use crate::identity::jwt::tokens::{Signer, jwks};
use crate::identity::jwt::{Expectations, token, verify};

/// 2026-07-10 19:19:05 UTC.
const NOW: Duration = Duration::from_secs(1_783_711_145);

const ISSUER: &str = "https://issuer.test/";

/// Claims that hold for an hour.
const GOOD: &str = r#"{"iss":"https://issuer.test/","aud":"me","exp":1783714745}"#;

/// What the issuer's keys say, and whether they were asked at all.
struct Keys {
    set: KeySet,
    asked: Vec<String>,
}

impl Keys {
    fn of(signers: &[&Signer]) -> Keys {
        Keys::read(&jwks(signers))
    }

    fn read(text: &str) -> Keys {
        let set = KeySet::parse(text.as_bytes()).unwrap();
        Keys { set, asked: Vec::new() }
    }

    fn find(&mut self, kid: &str, algorithm: Algorithm) -> Result<Arc<PublicKey>, Refusal> {
        self.asked.push(kid.to_owned());
        match self.set.find(kid, algorithm) {
            Found::Key(key) => Ok(key),
            Found::OtherType => Err(Description::KeyType.into()),
            Found::Nothing => Err(Description::UnknownKid.into()),
        }
    }

    fn verify(&mut self, token: &str, scopes: &[&str]) -> Result<Verified, Refusal> {
        self.verify_at(NOW, token, scopes)
    }

    fn verify_at(&mut self, now: Duration, token: &str, scopes: &[&str]) -> Result<Verified, Refusal> {
        let audience = ["me".to_owned(), "us".to_owned()];
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let expectations = Expectations {
            issuer: ISSUER,
            audience: &audience,
            scopes: &scopes,
        };
        verify(
            token,
            &mut |kid, algorithm| self.find(kid, algorithm),
            &expectations,
            now,
        )
    }
}

fn refused(description: Description) -> Option<Refusal> {
    Some(Refusal::Invalid(description))
}

#[test]
fn the_prefix_is_bearer_in_any_case_and_one_blank() {
    for (value, expected) in [
        ("a.b.c", "a.b.c"),
        ("Bearer a.b.c", "a.b.c"),
        ("bEARER a.b.c", "a.b.c"),
        ("Bearer  a", " a"),
        ("Bearer", "Bearer"),
        ("Bearer ", ""),
        ("Bearera", "Bearera"),
        ("Basic a", "Basic a"),
        ("Bearer Bearer a", "Bearer a"),
        ("Beare\u{e9} a", "Beare\u{e9} a"),
        ("", ""),
    ] {
        assert_eq!(token(value), expected, "{value}");
    }
}

#[test]
fn vectors_of_another_implementation() {
    let file: Value = serde_json::from_str(include_str!("../../../../tests/data/jwt_vectors.json")).unwrap();
    assert_eq!(file["now"], NOW.as_secs());
    let vectors = file["vectors"].as_array().unwrap();
    assert!(vectors.len() > 70);
    for vector in vectors {
        let mut keys = Keys::read(&format!("{{\"keys\":[{}]}}", vector["jwk"]));
        let outcome = match keys.verify(vector["token"].as_str().unwrap(), &[]) {
            Ok(_) => "ok".to_owned(),
            Err(refusal) => refusal.log_text().replace("invalid_token: ", ""),
        };
        assert_eq!(outcome, vector["expect"], "{}", vector["name"]);
    }
}

#[test]
fn rfc_7515_appendix_a_3() {
    let jwk = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    let message = "eyJhbGciOiJFUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature =
        key::decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    let key = Keys::read(jwk).find("k", Algorithm::Es256).unwrap();
    assert_eq!(
        key.verify(Algorithm::Es256, message.as_bytes(), &signature.unwrap()),
        Ok(())
    );
}

#[test]
fn one_scope_of_the_route_is_enough() {
    let signer = Signer::p256("k");
    let mut keys = Keys::of(&[&signer]);
    let rest = r#""iss":"https://issuer.test/","aud":"me","exp":1783714745"#;
    for (member, wanted, expected) in [
        (r#""scope":"a b""#, &[][..], Ok(None)),
        (r#""scope":"a b""#, &["b", "c"], Ok(Some(vec!["a", "b"]))),
        (r#""scope":"a  b ""#, &["a"], Ok(Some(vec!["a", "b"]))),
        (r#""scope":"a b""#, &["c"], Err(Refusal::Scopes)),
        (r#""scope":"a\tb""#, &["a"], Err(Refusal::Scopes)),
        (r#""scope":"A""#, &["a"], Err(Refusal::Scopes)),
        (r#""scope":"""#, &["a"], Err(Refusal::Scopes)),
        (r#""scope":["a"]"#, &["a"], Err(Refusal::Scopes)),
        (r#""scope":null"#, &["a"], Err(Refusal::Scopes)),
        (r#""x":1"#, &["a"], Err(Refusal::Scopes)),
        (r#""scp":["a","b c"]"#, &["a"], Ok(Some(vec!["a", "b c"]))),
        (r#""scp":"a b""#, &["b"], Ok(Some(vec!["a", "b"]))),
        (r#""scp":["b"],"scope":"a""#, &["a"], Err(Refusal::Scopes)),
        (r#""scp":[],"scope":"a""#, &["a"], Err(Refusal::Scopes)),
        (r#""scp":null,"scope":"a""#, &["a"], Err(Refusal::Scopes)),
        (r#""scp":["a",1]"#, &["a"], Err(Refusal::Scopes)),
    ] {
        let outcome = keys.verify(&signer.token(&format!("{{{rest},{member}}}")), wanted);
        let owned = |scopes: Vec<&str>| scopes.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let expected = expected.map(|scopes| scopes.map(owned));
        assert_eq!(outcome.map(|verified| verified.scopes), expected, "{member}");
    }
    // Who may not anyway is not told of scopes.
    let expired = r#"{"iss":"https://issuer.test/","aud":"me","exp":1,"scope":"x"}"#;
    assert_eq!(
        keys.verify(&signer.token(expired), &["a"]).err(),
        refused(Description::Expired)
    );
}

#[test]
fn claims_are_delivered_as_text() {
    let signer = Signer::p256("k");
    let claims = r#"{"iss":"https://issuer.test/","aud":["me","x"],"exp":1785675600,"iat":1.50,"big":123456789012345678901,
        "f":1e3,"t":true,"n":null,"s":"a \u00e9\n","cognito:groups":["Admins","Readers"],"empty":[],"":"no name",
        "mixed":[1, true, null, "a b", ["c"], {"d" : 1}],"o":{"a" : [1.0, "x y"], "b": null},"e":""}"#;
    let verified = Keys::of(&[&signer]).verify(&signer.token(claims), &[]).unwrap();
    let delivered: Vec<(&str, &str)> = verified
        .claims
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        delivered,
        [
            ("", "no name"),
            ("aud", "[me x]"),
            ("big", "123456789012345678901"),
            ("cognito:groups", "[Admins Readers]"),
            ("e", ""),
            ("empty", "[]"),
            ("exp", "1785675600"),
            ("f", "1e3"),
            ("iat", "1.50"),
            ("iss", "https://issuer.test/"),
            ("mixed", r#"[1 true null a b [c] {"d":1}]"#),
            ("o", r#"{"a":[1.0,"x y"],"b":null}"#),
            ("s", "a \u{e9}\n"),
            ("t", "true"),
        ]
    );
    assert_eq!(verified.expires, Duration::from_secs(1_785_675_600));
    assert!(!format!("{verified:?}").contains("Admins"));
}

#[test]
fn a_name_may_stand_for_keys_of_two_types() {
    let (rsa, p256, p384) = (Signer::rsa("k", 0), Signer::p256("k"), Signer::p384("other"));
    let mut keys = Keys::of(&[&rsa, &p256, &p384]);
    for signer in [&rsa, &p256, &p384] {
        assert!(keys.verify(&signer.token(GOOD), &[]).is_ok());
    }
    let crossed = p384.token_with(r#"{"alg":"ES384","kid":"k"}"#, GOOD);
    assert_eq!(keys.verify(&crossed, &[]).err(), refused(Description::KeyType));
}

#[test]
fn a_key_set_is_taken_as_far_as_it_is_of_use() {
    let key = Signer::p256("k").jwk();
    let count = |text: &str| KeySet::parse(text.as_bytes()).map(|set| set.len()).ok();
    for (keys, expected) in [
        (String::new(), Some(0)),
        (key.clone(), Some(1)),
        (format!("{key},{key}"), Some(2)),
        (format!("null,1,\"x\",[],{{}},{key}"), Some(1)),
        (key.replace("\"kid\":\"k\"", "\"kid\":1"), Some(0)),
        (key.replace("\"kid\":\"k\"", "\"kid\":\"k\",\"kid\":\"l\""), Some(0)),
        (key.replace("EC", "RSA"), Some(0)),
        (vec!["{}"; 500].join(","), Some(0)),
        (vec!["{}"; 501].join(","), None),
    ] {
        assert_eq!(count(&format!("{{\"keys\":[{keys}]}}")), expected, "{:.80}", keys);
    }
    for text in [
        "",
        "[]",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":null}",
        "{\"keys\":[],\"keys\":[]}",
        "<html>",
    ] {
        assert_eq!(count(text), None, "{text}");
    }
}
