//! The definitions, checked and compiled: what is served. Immutable.
//!
//! [`Compiler`](compiler::Compiler) is the only way in, for `serve`, for a reload and for `check`. It compiles each unit of
//! a root by itself: an API to a [`Deployment`], a domain, and what APIs share. After it no request can fail because of a
//! file. A configuration never changes; a request keeps the one that it began with.

pub mod cors;
pub mod parameter_mapping;
mod reserved_variables;
pub mod function;
pub mod http_proxy;
pub mod lambda_proxy;
pub mod service;
pub mod integration;
pub mod authorizer;
pub mod authorization;
pub mod token_bucket;
#[cfg(feature = "fleet")]
pub mod shared_bucket;
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
pub mod shared;
pub mod domain;
pub mod host;
pub mod tls_identities;
pub mod configuration;
mod unused_files;
mod snapshot;
pub mod address;
pub mod compiler;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::definition::notation::path::RequestPath;
use crate::definition::notation::route_key::RouteKey;
use crate::definition::problem::Problems;
use crate::definition::resource::{Resources, SharedResources};
use crate::definition::unit::{Unit, UnitName};
use crate::deployment::cors::Cors;
use crate::deployment::default_stage::{DEFAULT_STAGE, DEFAULT_STAGE_ALIAS};
use crate::deployment::function::{Functions, NamedArn};
use crate::deployment::integration::{Draft, IntegrationCompiler, Kind};
use crate::deployment::route_draft::{RouteDraft, RouteTarget, draft_routes, refuse_equivalent_keys};
use crate::deployment::route_state::RouteState;
use crate::deployment::shared::Shared;
use crate::deployment::stage::Stage;
use crate::deployment::trust::{Trust, Withdrawn};
use crate::outbound::function::Definition;

/// `$context.apiId` of a root API whose files do not tell its `ApiId`.
const DEFAULT_API_ID: &str = "local";

/// An API that can be served.
#[derive(Clone, Debug)]
pub struct Deployment {
    unit: UnitName,
    /// Differs from that of every other deployment of this process.
    generation: u64,
    api_name: Option<String>,
    api_id: String,
    is_execute_api_disabled: bool,
    cors: Option<Arc<Cors>>,
    trust: Trust,
    local_functions: Vec<Arc<Definition>>,
    /// Where functions' ARNs stand in the files.
    arns: Arc<[NamedArn]>,
    /// The names of the functions that the files name; none where they may name any.
    used_functions: Option<BTreeSet<String>>,
    used_vpc_links: BTreeSet<String>,
    named: HashMap<String, Arc<Stage>>,
    default: Option<Arc<Stage>>,
    /// Of requests that belong to no stage; set when it is deployed.
    pub state: OnceLock<Arc<RouteState>>,
}

/// A number that no deployment had before.
fn next_generation() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

impl Deployment {
    /// Checks everything that was read of an API, and compiles it unless something is wrong.
    ///
    /// The problems come with it in either case: all of them, not the first.
    pub fn compile(resources: &Resources, shared: &Shared) -> (Option<Deployment>, Problems) {
        Deployment::compile_as(resources, shared, false)
    }

    /// As [`Deployment::compile`]; the resources are those of a deployment, or the live ones.
    fn compile_as(resources: &Resources, shared: &Shared, is_of_deployment: bool) -> (Option<Deployment>, Problems) {
        let mut problems = resources.problems.clone();
        let authorizers = authorizer::check_all(resources, &mut problems);
        let routes = draft_routes(resources, shared, &authorizers, &mut problems);
        refuse_equivalent_keys(&routes, &mut problems);
        let integrations = draft_integrations(resources, &routes, &mut problems);
        let api = resources.api.as_ref();
        let cors = api
            .and_then(|api| api.cors_configuration.as_ref())
            .map(|cors| Arc::new(Cors::check(&resources.api_file(), cors, &mut problems)));

        let functions = Functions::of(shared.functions());
        let mut compiler = IntegrationCompiler::new(&integrations, &functions);
        let mut named = HashMap::new();
        for (id, resource) in &resources.stages {
            let mut stage = Stage::compile(id, resources, resource, &routes, &mut compiler, &mut problems);
            // A deployment has these as they were.
            stage.cors = cors.clone().filter(|_| !resource.is_undeployed());
            stage.is_execute_api_disabled = api.is_some_and(|api| api.disable_execute_api_endpoint);
            stage.is_of_deployment = is_of_deployment;
            named.insert(id.clone(), Arc::new(stage));
        }
        warnings::add(resources, &mut problems);
        likely_mistakes::warn(&routes, resources, &mut problems);
        if named.is_empty() && resources.unit == UnitName::RootApi && !problems.has_errors() {
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
            unit: resources.unit.clone(),
            generation: next_generation(),
            api_name: api.and_then(|api| api.name.clone()),
            api_id: api_id(resources),
            is_execute_api_disabled: api.is_some_and(|api| api.disable_execute_api_endpoint),
            cors,
            trust: Trust {
                withdrawn: Arc::default(),
                issuers: authorizer::issuers(&authorizers),
            },
            local_functions: functions.local(),
            arns: functions.arns().into(),
            used_functions: warnings::used_functions(resources),
            used_vpc_links: warnings::used_vpc_links(resources),
            named,
            default,
            state: OnceLock::new(),
        };
        (Some(deployment), problems)
    }

