//! An issuer must answer in time with a document and keys that are of use.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apigateway::identity::jwt::Expectations;
use apigateway::identity::jwt::refusal::{Description, Refusal};

use super::{NOW, Scene, json};
use crate::support::endpoint::nobody;
use crate::support::tokens::{Signer, jwks};

#[test]
fn keys_are_found_by_discovery_and_a_token_is_verified_once() {
    let signer = Signer::p256("k");
    let scene = Scene::of(&[&signer]);
    let token = format!("Bearer {}", signer.token(&scene.claims(NOW + 10)));
    let first = scene.authorize(&token, NOW, Duration::ZERO).unwrap();
    assert_eq!(first.claims["exp"], (NOW + 10).to_string());
    let recorded = scene.endpoint.rest();
    let address = scene.endpoint.address;
    let expected = ["GET /tenant/.well-known/openid-configuration", "GET /keys?v=1"].map(|line| {
        format!("{line} HTTP/1.1\r\naccept: application/json\r\nhost: {address}\r\ncontent-length: 0\r\n\r\n")
    });
    assert_eq!([&recorded[0].head, &recorded[1].head], [&expected[0], &expected[1]]);
    assert_eq!(recorded.len(), 2);
    // The second answer is the first one itself.
    assert!(Arc::ptr_eq(
        &first,
        &scene.authorize(&token, NOW + 9, Duration::from_secs(9)).unwrap()
    ));
    assert_eq!(scene.authorizers.remembered().0, 1);
    let late = scene.authorize(&token, NOW + 10, Duration::from_secs(10));
    assert_eq!(late.err(), Some(Description::Expired.into()));
    assert_eq!(scene.authorizers.remembered().0, 0);
    assert_eq!(scene.requests(), [""; 0]);
}

#[test]
fn no_value_is_no_token() {
    let scene = Scene::of(&[]);
    let expectations = Expectations {
        issuer: &scene.issuer,
        audience: &[],
        scopes: &[],
    };
    for value in [None, Some(""), Some("Bearer ")] {
        let outcome = scene.authorizers.authorize(
            value,
            &expectations,
            &scene.upstream,
            Duration::from_secs(NOW),
            scene.start,
        );
        assert_eq!(outcome.err(), Some(Refusal::Missing), "{value:?}");
    }
    assert_eq!(scene.requests(), [""; 0]);
}

#[test]
fn an_issuer_that_does_not_say_its_keys_refuses_every_token() {
    let signer = Signer::p256("k");
    let scene = Scene::of(&[&signer]);
    let token = signer.token(&scene.claims(NOW + 10));
    let good_document = json(&scene.good_document());
    let good_keys = json(&jwks(&[&signer]));
    let padded = |length: usize| {
        let keys = jwks(&[&signer]);
        format!("{keys}{}", " ".repeat(length - keys.len()))
    };
    let chunked = |body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )
        .into_bytes()
    };
    let head = |text: &str| format!("HTTP/1.1 {text}\r\n\r\n").into_bytes();
    let document = |body: &str| json(&body.replace("{address}", &scene.endpoint.address.to_string()));
    let redirect = head("302 Found\r\nLocation: /keys\r\nContent-Length: 0");
    // The right content under the wrong head.
    let under = |head: &str, answer: &[u8]| {
        String::from_utf8_lossy(answer)
            .replacen("200 OK\r\nContent-Type: application/json", head, 1)
            .into_bytes()
    };
    let events = "200 OK\r\nContent-Type: text/event-stream";
    let (discovery, of_keys) = (Some(Description::Discovery), Some(Description::Jwks));
    for (document, keys, expected) in [
        (good_document.clone(), good_keys.clone(), None),
        (
            document(r#"{"issuer":"http://other","jwks_uri":"http://{address}/keys"}"#),
            good_keys.clone(),
            None,
        ),
        (good_document.clone(), json(&padded(150_000)), None),
        (good_document.clone(), chunked(&padded(150_000)), None),
        (good_document.clone(), json(&padded(150_001)), of_keys),
        (good_document.clone(), chunked(&padded(150_001)), of_keys),
        (
            good_document.clone(),
            head("200 OK\r\nContent-Length: 99999999999999"),
            of_keys,
        ),
        (json(&padded(150_001)), good_keys.clone(), discovery),
        (head("404 Not Found\r\nContent-Length: 0"), good_keys.clone(), discovery),
        (redirect.clone(), good_keys.clone(), discovery),
        (head("204 No Content"), good_keys.clone(), discovery),
        (json("<html>"), good_keys.clone(), discovery),
        (json("{}"), good_keys.clone(), discovery),
        (
            document(r#"{"jwks_uri":"ftp://{address}/keys"}"#),
            good_keys.clone(),
            discovery,
        ),
        (
            document(r#"{"jwks_uri":"http://u:p@{address}/keys"}"#),
            good_keys.clone(),
            discovery,
        ),
        (
            document(&format!(r#"{{"jwks_uri":"http://{}/keys"}}"#, nobody())),
            good_keys.clone(),
            of_keys,
        ),
        (under(events, &good_document), good_keys.clone(), discovery),
        (under("404 Not Found", &good_document), good_keys.clone(), discovery),
        (under("203 Changed", &good_document), good_keys.clone(), discovery),
        (b"nonsense\r\n\r\n".to_vec(), good_keys.clone(), discovery),
        (
            head("200 OK\r\nContent-Length: 100").into_iter().chain(*b"{").collect(),
            good_keys.clone(),
            discovery,
        ),
        (good_document.clone(), redirect, of_keys),
        (good_document.clone(), under(events, &good_keys), of_keys),
        (good_document.clone(), under("500 Error", &good_keys), of_keys),
        (
            good_document.clone(),
            head("500 Internal Server Error\r\nContent-Length: 0"),
            of_keys,
        ),
        (good_document.clone(), json("{\"keys\":{}}"), of_keys),
        (good_document.clone(), json("[]"), of_keys),
        (good_document.clone(), json(&jwks(&[])), Some(Description::UnknownKid)),
    ] {
        scene.document(&document);
        scene.keys(&keys);
        scene.authorizers.keep_only(&[]);
        let outcome = scene.authorize(&token, NOW, Duration::ZERO).err();
        let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        assert_eq!(
            outcome,
            expected.map(Refusal::Invalid),
            "{}\n{}",
            shown(&document),
            shown(&keys)
        );
    }
}

#[test]
fn each_answer_has_a_second_and_a_half() {
    let signer = Signer::p256("k");
    for (silent, description) in [(0, Description::Discovery), (1, Description::Jwks)] {
        let scene = Scene::of(&[&signer]);
        scene.answers.lock().unwrap()[silent].clear();
        let token = signer.token(&scene.claims(NOW + 10));
        let began = Instant::now();
        let outcome = scene.authorize(&token, NOW, Duration::ZERO);
        assert_eq!(outcome.err(), Some(description.into()));
        let waited = began.elapsed();
        assert!(
            (Duration::from_millis(1_400)..Duration::from_secs(10)).contains(&waited),
            "{waited:?}"
        );
        // Nobody asks again within a second after that.
        let outcome = scene.authorize(&token, NOW, waited);
        assert_eq!(outcome.err(), Some(description.into()));
        assert_eq!(scene.requests().len(), 1 + silent);
    }
}
