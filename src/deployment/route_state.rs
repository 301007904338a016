//! What goes on from one deployment to the next: a route's counters and its bucket of tokens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[cfg(feature = "fleet")]
use crate::deployment::shared_bucket::SharedBucket;
use crate::deployment::token_bucket::{Bucket, Limits};
use crate::platform::logging::RateLimit;
use crate::platform::metrics::RouteMetrics;

/// The name of an API, a stage or a route where there is none.
pub const NONE: &str = "-";

/// What is kept of a route of a stage, or of requests without a route or a stage.
#[derive(Debug)]
pub struct RouteState {
    /// The API's id, or `-`.
    pub api: String,
    /// The stage's name, or `-`.
    pub stage: String,
    /// The route key as written, or `-`.
    pub route_key: String,
    /// What is counted.
    pub metrics: RouteMetrics,
    /// Its tokens.
    pub bucket: Bucket,
    /// Its share of the tokens that many gateways have in common.
    #[cfg(feature = "fleet")]
    pub shared: SharedBucket,
    limits: Mutex<Option<Limits>>,
    /// When the last request came, in milliseconds since 1970; 0 where none has.
    last_seen: AtomicU64,
    /// How often its failures are logged.
    pub failures: RateLimit,
}

impl RouteState {
    /// Of a route, or of requests of a stage or of an API without a route.
    pub fn new(api: &str, stage: &str, route_key: &str) -> RouteState {
        RouteState {
            api: api.to_owned(),
            stage: stage.to_owned(),
            route_key: route_key.to_owned(),
            metrics: RouteMetrics::default(),
            bucket: Bucket::new(),
            #[cfg(feature = "fleet")]
            shared: SharedBucket::new(),
            limits: Mutex::new(None),
            last_seen: AtomicU64::new(0),
            failures: RateLimit::default(),
        }
    }

    /// Of requests that belong to no API.
    pub fn of_none() -> Arc<RouteState> {
        Arc::new(RouteState::new(NONE, NONE, NONE))
    }

    /// A request came at that time.
    pub fn note_seen(&self, time: SystemTime) {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_seen
            .store(u64::try_from(since.as_millis()).unwrap_or_default(), Ordering::Relaxed);
    }

    /// When the last request came.
    pub fn last_seen(&self) -> Option<SystemTime> {
        let millis = self.last_seen.load(Ordering::Relaxed);
        (millis > 0).then(|| UNIX_EPOCH + Duration::from_millis(millis))
    }

    /// Goes over to other limits, without giving or taking tokens.
    pub fn change_limits(&self, limits: Option<Limits>) {
        let mut known = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(before), Some(after)) = (*known, limits) {
            self.bucket.change(before, after, Instant::now());
        }
        *known = limits;
    }
}
