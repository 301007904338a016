//! What goes on from one deployment to the next: a route's counters and its bucket of tokens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::deployment::Deployment;
use crate::deployment::token_bucket::{Bucket, Limits};
use crate::platform::logging::Sparing;
use crate::platform::metrics::RouteMetrics;

/// The name of a stage or a route where there is none.
pub const NONE: &str = "-";

/// What is kept of a route of a stage, or of requests without a route or a stage.
#[derive(Debug)]
pub struct Tally {
    /// The stage's name, or `-`.
    pub stage: String,
    /// The route key as written, or `-`.
    pub route_key: String,
    /// What is counted.
    pub metrics: RouteMetrics,
    /// Its tokens.
    pub bucket: Bucket,
    limits: Mutex<Option<Limits>>,
    /// How often its failures are logged.
    pub failures: Sparing,
}

impl Tally {
    fn new(stage: &str, route_key: &str) -> Tally {
        Tally {
            stage: stage.to_owned(),
            route_key: route_key.to_owned(),
            metrics: RouteMetrics::default(),
            bucket: Bucket::new(),
            limits: Mutex::new(None),
            failures: Sparing::default(),
        }
    }

    /// Of requests that belong to no stage.
    pub fn of_none() -> Arc<Tally> {
        Arc::new(Tally::new(NONE, NONE))
    }

    /// Goes over to other limits, without giving or taking tokens.
    fn change_limits(&self, limits: Option<Limits>) {
        let mut known = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(before), Some(after)) = (*known, limits) {
            self.bucket.change(before, after, Instant::now());
        }
        *known = limits;
    }
}

/// Stage and route key.
type Key = (String, String);

/// The tallies of all routes that are served.
#[derive(Debug, Default)]
pub struct Tallies(Mutex<BTreeMap<Key, Arc<Tally>>>);

impl Tallies {
    /// Gives each route and each stage of a deployment its tally: the one it had before, or a new one.
    ///
    /// Those of routes that are gone are forgotten, so that there are never more than what is served.
    pub fn assign(&self, deployment: &Deployment) {
        let mut before = self.lock();
        let mut after = BTreeMap::new();
        for stage in deployment.stages() {
            let key = (stage.name.clone(), NONE.to_owned());
            let tally = take(&mut before, key, &mut after);
            let _ = stage.tally.set(tally);
            for route in stage.routes.iter() {
                let key = (stage.name.clone(), route.key_text.clone());
                let tally = take(&mut before, key, &mut after);
                tally.change_limits(route.throttle);
                let _ = route.tally.set(tally);
            }
        }
        *before = after;
    }

    /// All of them, by stage and route key.
    pub fn all(&self) -> Vec<Arc<Tally>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Tally>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tally of that key, old or new.
fn take(before: &mut BTreeMap<Key, Arc<Tally>>, key: Key, after: &mut BTreeMap<Key, Arc<Tally>>) -> Arc<Tally> {
    let known = before.remove(&key).or_else(|| after.get(&key).cloned());
    let tally = known.unwrap_or_else(|| Arc::new(Tally::new(&key.0, &key.1)));
    after.insert(key, Arc::clone(&tally));
    tally
}
