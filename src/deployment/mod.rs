//! The files, checked and compiled: what is true, where [`crate::resource`] is what was written.
//!
//! [`Deployment::of`] is the only way in, for `serve`, for a reload and for `check`. After it no request can
//! fail because of a file. A deployment never changes; a request keeps the one that it began with.

pub mod cors;
pub mod parameter_mapping;
pub mod function;
pub mod http_proxy;
pub mod lambda_proxy;
pub mod integration;
pub mod authorizer;
pub mod authorization;
pub mod tally;
pub mod throttle;
pub mod path_parameter;
pub mod routes;
mod reach;
pub mod stage;
pub mod trust;
mod review;
mod slips;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::credentials::Credentials;
use crate::deployment::cors::Cors;
use crate::deployment::function::{Functions, NamedArn};
use crate::deployment::integration::{Draft, IntegrationCompiler};
use crate::deployment::stage::Stage;
use crate::deployment::trust::Withdrawn;
use crate::function::Definition;
use crate::notation::path::RequestPath;
use crate::notation::route_key::{RouteKey, Segment};
use crate::problem::Problems;
use crate::resource::Resources;
use crate::resource::route::Route as RouteResource;
use crate::store::Listing;
use crate::suggestion::closest;

/// The stage that is served at the root (`R2.1`).
pub const DEFAULT_STAGE: &str = "$default";

/// The file name that also serves as the default stage, for systems where `$` is a nuisance in a file name.
const DEFAULT_STAGE_ALIAS: &str = "default";

/// `$context.apiId` of an API whose files do not tell its `ApiId`.
const DEFAULT_API_ID: &str = "local";

/// An API that can be served.
#[derive(Clone, Debug)]
pub struct Deployment {
    api_name: Option<String>,
    api_id: String,
    cors: Option<Arc<Cors>>,
    issuers: Vec<String>,
    credentials: Arc<Credentials>,
    /// See [`Deployment::with_trust_of`].
    withdrawn: Arc<Withdrawn>,
    local_functions: Vec<Arc<Definition>>,
    /// Where functions' ARNs stand in the files.
    arns: Arc<[NamedArn]>,
    named: HashMap<String, Arc<Stage>>,
    default: Option<Arc<Stage>>,
}

/// A route whose key has been read.
#[derive(Debug)]
struct RouteDraft<'a> {
    file: &'a str,
    key_text: &'a str,
    key: RouteKey,
    /// What it asks of its callers; none where something is wrong with that.
    authorization: Option<authorization::RouteDraft<'a>>,
    target: RouteTarget<'a>,
}

/// What a route's `Target` says.
#[derive(Clone, Copy, Debug)]
enum RouteTarget<'a> {
    /// Nothing: AWS has such routes, and they cannot be served (`R1.11`).
    Absent,
    /// The id of an integration that is there.
    Integration(&'a str),
    /// Something that is wrong; it has a problem of its own.
    Invalid,
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
        review::review(resources, &mut problems);
        slips::warn(resources, &mut problems);
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
            withdrawn: Arc::default(),
            issuers: authorizer::issuers(&authorizers),
            credentials: resources.credentials.clone().unwrap_or_default(),
            local_functions: functions.local(),
            arns: functions.arns().into(),
            named,
            default,
        };
        (Some(deployment), problems)
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
        self.issuers.iter().map(String::as_str).collect()
    }

    /// Who may sign requests.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Authorizers that let nobody pass, though routes ask for them.
    pub fn withdrawn(&self) -> &Withdrawn {
        &self.withdrawn
    }

    /// What the files say of region and account besides what the gateway is told: warnings where all functions' ARNs
    /// agree on another one.
    pub fn review_options(&self, region: &str, account_id: &str) -> Problems {
        let mut problems = Problems::new();
        review::options(&self.arns, region, account_id, &mut problems);
        problems
    }

    /// The functions that the gateway runs.
    pub fn local_functions(&self) -> &[Arc<Definition>] {
        &self.local_functions
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

fn draft_routes<'a>(
    resources: &'a Resources,
    authorizers: &'a authorizer::Drafts<'a>,
    problems: &mut Problems,
) -> BTreeMap<&'a str, RouteDraft<'a>> {
    let mut drafts = BTreeMap::new();
    for (id, route) in &resources.routes {
        let target = target(route, resources, problems);
        let authorization = authorization::of_route(route, authorizers, resources, problems);
        let Some(text) = &route.route_key else {
            problems.error_unless_known(&route.file, "/RouteKey", "the field is missing");
            continue;
        };
        match RouteKey::parse(text) {
            Ok(key) => {
                let draft = RouteDraft {
                    file: &route.file,
                    key_text: text,
                    key,
                    authorization,
                    target,
                };
                drafts.insert(id.as_str(), draft);
            }
            Err(error) => problems.error(&route.file, "/RouteKey", error.to_string()),
        }
    }
    drafts
}

