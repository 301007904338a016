//! The public keys that an issuer publishes: a JWK Set (RFC 7517), as far as it is for signatures that we can check.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::value::RawValue;

use crate::identity::jwt::algorithm::{Algorithm, Needs};
use crate::identity::jwt::json_object::Object;

/// Most keys of one issuer; issuers have two or three. 150,000 bytes could hold more, all of them useless.
pub const MAX_KEYS: usize = 500;

/// Most bytes of a `kid`, in a key set and in a token. Issuers use digests and UUIDs.
pub const MAX_KID_LENGTH: usize = 512;

/// Sizes of an RSA key, in bits, that are neither too weak nor too dear; they are ring's own bounds.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Least public exponent, and the most bytes of one; ring's own bounds, too.
const MIN_RSA_EXPONENT: u64 = 3;
const MAX_RSA_EXPONENT_LENGTH: usize = 4;

/// A key that signatures can be checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    material: Material,
    /// `alg`: the only algorithm that its owner uses it for, where that is said.
    only: Option<Algorithm>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// An uncompressed point, which ring checks when it is used.
    P256(Vec<u8>),
    /// As for P-256.
    P384(Vec<u8>),
}

/// A signature is not that of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSignature;

impl PublicKey {
    /// Reads a JWK; none where signatures cannot or must not be checked with it.
    fn of(jwk: &Object<'_>) -> Option<PublicKey> {
        let only = match jwk.has("alg") {
            // One for an algorithm that is not taken is of no use, and must not be used for another.
            true => Some(Algorithm::parse(&jwk.string("alg")?)?),
            false => None,
        };
        let is_for_signatures = !jwk.has("use") || jwk.string("use")? == "sig";
        let may_verify = !jwk.has("key_ops") || jwk.strings("key_ops")?.iter().any(|operation| operation == "verify");
        if !is_for_signatures || !may_verify {
            return None;
        }
        let material = match jwk.string("kty")?.as_str() {
            "RSA" => Material::Rsa {
                n: modulus(&jwk.string("n")?)?,
                e: exponent(&jwk.string("e")?)?,
            },
            "EC" => match jwk.string("crv")?.as_str() {
                "P-256" => Material::P256(point(jwk, 32)?),
                "P-384" => Material::P384(point(jwk, 48)?),
                _ => return None,
            },
            _ => return None,
        };
        let key = PublicKey { material, only };
        let is_of_use = Algorithm::ALL.into_iter().any(|algorithm| key.is_for(algorithm));
        is_of_use.then_some(key)
    }

    /// Whether signatures by that algorithm can be this key's.
    pub fn is_for(&self, algorithm: Algorithm) -> bool {
        self.only.is_none_or(|only| only == algorithm)
            && matches!(
                (algorithm.needs(), &self.material),
                (Needs::Rsa(_), Material::Rsa { .. })
                    | (Needs::P256, Material::P256(_))
                    | (Needs::P384, Material::P384(_))
            )
    }

    /// Checks a signature.
    ///
    /// # Errors
    /// It is not this key's signature of the message by that algorithm, or the key is not for it.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        if !self.is_for(algorithm) {
            return Err(InvalidSignature);
        }
        let outcome = match (algorithm.needs(), &self.material) {
            (Needs::Rsa(parameters), Material::Rsa { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            (Needs::P256, Material::P256(point)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Needs::P384, Material::P384(point)) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
            _ => return Err(InvalidSignature),
        };
        outcome.map_err(|_| InvalidSignature)
    }
}

/// Bytes in base64url, strictly: no padding, no blanks, no bits left over.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A number without its leading zeros, which some issuers write and ring does not take.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = decode(text)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes.get(zeros..)?.to_vec())
}

fn modulus(text: &str) -> Option<Vec<u8>> {
    let n = number(text)?;
    let unused_bits = usize::try_from(n.first()?.leading_zeros()).ok()?;
    let is_odd = n.last().is_some_and(|byte| byte % 2 == 1);
    (is_odd && RSA_BITS.contains(&(n.len() * 8 - unused_bits))).then_some(n)
}

fn exponent(text: &str) -> Option<Vec<u8>> {
    let e = number(text)?;
    if e.len() > MAX_RSA_EXPONENT_LENGTH {
        return None;
    }
    let value = e.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    (value >= MIN_RSA_EXPONENT && value % 2 == 1).then_some(e)
}

/// The point of a JWK, whose coordinates have exactly the length of the curve's field (RFC 7518 §6.2.1.2).
fn point(jwk: &Object<'_>, length: usize) -> Option<Vec<u8>> {
    const UNCOMPRESSED: u8 = 4;
    let mut point = vec![UNCOMPRESSED];
    for name in ["x", "y"] {
        let coordinate = decode(&jwk.string(name)?).filter(|coordinate| coordinate.len() == length)?;
        point.extend(coordinate);
    }
    Some(point)
}

/// The keys of an issuer by their `kid`.
#[derive(Debug, Default)]
pub struct KeySet {
    /// A name may stand for several keys of different types (RFC 7517 §4.5).
    keys: HashMap<String, Vec<Arc<PublicKey>>>,
}

/// What a set has by a name.
#[derive(Debug)]
pub enum Found {
    /// The key.
    Key(Arc<PublicKey>),
    /// Keys, but none for that algorithm.
    OtherType,
    /// No key.
    Nothing,
}

impl KeySet {
    /// Reads a JWK Set. Keys that are of no use are left out, and so are those without a name.
    ///
    /// # Errors
    /// A phrase on why it is none.
    pub fn parse(text: &[u8]) -> Result<KeySet, &'static str> {
        let object = Object::parse(text).map_err(|_| "it is not a JSON object in which each member occurs once")?;
        let members = object.get("keys").ok_or("it has no member keys")?;
        let members: Vec<&RawValue> = serde_json::from_str(members.get()).map_err(|_| "its keys are no list")?;
        if members.len() > MAX_KEYS {
            return Err("it has too many keys");
        }
        let mut set = KeySet::default();
        for member in members {
            let Ok(jwk) = Object::parse(member.get().as_bytes()) else {
                continue;
            };
            let kid = jwk.string("kid").filter(|kid| is_kid(kid));
            if let (Some(kid), Some(key)) = (kid, PublicKey::of(&jwk)) {
                set.keys.entry(kid).or_default().push(Arc::new(key));
            }
        }
        Ok(set)
    }

    /// The key of that name for that algorithm.
    pub fn find(&self, kid: &str, algorithm: Algorithm) -> Found {
        match self.keys.get(kid) {
            None => Found::Nothing,
            Some(keys) => match keys.iter().find(|key| key.is_for(algorithm)) {
                Some(key) => Found::Key(Arc::clone(key)),
                None => Found::OtherType,
            },
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.values().map(Vec::len).sum()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Takes over the keys of an earlier set that are the same, so that a holder of one can tell that it still counts.
    pub fn keep_the_same_of(&mut self, earlier: &KeySet) {
        for (kid, keys) in &mut self.keys {
            let before = earlier.keys.get(kid).map(Vec::as_slice).unwrap_or_default();
            for key in keys {
                if let Some(same) = before.iter().find(|old| **old == *key) {
                    *key = Arc::clone(same);
                }
            }
        }
    }
}

/// Whether a text can be the name of a key.
pub(super) fn is_kid(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_KID_LENGTH
}
