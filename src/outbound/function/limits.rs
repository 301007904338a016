//! Limits that more than one part of this module has.

use std::time::Duration;

/// Most bytes of an event: Lambda's limit for a synchronous invocation.
///
/// See [Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
pub const MAX_PAYLOAD_LENGTH: usize = 6 * 1024 * 1024;

/// How long a process may take until it asks for its first event, as in Lambda.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Enough for what the threads of a process do; there are a few for each.
pub(super) const STACK_SIZE: usize = 256 * 1024;
