//! What requests and the thread that has the connection have in common.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::deployment::route_state::RouteState;
use crate::outbound::valkey;
use crate::platform::metrics::{Counter, Histogram};

/// What throttles are shared through.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server, and who asks.
    pub valkey: valkey::Settings,
    /// What every key begins with.
    pub prefix: String,
    /// Longest time that a request waits.
    pub timeout: Duration,
}

/// What is counted.
#[derive(Debug, Default)]
pub struct FleetMetrics {
    /// Round trips that were answered.
    pub ok: Counter,
    /// Round trips that were not answered in time.
    pub timeouts: Counter,
    /// Round trips that failed otherwise.
    pub errors: Counter,
    /// How long those took that were answered.
    pub latency: Histogram,
    /// Requests that had a token which was held.
    pub held: Counter,
    /// Requests that had an answer.
    pub shared: Counter,
    /// Requests that a remembered no denied.
    pub denied_here: Counter,
    /// Requests that had limits of this process.
    pub local: Counter,
}

/// What requests and the thread have in common.
#[derive(Debug)]
pub(super) struct Common {
    /// Whether limits are shared now.
    pub(super) is_shared: AtomicBool,
    /// How many gateways were seen last.
    pub(super) gateways: AtomicU64,
    queue: Mutex<Queue>,
    pub(super) changed: Condvar,
    pub(super) metrics: FleetMetrics,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Whether buckets are taken.
    pub(super) is_open: bool,
    pub(super) is_stopping: bool,
    /// Those that are asked for next.
    pub(super) buckets: Vec<Arc<RouteState>>,
}

impl Common {
    /// Nothing is shared yet.
    pub(super) fn new() -> Common {
        Common {
            is_shared: AtomicBool::new(false),
            gateways: AtomicU64::new(1),
            queue: Mutex::default(),
            changed: Condvar::new(),
            metrics: FleetMetrics::default(),
        }
    }

    /// Puts a bucket among those that are asked for next; fails where nothing is shared.
    pub(super) fn enqueue(&self, state: &Arc<RouteState>) -> bool {
        let mut queue = self.lock();
        if !queue.is_open {
            return false;
        }
        queue.buckets.push(Arc::clone(state));
        drop(queue);
        self.changed.notify_one();
        true
    }

    /// From here on requests have limits of this process. The thread sees it, and tells of it.
    pub(super) fn close(&self) {
        self.lock().is_open = false;
        self.is_shared.store(false, Ordering::Release);
        self.changed.notify_all();
    }

    /// From here on limits are shared.
    pub(super) fn open(&self) {
        let mut queue = self.lock();
        if !queue.is_stopping {
            queue.is_open = true;
            self.is_shared.store(true, Ordering::Release);
        }
    }

    /// Whether a request has waited in vain.
    pub(super) fn is_closed(&self) -> bool {
        let queue = self.lock();
        !queue.is_open && !queue.is_stopping
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
