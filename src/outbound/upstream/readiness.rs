//! Waits for a socket until it is ready, or the exchange ends.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::http1::message::CLIENT_CHECK_INTERVAL;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::waits::Waits;
use crate::platform::loops;

/// Waits until a socket is ready for something of what is wanted, or has failed; tells for what. It is ready for nothing
/// where so much time has passed.
///
/// A wait is cut into parts, after each of which it is looked whether the client is still there, see
/// [`CLIENT_CHECK_INTERVAL`].
///
/// # Errors
/// The exchange is over.
pub(super) fn wait_for(
    socket: impl AsFd,
    wanted: PollFlags,
    waits: &Waits,
    at_most: Option<Duration>,
) -> Result<PollFlags, UpstreamError> {
    loops::may_wait("for a socket");
    let mut wait = waits.next_wait()?;
    let mut bound = at_most.unwrap_or(Duration::MAX);
    loop {
        let part = wait.min(bound).min(CLIENT_CHECK_INTERVAL);
        let mut polled = [PollFd::new(&socket, wanted)];
        match poll(&mut polled, Timespec::try_from(part).ok().as_ref()) {
            Ok(0) => {
                bound = bound.saturating_sub(part);
                if bound.is_zero() {
                    return Ok(PollFlags::empty());
                }
                wait = waits.wait_on(wait, part)?;
            }
            Ok(_) => return Ok(polled.first().map_or(PollFlags::empty(), PollFd::revents)),
            Err(Errno::INTR) => {}
            Err(error) => return Err(UpstreamError::Broken(error.to_string())),
        }
    }
}
