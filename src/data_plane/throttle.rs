//! Takes a token for a request: of the bucket of this process, or of one that many gateways share.

use std::sync::Arc;
use std::time::Instant;

#[cfg(feature = "fleet")]
use crate::data_plane::shared_throttle::SharedThrottle;
use crate::deployment::route_state::RouteState;
use crate::deployment::token_bucket::Limits;

/// Where tokens come from.
#[derive(Debug, Default)]
pub struct Throttle {
    #[cfg(feature = "fleet")]
    shared: Option<SharedThrottle>,
}

impl Throttle {
    /// Tokens come from buckets that many gateways share.
    #[cfg(feature = "fleet")]
    pub fn shared(throttle: SharedThrottle) -> Throttle {
        Throttle { shared: Some(throttle) }
    }

    /// Takes one of the route's tokens, if there is one.
    pub fn take(&self, limits: Limits, state: &Arc<RouteState>) -> bool {
        #[cfg(feature = "fleet")]
        if let Some(shared) = &self.shared {
            return shared.take(limits, state);
        }
        state.bucket.take(limits, Instant::now())
    }

    /// Whether a token may have to be waited for.
    pub fn waits(&self) -> bool {
        #[cfg(feature = "fleet")]
        return self.shared.is_some();
        #[cfg(not(feature = "fleet"))]
        return false;
    }

    /// What shares the buckets, if anything does.
    #[cfg(feature = "fleet")]
    pub fn fleet(&self) -> Option<&SharedThrottle> {
        self.shared.as_ref()
    }

    /// Gives back what is held. Requests that come later have the limits of this process.
    pub fn stop(&self) {
        #[cfg(feature = "fleet")]
        if let Some(shared) = &self.shared {
            shared.stop();
        }
    }
}
