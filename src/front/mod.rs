//! Sockets in: bytes become requests, answers become bytes, and nobody behind knows which front did it.

pub mod client_socket;
pub mod head;
pub mod listener;
pub mod reply;
pub mod workers;
pub mod tiny_http;

use crate::admin::Admin;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::message::{Request, Response};

/// What answers the requests of a listener: the API, or the management pages.
pub trait Handler: Send + Sync {
    /// Answers a request.
    fn handle(&self, request: Request) -> Response;

    /// The answer to what the front could not make a request of.
    fn refuse(&self, error: GatewayError) -> Response;
}

impl Handler for Gateway {
    fn handle(&self, request: Request) -> Response {
        Gateway::handle(self, request)
    }

    fn refuse(&self, error: GatewayError) -> Response {
        Gateway::refuse(self, error)
    }
}

impl Handler for Admin {
    fn handle(&self, request: Request) -> Response {
        Admin::handle(self, request)
    }

    fn refuse(&self, error: GatewayError) -> Response {
        error.response()
    }
}
