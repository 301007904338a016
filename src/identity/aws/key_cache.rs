//! Keeps the key that was found, and fetches a temporary one anew before it ends: one request does so, while the others
//! use the old one (contract S18).

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::identity::aws::access_key::AccessKey;
use crate::identity::aws::credentials::NoCredentials;

/// How much time a temporary key has left when it is fetched anew.
const RENEWAL: Duration = Duration::from_secs(5 * 60);

/// How long no fetch begins after one that failed.
const FAILURE_PAUSE: Duration = Duration::from_secs(5);

/// How long no source is looked for again where none is configured and a stand-in is called: it takes any key, and
/// the look at the instance metadata service takes a second where there is none.
const STAND_IN_PAUSE: Duration = Duration::from_secs(5 * 60);

/// Why a call cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// No source of credentials is configured; what was tried.
    NotConfigured(String),
    /// The source that is configured gives none.
    Failed(String),
    /// Another request's fetch did not end in time.
    TimedOut,
    /// So many requests wait for that fetch, as many as may.
    Overloaded(NonZeroUsize),
}

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoKey::NotConfigured(tried) => write!(f, "there are no AWS credentials: {tried}"),
            NoKey::Failed(reason) => write!(f, "the AWS credentials cannot be had: {reason}"),
            NoKey::TimedOut => f.write_str("the AWS credentials did not come in time"),
            NoKey::Overloaded(most) => write!(f, "{most} requests wait for AWS credentials, as many as may"),
        }
    }
}

impl std::error::Error for NoKey {}

/// The one key, for all threads.
#[derive(Debug, Default)]
pub(super) struct KeyCache {
    state: Mutex<State>,
    /// A fetch has ended.
    fetched: Condvar,
}

#[derive(Debug, Default)]
struct State {
    key: Option<Arc<AccessKey>>,
    /// The last fetch, if it failed.
    failure: Option<(Instant, NoCredentials)>,
    is_fetching: bool,
    waiting: usize,
}

/// What a request does next.
enum Step {
    Done(Result<Arc<AccessKey>, NoKey>),
    Fetch,
    Wait,
}

impl State {
    fn step(&self, now: SystemTime, moment: Instant, is_stand_in: bool) -> Step {
        let left = |key: &AccessKey| {
            let expires = key.expires?;
            Some(expires.duration_since(now).unwrap_or_default())
        };
        let failure = self.failure.as_ref().filter(|(at, failure)| {
            let pause = match failure {
                NoCredentials::NotConfigured(_) if is_stand_in => STAND_IN_PAUSE,
                _ => FAILURE_PAUSE,
            };
            moment.saturating_duration_since(*at) < pause
        });
        if let Some(key) = &self.key {
            match left(key) {
                Some(left) if left.is_zero() => {}
                Some(left) if left < RENEWAL && !self.is_fetching && failure.is_none() => return Step::Fetch,
                _ => return Step::Done(Ok(Arc::clone(key))),
            }
        }
        match failure {
            _ if self.is_fetching => Step::Wait,
            Some((_, failure)) => Step::Done(Err(failure.clone().into())),
            None => Step::Fetch,
        }
    }
}

impl From<NoCredentials> for NoKey {
    fn from(failure: NoCredentials) -> NoKey {
        match failure {
            NoCredentials::NotConfigured(tried) => NoKey::NotConfigured(tried),
            NoCredentials::Failed(reason) => NoKey::Failed(reason),
        }
    }
}

impl KeyCache {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key, from what is known or after a fetch; `now` is the time by which keys end. A request that waits holds a
    /// worker, of which so many may wait for one destination: `share`.
    ///
    /// # Errors
    /// See [`NoKey`].
    pub(super) fn key(
        &self,
        now: SystemTime,
        patience: Duration,
        is_stand_in: bool,
        share: NonZeroUsize,
        fetch: impl FnOnce() -> Result<AccessKey, NoCredentials>,
    ) -> Result<Arc<AccessKey>, NoKey> {
        let began = Instant::now();
        let mut state = self.state();
        loop {
            match state.step(now, Instant::now(), is_stand_in) {
                Step::Done(outcome) => return outcome,
                Step::Fetch => {
                    state.is_fetching = true;
                    drop(state);
                    return self.fetch(now, fetch);
                }
                Step::Wait if state.waiting >= share.get() => return Err(NoKey::Overloaded(share)),
                Step::Wait => {
                    let left = patience.saturating_sub(began.elapsed());
                    if left.is_zero() {
                        return Err(NoKey::TimedOut);
                    }
                    state.waiting += 1;
                    let woken = self.fetched.wait_timeout_while(state, left, |state| state.is_fetching);
                    (state, _) = woken.unwrap_or_else(PoisonError::into_inner);
                    state.waiting -= 1;
                }
            }
        }
    }

