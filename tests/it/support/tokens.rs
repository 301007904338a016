//! Tokens for tests, signed by keys of their own.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

pub const RSA_KEYS: [&str; 2] = [
    include_str!("../../data/rsa-2048-a.pem"),
    include_str!("../../data/rsa-2048-b.pem"),
];

/// A private key with its name.
pub struct Signer {
    kid: String,
    key: Key,
}

enum Key {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    /// One of [`RSA_KEYS`], for RS256.
    pub fn rsa(kid: &str, number: usize) -> Signer {
        let der = PrivatePkcs8KeyDer::from_pem_slice(RSA_KEYS[number].as_bytes()).unwrap();
        let key = Key::Rsa(RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap());
        Signer {
            kid: kid.to_owned(),
            key,
        }
    }

    /// A new key for ES256.
    pub fn p256(kid: &str) -> Signer {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random).unwrap();
        Signer {
            kid: kid.to_owned(),
            key: Key::P256(pair),
        }
    }

    /// A new key for ES384.
    pub fn p384(kid: &str) -> Signer {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der.as_ref(), &random).unwrap();
        Signer {
            kid: kid.to_owned(),
            key: Key::P384(pair),
        }
    }

    pub fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Rsa(_) => "RS256",
            Key::P256(_) => "ES256",
            Key::P384(_) => "ES384",
        }
    }

    /// The public key as an issuer publishes it.
    pub fn jwk(&self) -> String {
        let kid = &self.kid;
        match &self.key {
            Key::Rsa(pair) => {
                let public: ring::rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
                let (n, e) = (base64url(public.n), base64url(public.e));
                format!(r#"{{"kty":"RSA","use":"sig","kid":"{kid}","n":"{n}","e":"{e}"}}"#)
            }
            Key::P256(pair) | Key::P384(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let (x, y, crv) = (
                    base64url(x),
                    base64url(y),
                    if x.len() == 32 { "P-256" } else { "P-384" },
                );
                format!(r#"{{"kty":"EC","kid":"{kid}","crv":"{crv}","x":"{x}","y":"{y}"}}"#)
            }
        }
    }

    /// A token with the usual header and those claims.
    pub fn token(&self, claims: &str) -> String {
        let header = format!(r#"{{"alg":"{}","typ":"JWT","kid":"{}"}}"#, self.algorithm(), self.kid);
        self.token_with(&header, claims)
    }

    /// A token with that header.
    pub fn token_with(&self, header: &str, claims: &str) -> String {
        self.sign(&format!("{}.{}", base64url(header), base64url(claims)))
    }

    /// Whatever it is, with a signature.
    pub fn sign(&self, message: &str) -> String {
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
            Key::P256(pair) | Key::P384(pair) => pair.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{message}.{}", base64url(signature))
    }
}

/// A key set of those keys.
pub fn jwks(signers: &[&Signer]) -> String {
    let keys: Vec<String> = signers.iter().map(|signer| signer.jwk()).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}
