//! Tokens that held, so that the next request with one need not be verified again.
//!
//! Only tokens that held are remembered: a made-up token leaves nothing here. An entry does not outlive its
//! token, and its user must see that the issuer still has the key ([`CachedToken::key`]).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::digest::{self, Context, SHA256};

use crate::identity::caller::Verified;
use crate::identity::jwt::algorithm::Algorithm;
use crate::identity::jwt::expectations::Expectations;
use crate::identity::jwt::key::PublicKey;
use crate::identity::sha256::sha256_bytes;

/// Most entries. A token has one for each set of expectations that it met.
pub const MAX_TOKENS: usize = 16 * 1024;

/// Most bytes of all entries, as they are reckoned: an entry of a usual token takes three to four thousand.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The entries are spread over this many locks, so that threads seldom meet at one.
const SHARDS: usize = 16;

/// Each shard has two generations of this many entries and bytes, see [`Shard`].
const GENERATION_TOKENS: usize = MAX_TOKENS / SHARDS / 2;
const GENERATION_BYTES: usize = MAX_BYTES / SHARDS / 2;

/// What a token is found by: a digest, so that the tokens themselves are not kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; digest::SHA256_OUTPUT_LEN]);

impl Digest {
    /// Of a token with all that its verification depends on besides the key.
    pub fn of(token: &str, expectations: &Expectations<'_>) -> Digest {
        let mut context = Context::new(&SHA256);
        // Lengths go before texts, so that no two lists of texts are the same bytes.
        let mut add = |text: &str| {
            context.update(&text.len().to_le_bytes());
            context.update(text.as_bytes());
        };
        add(token);
        add(expectations.issuer);
        for texts in [expectations.audience, expectations.scopes] {
            add(&texts.len().to_string());
            texts.iter().for_each(|text| add(text));
        }
        Digest(sha256_bytes(&context.finish()))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

/// What is remembered of a token.
#[derive(Debug)]
pub struct CachedToken {
    /// What it said.
    pub verified: Arc<Verified>,
    /// The name of its key.
    pub kid: String,
    /// What it was signed by.
    pub algorithm: Algorithm,
    /// Its key. The entry counts only while the issuer has this very one by that name.
    pub key: Arc<PublicKey>,
}

impl CachedToken {
    /// About how many bytes it takes; the constants are such that it agrees with the process's growth.
    fn length(&self) -> usize {
        /// The digest, a share of the maps, and what the allocator adds.
        const ENTRY: usize = 1024;
        /// What is around a text.
        const TEXT: usize = 40;
        let claims = self.verified.claims.iter();
        let claims: usize = claims.map(|(name, value)| name.len() + value.len() + 4 * TEXT).sum();
        let scopes = self.verified.scopes.iter().flatten();
        let scopes: usize = scopes.map(|scope| scope.len() + TEXT).sum();
        ENTRY + self.kid.len() + claims + scopes
    }
}

/// All tokens that are remembered, for all threads.
#[derive(Debug, Default)]
pub struct TokenCache {
    shards: [Mutex<Shard>; SHARDS],
}

/// Entries that were used since the last turn, and those that were used in the turn before. When a generation is full
/// it becomes the old one, and what has not been used since is dropped: no list of uses, no search for the oldest.
#[derive(Debug, Default)]
struct Shard {
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    entries: HashMap<Digest, Arc<CachedToken>>,
    length: usize,
}

impl Generation {
    fn take(&mut self, digest: &Digest) -> Option<Arc<CachedToken>> {
        let entry = self.entries.remove(digest)?;
        self.length = self.length.saturating_sub(entry.length());
        Some(entry)
    }

    fn put(&mut self, digest: Digest, entry: Arc<CachedToken>) {
        self.take(&digest);
        self.length += entry.length();
        self.entries.insert(digest, entry);
    }
}

impl Shard {
    fn put(&mut self, digest: Digest, entry: Arc<CachedToken>) {
        let length = self.young.length + entry.length();
        if self.young.entries.len() >= GENERATION_TOKENS || length > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.put(digest, entry);
    }
}

impl TokenCache {
    /// Nothing is remembered yet.
    pub fn new() -> TokenCache {
        TokenCache::default()
    }

    /// What is remembered of a token that has not expired at `now`, the time since 1970.
    pub fn get(&self, digest: &Digest, now: Duration) -> Option<Arc<CachedToken>> {
        let mut shard = self.shard(digest)?;
        if let Some(entry) = shard.young.entries.get(digest) {
            if entry.verified.expires > now {
                return Some(Arc::clone(entry));
            }
            shard.young.take(digest);
            return None;
        }
        let entry = shard.old.take(digest).filter(|entry| entry.verified.expires > now)?;
        shard.put(*digest, Arc::clone(&entry));
        Some(entry)
    }

    /// Remembers a token that holds.
    pub fn remember(&self, digest: Digest, entry: CachedToken) {
        if let Some(mut shard) = self.shard(&digest) {
            shard.old.take(&digest);
            shard.put(digest, Arc::new(entry));
        }
    }

    /// Forgets all of them.
    pub fn forget(&self) {
        for shard in &self.shards {
            *shard.lock().unwrap_or_else(PoisonError::into_inner) = Shard::default();
        }
    }

    /// How many tokens are remembered, and about how many bytes they take.
    pub fn size(&self) -> (usize, usize) {
        let sizes = self.shards.iter().map(|shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let count = shard.young.entries.len() + shard.old.entries.len();
            (count, shard.young.length + shard.old.length)
        });
        sizes.fold((0, 0), |(count, length), (one, more)| (count + one, length + more))
    }

    fn shard(&self, digest: &Digest) -> Option<MutexGuard<'_, Shard>> {
        let place = usize::from(*digest.0.first()?) % SHARDS;
        let shard = self.shards.get(place)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::jwt::key::{Found, KeySet};
    use crate::identity::jwt::tokens::{Signer, jwks};

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn key() -> Arc<PublicKey> {
        let set = KeySet::parse(jwks(&[&Signer::p256("k")]).as_bytes()).unwrap();
        match set.find("k", Algorithm::Es256) {
            Found::Key(key) => key,
            other => panic!("{other:?}"),
        }
    }

    fn entry(key: &Arc<PublicKey>, expires: u64, claim: &str) -> CachedToken {
        CachedToken {
            verified: Arc::new(Verified {
                claims: [("sub".to_owned(), claim.to_owned())].into(),
                scopes: None,
                expires: Duration::from_secs(expires),
            }),
            kid: "k".to_owned(),
            algorithm: Algorithm::Es256,
            key: Arc::clone(key),
        }
    }

    fn digest(token: &str) -> Digest {
        let expectations = Expectations {
            issuer: "i",
            audience: &[],
            scopes: &[],
        };
        Digest::of(token, &expectations)
    }

    #[test]
    fn a_token_counts_for_the_expectations_that_it_met_only() {
        let mut digests = Vec::new();
        for (token, issuer, audience, scopes) in [
            ("t", "i", &["a"][..], &["s"][..]),
            ("u", "i", &["a"], &["s"]),
            ("t", "j", &["a"], &["s"]),
            ("t", "i", &["b"], &["s"]),
            ("t", "i", &["a"], &[]),
            ("t", "i", &[], &["a", "s"]),
            ("t", "i", &["a", "s"], &[]),
            ("t", "i", &["as"], &[]),
            ("ti", "", &["a"], &["s"]),
        ] {
            let expectations = Expectations {
                issuer,
                audience: &texts(audience),
                scopes: &texts(scopes),
            };
            digests.push(Digest::of(token, &expectations).0);
        }
        let count = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }

    #[test]
    fn an_entry_ends_with_its_token() {
        let (tokens, key) = (TokenCache::new(), key());
        tokens.remember(digest("t"), entry(&key, 100, "joe"));
        assert!(tokens.get(&digest("t"), Duration::from_millis(99_999)).is_some());
        assert!(tokens.get(&digest("other"), Duration::ZERO).is_none());
        assert!(tokens.get(&digest("t"), Duration::from_secs(100)).is_none());
        assert_eq!(tokens.size(), (0, 0));
    }

    #[test]
    fn what_is_remembered_is_bounded_by_number_and_by_bytes() {
        let key = key();
        for claim in ["joe".to_owned(), "x".repeat(7_000)] {
            let tokens = TokenCache::new();
            let used = digest("used");
            tokens.remember(used, entry(&key, 100, "joe"));
            for number in 0..2 * MAX_TOKENS {
                tokens.remember(digest(&number.to_string()), entry(&key, 100, &claim));
                // What is used again and again stays.
                assert!(tokens.get(&used, Duration::ZERO).is_some());
            }
            let (count, length) = tokens.size();
            assert!(count <= MAX_TOKENS && length <= MAX_BYTES, "{count} {length}");
            assert!(count > MAX_TOKENS / 4 || length > MAX_BYTES / 4, "{count} {length}");
        }
    }

    #[test]
    fn nothing_is_kept_twice() {
        let (tokens, key) = (TokenCache::new(), key());
        for round in 0..10 * MAX_TOKENS {
            tokens.remember(digest(&(round % 7).to_string()), entry(&key, 100, "joe"));
        }
        let (count, length) = tokens.size();
        assert_eq!((count, length), (7, 7 * entry(&key, 100, "joe").length()));
        // More than one generation holds, so that a token may be in the old one when it comes again.
        let (tokens, distinct) = (TokenCache::new(), MAX_TOKENS * 3 / 4);
        for number in (0..distinct).chain(0..distinct) {
            tokens.remember(digest(&number.to_string()), entry(&key, 100, "joe"));
            assert!(tokens.size().0 <= distinct);
        }
    }
}
