//! The keys of all issuers: fetched when they are needed, kept for two hours, fetched by one request at a time.
//!
//! What bounds the fetches of an issuer, whatever tokens come: one while there are no keys, again at the earliest a
//! second after one that failed; one every two hours, again a minute after one that failed; and one a minute for
//! tokens with a `kid` that is not known. Keys that are there serve on while an issuer is down (contract §3).

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::identity::jwt::algorithm::Algorithm;
use crate::identity::jwt::discovery::{self, FetchError, TIMEOUT};
use crate::identity::jwt::key::{Found, KeySet, PublicKey};
use crate::identity::jwt::refusal::{Description, Refusal};
use crate::identity::jwt::waiting::{Full, Waiting};
use crate::outbound::upstream::Upstream;
use crate::platform::concurrency::ConcurrencyLimit;
use crate::platform::loops;

/// How long keys are used without a look at the issuer (`R8.9`).
const TIME_TO_LIVE: Duration = Duration::from_secs(2 * 60 * 60);

/// How far apart fetches for names of keys that are not known are.
const UNKNOWN_KID_PAUSE: Duration = Duration::from_secs(60);

/// How long no fetch begins after a failure while there are no keys: every token is refused then, so it is short.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// How long no fetch begins after a failure while there are old keys: each fetch delays the request that makes it.
const OLD_KEYS_PAUSE: Duration = Duration::from_secs(60);

/// How long a request waits for another one's fetch: both answers, and a moment.
const PATIENCE: Duration = Duration::from_millis(2 * TIMEOUT.as_millis() as u64 + 500);

/// Most requests that wait for one issuer, once it has answered or failed. More are refused, so that neither a flood of
/// made-up tokens nor an issuer that is down holds many workers. Those that come while it is asked for the first time
/// may all wait, as long as there are slots of the destination that is asked.
const MAX_WAITING: usize = 64;

/// Most issuers. They come from files only; this bounds what many reloads could leave behind.
const MAX_ISSUERS: usize = 1024;

/// What is known of issuers, for all threads.
#[derive(Debug, Default)]
pub struct Issuers {
    by_name: RwLock<HashMap<String, Arc<Issuer>>>,
}

impl Issuers {
    /// Nothing is known yet.
    pub fn new() -> Issuers {
        Issuers::default()
    }

    /// An issuer's key of that name for that algorithm, from what is known, or after a fetch. `now` is the request's
    /// time.
    ///
    /// # Errors
    /// The issuer has no such key, or it has one of another type, or its keys cannot be had.
    pub fn key(
        &self,
        issuer: &str,
        kid: &str,
        algorithm: Algorithm,
        upstream: &Upstream,
        now: Instant,
    ) -> Result<Arc<PublicKey>, Refusal> {
        let fetch = |asks: &mut dyn FnMut(&Arc<ConcurrencyLimit>)| discovery::fetch(issuer, upstream, asks);
        self.issuer(issuer).key(issuer, kid, algorithm, now, fetch)
    }

    /// An issuer's key of that name for that algorithm, if it is known and nothing is to be asked.
    pub fn known_key(&self, issuer: &str, kid: &str, algorithm: Algorithm, now: Instant) -> Option<Arc<PublicKey>> {
        let issuer = self.issuer(issuer);
        let mut state = issuer.state.lock().unwrap_or_else(PoisonError::into_inner);
        // To look for one that is not known would be taken for the beginning of a fetch.
        let Found::Key(_) = state.keys.find(kid, algorithm) else {
            return None;
        };
        match state.step(kid, algorithm, now, true) {
            Step::Done(key) => key.ok(),
            Step::Fetch | Step::Wait => None,
        }
    }

    /// Forgets all issuers but these.
    pub fn keep_only(&self, issuers: &[&str]) {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        by_name.retain(|name, _| issuers.contains(&name.as_str()));
    }

    fn issuer(&self, name: &str) -> Arc<Issuer> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(issuer) = by_name.get(name) {
            return Arc::clone(issuer);
        }
        drop(by_name);
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if by_name.len() >= MAX_ISSUERS {
            by_name.clear();
        }
        Arc::clone(by_name.entry(name.to_owned()).or_default())
    }
}

#[derive(Debug, Default)]
struct Issuer {
    state: Mutex<State>,
    /// A fetch has ended.
    fetched: Condvar,
}

#[derive(Debug, Default)]
struct State {
    keys: KeySet,
    /// When the keys were asked for; none where there are none.
    since: Option<Instant>,
    /// The last fetch, if it failed: when, and at what.
    failure: Option<(Instant, Refusal)>,
    /// When a name that is not known last caused a fetch.
    unknown_kid: Option<Instant>,
    is_fetching: bool,
    waiting: Waiting,
}

/// What a request does next.
enum Step {
    Done(Result<Arc<PublicKey>, Refusal>),
    Fetch,
    Wait,
}

