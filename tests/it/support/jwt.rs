//! An issuer of tokens: keys, tokens of any shape, and a server for discovery and keys that does what a test says.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair};
use serde_json::{Value, json};

use super::client::PATIENCE;
use super::endpoint::{Endpoint, Next};
use super::gateway::NOW;

/// A key for tests alone: `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`, as PKCS#8.
const RSA: &[u8] = include_bytes!("rsa_2048.pk8");

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The gateway's time in seconds.
pub fn now() -> u64 {
    NOW.as_secs()
}

/// A private key, and the algorithm that it signs with.
pub struct Signer {
    pub kid: String,
    pub alg: &'static str,
    key: Key,
}

enum Key {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

impl Signer {
    /// RS256, RS384, RS512, PS256, PS384 or PS512 with the one RSA key; a new key for ES256 and ES384.
    pub fn new(kid: &str, alg: &'static str) -> Signer {
        let key = match alg {
            "ES256" | "ES384" => {
                let scheme = ecdsa(alg);
                let random = SystemRandom::new();
                let pkcs8 = EcdsaKeyPair::generate_pkcs8(scheme, &random).unwrap();
                Key::Ecdsa(EcdsaKeyPair::from_pkcs8(scheme, pkcs8.as_ref(), &random).unwrap())
            }
            _ => Key::Rsa(RsaKeyPair::from_pkcs8(RSA).unwrap()),
        };
        Signer {
            kid: kid.to_owned(),
            alg,
            key,
        }
    }

    /// The public key as RFC 7517 has it.
    pub fn jwk(&self) -> Value {
        let mut jwk = json!({"kid": self.kid, "use": "sig", "alg": self.alg});
        match &self.key {
            Key::Rsa(_) => {
                let (n, e) = self.modulus_and_exponent();
                jwk["kty"] = json!("RSA");
                jwk["n"] = json!(base64url(n));
                jwk["e"] = json!(base64url(e));
            }
            Key::Ecdsa(key) => {
                // 4, then the two coordinates.
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                jwk["kty"] = json!("EC");
                jwk["crv"] = json!(if self.alg == "ES256" { "P-256" } else { "P-384" });
                jwk["x"] = json!(base64url(x));
                jwk["y"] = json!(base64url(y));
            }
        }
        jwk
    }

    /// The public key as it stands in its own encoding: for RSA that of PKCS#1, for EC a point.
    pub fn public_key(&self) -> Vec<u8> {
        match &self.key {
            Key::Rsa(key) => key.public_key().as_ref().to_vec(),
            Key::Ecdsa(key) => key.public_key().as_ref().to_vec(),
        }
    }

    pub fn modulus_and_exponent(&self) -> (Vec<u8>, Vec<u8>) {
        let Key::Rsa(key) = &self.key else {
            panic!("an EC key has none")
        };
        let parts = signature::RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
        (parts.n, parts.e)
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Ecdsa(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::Rsa(key) => {
                let padding: &dyn signature::RsaEncoding = match self.alg {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    other => panic!("no {other} here"),
                };
                let mut bytes = vec![0; key.public().modulus_len()];
                key.sign(padding, &random, message, &mut bytes).unwrap();
                bytes
            }
        }
    }

    /// The header of an ordinary token.
    pub fn header(&self) -> Value {
        json!({"alg": self.alg, "typ": "JWT", "kid": self.kid})
    }

    /// An ordinary token with those claims.
    pub fn token(&self, claims: &Value) -> String {
        self.token_of(&self.header().to_string(), claims.to_string())
    }

