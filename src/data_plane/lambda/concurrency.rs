//! How many events a remote function is given at once: a Runtime Interface Emulator takes one (`R5.45`).

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http1::message::{CLIENT_CHECK_INTERVAL, Client};
use crate::outbound::upstream::url::Url;

/// Most events that wait for one URL; each holds a worker. As many may wait for a function that runs here.
const MAX_WAITING: usize = 128;

/// Most URLs that are known though no event is on its way to them. They come from files only; this bounds what many
/// reloads could leave behind.
const MAX_UNUSED: usize = 1024;

/// The events that are on their way, by where they go. Two functions with one URL are the same process there.
#[derive(Debug, Default)]
pub struct Endpoints {
    by_uri: Mutex<HashMap<Url, Arc<Endpoint>>>,
}

#[derive(Debug, Default)]
struct Endpoint {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Events that are worked on.
    busy: usize,
    next_number: u64,
    /// Who waits, the first to come at the front.
    waiting: VecDeque<u64>,
}

/// Why an event does not get its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// So many wait already.
    TooMany(usize),
    /// It has not come in time.
    TimedOut,
    /// Nobody waits for the answer any more.
    ClientGone,
}

/// The right to send one event, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    endpoint: Arc<Endpoint>,
    /// How long it was waited for; none where there was no need to.
    pub waited: Option<Duration>,
}

impl Endpoints {
    /// Waits until fewer than `most` events are on their way to a URL, in the order of coming.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn wait_for_turn(
        &self,
        uri: &Url,
        most: NonZeroUsize,
        until: Instant,
        client: Option<&Client>,
    ) -> Result<Turn, Refusal> {
        let endpoint = self.endpoint(uri);
        let waited = endpoint.wait(most, until, client)?;
        Ok(Turn { endpoint, waited })
    }

    fn endpoint(&self, uri: &Url) -> Arc<Endpoint> {
        let mut by_uri = self.by_uri.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(endpoint) = by_uri.get(uri) {
            return Arc::clone(endpoint);
        }
        if by_uri.len() >= MAX_UNUSED {
            by_uri.retain(|_, endpoint| Arc::strong_count(endpoint) > 1);
        }
        Arc::clone(by_uri.entry(uri.clone()).or_default())
    }
}

impl Endpoint {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, most: NonZeroUsize, until: Instant, client: Option<&Client>) -> Result<Option<Duration>, Refusal> {
        let mut state = self.state();
        if state.waiting.is_empty() && state.busy < most.get() {
            state.busy += 1;
            return Ok(None);
        }
        if state.waiting.len() >= MAX_WAITING {
            return Err(Refusal::TooMany(MAX_WAITING));
        }
        let began = Instant::now();
        let number = state.next_number;
        state.next_number += 1;
        state.waiting.push_back(number);
        let refusal = loop {
            if state.waiting.front() == Some(&number) && state.busy < most.get() {
                state.waiting.pop_front();
                state.busy += 1;
                drop(state);
                // There may be room for the next one too.
                self.changed.notify_all();
                return Ok(Some(began.elapsed()));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break Refusal::TimedOut;
            }
            let waited = self.changed.wait_timeout(state, left.min(CLIENT_CHECK_INTERVAL));
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if timeout.timed_out() && client.is_some_and(Client::is_gone) {
                break Refusal::ClientGone;
            }
        };
        state.waiting.retain(|waiting| *waiting != number);
        drop(state);
        // Whoever is the first now may have been looked over.
        self.changed.notify_all();
        Err(refusal)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.endpoint.state();
        state.busy = state.busy.saturating_sub(1);
        drop(state);
        self.endpoint.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const PATIENCE: Duration = Duration::from_secs(30);

    fn uri(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn number(number: usize) -> NonZeroUsize {
        NonZeroUsize::new(number).unwrap()
    }

    #[test]
    fn no_more_than_may_have_their_turn_and_each_comes_to_it() {
        let (endpoints, at_work) = (Endpoints::default(), AtomicUsize::new(0));
        let uri = uri("http://h/f");
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    let until = Instant::now() + PATIENCE;
                    let turn = endpoints.wait_for_turn(&uri, number(3), until, None).unwrap();
                    assert!(at_work.fetch_add(1, Ordering::SeqCst) < 3);
                    std::thread::yield_now();
                    at_work.fetch_sub(1, Ordering::SeqCst);
                    drop(turn);
                });
            }
        });
        assert_eq!(endpoints.endpoint(&uri).state().busy, 0);
    }

    #[test]
    fn a_turn_that_does_not_come_in_time_is_given_up_and_holds_up_nobody() {
        let endpoints = Endpoints::default();
        let (one, other) = (uri("http://h/f"), uri("http://h/g"));
        let wait = |uri, until| endpoints.wait_for_turn(uri, number(1), until, None);
        let until = Instant::now() + PATIENCE;
        let turn = wait(&one, until).unwrap();
        assert!(turn.waited.is_none());
        assert_eq!(wait(&one, Instant::now()).unwrap_err(), Refusal::TimedOut);
        assert!(wait(&other, until).is_ok(), "another URL is another function");
        drop(turn);
        assert!(wait(&one, until).is_ok());
    }

    #[test]
    fn urls_that_nobody_uses_are_forgotten() {
        let endpoints = Endpoints::default();
        let used = uri("http://used/");
        let until = Instant::now() + PATIENCE;
        let _turn = endpoints.wait_for_turn(&used, number(1), until, None).unwrap();
        for number in 0..2 * MAX_UNUSED {
            endpoints.endpoint(&uri(&format!("http://h{number}/")));
            assert!(endpoints.by_uri.lock().unwrap().len() <= MAX_UNUSED);
        }
        assert_eq!(endpoints.endpoint(&used).state().busy, 1);
    }
}
