//! Answers of Lambda authorizers that are remembered (`R8.32`–`R8.35`).

use std::collections::{HashMap, HashSet, VecDeque};
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
    /// The deployment that it was asked for under, which is one API's.
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
    known: Mutex<Known>,
    metrics: CacheMetrics,
}

#[derive(Debug, Default)]
struct Known {
    /// The deployments that count: what was asked under another one is not remembered.
    generations: HashSet<u64>,
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

    /// Forgets all but what was asked for under these deployments.
    pub fn keep_only(&self, generations: impl Iterator<Item = u64>) {
        let mut known = self.known();
        let generations: HashSet<u64> = generations.collect();
        known.keep(|key| generations.contains(&key.generation));
        known.generations = generations;
    }

    /// Forgets what was answered for a stage.
    pub fn forget(&self, generation: u64, stage: &str) {
        self.known()
            .keep(|key| key.generation != generation || key.stage != stage);
    }

    /// The answer that is remembered for a key.
    pub fn get(&self, key: &Key, now: Instant) -> Option<Arc<Answer>> {
        let answer = self.find(key, now);
        self.metrics.count(answer.is_some());
        answer
    }

    /// The same for who asks once more if there is none, which is counted then.
    pub fn get_or_ask_again(&self, key: &Key, now: Instant) -> Option<Arc<Answer>> {
        let answer = self.find(key, now)?;
        self.metrics.count(true);
        Some(answer)
    }

    fn find(&self, key: &Key, now: Instant) -> Option<Arc<Answer>> {
        let known = self.known();
        let entry = known.by_key.get(key).filter(|entry| now < entry.until);
        entry.map(|entry| Arc::clone(&entry.answer))
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
        if !known.generations.contains(&key.generation) {
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
    /// Forgets all other answers.
    fn keep(&mut self, is_kept: impl Fn(&Key) -> bool) {
        let bytes = &mut self.bytes;
        self.by_key.retain(|key, entry| {
            let is_kept = is_kept(key);
            if !is_kept {
                *bytes -= entry.bytes;
            }
            is_kept
        });
        self.oldest_first.retain(|key| is_kept(key));
    }

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

    fn cache() -> AuthorizerCache {
        let cache = AuthorizerCache::default();
        cache.keep_only([0].into_iter());
        cache
    }

    fn answer() -> Arc<Answer> {
        Arc::new(Answer::read(br#"{"isAuthorized": true}"#, true).unwrap())
    }

    #[test]
    fn an_answer_is_for_its_key_and_its_time() {
        let (answers, now) = (cache(), Instant::now());
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
    fn a_new_deployment_knows_nothing_of_the_old_one_and_others_keep_what_they_know() {
        let (answers, now) = (cache(), Instant::now());
        answers.keep_only([0, 1].into_iter());
        let until = now + Duration::from_secs(300);
        let of_other = Key {
            generation: 1,
            ..key("a", "x", &["1"])
        };
        answers.put(key("a", "x", &["1"]), answer(), 10, until);
        assert!(answers.get(&of_other, now).is_none(), "another API's");
        answers.put(of_other.clone(), answer(), 10, until);
        answers.keep_only([1, 2].into_iter());
        assert!(answers.get(&key("a", "x", &["1"]), now).is_none());
        assert!(answers.get(&of_other, now).is_some());
        answers.put(key("a", "x", &["1"]), answer(), 10, until);
        assert!(answers.get(&key("a", "x", &["1"]), now).is_none());
        answers.keep_only([].into_iter());
        assert_eq!(answers.known().bytes, 0);
    }

    #[test]
    fn a_flood_fills_nothing() {
        let (answers, now) = (cache(), Instant::now());
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
