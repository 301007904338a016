//! Keys that are fetched, kept and forgotten.

use super::*;
use crate::identity::jwt::tokens::{Signer, jwks};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// An issuer at a moment of its own, with an answer to each fetch.
struct Scene {
    issuer: Issuer,
    start: Instant,
    fetches: AtomicUsize,
}

impl Scene {
    fn new() -> Scene {
        Scene {
            issuer: Issuer::default(),
            start: Instant::now(),
            fetches: AtomicUsize::new(0),
        }
    }

    /// What a request for a key of ES256 gets that comes after so many seconds, where the issuer says that.
    fn key(&self, seconds: u64, kid: &str, answer: Result<&str, Description>) -> Result<Arc<PublicKey>, Refusal> {
        let now = self.start + Duration::from_secs(seconds);
        self.issuer.key("http://i", kid, Algorithm::Es256, now, |_| {
            self.fetches.fetch_add(1, Ordering::SeqCst);
            let keys = answer.map(|text| KeySet::parse(text.as_bytes()).unwrap());
            keys.map_err(|description| FetchError {
                refusal: description.into(),
                cause: "a test".to_owned(),
            })
        })
    }

    fn fetches(&self) -> usize {
        self.fetches.swap(0, Ordering::SeqCst)
    }
}

const DOWN: Result<&str, Description> = Err(Description::Discovery);
const UNKNOWN: Refusal = Refusal::Invalid(Description::UnknownKid);
const NO_ANSWER: Refusal = Refusal::Invalid(Description::Discovery);
const HOURS: u64 = 2 * 60 * 60;

#[test]
fn keys_are_kept_for_two_hours() {
    let scene = Scene::new();
    let one = jwks(&[&Signer::p256("a")]);
    let first = scene.key(0, "a", Ok(&one)).unwrap();
    assert_eq!(scene.fetches(), 1);
    scene.key(HOURS - 1, "a", DOWN).unwrap();
    assert_eq!(scene.fetches(), 0);
    // The same key stays the same thing, so that remembered tokens count on; another one of that name does not.
    assert!(Arc::ptr_eq(&first, &scene.key(HOURS, "a", Ok(&one)).unwrap()));
    assert_eq!(scene.fetches(), 1);
    let other = jwks(&[&Signer::p256("a")]);
    let second = scene.key(2 * HOURS, "a", Ok(&other)).unwrap();
    assert_ne!(first, second);
    let third = scene.key(3 * HOURS, "a", Ok(&jwks(&[&Signer::p256("b")])));
    assert_eq!((third, scene.fetches()), (Err(UNKNOWN), 2));
}

#[test]
fn a_name_that_is_not_known_is_looked_for_once_a_minute() {
    let scene = Scene::new();
    let (a, b) = (Signer::p256("a"), Signer::p256("b"));
    let (before, after) = (jwks(&[&a]), jwks(&[&a, &b]));
    // Keys that came with this very request are not fetched again for it.
    assert_eq!(scene.key(0, "b", Ok(&before)), Err(UNKNOWN));
    assert_eq!(scene.fetches(), 1);
    assert_eq!(scene.key(1, "b", Ok(&before)), Err(UNKNOWN));
    assert_eq!(scene.fetches(), 1);
    for second in 2..61 {
        assert_eq!(scene.key(second, "b", Ok(&after)), Err(UNKNOWN), "{second}");
        assert!(scene.key(second, "a", DOWN).is_ok());
    }
    assert_eq!(scene.fetches(), 0);
    assert!(scene.key(61, "b", Ok(&after)).is_ok());
    assert_eq!(scene.fetches(), 1);
    assert_eq!(scene.key(200, "c", DOWN), Err(NO_ANSWER));
    assert_eq!(scene.key(202, "c", DOWN), Err(UNKNOWN));
    assert!(scene.key(202, "a", DOWN).is_ok());
    assert_eq!(scene.fetches(), 1);
}

#[test]
fn keys_serve_on_while_the_issuer_is_down() {
    let scene = Scene::new();
    scene.key(0, "a", Ok(&jwks(&[&Signer::p256("a")]))).unwrap();
    assert_eq!(scene.fetches(), 1);
    for second in HOURS..HOURS + 180 {
        assert!(scene.key(second, "a", DOWN).is_ok());
    }
    assert_eq!(scene.fetches(), 3, "one a minute");
    assert!(scene.key(100 * HOURS, "a", DOWN).is_ok());
}

#[test]
fn a_failure_is_remembered_for_a_second() {
    let scene = Scene::new();
    for _ in 0..10 {
        assert_eq!(scene.key(0, "a", DOWN), Err(NO_ANSWER));
    }
    assert_eq!(scene.fetches(), 1);
    assert!(scene.key(2, "a", Ok(&jwks(&[&Signer::p256("a")]))).is_ok());
}

#[test]
fn a_key_of_another_type_causes_no_fetch() {
    let scene = Scene::new();
    let set = jwks(&[&Signer::p384("a")]);
    for second in 0..100 {
        let outcome = scene.key(second, "a", Ok(&set));
        assert_eq!(outcome, Err(Description::KeyType.into()));
    }
    assert_eq!(scene.fetches(), 1);
}

#[test]
fn a_flood_of_unknown_names_is_one_fetch() {
    const THREADS: usize = 32;
    let scene = Scene::new();
    let set = jwks(&[&Signer::p256("a")]);
    scene.key(0, "a", Ok(&set)).unwrap();
    scene.fetches();
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (scene, together, set) = (&scene, &together, &set);
            scope.spawn(move || {
                together.wait();
                for number in 0..100 {
                    let outcome = scene.key(1, &format!("{thread}-{number}"), Ok(set));
                    assert_eq!(outcome, Err(UNKNOWN));
                    assert!(scene.key(1, "a", DOWN).is_ok());
                }
            });
        }
    });
    assert_eq!(scene.fetches(), 1);
}

#[test]
fn a_fetch_that_panics_leaves_nobody_waiting() {
    let scene = Scene::new();
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let fetch = |_: &mut dyn FnMut(&Arc<ConcurrencyLimit>)| panic!("in a test");
        scene.issuer.key("http://i", "a", Algorithm::Es256, scene.start, fetch)
    }));
    assert!(panics.is_err());
    assert!(scene.key(0, "a", Ok(&jwks(&[&Signer::p256("a")]))).is_ok());
}

#[test]
fn issuers_that_are_not_kept_are_forgotten() {
    let issuers = Issuers::new();
    let (a, b) = (issuers.issuer("a"), issuers.issuer("b"));
    issuers.keep_only(&["b", "c"]);
    assert!(!Arc::ptr_eq(&a, &issuers.issuer("a")) && Arc::ptr_eq(&b, &issuers.issuer("b")));
    for number in 0..2 * MAX_ISSUERS {
        issuers.issuer(&number.to_string());
    }
    assert!(issuers.by_name.read().unwrap().len() <= MAX_ISSUERS);
}
