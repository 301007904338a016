//! What the console shows of requests: the last ones, and how many there were.
//!
//! A summary of each request is always kept. Heads and bodies are copied only while a page watches, so a gateway that is
//! not looked at holds no payload. Everything is bounded, and nothing of the request's own memory is held.
//!
//! A request enters the ring when it begins and is changed there when it ends: two short locks, and no allocation once
//! the ring is full. What a watched request notes in between is kept with the request.

pub mod redaction;
pub mod entry;
pub mod events;
pub mod rates;
pub mod ring;
mod copies;
mod copied_stream;
pub mod in_flight;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::data_plane::capture::entry::{Detail, Summary, Why};
use crate::data_plane::capture::events::{Event, Events};
use crate::data_plane::capture::rates::{Rates, Series};
use crate::data_plane::capture::ring::{Entry, Ring};
use crate::deployment::configuration::Configuration;

/// Pages that watch at once.
pub const MAX_STREAMS: usize = 8;

/// How long heads and bodies are captured, and kept, after the last page has gone.
pub const WATCH_TIME: Duration = Duration::from_secs(60);

/// When heads and bodies are captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// While a page watches, and [`WATCH_TIME`] longer.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Off,
}

impl Mode {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Auto => "auto",
            Mode::Always => "always",
            Mode::Off => "off",
        }
    }
}

impl std::str::FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Mode, ()> {
        match text {
            "auto" => Ok(Mode::Auto),
            "always" => Ok(Mode::Always),
            "off" => Ok(Mode::Off),
            _ => Err(()),
        }
    }
}

/// Tells why a request goes where it goes, by its method, the host that it names, and its path.
pub type Explainer = fn(&Configuration, &str, &[u8], &str) -> Value;

/// What is captured.
#[derive(Debug)]
pub struct Capture {
    keeps_secrets: bool,
    explainer: Explainer,
    /// Whether heads and bodies are captured now.
    takes_details: AtomicBool,
    /// Whether events are told now.
    is_watched: AtomicBool,
    state: Mutex<State>,
    /// Something was told.
    told: Condvar,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    /// Pages that watch.
    streams: usize,
    /// Until when it counts as watched though no page does.
    watched_until: Option<Instant>,
    ring: Ring,
    rates: Rates,
    events: Events,
    /// What is served.
    current: Weak<Configuration>,
    /// The requests of which those are copies that come from these addresses.
    replays: HashMap<SocketAddr, String>,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// When heads and bodies are captured.
    pub mode: Mode,
    /// Whether secrets are kept.
    pub keeps_secrets: bool,
    /// Whether heads and bodies are captured now.
    pub takes_details: bool,
    /// Pages that watch.
    pub streams: usize,
    /// Requests in the ring.
    pub requests: usize,
    /// Bytes that these take.
    pub size: usize,
}