impl State {
    /// What a request does that came at `now`; `may_ask` until it has seen the end of a fetch.
    fn step(&mut self, kid: &str, algorithm: Algorithm, now: Instant, may_ask: bool) -> Step {
        let is_within = |moment: Option<Instant>, time: Duration| {
            moment.is_some_and(|moment| now.saturating_duration_since(moment) < time)
        };
        let failed = self.failure.map(|(at, _)| at);
        let failure = self.failure.map_or(Description::Jwks.into(), |(_, refusal)| refusal);
        let is_paused = is_within(failed, FAILURE_PAUSE);
        let has_room = self.waiting.count() < MAX_WAITING;
        if self.since.is_none() {
            return match may_ask {
                true if self.is_fetching && (failed.is_none() || has_room) => Step::Wait,
                true if !self.is_fetching && !is_paused => Step::Fetch,
                _ => Step::Done(Err(failure)),
            };
        }
        let is_due = !is_within(self.since, TIME_TO_LIVE) && !is_within(failed, OLD_KEYS_PAUSE);
        if is_due && may_ask && !self.is_fetching {
            return Step::Fetch;
        }
        match self.keys.find(kid, algorithm) {
            Found::Key(key) => Step::Done(Ok(key)),
            Found::OtherType => Step::Done(Err(Description::KeyType.into())),
            Found::Nothing if may_ask && self.is_fetching && has_room => Step::Wait,
            // Where the issuer could not say just now whether it has that key, the token may well be good.
            Found::Nothing if self.is_fetching || is_paused => Step::Done(Err(failure)),
            Found::Nothing if may_ask && !is_within(self.unknown_kid, UNKNOWN_KID_PAUSE) => {
                self.unknown_kid = Some(now);
                Step::Fetch
            }
            Found::Nothing => Step::Done(Err(Description::UnknownKid.into())),
        }
    }

    fn take_in(&mut self, fetched: Result<KeySet, Refusal>, began: Instant, ended: Instant) {
        match fetched {
            Ok(mut keys) => {
                keys.keep_the_same_of(&self.keys);
                self.keys = keys;
                self.since = Some(began);
                self.failure = None;
            }
            Err(refusal) => {
                self.failure = Some((ended, refusal));
                // What could not be asked is to be asked as soon as it can.
                if matches!(refusal, Refusal::Overloaded(_)) && self.unknown_kid == Some(began) {
                    self.unknown_kid = None;
                }
            }
        }
    }
}

impl Issuer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(
        &self,
        name: &str,
        kid: &str,
        algorithm: Algorithm,
        now: Instant,
        fetch: impl FnOnce(&mut dyn FnMut(&Arc<ConcurrencyLimit>)) -> Result<KeySet, FetchError>,
    ) -> Result<Arc<PublicKey>, Refusal> {
        loops::may_wait("for an issuer's keys");
        let mut state = self.state();
        match state.step(kid, algorithm, now, true) {
            Step::Done(outcome) => return outcome,
            Step::Fetch => {
                state.is_fetching = true;
                drop(state);
                self.fetch(name, now, fetch);
                state = self.state();
            }
            Step::Wait => state = self.wait(state).map_err(|Full(most)| Refusal::Overloaded(most))?,
        }
        match state.step(kid, algorithm, now, false) {
            Step::Done(outcome) => outcome,
            // Who may not ask is done.
            Step::Fetch | Step::Wait => Err(Description::Jwks.into()),
        }
    }

    /// Fetches, while the others go on with what there is. They are told of the end even where it is a panic.
    fn fetch(
        &self,
        name: &str,
        now: Instant,
        fetch: impl FnOnce(&mut dyn FnMut(&Arc<ConcurrencyLimit>)) -> Result<KeySet, FetchError>,
    ) {
        struct Fetching<'a>(&'a Issuer);
        impl Drop for Fetching<'_> {
            fn drop(&mut self) {
                let mut state = self.0.state();
                state.is_fetching = false;
                state.waiting.stop();
                drop(state);
                self.0.fetched.notify_all();
            }
        }
        let _fetching = Fetching(self);
        let began = Instant::now();
        let fetched = fetch(&mut |slots| {
            self.state().waiting.ask(slots);
            // Some may have to leave.
            self.fetched.notify_all();
        });
        match &fetched {
            Ok(keys) => log::debug!("the issuer {name} has {} keys", keys.len()),
            Err(error) => log::warn!("the issuer {name}: {error}"),
        }
        let fetched = fetched.map_err(|error| error.refusal);
        self.state().take_in(fetched, now, now + began.elapsed());
    }

    /// Waits for the end of another request's fetch.
    ///
    /// # Errors
    /// As many wait for the destination that is asked as may.
    fn wait<'a>(&self, mut state: MutexGuard<'a, State>) -> Result<MutexGuard<'a, State>, Full> {
        state.waiting.begin()?;
        let goes_on = |state: &mut State| state.is_fetching && state.waiting.check().is_ok();
        let (mut state, _) = self
            .fetched
            .wait_timeout_while(state, PATIENCE, goes_on)
            .unwrap_or_else(PoisonError::into_inner);
        let outcome = state.waiting.check();
        state.waiting.end();
        outcome.map(|()| state)
    }
}

#[cfg(test)]
mod tests;
