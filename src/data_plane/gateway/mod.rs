//! The life of a request, from its first line to its answer. Only this file knows the order of the steps.

mod administration;
mod progress;
mod choice;
mod mutual_tls;
mod authorize;
mod answer;
mod invoke;
mod call_service;
mod integrate;
mod settings;
mod refusals;
mod withdrawals;
mod captured;

use crate::data_plane::gateway::answer::endpoint_answer;
use crate::data_plane::gateway::choice::{Choice, Selection};
use crate::data_plane::gateway::progress::{
    Asked, Ended, InFlightCount, Life, Patience, Progress, Selected, is_abandoned,
};
use crate::data_plane::gateway::refusals::take_token;
pub use crate::data_plane::gateway::settings::Settings;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, RwLock};
use std::time::Instant;

use crate::data_plane::access_log::AccessLog;
use crate::data_plane::authorizer::cache::AuthorizerCache;
use crate::data_plane::capture::Capture;
use crate::data_plane::capture::in_flight::{InFlight, Step};
use crate::data_plane::context_variables::RequestContext;
use crate::data_plane::cors;
use crate::data_plane::error::GatewayError;
use crate::data_plane::lambda::concurrency::Endpoints;
use crate::data_plane::request_record::{FinishedRequest, Recorder, RequestInfo};
use crate::data_plane::throttle::Throttle;
use crate::deployment::Deployment;
use crate::deployment::configuration::Configuration;
use crate::front::handler::{Begun, Suspended};
use crate::front::{Handler, TlsIdentity};
use crate::http1::error::RequestError;
use crate::http1::message::{Method, Request, Response};
use crate::identity::jwt::JwtAuthorizers;
use crate::outbound::function::{self, Functions};
use crate::outbound::upstream::{IntegrationResponse, Upstream, UpstreamError};
use crate::platform::clock::Moment;
use crate::platform::metrics::GatewayMetrics;
use crate::platform::reload_gate::ReloadGate;

/// Answers requests by the configuration that is current when they come.
#[derive(Debug)]
pub struct Gateway {
    configuration: RwLock<Arc<Configuration>>,
    upstream: Upstream,
    settings: Settings,
    /// The functions that run here.
    functions: Arc<Functions>,
    /// The events for functions that others run.
    endpoints: Endpoints,
    /// The keys of issuers, and tokens that held.
    tokens: JwtAuthorizers,
    /// What Lambda authorizers answered.
    answers: AuthorizerCache,
    gate: Arc<ReloadGate>,
    recorder: Recorder,
    metrics: Arc<GatewayMetrics>,
    throttle: Throttle,
    /// What the console shows of requests; none where there is no console.
    capture: Option<Arc<Capture>>,
}

impl Gateway {
    /// A gateway that serves that configuration; requests wait at the gate for a reload.
    pub fn new(
        configuration: Configuration,
        upstream: Upstream,
        settings: Settings,
        gate: Arc<ReloadGate>,
        access_log: AccessLog,
        throttle: Throttle,
    ) -> Gateway {
        let functions = Functions::new(function::Settings {
            launcher: settings.launcher.clone(),
            share: upstream.share(),
        });
        functions.keep_only(&configuration.local_functions());
        let recorder = Recorder::new(access_log, settings.account_id.clone());
        recorder.route_states.attach(&configuration);
        let answers = AuthorizerCache::default();
        answers.keep_only(configuration.apis().map(|api| api.generation()));
        Gateway {
            configuration: RwLock::new(Arc::new(configuration)),
            upstream,
            settings,
            functions,
            endpoints: Endpoints::default(),
            tokens: JwtAuthorizers::new(),
            answers,
            gate,
            recorder,
            metrics: Arc::default(),
            throttle,
            capture: None,
        }
    }
}

impl Gateway {
    /// Answers a request, whatever happens; logs it once and counts it once. It may wait.
    pub fn handle(&self, request: Request) -> Response {
        let in_flight = InFlightCount::begin(&self.metrics);
        let context = self.context(&request, Moment::now());
        let configuration = self.configuration();
        let choice = choice::choose(&configuration, &request);
        let request = Box::new(request);
        match self.carry_out(context, in_flight, &configuration, choice, request, Patience::Waits) {
            Progress::Answered(response) => response,
            Progress::Asks(asked, life) => {
                let answer = self.upstream.send(*asked);
                self.go_on(life, answer, Instant::now())
            }
            // It has all the time that it wants.
            Progress::Waits(request) => self.refuse(RequestError::Panicked, &request),
        }
    }

    /// As [`Gateway::handle`], up to where a request has to wait.
    fn begin(&self, request: Box<Request>, moment: Moment) -> Begun {
        let configuration = self.configuration_now();
        if choice::takes_time(&configuration, &request) {
            return Begun::Waits(request);
        }
        let choice = choice::choose(&configuration, &request);
        if choice.has_to_wait(&self.throttle, &request) {
            return Begun::Waits(request);
        }
        let in_flight = InFlightCount::begin(&self.metrics);
        let context = self.context(&request, moment);
        match self.carry_out(context, in_flight, &configuration, choice, request, Patience::None) {
            Progress::Answered(response) => Begun::Answer(response),
            Progress::Asks(asked, life) => Begun::Ask(asked, Suspended::new(life)),
            Progress::Waits(request) => Begun::Waits(request),
        }
    }

