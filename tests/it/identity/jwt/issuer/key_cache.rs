//! Keys and verified tokens are remembered for a bounded time.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use apigateway::identity::jwt::refusal::Description;

use super::{NOW, Scene, json};
use crate::support::tokens::{Signer, jwks};

/// Two hours, after which keys are fetched again.
const TIME_TO_LIVE: Duration = Duration::from_secs(2 * 60 * 60);

#[test]
fn a_remembered_token_ends_with_its_key() {
    let (old, new) = (Signer::p256("k"), Signer::p256("k"));
    let scene = Scene::of(&[&old]);
    let token = old.token(&scene.claims(NOW + 1_000_000));
    scene.authorize(&token, NOW, Duration::ZERO).unwrap();
    // Another key of that name, and none.
    for (keys, refusal) in [
        (jwks(&[&new]), Description::Signature),
        (jwks(&[]), Description::UnknownKid),
    ] {
        scene.keys(&json(&jwks(&[&old])));
        scene.authorizers.keep_only(&[]);
        let first = scene.authorize(&token, NOW, Duration::ZERO).unwrap();
        scene.keys(&json(&keys));
        assert!(Arc::ptr_eq(
            &first,
            &scene
                .authorize(&token, NOW, TIME_TO_LIVE - Duration::from_secs(1))
                .unwrap()
        ));
        let outcome = scene.authorize(&token, NOW, TIME_TO_LIVE);
        assert_eq!(outcome.err(), Some(refusal.into()));
    }
}

#[test]
fn a_new_key_counts_at_once() {
    let (old, new) = (Signer::p384("old"), Signer::rsa("new", 0));
    let scene = Scene::of(&[&old]);
    scene
        .authorize(&old.token(&scene.claims(NOW + 10)), NOW, Duration::ZERO)
        .unwrap();
    scene.keys(&json(&jwks(&[&old, &new])));
    scene
        .authorize(&new.token(&scene.claims(NOW + 10)), NOW, Duration::ZERO)
        .unwrap();
    assert_eq!(scene.requests().len(), 4);
}

#[test]
fn an_issuer_that_is_down_takes_nothing_from_keys_that_are_there() {
    let signer = Signer::p256("k");
    let scene = Scene::of(&[&signer]);
    scene
        .authorize(&signer.token(&scene.claims(NOW + 10)), NOW, Duration::ZERO)
        .unwrap();
    scene.document(b"nonsense\r\n\r\n");
    for hour in 2..20 {
        let token = signer.token(&scene.claims(NOW + 10 + hour));
        scene.authorize(&token, NOW, Duration::from_secs(hour * 3600)).unwrap();
    }
}

#[test]
fn a_flood_of_unknown_keys_is_one_fetch_and_no_memory() {
    const THREADS: usize = 32;
    const TOKENS: usize = 50;
    let (signer, attacker) = (Signer::p256("k"), Signer::p256("x"));
    let scene = Scene::of(&[&signer]);
    let good = signer.token(&scene.claims(NOW + 10));
    scene.authorize(&good, NOW, Duration::ZERO).unwrap();
    assert_eq!(scene.requests().len(), 2);
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (scene, attacker, good, together) = (&scene, &attacker, &good, &together);
            scope.spawn(move || {
                together.wait();
                for number in 0..TOKENS {
                    let header = format!(r#"{{"alg":"ES256","kid":"{thread}-{number}"}}"#);
                    let token = attacker.token_with(&header, &scene.claims(NOW + 10));
                    let outcome = scene.authorize(&token, NOW, Duration::from_secs(1));
                    assert_eq!(outcome.err(), Some(Description::UnknownKid.into()));
                    scene.authorize(good, NOW, Duration::from_secs(1)).unwrap();
                    // A name that is known, and a signature that is not its key's.
                    let token = attacker.token_with(r#"{"alg":"ES256","kid":"k"}"#, &scene.claims(NOW + 10));
                    let outcome = scene.authorize(&token, NOW, Duration::from_secs(1));
                    assert_eq!(outcome.err(), Some(Description::Signature.into()));
                }
            });
        }
    });
    assert_eq!(scene.requests().len(), 2);
    assert_eq!(scene.authorizers.remembered().0, 1);
}

#[test]
fn many_requests_at_the_start_wait_for_one_fetch() {
    let signer = Signer::p256("k");
    let scene = Scene::of(&[&signer]);
    let token = signer.token(&scene.claims(NOW + 10));
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| scene.authorize(&token, NOW, Duration::ZERO).unwrap());
        }
    });
    assert_eq!(scene.requests().len(), 2);
}
