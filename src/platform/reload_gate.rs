//! Where a request waits for a reload that was asked for before it came.
//!
//! A reload takes a few milliseconds, in a thread of its own. A request that comes in between must not see the old API,
//! or "at the next request after SIGHUP" would be a race.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::platform::loops;
use crate::platform::signals::HangUp;

/// How long a request waits for a reload at most; then it is served by what there is.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// What stands between the signals that ask for a reload, the thread that reloads, and the requests.
#[derive(Debug, Default)]
pub struct ReloadGate {
    hang_up: Option<HangUp>,
    requested: AtomicBool,
    running: AtomicBool,
    /// A request has waited as long as one may; no other need do so for the same reload.
    overdue: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

impl ReloadGate {
    /// A gate that also closes when that signal comes.
    pub fn new(hang_up: Option<HangUp>) -> ReloadGate {
        ReloadGate {
            hang_up,
            ..ReloadGate::default()
        }
    }

    /// Asks for a reload.
    pub fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Asks for a reload at each signal; without a signal, returns at once.
    pub fn request_at_signals(&self) {
        while let Some(hang_up) = &self.hang_up {
            hang_up.wait();
            self.wait_if_reloading();
        }
    }

    /// Makes everyone look again.
    pub fn wake(&self) {
        let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.notify_all();
    }

    /// Whether a reload is asked for or under way, so that requests that come now wait for it.
    pub fn is_asked_for(&self) -> bool {
        if self.is_signalled() {
            self.request();
        }
        self.is_closed() && !self.overdue.load(Ordering::SeqCst)
    }

    /// Waits while a reload is asked for or under way; returns at once otherwise.
    pub fn wait_if_reloading(&self) {
        loops::may_wait("for a reload");
        if !self.is_asked_for() {
            return;
        }
        let until = Instant::now() + PATIENCE;
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.is_closed() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.overdue.store(true, Ordering::SeqCst);
                return;
            }
            lock = self
                .changed
                .wait_timeout(lock, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn is_signalled(&self) -> bool {
        self.hang_up.as_ref().is_some_and(HangUp::is_pending)
    }

    fn is_closed(&self) -> bool {
        self.requested.load(Ordering::SeqCst) || self.running.load(Ordering::SeqCst)
    }

    /// For the reloading thread: waits for a request or a while; tells whether it was a request.
    pub fn wait_for_request(&self, at_most: Duration) -> bool {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.requested.load(Ordering::SeqCst) {
            drop(self.changed.wait_timeout(lock, at_most));
        }
        // The gate is closed by this before the signal and the request are taken, so no request slips through in
        // between.
        self.running.store(true, Ordering::SeqCst);
        let was_signalled = self.is_signalled();
        if let Some(hang_up) = &self.hang_up {
            hang_up.clear();
        }
        let was_requested = self.requested.swap(false, Ordering::SeqCst);
        if !was_signalled && !was_requested {
            self.finish_reload();
        }
        was_signalled || was_requested
    }

    /// For the reloading thread: the reload is done, well or badly.
    pub fn finish_reload(&self) {
        self.running.store(false, Ordering::SeqCst);
        self.overdue.store(false, Ordering::SeqCst);
        self.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_request_after_another_for_a_reload_waits_for_it() {
        let gate = Arc::new(ReloadGate::default());
        gate.wait_if_reloading();
        gate.request();
        let reloaded = Arc::new(AtomicBool::new(false));
        let (reloading_gate, done) = (Arc::clone(&gate), Arc::clone(&reloaded));
        let thread = std::thread::spawn(move || {
            assert!(reloading_gate.wait_for_request(PATIENCE));
            done.store(true, Ordering::SeqCst);
            reloading_gate.finish_reload();
        });
        gate.wait_if_reloading();
        assert!(reloaded.load(Ordering::SeqCst));
        thread.join().unwrap();
    }

    #[test]
    fn a_reload_that_hangs_is_waited_for_once() {
        let gate = ReloadGate::default();
        gate.request();
        assert!(gate.wait_for_request(Duration::ZERO));
        gate.wait_if_reloading();
        let again = Instant::now();
        for _ in 0..20 {
            gate.wait_if_reloading();
        }
        assert!(again.elapsed() < PATIENCE, "each of them waited");
        gate.finish_reload();
        gate.request();
        assert!(!gate.overdue.load(Ordering::SeqCst), "the next reload is not late yet");
    }

    #[test]
    fn the_gate_is_open_when_nobody_asked() {
        let gate = ReloadGate::default();
        assert!(!gate.wait_for_request(Duration::ZERO));
        assert!(!gate.is_closed());
    }
}
