//! What attackers try.

use serde_json::Value;

use super::{GOOD, Keys, refused};
use crate::identity::jwt::MAX_TOKEN_LENGTH;
use crate::identity::jwt::refusal::Description;
use crate::identity::jwt::tokens::{Signer, base64url, jwks};

#[test]
fn a_header_that_is_not_to_the_letter_is_refused() {
    let signer = Signer::rsa("k", 0);
    let mut keys = Keys::of(&[&signer]);
    let algorithm = |name: &str| format!(r#"{{"alg":{name},"kid":"k"}}"#);
    let mut table = vec![
        (algorithm("\"RS256\""), None),
        (algorithm("\"\\u0052S256\""), None),
        (r#"{"kid":"k"}"#.to_owned(), refused(Description::NoAlgorithm)),
        (
            r#"{"\u0061lg":"none","alg":"RS256","kid":"k"}"#.to_owned(),
            refused(Description::HeaderJson),
        ),
        (
            r#"{"alg":"RS256","kid":"k","kid":"k"}"#.to_owned(),
            refused(Description::HeaderJson),
        ),
        (
            r#"{"alg":"RS256","kid":"k","x":{"a":1,"a":1}}"#.to_owned(),
            refused(Description::HeaderJson),
        ),
        (r#"{"alg":"RS256","kid":"k"} "#.to_owned(), None),
        (
            r#"{"alg":"RS256","kid":"k"}{}"#.to_owned(),
            refused(Description::HeaderJson),
        ),
        (
            r#"[{"alg":"RS256","kid":"k"}]"#.to_owned(),
            refused(Description::HeaderJson),
        ),
        ("RS256".to_owned(), refused(Description::HeaderJson)),
        (String::new(), refused(Description::HeaderJson)),
        (
            r#"{"alg":"RS256","kid":"k","crit":["exp"],"exp":1}"#.to_owned(),
            refused(Description::Critical),
        ),
        (
            r#"{"alg":"RS256","kid":"k","crit":[]}"#.to_owned(),
            refused(Description::Critical),
        ),
        (
            r#"{"alg":"RS256","kid":"k","crit":null}"#.to_owned(),
            refused(Description::Critical),
        ),
        (
            r#"{"alg":"RS256","kid":"k","b64":false,"crit":["b64"]}"#.to_owned(),
            refused(Description::Critical),
        ),
        (
            r#"{"alg":"RS256","kid":"k","b64":true}"#.to_owned(),
            refused(Description::Critical),
        ),
        (r#"{"alg":"RS256"}"#.to_owned(), refused(Description::NoKid)),
    ];
    let kids = [
        "null",
        "1",
        "[\"k\"]",
        "{}",
        "\"\"",
        &format!("\"{}\"", "k".repeat(513)),
    ];
    table.extend(kids.map(|kid| (format!(r#"{{"alg":"RS256","kid":{kid}}}"#), refused(Description::NoKid))));
    let none = ["none", "None", "NONE", "nOnE", "n\\u006fne", "none ", "", "\\u0000none"];
    let others = [
        "HS256", "HS384", "HS512", "EdDSA", "ES512", "ES256K", "rs256", "RS256 ", "RS1", "dir", "RSA-OAEP",
    ];
    let refused_names = none.iter().chain(&others).map(|name| algorithm(&format!("\"{name}\"")));
    let no_names = ["null", "0", "[\"RS256\"]", "{\"alg\":\"RS256\"}", "true"].map(algorithm);
    table.extend(
        refused_names
            .chain(no_names)
            .map(|header| (header, refused(Description::Algorithm))),
    );
    for (header, expected) in table {
        let outcome = keys.verify(&signer.token_with(&header, GOOD), &[]);
        assert_eq!(outcome.err(), expected, "{header}");
    }
}

#[test]
fn no_key_comes_from_the_token_and_no_name_is_a_place() {
    let (issuer, attacker) = (Signer::rsa("k", 0), Signer::rsa("k", 1));
    let mut keys = Keys::of(&[&issuer]);
    let jwk = attacker.jwk();
    for member in [
        format!("\"jwk\":{jwk}"),
        format!("\"jwks\":{{\"keys\":[{jwk}]}}"),
        "\"jku\":\"http://127.0.0.1:1/jwks\"".to_owned(),
        "\"x5u\":\"http://127.0.0.1:1/cert\",\"x5c\":[\"AAAA\"],\"x5t\":\"AAAA\"".to_owned(),
        "\"typ\":\"JWT\"".to_owned(),
    ] {
        let header = format!(r#"{{"alg":"RS256","kid":"k",{member}}}"#);
        let outcome = keys.verify(&attacker.token_with(&header, GOOD), &[]);
        assert_eq!(outcome.err(), refused(Description::Signature), "{member}");
        assert!(keys.verify(&issuer.token_with(&header, GOOD), &[]).is_ok(), "{member}");
    }
    keys.asked.clear();
    let names = [
        "../../dev/null",
        "/etc/passwd",
        "http://127.0.0.1:1/jwks",
        "k' OR '1'='1",
        "k\\u0000",
        "K",
        " k",
    ];
    for name in names {
        let header = format!(r#"{{"alg":"RS256","kid":"{name}"}}"#);
        let outcome = keys.verify(&attacker.token_with(&header, GOOD), &[]);
        assert_eq!(outcome.err(), refused(Description::UnknownKid), "{name}");
    }
    assert_eq!(keys.asked.len(), names.len());
}

#[test]
fn a_public_key_is_no_secret() {
    let signer = Signer::rsa("k", 0);
    let mut keys = Keys::of(&[&signer]);
    let jwk: Value = serde_json::from_str(&signer.jwk()).unwrap();
    let secrets = [signer.jwk(), jwk["n"].to_string(), String::new(), jwks(&[&signer])];
    for secret in secrets {
        let message = format!("{}.{}", base64url(r#"{"alg":"HS256","kid":"k"}"#), base64url(GOOD));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        let token = format!("{message}.{}", base64url(ring::hmac::sign(&key, message.as_bytes())));
        assert_eq!(keys.verify(&token, &[]).err(), refused(Description::Algorithm));
        // The same signature under a name that is taken.
        let message = format!("{}.{}", base64url(r#"{"alg":"RS256","kid":"k"}"#), base64url(GOOD));
        let token = format!("{message}.{}", base64url(ring::hmac::sign(&key, message.as_bytes())));
        assert_eq!(keys.verify(&token, &[]).err(), refused(Description::Signature));
    }
    assert_eq!(
        keys.asked.len(),
        4,
        "no key is looked for where the algorithm is not taken"
    );
}

#[test]
fn parts_are_three_and_strictly_encoded() {
    let signer = Signer::rsa("k", 0);
    let mut keys = Keys::of(&[&signer]);
    let good = signer.token(GOOD);
    let parts: Vec<&str> = good.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        panic!()
    };
    assert!(keys.verify(&good, &[]).is_ok());
    // 256 bytes end in a character with four bits that say nothing.
    let last = signature.chars().next_back().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let loose = format!("{}{next}", &signature[..signature.len() - 1]);
    let table = [
        (String::new(), Description::Segments),
        ("nonsense".to_owned(), Description::Segments),
        (".".to_owned(), Description::Segments),
        ("..".to_owned(), Description::HeaderJson),
        ("...".to_owned(), Description::Segments),
        (format!("{header}.{claims}"), Description::Segments),
        (format!("{good}."), Description::Segments),
        (format!(".{good}"), Description::Segments),
        (format!("{good}.{signature}"), Description::Segments),
        (format!("{good}.a.b"), Description::Segments),
        (format!("{header}..{claims}.{signature}"), Description::Segments),
        (format!("{header}.{claims}."), Description::Signature),
        (format!("{header}..{signature}"), Description::ClaimsJson),
        (format!(".{claims}.{signature}"), Description::HeaderJson),
        (format!(" {good}"), Description::HeaderEncoding),
        (format!("{good} "), Description::SignatureEncoding),
        (format!("{good}\n"), Description::SignatureEncoding),
        (format!("{good}=="), Description::SignatureEncoding),
        (format!("{header}=.{claims}.{signature}"), Description::HeaderEncoding),
        (format!("{header}.{claims}=.{signature}"), Description::ClaimsEncoding),
        (
            format!("{header}.{} .{signature}", &claims[1..]),
            Description::ClaimsEncoding,
        ),
        (format!("{header}.{claims}.{loose}"), Description::SignatureEncoding),
        (
            format!("{header}.{claims}.{}", signature.replacen(|c| c != 'A', "A", 1)),
            Description::Signature,
        ),
        (format!("{header}.{claims}.+/+/"), Description::SignatureEncoding),
        (format!("{header}.{claims}.A"), Description::SignatureEncoding),
        (format!("{header}.{claims}.\u{e9}"), Description::SignatureEncoding),
        (
            format!("{header}.{}.{signature}", base64url(GOOD.replace("me", "us"))),
            Description::Signature,
        ),
        (
            format!("{}.{claims}.{signature}", base64url(r#"{"alg":"RS256","kid":"k"}"#)),
            Description::Signature,
        ),
        ("a".repeat(MAX_TOKEN_LENGTH + 1), Description::TooLong),
        (".".repeat(MAX_TOKEN_LENGTH), Description::Segments),
    ];
    for (token, expected) in table {
        assert_eq!(keys.verify(&token, &[]).err(), refused(expected), "{:.60}", token);
    }
    let large = format!(r#"{{"a":"{}",{}"#, "a".repeat(6_800), &GOOD[1..]);
    assert!(keys.verify(&signer.token(&large), &[]).is_ok());
}

#[test]
fn any_changed_bit_breaks_a_token() {
    for signer in [Signer::rsa("k", 0), Signer::p256("k"), Signer::p384("k")] {
        let mut keys = Keys::of(&[&signer]);
        let good = signer.token(GOOD);
        assert!(keys.verify(&good, &[]).is_ok());
        for at in 0..good.len() {
            for bit in 0..7 {
                let mut bytes = good.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                assert!(keys.verify(&changed, &[]).is_err(), "{at} {bit}");
            }
        }
        for end in 0..good.len() {
            assert!(keys.verify(&good[..end], &[]).is_err(), "{end}");
        }
    }
}
