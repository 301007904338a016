//! What goes on from one deployment to the next: a route's counters and its bucket of tokens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

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
            failures: RateLimit::default(),
        }
    }

    /// Of requests that belong to no API.
    pub fn of_none() -> Arc<RouteState> {
        Arc::new(RouteState::new(NONE, NONE, NONE))
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
