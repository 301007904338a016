//! What a token must say of its issuer, its audience and its dates.

use std::time::Duration;

use crate::identity::jwt::refusal::Description;
use crate::identity::jwt::tests::{GOOD, Keys, NOW, refused};
use crate::identity::jwt::tokens::Signer;

#[test]
fn claims_are_checked_one_after_the_other() {
    let signer = Signer::p256("k");
    let mut keys = Keys::of(&[&signer]);
    let base = r#""iss":"https://issuer.test/","aud":"me""#;
    let exp = r#""exp":1783714745"#;
    let with = |more: &str| format!("{{{base},{exp},{more}}}");
    let claims = |members: &str| format!("{{{members}}}");
    for (claims, expected) in [
        (GOOD.to_owned(), None),
        // R8.5
        (
            claims(r#""iss":"https://issuer.test","aud":"me","exp":1783714745"#),
            refused(Description::Issuer),
        ),
        (
            claims(r#""iss":"HTTPS://issuer.test/","aud":"me","exp":1783714745"#),
            refused(Description::Issuer),
        ),
        (
            claims(r#""iss":["https://issuer.test/"],"aud":"me","exp":1783714745"#),
            refused(Description::Issuer),
        ),
        (
            claims(r#""iss":null,"aud":"me","exp":1783714745"#),
            refused(Description::Issuer),
        ),
        (claims(r#""aud":"me","exp":1783714745"#), refused(Description::Issuer)),
        (
            claims(r#""iss":"https:\/\/issuer\u002etest/","aud":"me","exp":1783714745"#),
            None,
        ),
        (
            claims(r#""iss":"https://issuer.test/\u0000","aud":"me","exp":1783714745"#),
            refused(Description::Issuer),
        ),
        // R8.6
        (
            claims(r#""iss":"https://issuer.test/","aud":["x","us"],"exp":1783714745"#),
            None,
        ),
        (
            claims(r#""iss":"https://issuer.test/","client_id":"us","exp":1783714745"#),
            None,
        ),
        (
            claims(r#""iss":"https://issuer.test/","exp":1783714745"#),
            refused(Description::Audience),
        ),
        (
            claims(r#""iss":"https://issuer.test/","aud":"x","client_id":"me","exp":1"#),
            refused(Description::Audience),
        ),
        (
            claims(r#""iss":"https://issuer.test/","aud":null,"client_id":"me","exp":1"#),
            refused(Description::Audience),
        ),
        (
            claims(r#""iss":"https://issuer.test/","aud":[],"client_id":"me","exp":1"#),
            refused(Description::Audience),
        ),
        (
            claims(r#""iss":"https://issuer.test/","aud":["me",1],"exp":1"#),
            refused(Description::Audience),
        ),
        (
            claims(r#""iss":"https://issuer.test/","aud":{"me":"me"},"exp":1"#),
            refused(Description::Audience),
        ),
        (
            claims(r#""iss":"https://issuer.test/","aud":"me us","exp":1"#),
            refused(Description::Audience),
        ),
        (
            claims(r#""iss":"https://issuer.test/","aud":"Me","exp":1"#),
            refused(Description::Audience),
        ),
        (
            claims(r#""iss":"https://issuer.test/","client_id":["me"],"exp":1"#),
            refused(Description::Audience),
        ),
        (
            claims(r#""iss":"https://issuer.test/","azp":"me","exp":1"#),
            refused(Description::Audience),
        ),
        // R8.7
        (claims(base), refused(Description::NoExpiry)),
        (format!("{{{base},\"exp\":1783711146}}"), None),
        (format!("{{{base},\"exp\":1783711145}}"), refused(Description::Expired)),
        (format!("{{{base},\"exp\":1783711145.9}}"), None),
        (
            format!("{{{base},\"exp\":1783711144.9}}"),
            refused(Description::Expired),
        ),
        (format!("{{{base},\"exp\":0}}"), refused(Description::Expired)),
        (format!("{{{base},\"exp\":1.783714745e9}}"), None),
        (format!("{{{base},\"exp\":253402300799}}"), None),
        (format!("{{{base},\"exp\":253402300800}}"), refused(Description::Date)),
        (format!("{{{base},\"exp\":1e400}}"), refused(Description::Date)),
        (
            format!("{{{base},\"exp\":18446744073709551617}}"),
            refused(Description::Date),
        ),
        (format!("{{{base},\"exp\":-1}}"), refused(Description::Date)),
        (format!("{{{base},\"exp\":-0}}"), refused(Description::Date)),
        (format!("{{{base},\"exp\":\"1783714745\"}}"), refused(Description::Date)),
        (format!("{{{base},\"exp\":\"NaN\"}}"), refused(Description::Date)),
        (format!("{{{base},\"exp\":null}}"), refused(Description::Date)),
        (format!("{{{base},\"exp\":true}}"), refused(Description::Date)),
        (format!("{{{base},\"exp\":[1783714745]}}"), refused(Description::Date)),
        (format!("{{{base},\"exp\":{{}}}}"), refused(Description::Date)),
        (with(r#""nbf":1783711145"#), None),
        (with(r#""nbf":1783711145.1"#), refused(Description::NotYetValid)),
        (with(r#""nbf":1783711146"#), refused(Description::NotYetValid)),
        (with(r#""nbf":"1783711145""#), refused(Description::Date)),
        (with(r#""nbf":null"#), refused(Description::Date)),
        (with(r#""iat":1783711145"#), None),
        (with(r#""nbf":1783711144.9"#), None),
        (with(r#""iat":1783711144.9"#), None),
        (with(r#""iat":1783711145.1"#), refused(Description::NotYetIssued)),
        (with(r#""iat":1783711146"#), refused(Description::NotYetIssued)),
        (with(r#""iat":-5"#), refused(Description::Date)),
        // Order: the issuer before the audience before the dates.
        (claims(r#""iss":"x","aud":"x","exp":1"#), refused(Description::Issuer)),
        (
            claims(r#""iss":"https://issuer.test/","aud":"x","exp":1"#),
            refused(Description::Audience),
        ),
        // What is no object, or two.
        (with(r#""exp":1783714746"#), refused(Description::ClaimsJson)),
        (with(r#""\u0065xp":1783714746"#), refused(Description::ClaimsJson)),
        (with(r#""a":{"b":1,"b":2}"#), refused(Description::ClaimsJson)),
        (with(r#""a":"\ud800""#), refused(Description::ClaimsJson)),
        (
            with(&format!(r#""a":{}{}"#, "[".repeat(17), "]".repeat(17))),
            refused(Description::ClaimsJson),
        ),
        (
            with(&format!(r#""a":{}{}"#, "[".repeat(3000), "]".repeat(3000))),
            refused(Description::ClaimsJson),
        ),
        (format!("[{GOOD}]"), refused(Description::ClaimsJson)),
        (format!("{GOOD}{GOOD}"), refused(Description::ClaimsJson)),
        (format!("\u{feff}{GOOD}"), refused(Description::ClaimsJson)),
        (format!(" {GOOD}\n"), None),
        (String::new(), refused(Description::ClaimsJson)),
        ("null".to_owned(), refused(Description::ClaimsJson)),
        // A token in a token.
        (signer.token(GOOD), refused(Description::ClaimsJson)),
    ] {
        let outcome = keys.verify(&signer.token(&claims), &[]);
        assert_eq!(outcome.err(), expected, "{:.120}", claims);
    }
}

/// R8.7: fractions count, on both sides.
#[test]
fn dates_are_compared_as_fine_as_they_are() {
    let signer = Signer::p256("k");
    for (claims, millis, expected) in [
        (r#""exp":1783711146"#, 999, None),
        (r#""exp":1783711146"#, 1_000, Some(Description::Expired)),
        (r#""exp":1783711145.5"#, 499, None),
        (r#""exp":1783711145.5"#, 500, Some(Description::Expired)),
        (
            r#""exp":1783714745,"nbf":1783711145.5"#,
            499,
            Some(Description::NotYetValid),
        ),
        (r#""exp":1783714745,"nbf":1783711145.5"#, 500, None),
        (
            r#""exp":1783714745,"nbf":1783711146"#,
            999,
            Some(Description::NotYetValid),
        ),
        (
            r#""exp":1783714745,"iat":1783711145.25"#,
            249,
            Some(Description::NotYetIssued),
        ),
        // A token used in the second of its making.
        (r#""exp":1783714745,"iat":1783711145.25"#, 250, None),
        (
            r#""exp":1783714745,"iat":1783711146"#,
            999,
            Some(Description::NotYetIssued),
        ),
        (r#""exp":1783714745,"iat":1783711146"#, 1_000, None),
    ] {
        let token = signer.token(&format!(r#"{{"iss":"https://issuer.test/","aud":"me",{claims}}}"#));
        let now = NOW + Duration::from_millis(millis);
        let outcome = Keys::of(&[&signer]).verify_at(now, &token, &[]);
        assert_eq!(outcome.err(), expected.and_then(refused), "{claims} after {millis} ms");
    }
}