impl Capture {
    /// Nothing so far.
    pub fn new(mode: Mode, keeps_secrets: bool, explainer: Explainer) -> Capture {
        Capture {
            keeps_secrets,
            explainer,
            takes_details: AtomicBool::new(mode == Mode::Always),
            is_watched: AtomicBool::new(false),
            state: Mutex::new(State {
                mode,
                streams: 0,
                watched_until: None,
                ring: Ring::default(),
                rates: Rates::default(),
                events: Events::default(),
                current: Weak::new(),
                replays: HashMap::new(),
            }),
            told: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what follows from the mode and from those who watch.
    fn settle(&self, state: &mut State) {
        let is_watched = state.streams > 0 || state.watched_until.is_some();
        let takes_details = match state.mode {
            Mode::Auto => is_watched,
            Mode::Always => true,
            Mode::Off => false,
        };
        self.is_watched.store(is_watched, Ordering::Relaxed);
        self.takes_details.store(takes_details, Ordering::Relaxed);
        if !is_watched {
            state.events.clear();
        }
        if !takes_details {
            state.ring.clear_details();
        }
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let state = self.state();
        Standing {
            mode: state.mode,
            keeps_secrets: self.keeps_secrets,
            takes_details: self.takes_details.load(Ordering::Relaxed),
            streams: state.streams,
            requests: state.ring.len(),
            size: state.ring.size(),
        }
    }

    /// Captures heads and bodies at other times from now on.
    pub fn set_mode(&self, mode: Mode) {
        let mut state = self.state();
        state.mode = mode;
        self.settle(&mut state);
    }

    /// Forgets all requests.
    pub fn clear(&self) {
        self.state().ring.clear();
    }

    /// Summaries of the last requests, the newest first.
    pub fn summaries(&self, limit: usize) -> Vec<Summary> {
        let state = self.state();
        let newest = state.ring.newest_first().take(limit);
        newest.map(|entry| entry.summary.clone()).collect()
    }

    /// A request that is in the ring, and its detail where that was captured.
    pub fn find(&self, request_id: &str) -> Option<(Summary, Option<Detail>)> {
        let mut state = self.state();
        let number = state.ring.find(request_id)?.number;
        let entry = state.ring.get_mut(number)?;
        self.tell_why(entry);
        Some((entry.summary.clone(), entry.detail.as_deref().cloned()))
    }

    /// The requests of the last seconds, up to that one.
    pub fn series(&self, now: u64) -> Series {
        self.state().rates.points(now)
    }

    /// Other files are going to be served. What was answered by those of before is explained by them.
    pub fn note_deployment(&self, before: &Arc<Configuration>, after: &Arc<Configuration>) {
        let mut state = self.state();
        let is_another = before.hash() != after.hash();
        let before = Arc::downgrade(before);
        for entry in state.ring.iter_mut() {
            let detail = entry.detail.as_deref();
            if detail.is_some_and(|detail| matches!(&detail.why, Why::Ask(of) if of.ptr_eq(&before))) {
                self.tell_why(entry);
            }
        }
        state.current = Arc::downgrade(after);
        if is_another {
            self.publish(&mut state, Event::Deployment(after.hash().to_owned()));
        }
        self.publish(&mut state, Event::Problems);
    }

    /// Replaces what can be asked by what it says.
    fn tell_why(&self, entry: &mut Entry) {
        let (summary, Some(detail)) = (&entry.summary, &mut entry.detail) else {
            return;
        };
        if let Why::Ask(configuration) = &detail.why {
            let path = summary.path.split('?').next().unwrap_or_default();
            let why = configuration.upgrade();
            let why = why.map(|configuration| (self.explainer)(&configuration, &summary.method, detail.host(), path));
            detail.why = Why::Told(why.unwrap_or_default());
        }
    }

    fn publish(&self, state: &mut State, event: Event) {
        if self.is_watched.load(Ordering::Relaxed) {
            state.events.push(event);
            self.told.notify_all();
        }
    }

    // ---- Those who watch ----

    /// A page begins to watch; tells behind which event it does. None where too many watch.
    pub fn open_stream(&self) -> Option<u64> {
        let mut state = self.state();
        if state.streams >= MAX_STREAMS {
            return None;
        }
        state.streams += 1;
        state.watched_until = None;
        self.settle(&mut state);
        Some(state.events.last())
    }

    /// A page watches no more.
    pub fn close_stream(&self, now: Instant) {
        let mut state = self.state();
        state.streams = state.streams.saturating_sub(1);
        if state.streams == 0 {
            state.watched_until = Some(now + WATCH_TIME);
        }
    }

    /// Ends what is captured for pages that are gone for long enough. To be called a few times a second.
    pub fn expire(&self, now: Instant) {
        if !self.is_watched.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.state();
        if state.watched_until.is_some_and(|until| now >= until) {
            state.watched_until = None;
            self.settle(&mut state);
        }
    }

    /// Waits until something is told behind that event, but no longer than until that moment. It may end before.
    pub fn wait_for_events(&self, after: u64, until: Instant) {
        let mut state = self.state();
        let now = Instant::now();
        state.events.end_burst(now);
        if state.events.last() > after {
            return;
        }
        let until = state.events.due().map_or(until, |due| due.min(until));
        let waited = self.told.wait_timeout(state, until.saturating_duration_since(now));
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.events.end_burst(Instant::now());
    }

    /// The events behind one, without a wait.
    pub fn events_after(&self, after: u64) -> (Vec<(u64, Event)>, u64) {
        self.state().events.after(after)
    }

    /// Ends waits, because those who wait have something else to do.
    pub fn wake(&self) {
        self.told.notify_all();
    }

    // ---- Copies ----

    /// The next request from that address is a copy of another.
    pub fn expect_replay(&self, from: SocketAddr, of: &str) {
        self.state().replays.insert(from, of.to_owned());
    }

    /// No request will come from that address any more.
    pub fn forget_replay(&self, from: SocketAddr) {
        self.state().replays.remove(&from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture() -> Capture {
        Capture::new(Mode::Auto, false, |_, _, _, _| Value::Null)
    }

    #[test]
    fn details_are_taken_while_somebody_watches_and_a_minute_longer() {
        let capture = capture();
        let now = Instant::now();
        let takes = || capture.standing().takes_details;
        assert!(!takes());
        assert!(capture.open_stream().is_some());
        assert!(takes());
        capture.close_stream(now);
        capture.expire(now + WATCH_TIME / 2);
        assert!(takes());
        assert!(capture.open_stream().is_some());
        capture.expire(now + WATCH_TIME * 2);
        assert!(takes());
        capture.close_stream(now + WATCH_TIME * 2);
        capture.expire(now + WATCH_TIME * 3);
        assert!(!takes());
        capture.set_mode(Mode::Always);
        assert!(takes());
        assert!(capture.open_stream().is_some());
        capture.set_mode(Mode::Off);
        assert!(!takes());
    }

    #[test]
    fn eight_watch() {
        let capture = capture();
        for _ in 0..MAX_STREAMS {
            assert!(capture.open_stream().is_some());
        }
        assert!(capture.open_stream().is_none());
        capture.close_stream(Instant::now());
        assert!(capture.open_stream().is_some());
    }
}