    fn context(&self, request: &Request, moment: Moment) -> RequestContext {
        RequestContext::begin(&self.settings.clock, &self.settings.trusted_proxies, request, moment)
    }

    /// Carries out the steps before the integration is asked.
    fn carry_out(
        &self,
        mut context: RequestContext,
        in_flight: InFlightCount,
        configuration: &Arc<Configuration>,
        choice: Choice<'_>,
        mut request: Box<Request>,
        patience: Patience,
    ) -> Progress {
        let mut capture = InFlight::prepare(self.capture.as_ref(), &context, &request, configuration);
        if patience == Patience::Waits {
            let api = choice.address.api.map(Arc::as_ref);
            capture.enter(&context, &request, choice.found.state(api));
            capture.copy_content(&mut request);
        }
        context.client_certificate = choice.certificate;
        context.note_address(&choice.address, &mut request);
        let received = request.body.length().unwrap_or_default();
        // From here on all see the same fields: authorizers, mappings, events and integrations.
        request.headers.remove_fields_of_connection();
        // In one place until the request is over, as it is large.
        let mut life = Box::new(Life {
            sent: context.began,
            context,
            request,
            received,
            api: choice.address.api.cloned(),
            found: RequestInfo {
                capture,
                ..choice.found
            },
            selected: None,
            _in_flight: in_flight,
        });
        // A panic is a defect of ours, and costs the request that met it and no other.
        let steps = AssertUnwindSafe(|| self.ask(&mut life, configuration, choice.selection, patience));
        let outcome = catch_unwind(steps).unwrap_or_else(|_| Err(RequestError::Panicked.into()));
        match outcome {
            Ok(Asked::Endpoint(asked)) => Progress::Asks(asked, life),
            Ok(Asked::Answered(response)) => Progress::Answered(self.end(life, Ok(response), Instant::now())),
            Ok(Asked::HasToWait) => {
                if let Some(path) = life.context.sent_path.take() {
                    life.request.path = path;
                }
                Progress::Waits(life.request)
            }
            Err(error) => Progress::Answered(self.end(life, Err(error), Instant::now())),
        }
    }

    /// Carries out the steps after an HTTP integration was asked, which has answered by now.
    fn go_on(&self, mut life: Box<Life>, answer: Result<IntegrationResponse, UpstreamError>, now: Instant) -> Response {
        let steps = AssertUnwindSafe(|| self.answer(&mut life, answer, now));
        let outcome = catch_unwind(steps).unwrap_or_else(|_| Err(RequestError::Panicked.into()));
        self.end(life, outcome, now)
    }

    /// The steps of a request up to its integration, in their order. What it is for was found before.
    fn ask(
        &self,
        life: &mut Life,
        configuration: &Arc<Configuration>,
        selection: Result<Selection<'_>, GatewayError>,
        patience: Patience,
    ) -> Result<Asked, GatewayError> {
        let (selection, api) = (selection?, life.api.clone());
        let Selection {
            method,
            stage,
            path,
            route,
        } = selection;
        if let (Some(route), Some(deployment)) = (route, api) {
            let selected = life.selected.insert(Selected {
                configuration: Arc::clone(configuration),
                deployment,
                method,
                stage: Arc::clone(stage),
                path,
                route,
            });
            life.found.capture.note(Step::Routed);
            let caller = self.authorize(&life.context, &mut life.request, selected, patience);
            let Some(caller) = caller.transpose() else {
                return Ok(Asked::HasToWait);
            };
            // On a loop it is entered now only, as a request that has to wait begins anew.
            life.found
                .enter_in_console(life.api.as_deref(), &life.context, &life.request);
            let asked = &selected.route.route.authorization;
            life.found.capture.note_authorization(asked, caller.as_ref());
            life.found.caller = caller?;
            // An authorizer may have taken its time, where it might.
            if patience == Patience::Waits && is_abandoned(&life.context, &life.request, Instant::now()) {
                return Err(GatewayError::ClientGone);
            }
            // R0.1: the caller is known by now.
            take_token(&self.throttle, &selected.route.route)?;
            life.found.capture.note(Step::Throttled);
        }
        // R7.5, R7.9: with or without a route, but with one only after its authorizer.
        if let Some(cors) = stage.cors.as_deref().filter(|_| method == Method::Options) {
            return Ok(Asked::Answered(cors::preflight(cors, &life.request)));
        }
        let selected = life.selected.as_ref().ok_or(GatewayError::NotFound)?;
        let asked = self.integrate(&life.context, &mut life.request, selected, &mut life.found)?;
        // On a loop nothing was waited for.
        if patience == Patience::Waits {
            life.sent = Instant::now();
        }
        Ok(match asked {
            Asked::Answered(response) => Asked::Answered(decorated(life, response)),
            asked => asked,
        })
    }

