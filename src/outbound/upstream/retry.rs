//! The one case in which a request is sent again: its kept connection was stale.

use crate::outbound::upstream::blocking::Call;
use crate::outbound::upstream::error::UpstreamError;

/// Sends a request, and once more where a kept connection was closed before a single byte of the answer came (`R3.19`).
///
/// The server closed the connection while the request was on its way, which is the protocol's own race. A safe request
/// without a body may be sent again, and so may one whose sender says so: `may_repeat`.
///
/// # Errors
/// Those of the last attempt.
pub(super) fn run(call: &mut Call, may_repeat: bool) -> Result<(), UpstreamError> {
    match call.run(true) {
        Err(UpstreamError::Broken(_)) if may_repeat && call.was_stale() => {
            call.exchange().begin_again();
            call.run(false)
        }
        outcome => outcome,
    }
}
