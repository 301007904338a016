//! The one case in which a request is sent again: its kept connection was stale.

use crate::outbound::upstream::clients::Lease;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::outgoing::Outgoing;

/// Sends a request, and once more where a kept connection was closed before a single byte of the answer came (`R3.19`).
///
/// The server closed the connection while the request was on its way, which is the protocol's own race. A safe request
/// without a body may be sent again, and so may one whose sender says so: `may_repeat`.
///
/// # Errors
/// Those of the last attempt.
pub(super) fn run(
    client: &Lease,
    outgoing: &mut Outgoing,
    may_repeat: bool,
) -> Result<http::Response<ureq::Body>, UpstreamError> {
    let answer = client.run(outgoing);
    let was_stale = matches!(answer, Err(UpstreamError::Broken(_)))
        && outgoing.is_whole()
        && client.exchange.reused_connection_in_vain();
    if !may_repeat || !was_stale {
        return answer;
    }
    client.exchange.begin_again();
    client.run(outgoing)
}
