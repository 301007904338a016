//! The definitions, checked and compiled: what is served. Immutable.
//!
//! [`Deployment::of`] is the only way in, for `serve`, for a reload and for `check`. After it no request can
//! fail because of a file. A deployment never changes; a request keeps the one that it began with.

pub mod cors;
pub mod parameter_mapping;
pub mod function;
pub mod http_proxy;
pub mod lambda_proxy;
pub mod service;
pub mod integration;
pub mod authorizer;
pub mod authorization;
pub mod token_bucket;
pub mod route_state;
pub mod throttle;
pub mod path_parameter;
pub mod routes;
mod route_draft;
mod default_stage;
mod shadowed_routes;
pub mod stage;
pub mod trust;
mod warnings;
mod likely_mistakes;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::definition::credentials::Credentials;
use crate::definition::notation::path::RequestPath;
use crate::definition::notation::route_key::RouteKey;
use crate::definition::problem::Problems;
use crate::definition::resource::Resources;
use crate::definition::store::Listing;
use crate::deployment::cors::Cors;
use crate::deployment::default_stage::{DEFAULT_STAGE, DEFAULT_STAGE_ALIAS};
use crate::deployment::function::{Functions, NamedArn};
use crate::deployment::integration::{Draft, IntegrationCompiler, Kind};
use crate::deployment::route_draft::{RouteDraft, RouteTarget, draft_routes, refuse_equivalent_keys};
use crate::deployment::stage::Stage;
use crate::deployment::trust::{Trust, Withdrawn};
use crate::outbound::function::Definition;

/// `$context.apiId` of an API whose files do not tell its `ApiId`.
const DEFAULT_API_ID: &str = "local";

/// An API that can be served.
#[derive(Clone, Debug)]
pub struct Deployment {
    api_name: Option<String>,
    api_id: String,
    cors: Option<Arc<Cors>>,
    trust: Trust,
    local_functions: Vec<Arc<Definition>>,
    /// Where functions' ARNs stand in the files.
    arns: Arc<[NamedArn]>,
    named: HashMap<String, Arc<Stage>>,
    default: Option<Arc<Stage>>,
}

impl Deployment {
    /// Reads, checks and compiles files; the problems of the listing are among those that come back.
    pub fn of(listing: &Listing) -> (Option<Deployment>, Problems) {
        let mut resources = Resources::read(&listing.files);
        resources.root.clone_from(&listing.root);
        resources.problems.extend(listing.problems.clone());
        Deployment::compile(&resources)
    }

    /// Checks everything that was read, and compiles it unless something is wrong.
    ///
    /// The problems come with it in either case: all of them, not the first.
    pub fn compile(resources: &Resources) -> (Option<Deployment>, Problems) {
        let mut problems = resources.problems.clone();
        let authorizers = authorizer::check_all(resources, &mut problems);
        let routes = draft_routes(resources, &authorizers, &mut problems);
        refuse_equivalent_keys(&routes, &mut problems);
        let integrations = draft_integrations(resources, &routes, &mut problems);
        let api = resources.api.as_ref();
        let cors = api
            .and_then(|api| api.cors_configuration.as_ref())
            .map(|cors| Cors::check(cors, &mut problems));

        let functions = Functions::check(resources, &mut problems);
        let mut compiler = IntegrationCompiler::new(&integrations, &functions);
        let mut named = HashMap::new();
        for (id, resource) in &resources.stages {
            let stage = Stage::compile(id, resources, resource, &routes, &mut compiler, &mut problems);
            named.insert(id.clone(), Arc::new(stage));
        }
        warnings::add(resources, &mut problems);
        likely_mistakes::warn(&routes, resources, &mut problems);
        if named.is_empty() && !problems.has_errors() {
            problems.warning("stages", "", "there is no stage: every request is answered 404");
        }
        let problems = problems.sorted();
        if problems.has_errors() {
            return (None, problems);
        }
        let default = named
            .remove(DEFAULT_STAGE)
            .or_else(|| named.get(DEFAULT_STAGE_ALIAS).cloned());
        let deployment = Deployment {
            api_name: api.and_then(|api| api.name.clone()),
            api_id: api
                .and_then(|api| api.api_id.clone())
                .unwrap_or_else(|| DEFAULT_API_ID.to_owned()),
            cors: cors.map(Arc::new),
            trust: Trust {
                withdrawn: Arc::default(),
                issuers: authorizer::issuers(&authorizers),
                credentials: resources.credentials.clone().unwrap_or_default(),
            },
            local_functions: functions.local(),
            arns: functions.arns().into(),
            named,
            default,
        };
        (Some(deployment), problems)
    }

