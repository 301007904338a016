//! What refuses a request without a look at what it says: its size, and its route's throttle.

use crate::data_plane::error::GatewayError;
use crate::data_plane::throttle::Throttle;
use crate::deployment::routes::Route;
use crate::http1::message::Request;
use crate::http1::message_limits::{MAX_BODY_LENGTH, MAX_REQUEST_HEAD_LENGTH};

/// Takes one of the route's tokens (`R9.1`).
pub(super) fn take_token(throttle: &Throttle, route: &Route) -> Result<(), GatewayError> {
    let (Some(limits), Some(state)) = (route.throttle, route.state.get()) else {
        return Ok(());
    };
    if throttle.take(limits, state) {
        return Ok(());
    }
    state.metrics.throttled.add_one();
    Err(GatewayError::TooManyRequests)
}

/// Whether head and body are within the limits.
pub(super) fn check_size(request: &Request) -> Result<(), GatewayError> {
    if request.head_length > MAX_REQUEST_HEAD_LENGTH {
        return Err(GatewayError::HeadersTooLarge);
    }
    if request.body.length().is_some_and(|length| length > MAX_BODY_LENGTH) {
        return Err(GatewayError::PayloadTooLarge);
    }
    Ok(())
}
