//! Tells which authorizers are trusted no more, though their API is served as it was.

use crate::deployment::configuration::Configuration;

/// Logs the authorizers that were trusted before.
pub(super) fn log_withdrawn(before: &Configuration, after: &Configuration) {
    for api in after.apis().filter(|api| !api.withdrawn().is_empty()) {
        let known = before.apis().find(|known| known.unit() == api.unit());
        for (id, reason) in api.withdrawn() {
            if known.is_none_or(|known| !known.withdrawn().contains_key(id)) {
                log::error!(
                    "the routes of the authorizer {id} let nobody pass until the API {} is reloaded: {reason}",
                    api.api_id()
                );
            }
        }
    }
}
