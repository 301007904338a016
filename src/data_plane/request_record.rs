//! The account of a request that is over: its line in the access log, and its counters.
//!
//! An answer whose content is still on its way is over when the client has it, so it takes its account along.
//!
//! `Recorder::record` is where every request ends, the refused ones too: it makes the line and counts. An answer
//! whose content is still on its way carries its record as the completion hook of its stream: the sender tells it
//! what the client took, and drops it when there is nothing more to tell. All of a line is written at once but for
//! what only the end tells (`responseLength` and the like), for which the line has holes. So nothing of a request is
//! kept, and nothing at all is done for a log that is off.
//!
//! `deployment/route_state` has what goes on from one deployment to the next: a route's counters, and its bucket.
//! States are attached when a deployment is deployed, by stage and route key, and a request finds its route's by a
//! pointer. The counters are atomic and so is a bucket: it is one number, the moment at which it will be full again.
//! A change of the limits turns that number into the same number of missing tokens.
//!
//! Lines go through a bounded channel to a thread that gathers them for 10 ms, so that it is woken a hundred times a
//! second at most, however many requests there are.
//!
//! The operational log is likewise: the thread that logs puts a line into a queue, and one thread writes. Panics go
//! the same way. The end of the process waits a second at most for it. What a client can cause again and again is
//! told through `logging::RateLimit`, once a second at most.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::data_plane::access_log::AccessLog;
use crate::data_plane::access_log::line::Line;
use crate::data_plane::capture::in_flight::{Answered, InFlight};
use crate::data_plane::context_variables::{ContextVariables, IntegrationOutcome, RequestContext, ResponseInfo};
use crate::data_plane::error::GatewayError;
use crate::data_plane::route_state_registry::RouteStates;
use crate::definition::notation::context_variable::ContextVariable as Variable;
use crate::definition::notation::log_format::LogFormat;
use crate::deployment::Deployment;
use crate::deployment::route_state::RouteState;
use crate::deployment::routes::Route;
use crate::deployment::stage::Stage;
use crate::http1::error::RequestError;
use crate::http1::message::{Body, CompletionHook, Headers, Replacement, Request, Response};
use crate::identity::caller::Caller;
use crate::platform::metrics::Counter;

/// What was found out of a request while it was answered.
#[derive(Debug, Default)]
pub struct RequestInfo {
    /// Its stage, if it has one.
    pub stage: Option<Arc<Stage>>,
    /// Its route, if it has one.
    pub route: Option<Arc<Route>>,
    /// Who asks.
    pub caller: Caller,
    /// It reached no stage: its 403 or 404 has no CORS fields.
    pub is_unreachable: bool,
    /// What came of the integration, if it was asked.
    pub integration: Option<IntegrationResult>,
    /// See [`ContextVariables::integration_error`].
    pub integration_error: Option<String>,
    /// What the console shows of it.
    pub capture: InFlight,
}

impl RequestInfo {
    /// Where it is counted: with its route, else with its stage, else with its API.
    pub fn state<'a>(&'a self, api: Option<&'a Deployment>) -> Option<&'a Arc<RouteState>> {
        let of_route = self.route.as_ref().and_then(|route| route.state.get());
        let of_stage = || self.stage.as_ref().and_then(|stage| stage.state.get());
        of_route
            .or_else(of_stage)
            .or_else(|| api.and_then(|api| api.state.get()))
    }

    /// Shows the request in the console from now on, with its route where that is found.
    pub fn enter_in_console(&mut self, api: Option<&Deployment>, context: &RequestContext, request: &Request) {
        let mut capture = std::mem::take(&mut self.capture);
        capture.enter(context, request, self.state(api));
        self.capture = capture;
    }
}

/// What is kept of an integration's answer, or of its failure.
#[derive(Debug)]
pub struct IntegrationResult {
    /// Its status, if it answered.
    pub status: Option<u16>,
    /// That of a function's invocation; else the same.
    pub service_status: Option<u16>,
    /// How long it was waited for.
    pub latency: Duration,
    /// See [`Recorder::request_ids`].
    pub headers: Headers,
}

/// A request that has its answer.
#[derive(Debug)]
pub struct FinishedRequest<'a> {
    /// What was known from the beginning.
    pub context: &'a RequestContext,
    /// The request as it came.
    pub request: &'a Request,
    /// What was found out.
    pub found: &'a RequestInfo,
    /// Why the gateway answered itself, if it did.
    pub error: Option<&'a GatewayError>,
    /// Bytes of the request's content.
    pub received: u64,
    /// When its answer was known.
    pub now: Instant,
}

