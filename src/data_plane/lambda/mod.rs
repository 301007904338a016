//! Lambda functions: what goes into an event, how a function is invoked over HTTP, and what its answers mean, in
//! both payload formats. No sockets here.

pub mod event;
pub mod invocation;
pub mod concurrency;
pub mod answer;
pub mod payload_v1;
pub mod payload_v2;

use std::borrow::Cow;

/// Most bytes of an event: Lambda's 6 MB (`R5.22`).
pub const MAX_EVENT_LENGTH: usize = 6 * 1024 * 1024;

/// Most bytes of an answer: what AWS's own emulator of the runtime takes (`R5.43`).
pub const MAX_ANSWER_LENGTH: usize = MAX_EVENT_LENGTH + 100;

/// Bytes of a field as text, which JSON is made of.
pub fn text(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}