    /// The steps of a request from its integration back, in their order.
    fn answer(
        &self,
        life: &mut Life,
        answer: Result<IntegrationResponse, UpstreamError>,
        now: Instant,
    ) -> Result<Response, GatewayError> {
        let latency = now.saturating_duration_since(life.sent);
        let selected = life.selected.as_ref().ok_or(GatewayError::NotFound)?;
        let answer = endpoint_answer(selected, answer, latency, self.recorder.access_log.is_on());
        let response = self.read_back(&life.context, &life.request, selected, &mut life.found, answer)?;
        Ok(decorated(life, response))
    }

    /// Makes the answer of an outcome, and accounts for the request.
    fn end(&self, mut life: Box<Life>, outcome: Result<Response, GatewayError>, now: Instant) -> Response {
        let life = &mut *life;
        life.found
            .enter_in_console(life.api.as_deref(), &life.context, &life.request);
        let outcome = match is_abandoned(&life.context, &life.request, now) {
            true => Err(GatewayError::ClientGone),
            false => outcome,
        };
        let (api, ended) = (life.api.as_deref(), Ended::of(outcome, life.received, now));
        self.finish(api, &life.context, &life.request, &mut life.found, ended)
    }

    /// The answer to what is no request that could be handled; `request` is what is known of it.
    pub fn refuse(&self, error: RequestError, request: &Request) -> Response {
        let moment = Moment::now();
        let context = self.context(request, moment);
        let configuration = self.configuration_now();
        let address = configuration.address(request.host(), &request.path);
        let mut capture = InFlight::prepare(self.capture.as_ref(), &context, request, &configuration);
        capture.enter(&context, request, None);
        let mut found = RequestInfo {
            capture,
            ..RequestInfo::default()
        };
        let api = address.api.map(Arc::as_ref);
        let ended = Ended::of(Err(error.into()), 0, moment.instant);
        self.finish(api, &context, request, &mut found, ended)
    }

    /// Makes the answer of an outcome, and accounts for the request.
    fn finish(
        &self,
        api: Option<&Deployment>,
        context: &RequestContext,
        request: &Request,
        found: &mut RequestInfo,
        ended: Ended,
    ) -> Response {
        let (mut response, error) = match ended.outcome {
            Ok(response) => (response, None),
            Err(error) => (error.response(), Some(error)),
        };
        if matches!(error, Some(GatewayError::DestinationOverloaded(_))) {
            self.metrics.destination_overloads.add_one();
        }
        let cors = match &found.stage {
            Some(stage) => stage.cors.as_deref(),
            None => api.and_then(Deployment::cors),
        };
        if let Some(cors) = cors.filter(|_| error.is_some() && !found.is_unreachable) {
            cors::decorate(cors, &request.headers, &mut response.headers);
        }
        // R3.13: on every answer, instead of any that the integration sent.
        response.headers.put("apigw-requestid", &context.request_id);
        let capture = std::mem::take(&mut found.capture);
        let over = FinishedRequest {
            context,
            request,
            found,
            error: error.as_ref(),
            received: ended.received,
            now: ended.now,
        };
        self.recorder.record(api, &over, capture, response)
    }
}

impl Handler for Gateway {
    fn handle(&self, request: Request) -> Response {
        Gateway::handle(self, request)
    }

    fn begin(&self, request: Box<Request>, moment: Moment) -> Begun {
        Gateway::begin(self, request, moment)
    }

    fn resume(&self, suspended: Suspended, answer: Result<IntegrationResponse, UpstreamError>) -> Option<Response> {
        let life: Box<Life> = suspended.into_state()?;
        Some(self.go_on(life, answer, Instant::now()))
    }

    fn upstream(&self) -> Option<&Upstream> {
        Some(&self.upstream)
    }

    fn is_changing(&self) -> bool {
        self.gate.is_asked_for()
    }

    fn refuse(&self, error: RequestError, request: &Request) -> Response {
        Gateway::refuse(self, error, request)
    }

    fn speaks_tls(&self) -> bool {
        self.configuration_now().speaks_tls()
    }

    fn tls_identity(&self, name: Option<&str>) -> Option<Arc<dyn TlsIdentity>> {
        let configuration = self.configuration();
        let identity: Arc<dyn TlsIdentity> = Arc::clone(configuration.tls_identity(name)?) as _;
        Some(identity)
    }
}

/// A response with the CORS fields of its stage.
fn decorated(life: &Life, mut response: Response) -> Response {
    let stage = life.found.stage.as_ref();
    if let Some(cors) = stage.and_then(|stage| stage.cors.as_deref()) {
        cors::decorate(cors, &life.request.headers, &mut response.headers);
    }
    response
}
