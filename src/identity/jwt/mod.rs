//! JWT authorizers: a token of an OpenID Connect issuer, verified (spec §8.1).
//!
//! [`verify`] is the whole of it on one page, without sockets and without a clock. [`issuers`] has the keys,
//! [`token_cache`] remembers tokens that held, and [`JwtAuthorizers`] is the three together, for a gateway.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html>
//!
//! # Why so
//!
//! `identity/jwt` verifies a token on one page: `verify` has neither sockets nor a clock, and its checks stand in the
//! order of spec §8.1. `jwt/refusal.rs` is the table of every reason with its words; those that AWS is not known to
//! use say so. Nothing of a token gets into a refusal, a log or a `Debug` text.
//!
//! * **No choice for the attacker.** The algorithm must be one of eight that need a public key, and the issuer's key
//!   must be of the type for it (`kty`, `crv`, and `alg`, `use`, `key_ops` where they are there). Keys and addresses
//!   in a token's header are not read. What asks to be understood (`crit`, `b64`) is refused. ES512 is not in ring,
//!   so it is refused.
//! * **One reading.** A header, the claims, a key and a document are JSON objects in which each member occurs once;
//!   base64url is without padding and without stray bits. Claims are delivered as they are written (`RawValue`), so
//!   numbers keep their digits.
//! * **Bounded fetches.** `jwt/issuers.rs` decides in one function, `State::step`, whether a request uses what is
//!   there, waits or fetches; its header lists how often that can be. A fetch is made by the request that needs it,
//!   without a thread of its own; while it lasts the others go on with the keys that are there.
//! * **Remembered tokens.** A token that held is found again by a digest of it and of what it was checked for. The
//!   entry holds the key itself, and counts only while the issuer's set has this very key: a refresh keeps keys that
//!   are the same (`KeySet::keep_the_same_of`), so nothing has to be told when one is withdrawn. Tokens that did not
//!   hold are never remembered. Two generations bound it without a list of uses.
//!
//! Both memories count their hits and misses, `CacheMetrics`.
//!
//! A token that is seen for the first time costs a signature, which PERFORMANCE.md measures; of ES384 it costs some
//! 30 times as much as of RS256.

mod json_object;
mod expectations;
mod claims;
mod discovery;
mod waiting;

pub mod refusal;
pub mod algorithm;
pub mod key;
pub mod issuers;
pub mod token_cache;

// The tests' tokens, which those of tests/it are made by, too.
#[cfg(test)]
#[path = "../../../tests/it/support/tokens.rs"]
#[expect(unreachable_pub, reason = "it is a module of another crate as well")]
mod tokens;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::identity::caller::Verified;
use crate::identity::jwt::algorithm::Algorithm;
pub use crate::identity::jwt::expectations::Expectations;
use crate::identity::jwt::issuers::Issuers;
use crate::identity::jwt::json_object::Object;
use crate::identity::jwt::key::PublicKey;
pub use crate::identity::jwt::refusal::{Description, Refusal};
use crate::identity::jwt::token_cache::{CachedToken, Digest, TokenCache};
use crate::outbound::upstream::Upstream;
use crate::platform::metrics::CacheMetrics;

/// Most bytes of a token: a request's head has no more, whether the token stands in a field or in the query.
pub const MAX_TOKEN_LENGTH: usize = 10 * 1024;

/// The token in the value of an identity source: all of it, or what follows `Bearer `, in any case (`R8.1`).
///
/// # Example
/// ```
/// use apigateway::identity::jwt::token;
/// assert_eq!((token("bearer a.b.c"), token("a.b.c")), ("a.b.c", "a.b.c"));
/// ```
pub fn token(value: &str) -> &str {
    const PREFIX: &str = "Bearer ";
    match value.split_at_checked(PREFIX.len()) {
        Some((prefix, token)) if prefix.eq_ignore_ascii_case(PREFIX) => token,
        _ => value,
    }
}

/// Gives an issuer's key by its `kid`, if it has one for that algorithm.
pub type FindKey<'a> = dyn FnMut(&str, Algorithm) -> Result<Arc<PublicKey>, Refusal> + 'a;

/// Verifies a token, in the order of `R8.3`–`R8.8`. `now` is the time since 1970.
///
/// # Errors
/// The first check that fails, or what `keys` says.
pub fn verify(
    token: &str,
    keys: &mut FindKey<'_>,
    expectations: &Expectations<'_>,
    now: Duration,
) -> Result<Verified, Refusal> {
    let parts = Parts::of(token)?;
    let header = key::decode(parts.header).ok_or(Description::HeaderEncoding)?;
    let header = Header::read(&header)?;
    let claims = key::decode(parts.claims).ok_or(Description::ClaimsEncoding)?;
    let claims = Object::parse(&claims).map_err(|_| Description::ClaimsJson)?;
    let signature = key::decode(parts.signature).ok_or(Description::SignatureEncoding)?;
    let key = keys(&header.kid, header.algorithm)?;
    if !key.is_for(header.algorithm) {
        return Err(Description::KeyType.into());
    }
    key.verify(header.algorithm, parts.signed.as_bytes(), &signature)
        .map_err(|_| Description::Signature)?;
    if !claims.is_sound() {
        return Err(Description::ClaimsJson.into());
    }
    claims::check(&claims, expectations, now)
}

