//! AWS's own API under `/v2/`, by which tools configure what is served.

pub mod error;
pub mod operation;
pub mod wire;
pub mod members;
pub mod answer;
pub mod edit;
pub mod page;
pub mod settings;
pub mod guard;
pub mod ids;
pub mod turn;
pub mod tag_rules;
pub mod file_writer;
pub mod recovery;
pub mod kind;
pub mod api_files;
pub mod root;
pub mod edits;
pub mod call;
pub mod resources;
pub mod stage_routes;
pub mod apis;
pub mod open_api;
pub mod routes;
pub mod integrations;
pub mod authorizers;
pub mod deployments;
pub mod stages;
pub mod domain_files;
pub mod domain_names;
pub mod api_mappings;
pub mod vpc_links;
pub mod tags;
pub mod of_web_sockets;
pub mod write;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use crate::control_plane::api::call::{Answered, Call};
use crate::control_plane::api::edits::Edits;
use crate::control_plane::api::error::{ApiError, empty_response, json_response};
use crate::control_plane::api::guard::Refused;
use crate::control_plane::api::kind::{AUTHORIZER, DEPLOYMENT, INTEGRATION, ROUTE, STAGE};
use crate::control_plane::api::of_web_sockets::Kind;
use crate::control_plane::api::operation::Operation;
use crate::control_plane::api::root::Root;
use crate::control_plane::api::settings::{Mode, Settings};
use crate::control_plane::api::turn::Turns;
use crate::control_plane::reloader::Reloader;
use crate::data_plane::gateway::Gateway;
use crate::http1::error::RequestError;
use crate::http1::message::{Body, Request, Response};
use crate::platform::logging::RateLimit;

/// What the paths of all calls begin with.
const PREFIX: &str = "/v2/";

/// Most characters of a path that a line of the log shows.
const MAX_SHOWN: usize = 200;

/// AWS's own API.
#[derive(Debug)]
pub struct ControlPlane {
    /// The thread that watches the files owns it: a template's private directory goes with it.
    reloader: Weak<Reloader>,
    gateway: Arc<Gateway>,
    settings: Settings,
    turns: Turns,
    /// Of the lines about calls that are not let in.
    refusals: RateLimit,
}

impl ControlPlane {
    /// The control plane of what that reloader changes.
    pub fn new(reloader: &Arc<Reloader>, settings: Settings) -> ControlPlane {
        ControlPlane {
            gateway: Arc::clone(reloader.gateway()),
            reloader: Arc::downgrade(reloader),
            settings,
            turns: Turns::default(),
            refusals: RateLimit::default(),
        }
    }

    /// Whether a request is a call.
    pub fn is_call(&self, request: &Request) -> bool {
        self.settings.mode != Mode::Off && request.path.starts_with(PREFIX)
    }

    /// Answers a call.
    pub fn handle(&self, request: Request) -> Response {
        // A panic is a defect of ours, and costs the call that met it and no other.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.answer(request)));
        let response = outcome.unwrap_or_else(|_| {
            log::error!("a panic in the control plane");
            ApiError::internal().response()
        });
        self.with_id(response)
    }

    /// The answer to what the front could not make a request of.
    pub fn refuse(&self, error: &RequestError) -> Option<Response> {
        match error {
            RequestError::BodyTooLarge => Some(self.with_id(ApiError::too_large().response())),
            RequestError::Panicked => Some(self.with_id(ApiError::internal().response())),
            _ => None,
        }
    }

    fn with_id(&self, mut response: Response) -> Response {
        let id = self.gateway.settings().clock.uuid();
        response.headers.put("x-amzn-requestid", &id);
        response
    }

    /// The order of the checks is that of the contract: who calls comes before what is called.
    fn answer(&self, mut request: Request) -> Response {
        let found = Operation::find(&request.method, &request.path);
        let (caller, body) = match self.let_in(&mut request) {
            Ok(let_in) => let_in,
            Err(error) => return error.response(),
        };
        let Some((operation, labels)) = found else {
            return ApiError::no_operation().response();
        };
        let outcome = wire::members(&body).and_then(|body| {
            let call = Call {
                operation,
                labels: &labels,
                query: request.query.as_deref(),
                body: &body,
                now: self.gateway.settings().clock.now(),
                settings: &self.settings,
            };
            match operation {
                Operation::ExportApi => self.export(&call),
                _ => self.carry_out(&call).map(|answer| respond(operation, answer)),
            }
        });
        let response = outcome.unwrap_or_else(|error| error.response());
        if operation.is_write() {
            let path = request.path.get(..MAX_SHOWN).unwrap_or(&request.path);
            log::info!("{caller}: {operation} {path}: {}", response.status);
        }
        response
    }