    /// The same API, in which only those count whom the files of a listing still trust.
    ///
    /// Access keys are those of its `credentials.json`. An authorizer is withdrawn where its file or its function's is
    /// gone, and where it trusts another issuer, fewer audiences or another function now.
    #[must_use]
    pub fn with_trust_of(&self, listing: &Listing) -> Deployment {
        let stages: Vec<&Stage> = self.stages().map(Arc::as_ref).collect();
        Deployment {
            trust: self.trust.narrowed(&stages, listing),
            ..self.clone()
        }
    }

    /// The API's `Name`.
    pub fn api_name(&self) -> Option<&str> {
        self.api_name.as_deref()
    }

    /// The API's `ApiId`.
    pub fn api_id(&self) -> &str {
        &self.api_id
    }

    /// Whose tokens any authorizer takes.
    pub fn issuers(&self) -> Vec<&str> {
        self.trust.issuers.iter().map(String::as_str).collect()
    }

    /// Who may sign requests.
    pub fn credentials(&self) -> &Credentials {
        &self.trust.credentials
    }

    /// Authorizers that let no request pass, though routes ask for them.
    pub fn withdrawn(&self) -> &Withdrawn {
        &self.trust.withdrawn
    }

    /// What the files say of region and account besides what the gateway is told: warnings where all functions' ARNs
    /// agree on another one.
    pub fn review_options(&self, region: &str, account_id: &str) -> Problems {
        let mut problems = Problems::new();
        warnings::of_options(&self.arns, region, account_id, &mut problems);
        problems
    }

    /// The functions that the gateway runs.
    pub fn local_functions(&self) -> &[Arc<Definition>] {
        &self.local_functions
    }

    /// Whether a route calls another service of AWS than Lambda.
    pub fn calls_services(&self) -> bool {
        let routes = self.stages().flat_map(|stage| stage.routes.iter());
        let mut integrations = routes.filter_map(|route| route.integration.as_deref());
        integrations.any(|integration| matches!(integration.kind, Kind::Service(_)))
    }

    /// The API's CORS configuration.
    pub fn cors(&self) -> Option<&Cors> {
        self.cors.as_deref()
    }

    /// Every stage, each once.
    pub fn stages(&self) -> impl Iterator<Item = &Arc<Stage>> {
        // The default stage may also have a name.
        let default = self
            .default
            .iter()
            .filter(|stage| !self.named.contains_key(&stage.name));
        self.named.values().chain(default)
    }

    /// The stage of requests that name none.
    pub fn default_stage(&self) -> Option<&Stage> {
        self.default.as_deref()
    }

    /// The stage of a request, and the path below it (`R2.3`).
    ///
    /// A stage is found by the first segment after decoding. A stage named `$default` is never: it has no
    /// segment of its own, so `/$default/x` is an ordinary path of the default stage.
    pub fn stage<'a>(&self, path: &'a RequestPath) -> Option<(&Stage, Cow<'a, RequestPath>)> {
        let first = path.segments().next().unwrap_or_default();
        if let Some(stage) = self.named.get(first) {
            return Some((stage, Cow::Owned(path.below_first_segment())));
        }
        let stage = self.default.as_deref()?;
        Some((stage, Cow::Borrowed(path)))
    }
}

fn draft_integrations<'a>(
    resources: &'a Resources,
    routes: &'a BTreeMap<&str, RouteDraft<'_>>,
    problems: &mut Problems,
) -> BTreeMap<&'a str, Draft<'a>> {
    let mut users: BTreeMap<&str, Vec<&RouteKey>> = BTreeMap::new();
    for route in routes.values() {
        if let RouteTarget::Integration(id) = route.target {
            users.entry(id).or_default().push(&route.key);
        }
    }
    let mut drafts = BTreeMap::new();
    for (id, resource) in &resources.integrations {
        let users = users.remove(id.as_str()).unwrap_or_default();
        if let Some(draft) = Draft::check(resource, users, problems) {
            drafts.insert(id.as_str(), draft);
        }
    }
    drafts
}
