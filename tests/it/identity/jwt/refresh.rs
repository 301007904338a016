//! Keys are fetched again when a new one is asked for, and an issuer that fails is left alone for a while.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{DISCOVERY, KEYS, fresh};
use crate::support::client::{Client, PATIENCE};
use crate::support::jwt::{Issuer, Reply, Signer, base64url, now};
use crate::support::jwt_api::{Api, description};

/// Contract §3, R8.9: an unknown key's name fetches again, at most once a minute.
#[test]
fn a_new_key_is_found_once_a_minute() {
    let first = Signer::new("k1", "RS256");
    let second = Signer::new("k2", "ES256");
    let third = Signer::new("k3", "ES256");
    let issuer = Issuer::with(&[&first]);
    let api = Api::of(&issuer);
    api.passes(&first.token(&issuer.claims()), "the first key");
    issuer.rotate(&[&first, &second]);
    api.passes(&second.token(&issuer.claims()), "a key that is new");
    assert_eq!(issuer.fetches(), 2);
    issuer.rotate(&[&first, &second, &third]);
    api.refuses(&third.token(&issuer.claims()), "a key that is newer still");
    assert_eq!(issuer.fetches(), 2, "the minute is not over");
    api.passes(&first.token(&issuer.claims()), "the first key still");
}

/// A key that is gone from the set has no say any more, nor have tokens that passed with it.
#[test]
fn a_key_that_is_withdrawn_is_forgotten() {
    let first = Signer::new("k1", "RS256");
    let second = Signer::new("k2", "ES256");
    let issuer = Issuer::with(&[&first]);
    let api = Api::of(&issuer);
    let old = first.token(&issuer.claims());
    api.passes(&old, "the first key");
    api.passes(&old, "the first key again");
    issuer.rotate(&[&second]);
    api.passes(&second.token(&issuer.claims()), "the second key");
    api.refuses(&old, "a token of the key that is gone");
    api.refuses(&fresh(&issuer, &first, 1), "another token of it");
}

/// The name stays, the key is another: what was signed with the old one holds until the keys are fetched again.
#[test]
fn a_key_that_is_replaced_under_its_name_is_replaced() {
    let first = Signer::new("k1", "ES256");
    let second = Signer::new("k1", "ES256");
    let unknown = Signer::new("k2", "ES256");
    let issuer = Issuer::with(&[&first]);
    let api = Api::of(&issuer);
    api.passes(&first.token(&issuer.claims()), "the first key");
    issuer.rotate(&[&second]);
    api.refuses(&unknown.token(&issuer.claims()), "what makes the gateway fetch");
    api.refuses(&first.token(&issuer.claims()), "the old key");
    api.passes(&second.token(&issuer.claims()), "the new key");
}

/// Issue E.2: a flood of unknown names is no flood of fetches.
#[test]
fn a_flood_of_unknown_keys_fetches_once() {
    let (api, issuer, signer) = Api::and_issuer();
    api.passes(&signer.token(&issuer.claims()), "before");
    let address = api.gateway.address;
    let tokens: Vec<Vec<String>> = (0..16)
        .map(|thread| {
            let token = |number: usize| {
                let header = json!({"alg": "RS256", "kid": format!("unknown-{thread}-{number}")}).to_string();
                format!("{}.{}.AAAA", base64url(header), base64url(issuer.claims().to_string()))
            };
            (0..40).map(token).collect()
        })
        .collect();
    let threads: Vec<_> = tokens
        .into_iter()
        .map(|tokens| {
            thread::spawn(move || {
                let mut client = Client::connect(address);
                for token in tokens {
                    let request = format!("GET /me HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer {token}\r\n\r\n");
                    assert_eq!(client.send(request).answer_to("GET").status, 401);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(issuer.fetches() <= 2, "{} fetches", issuer.fetches());
    assert!(issuer.discoveries() <= 2, "{} discoveries", issuer.discoveries());
    api.passes(&signer.token(&issuer.claims()), "after");
}

/// The same before any key is known, and with an issuer that is slow to answer: one fetch at a time.
#[test]
fn many_at_once_wait_for_one_fetch() {
    let (api, issuer, signer) = Api::and_issuer();
    let address = api.gateway.address;
    let token = signer.token(&issuer.claims());
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let token = token.clone();
            thread::spawn(move || {
                let request = format!("GET /me HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer {token}\r\n\r\n");
                Client::connect(address).send(request).answer_to("GET").status
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 200);
    }
    assert_eq!((issuer.discoveries(), issuer.fetches()), (1, 1));
}

/// Many callers of an issuer that is down: it is not asked for each of them.
#[test]
fn an_issuer_that_fails_is_left_alone_for_a_while() {
    let (api, issuer, signer) = Api::and_issuer();
    issuer.discovery(Reply::With(500, String::new()));
    let began = Instant::now();
    let mut client = Client::connect(api.gateway.address);
    for number in 0..100 {
        let token = fresh(&issuer, &signer, number);
        let request = format!("GET /me HTTP/1.1\r\nHost: gw.test\r\nAuthorization: {token}\r\n\r\n");
        let answer = client.send(request).answer_to("GET");
        assert_eq!(description(&answer, "", "down"), DISCOVERY);
    }
    // However slow the machine is: no more than about one a second.
    let most = 2 + 2 * usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!(issuer.discoveries() <= most, "{} discoveries", issuer.discoveries());
}

/// An issuer that comes back is found again within its time.
#[test]
fn an_issuer_that_comes_back_serves_again() {
    let (api, issuer, signer) = Api::and_issuer();
    issuer.keys(Reply::Close);
    let token = signer.token(&issuer.claims());
    assert_eq!(api.refuses(&token, "down"), KEYS);
    issuer.rotate(&[&signer]);
    let began = Instant::now();
    while api.bear("/me", &token).status != 200 {
        assert!(began.elapsed() < PATIENCE, "the issuer is up, and nobody noticed");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Contract §3, R8.9: what is known serves on when the issuer is down.
#[test]
fn known_keys_serve_on_when_the_issuer_is_down() {
    let (api, issuer, signer) = Api::and_issuer();
    api.passes(&fresh(&issuer, &signer, 0), "before");
    issuer.discovery(Reply::Close);
    issuer.keys(Reply::Close);
    for number in 1..5 {
        api.passes(&fresh(&issuer, &signer, number), "while it is down");
        // A name that is not known makes the gateway ask in vain; the keys stay.
        api.refuses(&Signer::new("k2", "RS256").token(&issuer.claims()), "an unknown key");
    }
    issuer.keys(Reply::With(200, "{}".to_owned()));
    issuer.discovery(Reply::With(200, issuer.document().to_string()));
    api.passes(&fresh(&issuer, &signer, 9), "while it serves nonsense");
}

/// A refused token is refused whatever passes beside it, and at each use.
#[test]
fn a_remembered_token_is_no_other_token() {
    let (api, issuer, signer) = Api::and_issuer();
    let good = signer.token(&issuer.claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let expired = signer.token(&issuer.claims_with(json!({"exp": now() - 1})));
    for _ in 0..3 {
        api.passes(&good, "the good one");
        api.refuses(&format!("{message}.{}", signature.to_lowercase()), "another signature");
        api.refuses(&expired, "expired");
        api.refuses(&format!("{message}."), "no signature");
    }
}
