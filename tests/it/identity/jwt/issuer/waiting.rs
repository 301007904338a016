//! Only the share of a destination waits for an issuer that hangs.

use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use apigateway::http1::target::Scheme;
use apigateway::identity::jwt::refusal::{Description, Refusal};

use super::{NOW, Scene, json, upstream};
use crate::support::client::PATIENCE;
use crate::support::endpoint::{Endpoint, Next};
use crate::support::tokens::{Signer, jwks};
use crate::support::wait::wait_until;

fn overloaded(share: usize) -> Option<Refusal> {
    Some(Refusal::Overloaded(NonZeroUsize::new(share).unwrap()))
}

/// Asks so often at once; the outcomes come as they are there.
fn ask(scene: &Scene, token: &str, count: usize, outcomes: &dyn Fn(Receiver<Option<Refusal>>)) {
    let (sender, receiver) = channel();
    thread::scope(|scope| {
        for _ in 0..count {
            let sender = sender.clone();
            scope.spawn(move || sender.send(scene.authorize(token, NOW, Duration::ZERO).err()));
        }
        outcomes(receiver);
    });
}

#[test]
fn an_issuer_that_hangs_is_waited_for_by_its_share() {
    const SHARE: usize = 3;
    let signer = Signer::p256("k");
    for (silent, description) in [(0, Description::Discovery), (1, Description::Jwks)] {
        let mut scene = Scene::of(&[&signer]);
        scene.upstream = upstream(SHARE);
        scene.answers.lock().unwrap()[silent].clear();
        let token = signer.token(&scene.claims(NOW + 10));
        ask(&scene, &token, 20, &|outcomes| {
            for number in 0..20 {
                // Those who are refused are so at once; one asks, and the others wait for it.
                let expected = match number < 20 - SHARE {
                    true => overloaded(SHARE),
                    false => Some(description.into()),
                };
                assert_eq!(outcomes.recv_timeout(PATIENCE).unwrap(), expected, "{number}");
            }
        });
        assert_eq!(scene.requests().len(), 1 + silent);
        // All that was held is free again.
        scene.document(&json(&scene.good_document()));
        scene.keys(&json(&jwks(&[&signer])));
        let slots = scene.upstream.slots(Scheme::Http, &scene.endpoint.address.to_string());
        let held: Vec<_> = (0..SHARE).map(|_| slots.take().unwrap()).collect();
        assert!(slots.take().is_none());
        drop(held);
        scene.authorize(&token, NOW, Duration::from_secs(10)).unwrap();
    }
}

/// A server that answers a request when it is told to.
fn told_to_answer(answer: Vec<u8>) -> (Endpoint, Sender<()>) {
    let (tell, told) = channel();
    let told = Mutex::new(told);
    let endpoint = Endpoint::start(move |stream, _| {
        told.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        stream.write_all(&answer).unwrap();
        Next::KeepAlive
    });
    (endpoint, tell)
}

#[test]
fn who_waits_for_keys_waits_for_the_server_that_has_them() {
    const SHARE: usize = 3;
    let signer = Signer::p256("k");
    let (keys, answer_keys) = told_to_answer(json(&jwks(&[&signer])));
    let document = format!(r#"{{"jwks_uri":"http://{}"}}"#, keys.address);
    let (endpoint, answer_discovery) = told_to_answer(json(&document));
    let scene = Scene {
        upstream: upstream(SHARE),
        issuer: format!("http://{}", endpoint.address),
        endpoint,
        ..Scene::of(&[&signer])
    };
    let slots = |of: &Endpoint| scene.upstream.slots(Scheme::Http, &of.address.to_string());
    let token = signer.token(&scene.claims(NOW + 10));
    // Somebody else holds one of the keys' server.
    let _held = slots(&keys).take().unwrap();
    ask(&scene, &token, SHARE, &|outcomes| {
        let at_discovery = slots(&scene.endpoint);
        wait_until("waiting", || format!("{at_discovery:?}").contains("held: 3"));
        answer_discovery.send(()).unwrap();
        // One asks for the keys, one goes on waiting, and for the third there is no slot.
        assert_eq!(outcomes.recv_timeout(PATIENCE).unwrap(), overloaded(SHARE));
        answer_keys.send(()).unwrap();
        for _ in 1..SHARE {
            assert_eq!(outcomes.recv_timeout(PATIENCE).unwrap(), None);
        }
    });
}

#[test]
fn what_could_not_be_asked_is_asked_later_and_is_never_a_yes() {
    let (signer, new) = (Signer::p256("k"), Signer::p256("new"));
    let mut scene = Scene::of(&[&signer]);
    scene.upstream = upstream(1);
    let slots = scene.upstream.slots(Scheme::Http, &scene.endpoint.address.to_string());
    // An issuer that was never asked; then the name of a key that is not known.
    for (signer, began) in [(&signer, 0), (&new, 100)] {
        let token = signer.token(&scene.claims(NOW + 10));
        let at = |seconds: u64| scene.authorize(&token, NOW, Duration::from_secs(began + seconds));
        let held = slots.take().unwrap();
        assert_eq!(at(0).err(), overloaded(1));
        drop(held);
        assert_eq!(at(0).err(), overloaded(1), "nobody asks again within a second");
        assert_eq!(scene.requests(), [""; 0]);
        assert!(at(2).is_ok());
        assert_eq!(scene.requests().len(), 2);
        scene.keys(&json(&jwks(&[signer, &new])));
    }
}