/// Where requests are entered when they are over.
#[derive(Debug)]
pub struct Recorder {
    /// Where a line goes for each.
    pub access_log: AccessLog,
    /// Where each is counted.
    pub route_states: RouteStates,
    /// Requests whose client was gone before it had its answer.
    pub abandonments: Arc<Counter>,
    /// Where those count that belong to no API.
    state: Arc<RouteState>,
    account_id: String,
    /// The format of lines of what belongs to no stage, where its API has no default stage or there is no API.
    log_format: LogFormat,
}

impl Recorder {
    /// Empty books; `account_id` is the one of AWS.
    pub fn new(access_log: AccessLog, account_id: String) -> Recorder {
        Recorder {
            access_log,
            route_states: RouteStates::default(),
            abandonments: Arc::default(),
            state: RouteState::of_none(),
            account_id,
            log_format: LogFormat::default(),
        }
    }

    /// The state of each route, stage and API, and of requests that belong to none.
    pub fn all(&self) -> Vec<Arc<RouteState>> {
        let mut route_states = self.route_states.all();
        route_states.push(Arc::clone(&self.state));
        route_states
    }

    /// The fields by which AWS's services name a request; nothing where no later step asks for them.
    pub fn request_ids(&self, headers: &Headers) -> Headers {
        if !self.access_log.is_on() {
            return Headers::new();
        }
        let mut ids = Headers::new();
        for name in [
            "x-amzn-requestid",
            "x-amzn-request-id",
            "x-amz-request-id",
            "x-amz-id-2",
        ] {
            if let Some(id) = headers.get(name) {
                // What one message may have, another may.
                let _ = ids.append(name, id);
            }
        }
        ids
    }

    /// Logs and counts a request that has its answer: at once, or when the answer's content has ended.
    pub fn record(
        &self,
        api: Option<&Deployment>,
        over: &FinishedRequest<'_>,
        capture: InFlight,
        response: Response,
    ) -> Response {
        let found = over.found;
        let state = found.state(api).unwrap_or(&self.state);
        if matches!(over.error, Some(GatewayError::ClientGone)) {
            self.abandonments.add_one();
        }
        if let Some(error) = over.error {
            report(&over.context.request_id, error, state);
        }
        let line = self.access_log.is_on().then(|| self.line(api, over, &response));
        let account = PendingRecord {
            state: Arc::clone(state),
            line: line.map(|line| (self.access_log.clone(), line)),
            status: response.status,
            began: over.context.began,
            integration_latency: found.integration.as_ref().map(|arrived| arrived.latency),
            received: over.received,
            time: over.context.time,
            capture,
        };
        let error = over.error.and_then(GatewayError::cause);
        let answered = Answered {
            state,
            integration_latency: account.integration_latency,
            received: over.received,
            error: found.integration_error.as_deref().or(error),
        };
        account.of(response, over, &self.abandonments, &answered)
    }

    fn line(&self, api: Option<&Deployment>, over: &FinishedRequest<'_>, response: &Response) -> Line {
        let found = over.found;
        let values = ContextVariables {
            context: over.context,
            request: over.request,
            account_id: &self.account_id,
            api_id: api.map_or("", Deployment::api_id),
            stage: found.stage.as_ref().map_or("", |stage| &stage.name),
            route_key: found.route.as_ref().map_or("", |route| &route.key_text),
            caller: &found.caller,
            integration: found.integration.as_ref().map(|arrived| IntegrationOutcome {
                status: arrived.status,
                service_status: arrived.service_status,
                service_headers: &arrived.headers,
                latency: arrived.latency,
                length: None,
            }),
            integration_error: found.integration_error.as_deref(),
            answer: Some(ResponseInfo {
                status: response.status,
                error: over.error,
                received: over.received,
                length: if over.is_head() {
                    Some(0)
                } else {
                    response.body.whole_length()
                },
            }),
        };
        // What belongs to no stage is logged as the default stage says.
        let stage = found.stage.as_deref().or(api.and_then(Deployment::default_stage));
        let format = stage.map_or(&self.log_format, |stage| &stage.log_format);
        Line::begin(format, &values, self.access_log.has_colours())
    }
}

impl FinishedRequest<'_> {
    /// Whether its answer has no content.
    fn is_head(&self) -> bool {
        self.request.method == "HEAD"
    }
}

