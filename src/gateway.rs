//! The life of a request, from its first line to its answer. Only this file knows the order of the steps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

use crate::clock::Clock;
use crate::context::RequestContext;
use crate::deployment::Deployment;
use crate::error::GatewayError;
use crate::integration::{headers, http_proxy};
use crate::message::{MAX_BODY_LENGTH, Method, Request, Response};
use crate::notation::path::RequestPath;
use crate::reload::ReloadGate;
use crate::upstream::{Upstream, UpstreamError};

/// Most bytes of a request line and its header fields with their line ends (spec §13).
pub const MAX_HEAD_LENGTH: usize = 10_240;

/// Answers requests by the deployment that is current when they come.
#[derive(Debug)]
pub struct Gateway {
    deployment: RwLock<Arc<Deployment>>,
    upstream: Upstream,
    clock: Clock,
    gate: Arc<ReloadGate>,
}

impl Gateway {
    /// A gateway that serves that deployment; requests wait at the gate for a reload.
    pub fn new(deployment: Deployment, upstream: Upstream, clock: Clock, gate: Arc<ReloadGate>) -> Gateway {
        Gateway {
            deployment: RwLock::new(Arc::new(deployment)),
            upstream,
            clock,
            gate,
        }
    }

    /// Serves another deployment from the next request on; requests in flight keep theirs.
    pub fn deploy(&self, deployment: Deployment) {
        let deployment = Arc::new(deployment);
        *self.deployment.write().unwrap_or_else(PoisonError::into_inner) = deployment;
    }

    /// Closes connections to integrations that have not been used for a while. To be called now and then.
    pub fn close_idle_connections(&self) {
        self.upstream.close_idle();
    }

    fn deployment(&self) -> Arc<Deployment> {
        self.gate.pass();
        Arc::clone(&self.deployment.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers a request, whatever happens.
    pub fn handle(&self, request: Request) -> Response {
        let context = RequestContext::begin(&self.clock, &request);
        // A panic is a defect of ours, and costs the request that met it and no other.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.answer(&context, request)))
            .unwrap_or_else(|_| Err(GatewayError::InternalServerError("a panic in the gateway".to_owned())));
        self.finish(&context.request_id, outcome)
    }

    /// The answer to what is no request that could be handled.
    pub fn refuse(&self, error: GatewayError) -> Response {
        self.finish(&self.clock.request_id(), Err(error))
    }

    fn finish(&self, request_id: &str, outcome: Result<Response, GatewayError>) -> Response {
        let mut response = outcome.unwrap_or_else(|error| {
            report(request_id, &error);
            error.response()
        });
        // R3.13: on every answer, instead of any that the integration sent.
        response.headers.put("apigw-requestid", request_id);
        response
    }

    fn answer(&self, context: &RequestContext, request: Request) -> Result<Response, GatewayError> {
        check_size(&request)?;
        if request.method == "CONNECT" {
            return Err(GatewayError::BadRequest("CONNECT is for proxies".to_owned()));
        }
        if request.path == "*" {
            return Err(GatewayError::NotFound);
        }
        let path = RequestPath::parse(&request.path).map_err(|error| GatewayError::BadRequest(error.to_string()))?;
        // R15.5: a method that no route can name is not found, not even by ANY or $default.
        let method = Method::parse(&request.method).ok_or(GatewayError::NotFound)?;
        let deployment = self.deployment();
        let (stage, path) = deployment.stage(&path).ok_or(GatewayError::NotFound)?;
        let route = stage
            .routes
            .select(method, &path)
            .map_err(|error| GatewayError::BadRequest(error.to_string()))?
            .ok_or(GatewayError::NotFound)?;
        let integration_request = http_proxy::build(context, &route, method, &path, request)?;
        let response = self
            .upstream
            .send(integration_request)
            .map_err(|error| refusal(error, &route.route.integration.file))?;
        Ok(Response {
            status: response.status,
            headers: headers::from_integration(&response, method),
            body: response.body,
        })
    }
}

fn check_size(request: &Request) -> Result<(), GatewayError> {
    if request.head_length > MAX_HEAD_LENGTH {
        return Err(GatewayError::HeadersTooLarge);
    }
    if request.body.length().is_some_and(|length| length > MAX_BODY_LENGTH) {
        return Err(GatewayError::PayloadTooLarge);
    }
    Ok(())
}

/// What an exchange that failed means to the client (spec §3.5); `file` is the integration's.
fn refusal(error: UpstreamError, file: &str) -> GatewayError {
    let cause = format!("{file}: {error}");
    match error {
        UpstreamError::BodyTooLarge => GatewayError::PayloadTooLarge,
        UpstreamError::BodyCut(_) => GatewayError::BadRequest(cause),
        UpstreamError::TimedOut(_)
        | UpstreamError::NotResolved { .. }
        | UpstreamError::NotConnected { .. }
        | UpstreamError::Broken(_) => GatewayError::ServiceUnavailable(cause),
        UpstreamError::Tls { .. } | UpstreamError::Malformed(_) | UpstreamError::Unsendable(_) => {
            GatewayError::InternalServerError(cause)
        }
    }
}

fn report(request_id: &str, error: &GatewayError) {
    let (status, cause) = (error.status(), error.cause().unwrap_or_default());
    match error {
        GatewayError::InternalServerError(_) | GatewayError::ServiceUnavailable(_) => {
            log::warn!("request {request_id}: {status} {cause}");
        }
        _ => log::debug!("request {request_id}: {status} {cause}"),
    }
}