    /// A token whose header and payload are these texts, signed.
    pub fn token_of(&self, header: &str, payload: impl AsRef<[u8]>) -> String {
        let message = format!("{}.{}", base64url(header), base64url(payload));
        let signature = base64url(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

fn ecdsa(alg: &str) -> &'static signature::EcdsaSigningAlgorithm {
    match alg {
        "ES256" => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        _ => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
    }
}

/// What the issuer's server does when it is asked.
#[derive(Clone)]
pub enum Reply {
    /// Answers with that status and body.
    With(u16, String),
    /// Answers with these bytes.
    Raw(String),
    /// Says nothing until the issuer is dropped.
    Hang,
    /// Closes the connection.
    Close,
}

/// What is served now, and how often it was asked for.
struct Served {
    discovery: Mutex<Reply>,
    keys: Mutex<Reply>,
    discoveries: AtomicUsize,
    fetches: AtomicUsize,
    others: Mutex<Vec<String>>,
}

pub struct Issuer {
    pub url: String,
    pub address: SocketAddr,
    served: Arc<Served>,
    _endpoint: Endpoint,
    _until_dropped: Sender<()>,
}

/// Where discovery is, below the issuer's path.
const DISCOVERY: &str = "/.well-known/openid-configuration";

impl Issuer {
    /// An issuer with these keys.
    pub fn with(signers: &[&Signer]) -> Issuer {
        Issuer::at("", signers)
    }

    /// An issuer whose URL ends in that path.
    pub fn at(path: &str, signers: &[&Signer]) -> Issuer {
        let served = Arc::new(Served {
            discovery: Mutex::new(Reply::Close),
            keys: Mutex::new(Reply::With(200, keys(signers))),
            discoveries: AtomicUsize::new(0),
            fetches: AtomicUsize::new(0),
            others: Mutex::default(),
        });
        let (until_dropped, dropped) = channel();
        let discovery_path = format!("{}{DISCOVERY}", path.trim_end_matches('/'));
        let endpoint = Endpoint::start({
            let served = Arc::clone(&served);
            let dropped: Mutex<Receiver<()>> = Mutex::new(dropped);
            move |stream, recorded| {
                let reply = if recorded.request() == format!("GET {discovery_path}") {
                    served.discoveries.fetch_add(1, Ordering::SeqCst);
                    served.discovery.lock().unwrap().clone()
                } else if recorded.request() == "GET /keys" {
                    served.fetches.fetch_add(1, Ordering::SeqCst);
                    served.keys.lock().unwrap().clone()
                } else {
                    served.others.lock().unwrap().push(recorded.request().to_owned());
                    Reply::With(404, String::new())
                };
                let answer = match reply {
                    Reply::With(status, body) => format!(
                        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    ),
                    Reply::Raw(answer) => answer,
                    Reply::Close => return Next::Close,
                    Reply::Hang => {
                        let _ = dropped.lock().unwrap().recv_timeout(PATIENCE);
                        return Next::Close;
                    }
                };
                match stream.write_all(answer.as_bytes()) {
                    Ok(()) => Next::KeepAlive,
                    Err(_) => Next::Close,
                }
            }
        });
        let issuer = Issuer {
            url: format!("http://{}{path}", endpoint.address),
            address: endpoint.address,
            served,
            _endpoint: endpoint,
            _until_dropped: until_dropped,
        };
        issuer.discovery(Reply::With(200, issuer.document().to_string()));
        issuer
    }

    /// The document of discovery.
    pub fn document(&self) -> Value {
        json!({"issuer": self.url, "jwks_uri": format!("http://{}/keys", self.address)})
    }

    /// Serves that at discovery from now on.
    pub fn discovery(&self, reply: Reply) {
        *self.served.discovery.lock().unwrap() = reply;
    }

    /// Serves that as keys from now on.
    pub fn keys(&self, reply: Reply) {
        *self.served.keys.lock().unwrap() = reply;
    }

    /// Serves these keys from now on.
    pub fn rotate(&self, signers: &[&Signer]) {
        self.keys(Reply::With(200, keys(signers)));
    }

    pub fn discoveries(&self) -> usize {
        self.served.discoveries.load(Ordering::SeqCst)
    }

    pub fn fetches(&self) -> usize {
        self.served.fetches.load(Ordering::SeqCst)
    }

    /// What was asked for besides discovery and keys.
    pub fn others(&self) -> Vec<String> {
        self.served.others.lock().unwrap().clone()
    }

    /// Claims that pass: for the audience `api`, for an hour.
    pub fn claims(&self) -> Value {
        json!({"iss": self.url, "aud": "api", "sub": "user-7", "exp": now() + 3600})
    }

    /// Those with others laid over them; null takes one out.
    pub fn claims_with(&self, others: Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in others.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }
}

/// A key set (RFC 7517 §5).
pub fn keys(signers: &[&Signer]) -> String {
    let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

/// What this file says of its own signatures: every algorithm holds under its public key.
#[test]
fn tokens_are_signed_with_the_key_that_is_served() {
    for (alg, scheme) in [
        (
            "RS256",
            &signature::RSA_PKCS1_2048_8192_SHA256 as &dyn signature::VerificationAlgorithm,
        ),
        ("RS384", &signature::RSA_PKCS1_2048_8192_SHA384),
        ("RS512", &signature::RSA_PKCS1_2048_8192_SHA512),
        ("PS256", &signature::RSA_PSS_2048_8192_SHA256),
        ("PS384", &signature::RSA_PSS_2048_8192_SHA384),
        ("PS512", &signature::RSA_PSS_2048_8192_SHA512),
        ("ES256", &signature::ECDSA_P256_SHA256_FIXED),
        ("ES384", &signature::ECDSA_P384_SHA384_FIXED),
    ] {
        let signer = Signer::new("k", alg);
        let token = signer.token(&json!({"a": 1}));
        let (message, signed) = token.rsplit_once('.').unwrap();
        let public_key = signature::UnparsedPublicKey::new(scheme, signer.public_key());
        let signed = URL_SAFE_NO_PAD.decode(signed).unwrap();
        public_key.verify(message.as_bytes(), &signed).unwrap();
    }
}
