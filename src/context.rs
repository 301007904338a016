//! What the gateway knows of one request from its first moment on: `$context.requestId` and the peer.

use std::net::IpAddr;

use crate::clock::Clock;
use crate::message::Request;

/// The context of one request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// `$context.requestId`, which the client gets as `apigw-requestid` (`R3.13`).
    pub request_id: String,
    /// `$context.identity.sourceIp`: the peer of the connection, never a header (`R5.9`).
    pub source_ip: IpAddr,
    /// The listener's address; unspecified where it takes any.
    pub gateway_ip: IpAddr,
    /// The `X-Amzn-Trace-Id` of a request that brought none.
    pub trace_id: String,
}

impl RequestContext {
    /// The context of a request that has just come.
    pub fn begin(clock: &Clock, request: &Request) -> RequestContext {
        RequestContext {
            request_id: clock.request_id(),
            source_ip: request.peer.ip().to_canonical(),
            gateway_ip: request.local.ip().to_canonical(),
            trace_id: clock.trace_id(),
        }
    }
}
