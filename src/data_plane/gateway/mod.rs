//! The life of a request, from its first line to its answer. Only this file knows the order of the steps.

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

use crate::data_plane::gateway::refusals::{check_size, take_token};
pub use crate::data_plane::gateway::settings::Settings;
use crate::data_plane::gateway::withdrawals::log_withdrawn;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

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
use crate::definition::notation::path::RequestPath;
use crate::deployment::Deployment;
use crate::deployment::address::{Address, Target, Unreachable};
use crate::deployment::configuration::Configuration;
use crate::deployment::routes::RouteMatch;
use crate::deployment::stage::Stage;
use crate::front::{Handler, TlsIdentity};
use crate::http1::error::RequestError;
use crate::http1::message::{Method, Request, Response};
use crate::identity::jwt::JwtAuthorizers;
use crate::outbound::function::{self, Functions};
use crate::outbound::upstream::Upstream;
use crate::platform::metrics::{CacheMetrics, GatewayMetrics, InFlightGuard};
use crate::platform::reload_gate::ReloadGate;

/// A client that has waited so long may be gone, and the answer with it. To find out takes a system call.
const WORTH_A_LOOK: Duration = Duration::from_millis(10);

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
    metrics: GatewayMetrics,
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
            metrics: GatewayMetrics::default(),
            throttle,
            capture: None,
        }
    }

    /// Serves another configuration from the next request on; requests in flight keep theirs.
    ///
    /// Routes that were there before keep their counters and their buckets. What is remembered of authorizers is
    /// forgotten last, so that no answer that was asked for under an older deployment stays.
    pub fn deploy(&self, configuration: Configuration) {
        if configuration.apis().any(|api| api.calls_services())
            && let Err(error) = self.settings.aws.check()
        {
            log::error!("calls of AWS's services fail until the gateway is started anew: {error}");
        }
        let before = self.configuration_now();
        log_withdrawn(&before, &configuration);
        self.recorder.route_states.attach(&configuration);
        self.functions.keep_only(&configuration.local_functions());
        self.tokens.keep_only(&configuration.issuers());
        let configuration = Arc::new(configuration);
        self.note_deployment(&before, &configuration);
        *self.configuration.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&configuration);
        self.answers.keep_only(configuration.apis().map(|api| api.generation()));
    }

    /// What is counted besides the routes.
    pub fn metrics(&self) -> &GatewayMetrics {
        &self.metrics
    }

    /// How often tokens were remembered that had been verified.
    pub fn token_cache(&self) -> &CacheMetrics {
        self.tokens.metrics()
    }

    /// How often Lambda authorizers' answers were remembered.
    pub fn answer_cache(&self) -> &CacheMetrics {
        self.answers.metrics()
    }

    /// Counters of each route, and the access log.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// What the gateway knows besides its files.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The way to the integrations.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Closes connections that have not been used for a while, and restarts functions whose files have changed. To be
    /// called a few times a second.
    pub fn run_maintenance(&self) {
        self.upstream.close_idle();
        self.functions.look_for_changes(self.recorder.access_log.file());
        if let Some(capture) = &self.capture {
            capture.expire(Instant::now());
        }
    }

    /// Where tokens come from.
    pub fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// Ends the functions that run here; requests that still want them fail. Gives back tokens that are held.
    pub fn stop(&self) {
        self.throttle.stop();
        self.functions.stop();
    }

    /// Forgets what authorizers answered for a stage of an API, and which tokens held.
    pub fn forget_authorizers(&self, api_id: &str, stage: &str) {
        if let Some(api) = self.configuration_now().api(api_id) {
            self.answers.forget(api.generation(), stage);
        }
        self.tokens.forget_tokens();
    }

    /// What is served, after a reload that is under way.
    pub fn configuration(&self) -> Arc<Configuration> {
        self.gate.wait_if_reloading();
        self.configuration_now()
    }

    /// What is served, without a wait for a reload.
    pub fn configuration_now(&self) -> Arc<Configuration> {
        Arc::clone(&self.configuration.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers a request, whatever happens; logs it once and counts it once.
    pub fn handle(&self, mut request: Request) -> Response {
        let _in_flight = InFlightGuard::new(&self.metrics.in_flight);
        let mut context = RequestContext::begin(&self.settings.clock, &self.settings.trusted_proxies, &request);
        let configuration = self.configuration();
        let capture = InFlight::begin(self.capture.as_ref(), &context, &request, &configuration);
        capture.copy_content(&mut request);
        let admission = mutual_tls::admit(&configuration, &request);
        let address = match &admission {
            Ok(_) => configuration.address(request.host(), &request.path),
            Err(_) => Address::unreachable(),
        };
        let admitted = admission.map(|certificate| context.client_certificate = certificate);
        context.note_address(&address, &mut request);
        let received = request.body.length().unwrap_or_default();
        // From here on all see the same fields: authorizers, mappings, events and integrations.
        request.headers.remove_fields_of_connection();
        let mut found = RequestInfo::captured_by(capture);
        // A panic is a defect of ours, and costs the request that met it and no other.
        let answer = || {
            admitted.inspect_err(|_| found.is_unreachable = true)?;
            self.answer(&context, &configuration, &address, &mut request, &mut found)
        };
        let outcome = catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|_| Err(RequestError::Panicked.into()));
        let outcome = match is_abandoned(&context, &request) {
            true => Err(GatewayError::ClientGone),
            false => outcome,
        };
        let api = address.api.map(Arc::as_ref);
        self.finish(api, &context, &request, &mut found, outcome, received)
    }

    /// The answer to what is no request that could be handled; `request` is what is known of it.
    pub fn refuse(&self, error: RequestError, request: &Request) -> Response {
        let context = RequestContext::begin(&self.settings.clock, &self.settings.trusted_proxies, request);
        let configuration = self.configuration_now();
        let address = configuration.address(request.host(), &request.path);
        let capture = InFlight::begin(self.capture.as_ref(), &context, request, &configuration);
        let mut found = RequestInfo::captured_by(capture);
        let api = address.api.map(Arc::as_ref);
        self.finish(api, &context, request, &mut found, Err(error.into()), 0)
    }

    /// Makes the answer of an outcome, and accounts for the request.
    fn finish(
        &self,
        api: Option<&Deployment>,
        context: &RequestContext,
        request: &Request,
        found: &mut RequestInfo<'_>,
        outcome: Result<Response, GatewayError>,
        received: u64,
    ) -> Response {
        let (mut response, error) = match outcome {
            Ok(response) => (response, None),
            Err(error) => (error.response(), Some(error)),
        };
        if matches!(error, Some(GatewayError::DestinationOverloaded(_))) {
            self.metrics.destination_overloads.add_one();
        }
        let cors = match found.stage {
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
            received,
        };
        self.recorder.record(api, &over, capture, response)
    }

    /// The steps of a request, in their order.
    fn answer<'c>(
        &self,
        context: &RequestContext,
        configuration: &'c Configuration,
        address: &Address<'c>,
        request: &mut Request,
        found: &mut RequestInfo<'c>,
    ) -> Result<Response, GatewayError> {
        check_size(request)?;
        if request.method == "CONNECT" {
            return Err(GatewayError::BadRequest("CONNECT is for proxies".to_owned()));
        }
        let (Some(deployment), Ok(target)) = (address.api, address.target) else {
            found.is_unreachable = true;
            return Err(match address.target {
                Err(Unreachable::Forbidden) => GatewayError::Forbidden {
                    error_type: None,
                    cause: "no mapping of the domain fits the path".to_owned(),
                },
                _ => GatewayError::NotFound,
            });
        };
        let path = target.below(context.sent_path(request));
        if path == "*" {
            return Err(GatewayError::NotFound);
        }
        let path = RequestPath::parse(path).map_err(|error| GatewayError::BadRequest(error.to_string()))?;
        // R15.5: a method that no route can name is not found, not even by ANY or $default.
        let method = Method::parse(&request.method).ok_or(GatewayError::NotFound)?;
        let (stage, path) = address.stage(&path).ok_or_else(|| {
            found.is_unreachable = true;
            GatewayError::NotFound
        })?;
        found.stage = Some(stage);
        if matches!(target, Target::Path(_)) && stage.is_execute_api_disabled {
            found.is_unreachable = true;
            return Err(GatewayError::NotFound);
        }
        let route = stage
            .routes
            .select(method, &path)
            .map_err(|error| GatewayError::BadRequest(error.to_string()))?;
        let selected = route.map(|route| Selected {
            configuration,
            deployment,
            method,
            stage,
            path: &path,
            route,
        });
        if let Some(selected) = &selected {
            found.route = Some(Arc::clone(&selected.route.route));
            found.capture.note(Step::Routed);
            let caller = self.authorize(context, request, selected);
            let asked = &selected.route.route.authorization;
            found.capture.note_authorization(asked, caller.as_ref());
            found.caller = caller?;
            // An authorizer may have taken its time.
            if is_abandoned(context, request) {
                return Err(GatewayError::ClientGone);
            }
            // R0.1: the caller is known by now.
            take_token(&self.throttle, &selected.route.route)?;
            found.capture.note(Step::Throttled);
        }
        // R7.5, R7.9: with or without a route, but with one only after its authorizer.
        if let Some(cors) = stage.cors.as_deref().filter(|_| method == Method::Options) {
            return Ok(cors::preflight(cors, request));
        }
        let selected = selected.ok_or(GatewayError::NotFound)?;
        let mut response = self.integrate(context, request, &selected, found)?;
        if let Some(cors) = stage.cors.as_deref() {
            cors::decorate(cors, &request.headers, &mut response.headers);
        }
        Ok(response)
    }
}

impl Handler for Gateway {
    fn handle(&self, request: Request) -> Response {
        Gateway::handle(self, request)
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

/// What a request's line selects.
struct Selected<'a> {
    configuration: &'a Configuration,
    deployment: &'a Deployment,
    method: Method,
    stage: &'a Stage,
    /// Below the stage.
    path: &'a RequestPath,
    route: RouteMatch,
}

/// Whether a request has lasted so long that its client may have gone, and the client has.
fn is_abandoned(context: &RequestContext, request: &Request) -> bool {
    context.began.elapsed() >= WORTH_A_LOOK && request.is_abandoned()
}
