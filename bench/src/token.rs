//! A token for the route with a JWT authorizer, and the documents by which its issuer is found.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use crate::Outcome;

/// The key of the gateway's own tests, as PKCS#8.
const KEY: &[u8] = include_bytes!("../../tests/it/support/rsa_2048.pk8");

/// For whom the token is.
pub const AUDIENCE: &str = "bench";

/// The name of the key.
pub const KID: &str = "bench-1";

/// What an issuer publishes, and a token that it signed.
#[derive(Debug)]
pub struct Issued {
    /// The document at `/.well-known/openid-configuration`.
    pub discovery: Value,
    /// The key set, which is at `/keys`.
    pub keys: Value,
    /// A token, RS256.
    pub token: String,
}

/// A token of an issuer at that URL, which holds until `expires`, in seconds since 1970.
///
/// # Errors
/// The key is not one.
pub fn issue(issuer: &str, expires: u64) -> Outcome<Issued> {
    let key = RsaKeyPair::from_pkcs8(KEY).map_err(|error| format!("the key for tokens is refused: {error}"))?;
    let public = PublicKeyComponents::<Vec<u8>>::from(key.public());
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": KID});
    let claims = json!({
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": "user-7",
        "scope": "pets/read pets/write",
        "iat": expires.saturating_sub(86_400),
        "exp": expires,
    });
    let signed = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .map_err(|error| format!("the token cannot be signed: {error}"))?;
    let jwk = json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": KID,
        "n": base64url(public.n), "e": base64url(public.e),
    });
    Ok(Issued {
        discovery: json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}),
        keys: json!({ "keys": [jwk] }),
        token: format!("{signed}.{}", base64url(signature)),
    })
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
