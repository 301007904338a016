//! Answers of Lambda authorizers that are remembered (`R8.32`–`R8.35`).

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::data_plane::authorizer::lambda::Answer;
use crate::platform::metrics::CacheMetrics;

/// Most answers that are remembered. Beyond it the oldest go, so that no flood of tokens can fill the memory.
const MAX_ANSWERS: usize = 10_000;

/// Most bytes of identities and answers together.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// What one answer is for: an authorizer of one stage, and the values of its identity sources.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The deployment that it was asked for under, by [`AuthorizerCache::generation`].
    pub generation: u64,
    /// The stage's name: another stage may ask another function.
    pub stage: String,
    /// The authorizer's id.
    pub authorizer: String,
    /// The values, in the order of the sources.
    pub identities: Vec<Vec<u8>>,
}

/// All answers that are remembered.
#[derive(Debug, Default)]
pub struct AuthorizerCache {
    /// Counts deployments: what was asked under an older one is not remembered under a newer one.
    generation: AtomicU64,
    known: Mutex<Known>,
    metrics: CacheMetrics,
}

#[derive(Debug, Default)]
struct Known {
    by_key: HashMap<Arc<Key>, Entry>,
    oldest_first: VecDeque<Arc<Key>>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    answer: Arc<Answer>,
    until: Instant,
    bytes: usize,
}

impl AuthorizerCache {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The deployment that counts. To be asked before the deployment itself is taken.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Forgets everything, since there is a new deployment.
    pub fn forget(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        *self.known() = Known::default();
    }

    /// The answer that is remembered for a key.
    pub fn get(&self, key: &Key, now: Instant) -> Option<Arc<Answer>> {
        let known = self.known();
        let entry = known.by_key.get(key).filter(|entry| now < entry.until);
        let answer = entry.map(|entry| Arc::clone(&entry.answer));
        drop(known);
        self.metrics.count(answer.is_some());
        answer
    }

    /// How often an answer was remembered.
    pub fn metrics(&self) -> &CacheMetrics {
        &self.metrics
    }

    /// Remembers an answer of so many bytes, if the deployment still counts under which it was asked for.
    pub fn put(&self, key: Key, answer: Arc<Answer>, length: usize, until: Instant) {
        let bytes =
            length + key.stage.len() + key.authorizer.len() + key.identities.iter().map(Vec::len).sum::<usize>();
        if bytes > MAX_BYTES {
            return;
        }
        let mut known = self.known();
        if key.generation != self.generation() {
            return;
        }
        let key = Arc::new(key);
        known.remove(&key);
        while known.by_key.len() >= MAX_ANSWERS || known.bytes + bytes > MAX_BYTES {
            let Some(oldest) = known.oldest_first.pop_front() else {
                break;
            };
            known.remove(&oldest);
        }
        known.bytes += bytes;
        known.oldest_first.push_back(Arc::clone(&key));
        known.by_key.insert(key, Entry { answer, until, bytes });
        known.tidy();
    }
}

impl Known {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.by_key.remove(key) {
            self.bytes -= entry.bytes;
        }
    }

    /// Takes keys out of the queue that are gone or stand further back, before they are too many.
    fn tidy(&mut self) {
        if self.oldest_first.len() <= 2 * MAX_ANSWERS {
            return;
        }
        let mut seen = HashMap::new();
        for (at, key) in self.oldest_first.iter().enumerate() {
            seen.insert(Arc::clone(key), at);
        }
        let mut at = 0;
        let by_key = &self.by_key;
        self.oldest_first.retain(|key| {
            let is_last = seen.get(key) == Some(&at);
            at += 1;
            is_last && by_key.contains_key(key)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn key(stage: &str, authorizer: &str, identities: &[&str]) -> Key {
        Key {
            generation: 0,
            stage: stage.into(),
            authorizer: authorizer.into(),
            identities: identities.iter().map(|text| text.as_bytes().to_vec()).collect(),
        }
    }

    fn answer() -> Arc<Answer> {
        Arc::new(Answer::read(br#"{"isAuthorized": true}"#, true).unwrap())
    }

    #[test]
    fn an_answer_is_for_its_key_and_its_time() {
        let (answers, now) = (AuthorizerCache::default(), Instant::now());
        let until = now + Duration::from_secs(300);
        answers.put(key("a", "x", &["1", "2"]), answer(), 10, until);
        assert!(answers.get(&key("a", "x", &["1", "2"]), now).is_some());
        for other in [
            key("b", "x", &["1", "2"]),
            key("a", "y", &["1", "2"]),
            key("a", "x", &["12"]),
            key("a", "x", &["1,2"]),
            key("a", "x", &["2", "1"]),
            key("a", "x", &["1"]),
        ] {
            assert!(answers.get(&other, now).is_none(), "{other:?}");
        }
        assert!(answers.get(&key("a", "x", &["1", "2"]), until).is_none());
    }

    #[test]
    fn a_new_deployment_knows_nothing_of_the_old_one() {
        let (answers, now) = (AuthorizerCache::default(), Instant::now());
        let until = now + Duration::from_secs(300);
        answers.put(key("a", "x", &["1"]), answer(), 10, until);
        answers.forget();
        assert!(answers.get(&key("a", "x", &["1"]), now).is_none());
        answers.put(key("a", "x", &["1"]), answer(), 10, until);
        assert!(answers.get(&key("a", "x", &["1"]), now).is_none());
    }

    #[test]
    fn a_flood_fills_nothing() {
        let (answers, now) = (AuthorizerCache::default(), Instant::now());
        let until = now + Duration::from_secs(300);
        for number in 0..3 * MAX_ANSWERS {
            answers.put(key("a", "x", &[&number.to_string()]), answer(), 10, until);
            answers.put(key("a", "x", &["again"]), answer(), 10, until);
        }
        let known = answers.known();
        assert!(known.by_key.len() <= MAX_ANSWERS, "{}", known.by_key.len());
        assert!(
            known.oldest_first.len() <= 2 * MAX_ANSWERS + 1,
            "{}",
            known.oldest_first.len()
        );
        drop(known);
        for number in 0..5 {
            answers.put(key("a", "x", &[&number.to_string()]), answer(), MAX_BYTES / 2, until);
        }
        assert!(answers.known().bytes <= MAX_BYTES);
        answers.put(key("a", "x", &["huge"]), answer(), MAX_BYTES + 1, until);
        assert!(answers.get(&key("a", "x", &["huge"]), now).is_none());
    }
}
