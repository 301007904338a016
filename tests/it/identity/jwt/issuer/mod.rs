//! These tests ask the library's JWT authorizers, with an issuer on a socket and a time that the test sets.

mod answers;
mod key_cache;
mod waiting;

use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use apigateway::identity::caller::Verified;
use apigateway::identity::jwt::refusal::Refusal;
use apigateway::identity::jwt::{Expectations, JwtAuthorizers};
use apigateway::outbound::upstream::{DNS_TTL, Settings, Upstream, tls};

use crate::support::endpoint::{Endpoint, Next};
use crate::support::tokens::{Signer, jwks};

const NOW: u64 = 1_783_711_145;

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
        most_on_loops: usize::MAX,
        share_on_loops: NonZeroUsize::MAX,
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
