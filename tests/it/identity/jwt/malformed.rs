//! A token that two readers could take differently is refused.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{EXPIRED, SEGMENTS, header};
use crate::support::jwt::{Issuer, Signer, base64url, now};
use crate::support::jwt_api::Api;

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