/// The three parts of a token, still encoded.
struct Parts<'a> {
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
    /// The first two with the dot between them.
    signed: &'a str,
}

impl Parts<'_> {
    fn of(token: &str) -> Result<Parts<'_>, Description> {
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(Description::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Description::Segments)?;
        let (header, claims) = signed.split_once('.').ok_or(Description::Segments)?;
        if claims.contains('.') {
            return Err(Description::Segments);
        }
        Ok(Parts {
            header,
            claims,
            signature,
            signed,
        })
    }
}

/// What of a token's header counts. Keys and places of keys in it (`jwk`, `jku`, `x5c`, `x5u`) do not: who makes a
/// token could put his own there.
struct Header {
    algorithm: Algorithm,
    kid: String,
}

impl Header {
    fn read(json: &[u8]) -> Result<Header, Description> {
        let header = Object::parse(json).map_err(|_| Description::HeaderJson)?;
        if !header.is_sound() {
            return Err(Description::HeaderJson);
        }
        if !header.has("alg") {
            return Err(Description::NoAlgorithm);
        }
        let algorithm = header.string("alg").and_then(|name| Algorithm::parse(&name));
        let algorithm = algorithm.ok_or(Description::Algorithm)?;
        // RFC 7515 §4.1.11: what must be understood and is not. `b64` must be among it, but changes what was signed.
        if header.has("crit") || header.has("b64") {
            return Err(Description::Critical);
        }
        let kid = header
            .string("kid")
            .filter(|kid| key::is_kid(kid))
            .ok_or(Description::NoKid)?;
        Ok(Header { algorithm, kid })
    }
}

/// The JWT authorizers of a gateway: what they know of issuers, and of tokens that held. Shared by all threads.
#[derive(Debug, Default)]
pub struct JwtAuthorizers {
    issuers: Issuers,
    tokens: TokenCache,
    metrics: CacheMetrics,
}

impl JwtAuthorizers {
    /// Nothing is known yet.
    pub fn new() -> JwtAuthorizers {
        JwtAuthorizers::default()
    }

    /// Verifies the token in the value of an identity source. `time` is that since 1970, `now` is for durations.
    ///
    /// A token that held before is not verified again while it has not expired and the issuer still has its key.
    ///
    /// # Errors
    /// See [`verify`]. A value that is empty is a token that is missing.
    pub fn authorize(
        &self,
        value: Option<&str>,
        expectations: &Expectations<'_>,
        upstream: &Upstream,
        time: Duration,
        now: Instant,
    ) -> Result<Arc<Verified>, Refusal> {
        let token = token(value.unwrap_or_default());
        if token.is_empty() {
            return Err(Refusal::Missing);
        }
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(Description::TooLong.into());
        }
        let issuer = expectations.issuer;
        let digest = Digest::of(token, expectations);
        let known = self.tokens.get(&digest, time).filter(|known| {
            let key = self.issuers.key(issuer, &known.kid, known.algorithm, upstream, now);
            key.is_ok_and(|key| Arc::ptr_eq(&key, &known.key))
        });
        self.metrics.count(known.is_some());
        if let Some(known) = known {
            return Ok(Arc::clone(&known.verified));
        }
        let mut used = None;
        let mut keys = |kid: &str, algorithm| {
            let key = self.issuers.key(issuer, kid, algorithm, upstream, now)?;
            used = Some((kid.to_owned(), algorithm, Arc::clone(&key)));
            Ok(key)
        };
        let verified = Arc::new(verify(token, &mut keys, expectations, time)?);
        if let Some((kid, algorithm, key)) = used {
            let verified = Arc::clone(&verified);
            self.tokens.remember(
                digest,
                CachedToken {
                    verified,
                    kid,
                    algorithm,
                    key,
                },
            );
        }
        Ok(verified)
    }

    /// As [`JwtAuthorizers::authorize`], where that takes no time: the token is missing or held before. None otherwise.
    pub fn remembered_for(
        &self,
        value: Option<&str>,
        expectations: &Expectations<'_>,
        time: Duration,
        now: Instant,
    ) -> Option<Result<Arc<Verified>, Refusal>> {
        let token = token(value.unwrap_or_default());
        if token.is_empty() {
            return Some(Err(Refusal::Missing));
        }
        if token.len() > MAX_TOKEN_LENGTH {
            return Some(Err(Description::TooLong.into()));
        }
        let known = self.tokens.get(&Digest::of(token, expectations), time)?;
        let key = self
            .issuers
            .known_key(expectations.issuer, &known.kid, known.algorithm, now)?;
        if !Arc::ptr_eq(&key, &known.key) {
            return None;
        }
        self.metrics.count(true);
        Some(Ok(Arc::clone(&known.verified)))
    }

    /// How often a token was remembered.
    pub fn metrics(&self) -> &CacheMetrics {
        &self.metrics
    }

    /// How many tokens are remembered, and about how many bytes they take.
    pub fn remembered(&self) -> (usize, usize) {
        self.tokens.size()
    }

    /// Forgets which tokens held.
    pub fn forget_tokens(&self) {
        self.tokens.forget();
    }

    /// Forgets all issuers but these, after the files have changed.
    pub fn keep_only(&self, issuers: &[&str]) {
        self.issuers.keep_only(issuers);
    }
}
