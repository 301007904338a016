//! Throttles that many gateways share through Valkey (`F1` to `F10`).
//!
//! One thread has the one connection. While a call is under way, requests gather; the next call asks for all of them at
//! once. A request waits for its answer, for `timeout` at most. After one failure all requests have limits of this
//! process, without waiting, until the thread has got a write through.

mod common;
mod outage;
mod committer;

use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::data_plane::shared_throttle::committer::Committer;
use crate::data_plane::shared_throttle::common::Common;
pub use crate::data_plane::shared_throttle::common::{FleetMetrics, Settings};
use crate::deployment::route_state::RouteState;
use crate::deployment::shared_bucket::{Decision, Step};
use crate::deployment::token_bucket::Limits;
use crate::platform::loops;

/// How long a start waits for the first try: a gateway that takes the place of another one must not begin with full
/// buckets of its own.
const FIRST_TRY: Duration = Duration::from_secs(1);

/// Throttles that many gateways share.
#[derive(Debug)]
pub struct SharedThrottle {
    common: Arc<Common>,
    timeout: Duration,
    ended: Mutex<Receiver<()>>,
}

impl SharedThrottle {
    /// Begins to share, and waits for the first try, which may fail.
    ///
    /// # Errors
    /// The system refuses a thread or random bytes.
    pub fn start(settings: Settings) -> io::Result<SharedThrottle> {
        let common = Arc::new(Common::new());
        let timeout = settings.timeout;
        let (tried, first_try) = channel();
        let (end, ended) = channel();
        let committer = Committer::new(settings, Arc::clone(&common))?;
        thread::Builder::new().name("valkey".to_owned()).spawn(move || {
            committer.run(&tried);
            drop(end);
        })?;
        let _ = first_try.recv_timeout(FIRST_TRY);
        Ok(SharedThrottle {
            common,
            timeout,
            ended: Mutex::new(ended),
        })
    }

    /// Takes one of the route's tokens, if there is one.
    pub fn take(&self, limits: Limits, state: &Arc<RouteState>) -> bool {
        // F2: that needs no call.
        if limits.burst() == 0 {
            return false;
        }
        // Tokens come faster than could be asked for.
        if limits.step_micros() <= 0.0 {
            return true;
        }
        loops::may_wait("for Valkey");
        let (common, now) = (&*self.common, Instant::now());
        let is_shared = common.is_shared.load(Ordering::Acquire);
        let decision = match state.shared.begin(limits, now, is_shared, || common.enqueue(state)) {
            Step::Decided(decision) => decision,
            Step::Wait(waiter) => waiter.wait(now + self.timeout).unwrap_or_else(|| {
                common.close();
                Decision::Local
            }),
        };
        let metrics = &common.metrics;
        match decision {
            Decision::Held => metrics.held.add_one(),
            Decision::Passed | Decision::Denied => metrics.shared.add_one(),
            Decision::DeniedHere => metrics.denied_here.add_one(),
            Decision::Local => {
                metrics.local.add_one();
                return state.shared.take_local(limits, self.gateways(), Instant::now());
            }
        }
        matches!(decision, Decision::Held | Decision::Passed)
    }

    /// What is counted.
    pub fn metrics(&self) -> &FleetMetrics {
        &self.common.metrics
    }

    /// Whether limits are shared now.
    pub fn is_shared(&self) -> bool {
        self.common.is_shared.load(Ordering::Acquire)
    }

    /// How many gateways were seen last.
    pub fn gateways(&self) -> u64 {
        self.common.gateways.load(Ordering::Relaxed)
    }

    /// Gives back what is held, where that takes no longer than a request may wait.
    pub fn stop(&self) {
        let mut queue = self.common.lock();
        queue.is_open = false;
        let is_first = !std::mem::replace(&mut queue.is_stopping, true);
        drop(queue);
        let was_shared = self.common.is_shared.swap(false, Ordering::AcqRel);
        self.common.changed.notify_all();
        if is_first && was_shared {
            let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = ended.recv_timeout(self.timeout);
        }
    }
}

impl Drop for SharedThrottle {
    fn drop(&mut self) {
        self.stop();
    }
}
