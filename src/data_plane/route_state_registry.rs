//! The states of all routes that are served: what goes on when the deployment changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::deployment::Deployment;
use crate::deployment::route_state::{NONE, RouteState};

/// Stage and route key.
type Key = (String, String);

/// The states of all routes that are served.
#[derive(Debug, Default)]
pub struct RouteStates(Mutex<BTreeMap<Key, Arc<RouteState>>>);

impl RouteStates {
    /// Gives each route and each stage of a deployment its state: the one it had before, or a new one.
    ///
    /// Those of routes that are gone are forgotten, so that there are never more than what is served.
    pub fn attach(&self, deployment: &Deployment) {
        let mut before = self.lock();
        let mut after = BTreeMap::new();
        for stage in deployment.stages() {
            let key = (stage.name.clone(), NONE.to_owned());
            let state = take(&mut before, key, &mut after);
            let _ = stage.state.set(state);
            for route in stage.routes.iter() {
                let key = (stage.name.clone(), route.key_text.clone());
                let state = take(&mut before, key, &mut after);
                state.change_limits(route.throttle);
                let _ = route.state.set(state);
            }
        }
        *before = after;
    }

    /// All of them, by stage and route key.
    pub fn all(&self) -> Vec<Arc<RouteState>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<RouteState>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state of that key, old or new.
fn take(
    before: &mut BTreeMap<Key, Arc<RouteState>>,
    key: Key,
    after: &mut BTreeMap<Key, Arc<RouteState>>,
) -> Arc<RouteState> {
    let known = before.remove(&key).or_else(|| after.get(&key).cloned());
    let state = known.unwrap_or_else(|| Arc::new(RouteState::new(&key.0, &key.1)));
    after.insert(key, Arc::clone(&state));
    state
}
