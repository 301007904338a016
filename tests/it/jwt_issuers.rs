//! JWT authorizers with an issuer on a socket: discovery, key sets, what is fetched when, and what is remembered.

use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use apigateway::http1::target::Scheme;
use apigateway::identity::caller::Verified;
use apigateway::identity::jwt::refusal::{Description, Refusal};
use apigateway::identity::jwt::{Expectations, JwtAuthorizers};
use apigateway::outbound::upstream::{DNS_TTL, Settings, Upstream, tls};

use super::connections::wait_until;
use super::support::client::PATIENCE;
use super::support::endpoint::{Endpoint, Next, nobody};
use super::support::tokens::{Signer, jwks};

const NOW: u64 = 1_783_711_145;

/// Two hours, after which keys are fetched again.
const TIME_TO_LIVE: Duration = Duration::from_secs(2 * 60 * 60);

/// What an issuer answers to a request for its document, and for its keys.
type Answers = Arc<Mutex<[Vec<u8>; 2]>>;

/// An authorizer with its issuer.
struct Scene {
    authorizers: JwtAuthorizers,
    upstream: Upstream,
    endpoint: Endpoint,
    answers: Answers,
    issuer: String,
    start: Instant,
}

fn json(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// So many workers may wait for one destination.
fn upstream(share: usize) -> Upstream {
    Upstream::new(Settings {
        tls: tls::client_config(None).unwrap(),
        most_connections: usize::MAX,
        share: NonZeroUsize::new(share).unwrap(),
        dns_ttl: DNS_TTL,
    })
}

impl Scene {
    /// An issuer with those keys.
    fn of(signers: &[&Signer]) -> Scene {
        let answers = Answers::default();
        let scripted = Arc::clone(&answers);
        let endpoint = Endpoint::start(move |stream, recorded| {
            let number = usize::from(!recorded.request().ends_with("/openid-configuration"));
            let answer = scripted.lock().unwrap()[number].clone();
            if answer.is_empty() {
                // No answer until the other side gives up.
                let _ = stream.read(&mut [0]);
                return Next::Close;
            }
            let _ = stream.write_all(&answer);
            if answer.ends_with(b"\r\n\r\n{") {
                Next::Close
            } else {
                Next::KeepAlive
            }
        });
        let issuer = format!("http://{}/tenant/", endpoint.address);
        let scene = Scene {
            authorizers: JwtAuthorizers::new(),
            upstream: upstream(usize::MAX),
            answers,
            issuer,
            start: Instant::now(),
            endpoint,
        };
        scene.document(&json(&scene.good_document()));
        scene.keys(&json(&jwks(signers)));
        scene
    }

    fn good_document(&self) -> String {
        format!(
            r#"{{"issuer":"{}","jwks_uri":"http://{}/keys?v=1"}}"#,
            self.issuer, self.endpoint.address
        )
    }

    fn document(&self, answer: &[u8]) {
        self.answers.lock().unwrap()[0] = answer.to_vec();
    }

    fn keys(&self, answer: &[u8]) {
        self.answers.lock().unwrap()[1] = answer.to_vec();
    }

    fn claims(&self, exp: u64) -> String {
        format!(r#"{{"iss":"{}","aud":"me","exp":{exp}}}"#, self.issuer)
    }

    fn authorize(&self, value: &str, time: u64, after: Duration) -> Result<Arc<Verified>, Refusal> {
        let audience = ["me".to_owned()];
        let expectations = Expectations {
            issuer: &self.issuer,
            audience: &audience,
            scopes: &[],
        };
        self.authorizers.authorize(
            Some(value),
            &expectations,
            &self.upstream,
            Duration::from_secs(time),
            self.start + after,
        )
    }

    /// The lines of the requests that came.
    fn requests(&self) -> Vec<String> {
        self.endpoint
            .rest()
            .iter()
            .map(|recorded| recorded.request().to_owned())
            .collect()
    }
}

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