/// The integration that a route names (`R1.7`, `R1.11`).
fn target<'a>(route: &'a RouteResource, resources: &'a Resources, problems: &mut Problems) -> RouteTarget<'a> {
    let Some(target) = &route.target else {
        if problems.has_error(&route.file, "/Target") {
            return RouteTarget::Invalid;
        }
        let text = "the field is missing: a request that matches the route is answered 500";
        problems.warning(&route.file, "/Target", text);
        return RouteTarget::Absent;
    };
    let Some(id) = target.strip_prefix("integrations/") else {
        let text = format!("{target:?} is not of the form \"integrations/<id>\"");
        problems.error(&route.file, "/Target", text);
        return RouteTarget::Invalid;
    };
    match resources.integrations.get_key_value(id) {
        Some((id, _)) => RouteTarget::Integration(id),
        // A file that cannot be read has a problem of its own.
        None if resources.has_file("integrations", id) => RouteTarget::Invalid,
        None => {
            let known = resources.integrations.keys().map(String::as_str);
            let hint = closest(id, known).map(|id| format!("; did you mean \"integrations/{id}\"?"));
            let mut text = format!("there is no file integrations/{id}.json{}", hint.unwrap_or_default());
            if let Some(id) = id
                .strip_suffix(".json")
                .filter(|id| resources.integrations.contains_key(*id))
            {
                text = format!("the target is written without .json: \"integrations/{id}\"");
            }
            problems.error(&route.file, "/Target", text);
            RouteTarget::Invalid
        }
    }
}

/// Two keys that differ only in the names of their variables take the same requests (`R1.8`).
fn refuse_equivalent_keys(routes: &BTreeMap<&str, RouteDraft<'_>>, problems: &mut Problems) {
    let mut seen: HashMap<String, &RouteDraft<'_>> = HashMap::new();
    for draft in routes.values() {
        let twin = *seen.entry(without_names(draft)).or_insert(draft);
        if std::ptr::eq(twin, draft) {
            continue;
        }
        let text = if twin.key_text == draft.key_text {
            format!("the route key {:?} is also that of {}", draft.key_text, twin.file)
        } else {
            format!(
                "the route key {:?} takes the same requests as {:?} of {}",
                draft.key_text, twin.key_text, twin.file
            )
        };
        problems.error(draft.file, "/RouteKey", text);
    }
}

/// The key with every variable's name taken out.
fn without_names(draft: &RouteDraft<'_>) -> String {
    let RouteKey::Path { method, path } = &draft.key else {
        return draft.key_text.to_owned();
    };
    let mut text = format!("{method:?} ");
    for segment in path {
        text.push('/');
        match segment {
            Segment::Literal(literal) => text.push_str(literal),
            Segment::Variable(_) => text.push_str("{}"),
            Segment::Greedy(_) => text.push_str("{+}"),
        }
    }
    text
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