/// Logs why the gateway answered itself. Failures of one route are logged once a second at most.
fn report(request_id: &str, error: &GatewayError, state: &RouteState) {
    // Where there is nothing to add, the status in words.
    let (status, cause) = (error.status(), error.cause().unwrap_or(error.message()));
    match error {
        GatewayError::InternalServerError(_)
        | GatewayError::ServiceUnavailable(_)
        | GatewayError::DestinationOverloaded(_) => {
            let Some(left_out) = state.failures.suppressed_since() else {
                return;
            };
            let others = match left_out {
                0 => String::new(),
                count => format!(
                    " ({count} more of {} in stage {} are left out)",
                    state.route_key, state.stage
                ),
            };
            log::warn!("request {request_id}: {status} {cause}{others}");
        }
        _ => log::debug!("request {request_id}: {status} {cause}"),
    }
}

/// What is to be told of a request when it is over.
#[derive(Debug)]
struct PendingRecord {
    state: Arc<RouteState>,
    line: Option<(AccessLog, Line)>,
    status: u16,
    began: Instant,
    integration_latency: Option<Duration>,
    received: u64,
    time: SystemTime,
    capture: InFlight,
}

impl PendingRecord {
    /// Closes it, now or when the content has been sent; to HEAD, none of it is.
    fn of(
        mut self,
        mut response: Response,
        over: &FinishedRequest<'_>,
        abandonments: &Arc<Counter>,
        answered: &Answered<'_>,
    ) -> Response {
        if matches!(response.body, Body::Stream(_)) {
            self.capture.answered(answered, &mut response);
        }
        match &mut response.body {
            Body::Stream(stream) => {
                let request_id = response.headers.get("apigw-requestid").unwrap_or_default();
                stream.completion = Some(Box::new(Counted {
                    request_id: String::from_utf8_lossy(request_id).into_owned(),
                    abandonments: Arc::clone(abandonments),
                    sent: 0,
                    failure: None,
                    account: Some(self),
                }));
            }
            _ if over.is_head() => self.write(0, None, Some((answered, &response)), None, over.now),
            whole => {
                let length = whole.length().unwrap_or_default();
                self.write(length, None, Some((answered, &response)), None, over.now);
            }
        }
        response
    }

    /// `error` is why another answer was sent in its place.
    fn write(
        self,
        sent: u64,
        failure: Option<&str>,
        whole: Option<(&Answered<'_>, &Response)>,
        error: Option<&GatewayError>,
        now: Instant,
    ) {
        let (latency, status) = (now.saturating_duration_since(self.began), self.status);
        let processed = self.received + sent;
        let metrics = &self.state.metrics;
        metrics.count(status, latency, self.integration_latency, processed);
        self.state.note_seen(self.time);
        self.capture.end(status, latency, sent, whole, failure);
        if let Some((log, line)) = self.line {
            log.write(line.finish(|variable| match variable {
                Variable::Status => Some(status.to_string()),
                Variable::ResponseLength => Some(sent.to_string()),
                Variable::DataProcessed => Some(processed.to_string()),
                Variable::ResponseLatency => Some(latency.as_millis().to_string()),
                Variable::IntegrationErrorMessage => failure.map(str::to_owned),
                Variable::ErrorMessage => error.map(|error| error.message().to_owned()),
                Variable::ErrorResponseType => error.map(|error| error.response_type().to_owned()),
                _ => None,
            }));
        }
    }
}

/// Counts content as it is sent. Where the client goes away, that is less than all.
struct Counted {
    request_id: String,
    abandonments: Arc<Counter>,
    sent: u64,
    failure: Option<String>,
    account: Option<PendingRecord>,
}

impl CompletionHook for Counted {
    fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    fn undelivered(&mut self, bytes: u64) {
        self.sent = self.sent.saturating_sub(bytes);
    }

    fn broke_off(&mut self, error: &io::Error) {
        self.failure.get_or_insert_with(|| error.to_string());
    }

    fn replaced(&mut self, error: RequestError) -> Option<Replacement> {
        let mut account = self.account.take()?;
        let error = GatewayError::from(error);
        let mut replacement = error.replacement();
        replacement.headers.put("apigw-requestid", &self.request_id);
        account.status = replacement.status;
        let sent = replacement.content.len() as u64;
        account.write(sent, error.cause(), None, Some(&error), Instant::now());
        Some(replacement)
    }

    fn abandoned(&mut self) {
        if let Some(account) = &mut self.account
            && account.status != GatewayError::ClientGone.status()
        {
            account.status = GatewayError::ClientGone.status();
            self.abandonments.add_one();
        }
        // The integration is not to blame.
        self.failure = None;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(account) = self.account.take() {
            account.write(self.sent, self.failure.as_deref(), None, None, Instant::now());
        }
    }
}
