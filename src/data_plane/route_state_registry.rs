//! The states of all routes that are served: what goes on when the deployment changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::deployment::configuration::Configuration;
use crate::deployment::route_state::{NONE, RouteState};

/// The API's id, the stage, and the route key.
type Key = (String, String, String);

/// The states of all routes that are served.
#[derive(Debug, Default)]
pub struct RouteStates(Mutex<BTreeMap<Key, Arc<RouteState>>>);

impl RouteStates {
    /// Gives each route, each stage and each API of a configuration its state: the one it had before, or a new one.
    ///
    /// Those of routes that are gone are forgotten, so that there are never more than what is served.
    pub fn attach(&self, configuration: &Configuration) {
        let mut before = self.lock();
        let mut after = BTreeMap::new();
        for api in configuration.apis() {
            let id = api.api_id();
            let key = |stage: &str, route_key: &str| (id.to_owned(), stage.to_owned(), route_key.to_owned());
            let _ = api.state.set(take(&mut before, key(NONE, NONE), &mut after));
            for stage in api.stages() {
                let state = take(&mut before, key(&stage.name, NONE), &mut after);
                let _ = stage.state.set(state);
                for route in stage.routes.iter() {
                    let state = take(&mut before, key(&stage.name, &route.key_text), &mut after);
                    state.change_limits(route.throttle);
                    let _ = route.state.set(state);
                }
            }
        }
        *before = after;
    }

    /// All of them, by API, stage and route key.
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
    let state = known.unwrap_or_else(|| Arc::new(RouteState::new(&key.0, &key.1, &key.2)));
    after.insert(key, Arc::clone(&state));
    state
}