    /// Fetches. The others are told of the end even where it is a panic.
    fn fetch(
        &self,
        now: SystemTime,
        fetch: impl FnOnce() -> Result<AccessKey, NoCredentials>,
    ) -> Result<Arc<AccessKey>, NoKey> {
        struct Fetching<'a>(&'a KeyCache);
        impl Drop for Fetching<'_> {
            fn drop(&mut self) {
                self.0.state().is_fetching = false;
                self.0.fetched.notify_all();
            }
        }
        let _fetching = Fetching(self);
        let fetched = fetch();
        let mut state = self.state();
        match fetched {
            Ok(key) => {
                let key = Arc::new(key);
                state.key = Some(Arc::clone(&key));
                state.failure = None;
                Ok(key)
            }
            Err(failure) => {
                state.failure = Some((Instant::now(), failure.clone()));
                let holds = |key: &&Arc<AccessKey>| key.expires.is_none_or(|expires| expires > now);
                match state.key.as_ref().filter(holds) {
                    // The old one holds on.
                    Some(key) => {
                        log::warn!(
                            "{}; the ones that there are hold on until they end",
                            NoKey::from(failure)
                        );
                        Ok(Arc::clone(key))
                    }
                    None => Err(failure.into()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::credentials::Secret;
    use std::cell::Cell;
    use std::time::UNIX_EPOCH;

    const SHARE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(6);

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn key(id: &str, expires: Option<u64>) -> AccessKey {
        let secret = Secret::new("hidden".to_owned());
        let mut key = AccessKey::new("x", id, secret, None).unwrap();
        key.expires = expires.map(at);
        key
    }

    fn failure() -> NoCredentials {
        NoCredentials::Failed("down".to_owned())
    }

    #[test]
    fn a_key_is_fetched_anew_in_its_last_five_minutes() {
        let cache = KeyCache::default();
        let fetches = Cell::new(0);
        let ask = |seconds: u64, fetched: Result<AccessKey, NoCredentials>| {
            let found = cache.key(at(seconds), Duration::ZERO, false, SHARE, || {
                fetches.set(fetches.get() + 1);
                fetched
            });
            found.map(|key| key.access_key_id.clone())
        };
        let (a, b) = (|| Ok(key("A", Some(1000))), || Ok(key("B", Some(9000))));
        assert_eq!(ask(100, a()), Ok("A".to_owned()));
        assert_eq!(
            (ask(700, b()), fetches.get()),
            (Ok("A".to_owned()), 1),
            "300 s are left"
        );
        assert_eq!((ask(701, Err(failure())), fetches.get()), (Ok("A".to_owned()), 2));
        assert_eq!(
            (ask(702, b()), fetches.get()),
            (Ok("A".to_owned()), 2),
            "no fetch right after a failure"
        );
        assert_eq!(ask(1000, b()), Err(NoKey::Failed("down".to_owned())), "it has ended");
        cache.state().failure = None;
        assert_eq!((ask(1000, b()), fetches.get()), (Ok("B".to_owned()), 3));
        let shown = format!("{cache:?}");
        assert!(!shown.contains("hidden"), "{shown}");
    }

    #[test]
    fn while_one_fetches_others_use_the_old_key_or_wait() {
        let cache = KeyCache::default();
        cache.state().is_fetching = true;
        let never = || -> Result<AccessKey, NoCredentials> { panic!("one at a time") };
        let patience = Duration::from_millis(1);
        assert_eq!(
            cache.key(at(0), patience, false, SHARE, never).err(),
            Some(NoKey::TimedOut)
        );
        cache.state().waiting = SHARE.get();
        assert_eq!(
            cache.key(at(0), patience, false, SHARE, never).err(),
            Some(NoKey::Overloaded(SHARE))
        );
        cache.state().key = Some(Arc::new(key("A", Some(100))));
        let found = cache.key(at(99), patience, false, SHARE, never);
        assert_eq!(found.map(|key| key.access_key_id.clone()), Ok("A".to_owned()));
    }

    #[test]
    fn where_there_is_no_source_a_stand_in_does_not_ask_for_one_again() {
        let state = |passed: Duration| State {
            failure: Instant::now()
                .checked_sub(passed)
                .map(|at| (at, NoCredentials::NotConfigured("all".to_owned()))),
            ..State::default()
        };
        let fetches = |passed, is_stand_in| {
            let step = state(Duration::from_secs(passed)).step(at(0), Instant::now(), is_stand_in);
            matches!(step, Step::Fetch)
        };
        assert_eq!(
            [fetches(6, true), fetches(6, false), fetches(4, false)],
            [false, true, false]
        );
    }

    #[test]
    fn a_fetch_that_panics_lets_the_next_one_fetch() {
        let cache = KeyCache::default();
        let panics =
            std::panic::AssertUnwindSafe(|| cache.key(at(0), Duration::ZERO, false, SHARE, || panic!("a defect")));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(
            cache
                .key(at(0), Duration::ZERO, false, SHARE, || Ok(key("A", None)))
                .is_ok()
        );
    }
}
