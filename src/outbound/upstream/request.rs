//! What an integration is asked.

use std::time::Duration;

use rustls::pki_types::ServerName;

use crate::http1::message::{Body, Client, Method, RequestParts};
use crate::http1::target::Scheme;

/// Most bytes of a request's target, and of all its fields. A client's head has no more than a third of it, and
/// percent-encoding makes three bytes of one; only what files add gets there.
pub const MAX_REQUEST_PART_LENGTH: usize = 32 * 1024;

/// A request to an integration. Its fields are end-to-end ones; the exchange adds the framing.
#[derive(Debug)]
pub struct IntegrationRequest {
    /// Over TLS or not.
    pub scheme: Scheme,
    /// Host, and port where it is not the scheme's.
    pub authority: String,
    /// What its certificate must be for, where that is not the host.
    pub server_name: Option<ServerName<'static>>,
    /// Path, query, and end-to-end fields with `host`.
    pub parts: RequestParts,
    /// The method.
    pub method: Method,
    /// The content.
    pub body: Body,
    /// Whether it may be sent again where a kept connection turns out to be closed, whatever its method.
    pub is_repeatable: bool,
    /// Whether it is sent once only, whatever its method and whatever becomes of its connection (contract S13).
    pub is_single_attempt: bool,
    /// Whether an event stream may last as long as it likes, each wait for a part of it being bounded.
    pub may_stream: bool,
    /// Bytes of the answer's content, unless it is an event stream, that its reader looks at before it passes on anything.
    pub looks_at: usize,
    /// Bounds the exchange from the look-up of the name to the last byte of the body.
    pub timeout: Duration,
    /// The client that waits for the answer. The exchange ends within a second when it does so no more.
    pub client: Option<Client>,
    /// Whether it goes on without its client once it is sent, as the invocation of a function does.
    pub runs_on: bool,
}
