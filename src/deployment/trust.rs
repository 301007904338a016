//! Who is trusted, by the files that say so. What is taken out of them is trusted no longer, also where other files keep
//! the API from being deployed anew: then the last good one goes on, but without it.
//!
//! A file that has an error says nothing, so what it said before goes on; but an access key that a list does not name is
//! taken out, whatever else is wrong with the list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::deployment::Deployment;
use crate::deployment::authorizer::{self, Authorization, Draft, Drafts, JwtAuthorizer, LambdaAuthorizer};
use crate::deployment::function::{Function, Functions};
use crate::deployment::stage::Stage;
use crate::notation::arn::FunctionArn;
use crate::notation::stage_variable;
use crate::problem::Problems;
use crate::resource::{CREDENTIALS_FILE, Resources};
use crate::store::Listing;

/// Authorizers that let nobody pass any more, by id, each with the reason.
pub type Withdrawn = BTreeMap<String, String>;

impl Deployment {
    /// The same API, in which only those count whom the files of a listing still trust.
    ///
    /// Access keys are those of its `credentials.json`. An authorizer is withdrawn where its file or its function's is
    /// gone, and where it trusts another issuer, fewer audiences or another function now.
    #[must_use]
    pub fn with_trust_of(&self, listing: &Listing) -> Deployment {
        let root = listing.root.to_string_lossy();
        let is_unread = |place: &str| listing.problems.has_error(place, "");
        if is_unread(&root) {
            return self.clone();
        }
        let mut resources = Resources::read(&listing.files);
        resources.root.clone_from(&listing.root);
        let mut problems = std::mem::take(&mut resources.problems);
        let drafts = authorizer::check_all(&resources, &mut problems);
        let functions = Functions::check(&resources, &mut problems);
        let files = TrustFiles {
            listing,
            resources: &resources,
            drafts: &drafts,
            functions: &functions,
            problems: &problems,
            has_authorizers: !is_unread("authorizers"),
            has_functions: !is_unread("functions"),
        };
        let mut withdrawn = Withdrawn::new();
        for stage in self.stages() {
            let mut seen = BTreeSet::new();
            for route in stage.routes.iter() {
                let Some(id) = authorizer_id(&route.authorization).filter(|id| seen.insert(*id)) else {
                    continue;
                };
                if let Some(reason) = files.objection(id, &route.authorization, stage) {
                    withdrawn.entry(id.to_owned()).or_insert(reason);
                }
            }
        }
        let is_whole = !problems.has_errors_in(CREDENTIALS_FILE);
        let credentials = match (&resources.credentials, &resources.named_access_keys) {
            _ if !resources.has_credentials() || listing.dangling.contains(CREDENTIALS_FILE) => Arc::default(),
            (Some(credentials), _) if is_whole => Arc::clone(credentials),
            (Some(credentials), Some(named)) => Arc::new(credentials.beside(&self.credentials, named)),
            _ => Arc::clone(&self.credentials),
        };
        Deployment {
            credentials,
            issuers: self.issuers_but_of(&withdrawn),
            withdrawn: Arc::new(withdrawn),
            ..self.clone()
        }
    }

    /// Whose tokens the routes take, but for those authorizers.
    fn issuers_but_of(&self, withdrawn: &Withdrawn) -> Vec<String> {
        let mut issuers = BTreeSet::new();
        for stage in self.stages() {
            for route in stage.routes.iter() {
                if let Authorization::Jwt { authorizer, .. } = &route.authorization
                    && !withdrawn.contains_key(&authorizer.id)
                {
                    issuers.insert(authorizer.issuer.clone());
                }
            }
        }
        issuers.into_iter().collect()
    }
}

/// What the files of a listing say of whom they trust.
struct TrustFiles<'a> {
    listing: &'a Listing,
    resources: &'a Resources,
    drafts: &'a Drafts<'a>,
    functions: &'a Functions,
    problems: &'a Problems,
    /// The directory could be read, or is not there.
    has_authorizers: bool,
    has_functions: bool,
}

impl TrustFiles<'_> {
    /// Whether there is no such file, nor one behind a link of that name.
    fn is_gone(&self, directory: &str, id: &str) -> bool {
        let is_dangling = self.listing.dangling.contains(&format!("{directory}/{id}.json"));
        is_dangling || !self.resources.has_file(directory, id)
    }

    /// Why an authorizer that is deployed counts no longer, if so.
    fn objection(&self, id: &str, authorization: &Authorization, stage: &Stage) -> Option<String> {
        if !self.has_authorizers {
            return None;
        }
        let file = format!("authorizers/{id}.json");
        if self.is_gone("authorizers", id) {
            return Some(format!("{file} is gone"));
        }
        if self.problems.has_errors_in(&file) {
            return None;
        }
        let reason = match (authorization, self.drafts.get(id)?.as_ref()?) {
            (Authorization::Jwt { authorizer, .. }, Draft::Jwt(draft)) => issuer_objection(authorizer, draft),
            (Authorization::Lambda(authorizer), Draft::Lambda(draft)) => {
                self.function_objection(authorizer, draft.uri, stage)
            }
            _ => Some("is of another type now".to_owned()),
        };
        reason.map(|reason| format!("{file} {reason}"))
    }

    fn function_objection(&self, authorizer: &LambdaAuthorizer, uri: &str, stage: &Stage) -> Option<String> {
        let variables = match self.resources.stages.get(&stage.name) {
            Some(stage) if !self.problems.has_errors_in(&stage.file) => &stage.stage_variables,
            _ => &stage.variables,
        };
        let text = stage_variable::put_in(uri, |name| variables.get(name).cloned()).ok();
        let arn = text.and_then(|text| FunctionArn::parse(&text).ok());
        if arn.as_ref() != Some(&authorizer.arn) {
            return Some("names another function now".to_owned());
        }
        let name = authorizer.arn.name();
        let file = format!("functions/{name}.json");
        let has_file = !matches!(authorizer.function, Function::AtEndpoint);
        if has_file && self.has_functions && self.is_gone("functions", name) {
            return Some(format!("names a function that is gone from {file}"));
        }
        if !self.has_functions || self.problems.has_errors_in(&file) {
            return None;
        }
        let is_the_same = match (&authorizer.function, self.functions.get(name)) {
            (_, None) => true,
            (Function::At(before), Some(Function::At(now))) => *before == now,
            // Its program may be edited: it goes on to be the function of that name.
            (Function::Local(_), Some(Function::Local(_))) => true,
            (Function::AtEndpoint, Some(Function::AtEndpoint)) => true,
            _ => false,
        };
        (!is_the_same).then(|| format!("names a function that is gone from {file}"))
    }
}

/// The authorizer that a route asks, if it asks one.
fn authorizer_id(authorization: &Authorization) -> Option<&str> {
    match authorization {
        Authorization::None | Authorization::Iam => None,
        Authorization::Jwt { authorizer, .. } => Some(&authorizer.id),
        Authorization::Lambda(authorizer) => Some(&authorizer.id),
    }
}

fn issuer_objection(before: &JwtAuthorizer, now: &JwtAuthorizer) -> Option<String> {
    if before.issuer != now.issuer {
        return Some("trusts another issuer now".to_owned());
    }
    let gone = before.audience.iter().find(|audience| !now.audience.contains(audience));
    gone.map(|audience| format!("has no audience {audience:?} any more"))
}
