//! A request on its way through the steps of its life.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::data_plane::context_variables::RequestContext;
use crate::data_plane::error::GatewayError;
use crate::data_plane::request_record::RequestInfo;
use crate::definition::notation::path::RequestPath;
use crate::deployment::Deployment;
use crate::deployment::configuration::Configuration;
use crate::deployment::routes::RouteMatch;
use crate::deployment::stage::Stage;
use crate::http1::message::{Method, Request, Response};
use crate::outbound::upstream::IntegrationRequest;
use crate::platform::metrics::GatewayMetrics;

/// A client that has waited so long may be gone, and the answer with it. To find out takes a system call.
const WORTH_A_LOOK: Duration = Duration::from_millis(10);

/// A request on its way: what is known of it, and what was found out.
pub(super) struct Life {
    pub(super) context: RequestContext,
    pub(super) request: Box<Request>,
    /// Bytes of its content.
    pub(super) received: u64,
    pub(super) api: Option<Arc<Deployment>>,
    pub(super) found: RequestInfo,
    pub(super) selected: Option<Selected>,
    /// When its integration was asked.
    pub(super) sent: Instant,
    pub(super) _in_flight: InFlightCount,
}

/// How far a request gets without its integration.
pub(super) enum Progress {
    /// It has its answer.
    Answered(Response),
    /// Its integration is to be asked; what it answers is for `Gateway::go_on`.
    Asks(Box<IntegrationRequest>, Box<Life>),
    /// It has to wait for something before it is let through. Nothing has happened yet.
    Waits(Box<Request>),
}

/// What a request's line selects.
pub(super) struct Selected {
    pub(super) configuration: Arc<Configuration>,
    pub(super) deployment: Arc<Deployment>,
    pub(super) method: Method,
    pub(super) stage: Arc<Stage>,
    /// Below the stage.
    pub(super) path: RequestPath,
    pub(super) route: RouteMatch,
}

/// Whether a step may wait: in a worker it may, on a loop not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    Waits,
    None,
}

/// What became of the integration that was to be asked.
pub(super) enum Asked {
    /// It is an HTTP integration, and still to be asked.
    Endpoint(Box<IntegrationRequest>),
    /// There is an answer.
    Answered(Response),
    /// The request has to wait before.
    HasToWait,
}

/// A request that is over.
pub(super) struct Ended {
    pub(super) outcome: Result<Response, GatewayError>,
    /// Bytes of its content.
    pub(super) received: u64,
    /// When its outcome was known.
    pub(super) now: Instant,
}

impl Ended {
    pub(super) fn of(outcome: Result<Response, GatewayError>, received: u64, now: Instant) -> Ended {
        Ended { outcome, received, now }
    }
}

/// One request that is being answered, as long as this lives.
pub(super) struct InFlightCount(Arc<GatewayMetrics>);

impl InFlightCount {
    pub(super) fn begin(metrics: &Arc<GatewayMetrics>) -> InFlightCount {
        metrics.in_flight.rise();
        InFlightCount(Arc::clone(metrics))
    }
}

impl Drop for InFlightCount {
    fn drop(&mut self) {
        self.0.in_flight.fall();
    }
}

/// Whether a request has lasted so long by now that its client may have gone, and the client has.
pub(super) fn is_abandoned(context: &RequestContext, request: &Request, now: Instant) -> bool {
    now.saturating_duration_since(context.began) >= WORTH_A_LOOK && request.is_abandoned()
}