    /// The same API with the stages of a deployment of it, too.
    #[must_use]
    fn with_stages_of(mut self, other: Deployment) -> Deployment {
        let all = self.stages().chain(other.stages()).cloned();
        self.named = all.map(|stage| (stage.name.clone(), stage)).collect();
        let default = self.named.remove(DEFAULT_STAGE);
        self.default = default.or_else(|| self.named.get(DEFAULT_STAGE_ALIAS).cloned());
        self.trust.issuers.extend(other.trust.issuers);
        self.trust.issuers.sort();
        self.trust.issuers.dedup();
        for function in other.local_functions {
            if !self.local_functions.contains(&function) {
                self.local_functions.push(function);
            }
        }
        self.arns = self.arns.iter().chain(other.arns.iter()).cloned().collect();
        self.used_functions = self
            .used_functions
            .zip(other.used_functions)
            .map(|(one, more)| &one | &more);
        self.used_vpc_links.extend(other.used_vpc_links);
        let is_disabled = self.stages().all(|stage| stage.is_execute_api_disabled);
        self.is_execute_api_disabled = is_disabled;
        self
    }

    /// The same API, in which only those count whom its files, and those that all APIs share, still trust.
    ///
    /// An authorizer is withdrawn where its file or its function's is gone, and where it trusts another issuer, fewer
    /// audiences or another function now.
    #[must_use]
    pub fn with_trust_of(&self, unit: &Unit, shared_unit: &Unit, shared: &SharedResources) -> Deployment {
        let stages: Vec<&Stage> = self.stages().map(Arc::as_ref).collect();
        Deployment {
            generation: next_generation(),
            trust: self.trust.narrowed(&stages, unit, shared_unit, shared),
            ..self.clone()
        }
    }

    /// Which part of the root it was compiled from.
    pub fn unit(&self) -> &UnitName {
        &self.unit
    }

    /// A number that no other deployment of this process has: what is remembered under it is not remembered under
    /// another.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// `DisableExecuteApiEndpoint`: it is reached by its custom domains only, whatever the stage.
    pub fn is_execute_api_disabled(&self) -> bool {
        self.is_execute_api_disabled
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

    /// Authorizers that let no request pass, though routes ask for them.
    pub fn withdrawn(&self) -> &Withdrawn {
        &self.trust.withdrawn
    }

    /// Where functions' ARNs stand in the files.
    fn arns(&self) -> &[NamedArn] {
        &self.arns
    }

    /// The names of the functions that the files name; none where they may name any.
    fn used_functions(&self) -> Option<&BTreeSet<String>> {
        self.used_functions.as_ref()
    }

    /// The VPC links that the files name.
    fn used_vpc_links(&self) -> &BTreeSet<String> {
        &self.used_vpc_links
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

    /// The API's CORS configuration as the live files say it.
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

    /// The stage of that name; `$default` is the one that is served at the root, whatever its file is called.
    pub fn stage_named(&self, name: &str) -> Option<&Arc<Stage>> {
        match name {
            DEFAULT_STAGE => self.default.as_ref(),
            name => self.named.get(name),
        }
    }

    /// The stage of a request, and the path below it (`R2.3`).
    ///
    /// A stage is found by the first segment after decoding. A stage named `$default` is never: it has no
    /// segment of its own, so `/$default/x` is an ordinary path of the default stage.
    pub fn stage<'a>(&self, path: &'a RequestPath) -> Option<(&Arc<Stage>, Cow<'a, RequestPath>)> {
        if !self.named.is_empty()
            && let Some(stage) = self.named.get(path.segments().next().unwrap_or_default())
        {
            return Some((stage, Cow::Owned(path.below_first_segment())));
        }
        let stage = self.default.as_ref()?;
        Some((stage, Cow::Borrowed(path)))
    }
}

/// The `ApiId` of an API: that of its files, else its directory's name.
fn api_id(resources: &Resources) -> String {
    let written = resources.api.as_ref().and_then(|api| api.api_id.clone());
    match &resources.unit {
        UnitName::Api(id) => id.clone(),
        _ => written.unwrap_or_else(|| DEFAULT_API_ID.to_owned()),
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
