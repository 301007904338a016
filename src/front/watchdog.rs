//! How long a loop was busy without a look at its connections. All of them wait that long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::platform::logging::RateLimit;
use crate::platform::metrics::FrontMetrics;

/// A batch that takes longer is told of in the log: something in it has waited, or calculated for too long.
const TOO_LONG: Duration = Duration::from_millis(100);

/// What looks at the batches of one loop.
#[derive(Debug)]
pub(super) struct Watchdog {
    number: usize,
    metrics: Arc<FrontMetrics>,
    limit: RateLimit,
}

impl Watchdog {
    pub(super) fn new(number: usize, metrics: Arc<FrontMetrics>) -> Watchdog {
        Watchdog {
            number,
            metrics,
            limit: RateLimit::default(),
        }
    }

    /// A batch that is over now took so long.
    pub(super) fn note(&self, batch: Batch, now: Instant, took: Duration) {
        if let Some(longest) = &self.metrics.longest_batch {
            longest.note(now, took);
        }
        if took > TOO_LONG
            && let Some(others) = self.limit.suppressed_since()
        {
            log::warn!(
                "loop {} was busy for {} ms with {} connections, {} requests and {} sockets of integrations ({others} more such batches)",
                self.number,
                took.as_millis(),
                batch.connections,
                batch.requests,
                batch.sockets
            );
        }
    }
}

/// What was done in a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Batch {
    /// Connections that were ready.
    pub(super) connections: usize,
    /// Sockets to integrations that were ready.
    pub(super) sockets: usize,
    /// Requests that the connections had.
    pub(super) requests: usize,
}