    /// Who calls, and the content of the call.
    fn let_in(&self, request: &mut Request) -> Result<(String, Vec<u8>), ApiError> {
        let refused = |refused: Refused| {
            if let Some(more) = self.refusals.suppressed_since() {
                log::warn!(
                    "a call to the control plane is not let in: {} (and {more} before)",
                    refused.reason
                );
            }
            refused.error
        };
        guard::check_source(request, &self.settings).map_err(refused)?;
        let body = wire::read(std::mem::replace(&mut request.body, Body::Empty))?;
        if self.settings.mode != Mode::Signed {
            return Ok((request.peer.ip().to_string(), body));
        }
        let configuration = self.gateway.configuration();
        let now = self.gateway.settings().clock.now();
        let caller = guard::check_signature(request, &body, configuration.credentials(), now).map_err(refused)?;
        Ok((caller, body))
    }

    fn read<T>(&self, read: impl FnOnce(&Root<'_>) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let (store, listing) = self
            .reloader()?
            .with_files(|files| (files.store().cloned(), files.listing().clone()));
        read(&Root::new(store.as_ref(), &listing))
    }

    fn write(&self, change: impl Fn(&Root<'_>, &mut Edits) -> Answered) -> Answered {
        write::carry_out(self.reloader()?.as_ref(), &self.turns, change)
    }

    /// What knows the files.
    ///
    /// # Errors
    /// The gateway has stopped.
    fn reloader(&self) -> Result<Arc<Reloader>, ApiError> {
        self.reloader.upgrade().ok_or_else(ApiError::stopped)
    }

    fn carry_out(&self, call: &Call<'_>) -> Answered {
        use Operation as O;
        if call.operation.has_no_members() {
            members::refuse_all(call.operation, call.body)?;
        }
        match call.operation {
            O::CreateApi => self.write(|root, edits| apis::create(call, root, edits)),
            O::GetApi => self.read(|root| apis::get(call, root)),
            O::GetApis => self.read(|root| apis::list(call, root)),
            O::UpdateApi => self.write(|root, edits| apis::update(call, root, edits)),
            O::DeleteApi => self.write(|root, edits| apis::delete(call, root, edits)),
            O::DeleteCorsConfiguration => self.write(|root, edits| apis::delete_cors(call, root, edits)),

            O::CreateRoute => self.write(|root, edits| routes::create(call, root, edits)),
            O::GetRoute => self.read(|root| resources::get(call, root, &ROUTE, routes::show)),
            O::GetRoutes => self.read(|root| resources::list(call, root, &ROUTE, routes::show)),
            O::UpdateRoute => self.write(|root, edits| routes::update(call, root, edits)),
            O::DeleteRoute => self.write(|root, edits| routes::delete(call, root, edits)),
            O::DeleteRouteRequestParameter => self.read(|root| routes::delete_request_parameter(call, root)),

            O::CreateIntegration => self.write(|root, edits| integrations::create(call, root, edits)),
            O::GetIntegration => self.read(|root| resources::get(call, root, &INTEGRATION, integrations::show)),
            O::GetIntegrations => self.read(|root| resources::list(call, root, &INTEGRATION, integrations::show)),
            O::UpdateIntegration => self.write(|root, edits| integrations::update(call, root, edits)),
            O::DeleteIntegration => self.write(|root, edits| integrations::delete(call, root, edits)),

            O::CreateAuthorizer => self.write(|root, edits| authorizers::create(call, root, edits)),
            O::GetAuthorizer => self.read(|root| resources::get(call, root, &AUTHORIZER, authorizers::show)),
            O::GetAuthorizers => self.read(|root| resources::list(call, root, &AUTHORIZER, authorizers::show)),
            O::UpdateAuthorizer => self.write(|root, edits| authorizers::update(call, root, edits)),
            O::DeleteAuthorizer => self.write(|root, edits| authorizers::delete(call, root, edits)),

            O::CreateStage => self.write(|root, edits| stages::create(call, root, edits)),
            O::GetStage => self.read(|root| resources::get(call, root, &STAGE, stages::show)),
            O::GetStages => self.read(|root| resources::list(call, root, &STAGE, stages::show)),
            O::UpdateStage => self.write(|root, edits| stages::update(call, root, edits)),
            O::DeleteStage => self.write(|root, edits| stages::delete(call, root, edits)),
            O::DeleteAccessLogSettings => {
                self.write(|root, edits| stages::delete_access_log_settings(call, root, edits))
            }
            O::DeleteRouteSettings => self.write(|root, edits| stages::delete_route_settings(call, root, edits)),
            O::ResetAuthorizersCache => self.reset_authorizers_cache(call),

            O::CreateDeployment => self.write(|root, edits| deployments::create(call, root, edits)),
            O::GetDeployment => self.read(|root| resources::get(call, root, &DEPLOYMENT, deployments::show)),
            O::GetDeployments => self.read(|root| resources::list(call, root, &DEPLOYMENT, deployments::show)),
            O::UpdateDeployment => self.write(|root, edits| deployments::update(call, root, edits)),
            O::DeleteDeployment => self.write(|root, edits| deployments::delete(call, root, edits)),

            O::CreateDomainName => self.write(|root, edits| domain_names::create(call, root, edits)),
            O::GetDomainName => self.read(|root| domain_names::get(call, root)),
            O::GetDomainNames => self.read(|root| domain_names::list(call, root)),
            O::UpdateDomainName => self.write(|root, edits| domain_names::update(call, root, edits)),
            O::DeleteDomainName => self.write(|root, edits| domain_names::delete(call, root, edits)),

            O::CreateApiMapping => self.write(|root, edits| api_mappings::create(call, root, edits)),
            O::GetApiMapping => self.read(|root| api_mappings::get(call, root)),
            O::GetApiMappings => self.read(|root| api_mappings::list(call, root)),
            O::UpdateApiMapping => self.write(|root, edits| api_mappings::update(call, root, edits)),
            O::DeleteApiMapping => self.write(|root, edits| api_mappings::delete(call, root, edits)),

            O::CreateVpcLink => self.write(|root, edits| vpc_links::create(call, root, edits)),
            O::GetVpcLink => self.read(|root| vpc_links::get(call, root)),
            O::GetVpcLinks => self.read(|root| vpc_links::list(call, root)),
            O::UpdateVpcLink => self.write(|root, edits| vpc_links::update(call, root, edits)),
            O::DeleteVpcLink => self.write(|root, edits| vpc_links::delete(call, root, edits)),

            O::GetTags => self.read(|root| tags::get(call, root)),
            O::TagResource => self.write(|root, edits| tags::set(call, root, edits)),
            O::UntagResource => self.write(|root, edits| tags::remove(call, root, edits)),

            O::CreateModel | O::UpdateModel => self.read(|root| of_web_sockets::refuse(call, root, Kind::Model)),
            O::GetModels => self.read(|root| of_web_sockets::list(call, root, Kind::Model)),
            O::GetModel | O::DeleteModel | O::GetModelTemplate => {
                self.read(|root| of_web_sockets::not_found(call, root, Kind::Model))
            }
            O::CreateRouteResponse | O::UpdateRouteResponse => {
                self.read(|root| of_web_sockets::refuse(call, root, Kind::RouteResponse))
            }
            O::GetRouteResponses => self.read(|root| of_web_sockets::list(call, root, Kind::RouteResponse)),
            O::GetRouteResponse | O::DeleteRouteResponse => {
                self.read(|root| of_web_sockets::not_found(call, root, Kind::RouteResponse))
            }
            O::CreateIntegrationResponse | O::UpdateIntegrationResponse => {
                self.read(|root| of_web_sockets::refuse(call, root, Kind::IntegrationResponse))
            }
            O::GetIntegrationResponses => self.read(|root| of_web_sockets::list(call, root, Kind::IntegrationResponse)),
            O::GetIntegrationResponse | O::DeleteIntegrationResponse => {
                self.read(|root| of_web_sockets::not_found(call, root, Kind::IntegrationResponse))
            }

            O::ImportApi => self.write(|root, edits| open_api::import(call, root, edits)),
            O::ReimportApi => self.write(|root, edits| open_api::reimport(call, root, edits)),
            // Its answer is no object.
            O::ExportApi | O::Other(_) => Err(ApiError::not_supported(call.operation)),
        }
    }

    fn export(&self, call: &Call<'_>) -> Result<Response, ApiError> {
        members::refuse_all(call.operation, call.body)?;
        self.read(|root| open_api::export(call, root))
    }

    fn reset_authorizers_cache(&self, call: &Call<'_>) -> Answered {
        self.read(|root| {
            let (api, stage) = stages::to_reset(call, root)?;
            self.gateway.forget_authorizers(&api, &stage);
            Ok(None)
        })
    }
}

/// The status of each operation (`R20.1`).
fn respond(operation: Operation, answer: Option<crate::definition::json::Json>) -> Response {
    use Operation as O;
    let status = match operation {
        O::DeleteVpcLink => return empty_response(202),
        O::CreateApi
        | O::CreateApiMapping
        | O::CreateAuthorizer
        | O::CreateDeployment
        | O::CreateDomainName
        | O::CreateIntegration
        | O::CreateRoute
        | O::CreateStage
        | O::CreateVpcLink
        | O::ImportApi
        | O::ReimportApi
        | O::TagResource => 201,
        _ => 200,
    };
    match answer {
        Some(json) => json_response(status, &json),
        None => empty_response(204),
    }
}
