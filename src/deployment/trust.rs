//! Who is trusted, by the files that say so. What is taken out of them is trusted no longer, also where other files
//! keep the API from being deployed anew: then the last good one goes on, but without it.
//!
//! What a file does not say because it has an error goes on as it was: trusted, or withdrawn. What it does say counts,
//! whatever else is wrong with it. So an access key is taken out that a list does not name, or names with an error: it
//! may have been changed because it has leaked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::definition::credentials::Credentials;
use crate::definition::problem::Problems;
use crate::definition::resource::authorizer::Authorizer as Resource;
use crate::definition::resource::{CREDENTIALS_FILE, Resources};
use crate::definition::store::Listing;
use crate::deployment::authorizer::{self, Authorization, JwtAuthorizer, LambdaAuthorizer};
use crate::deployment::function::{Function, Functions, arn_in_stage};
use crate::deployment::stage::Stage;

/// Authorizers that let no request pass any more, by id, each with the reason.
pub type Withdrawn = BTreeMap<String, String>;

/// Who is trusted.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    /// Whose tokens any authorizer takes.
    pub(super) issuers: Vec<String>,
    /// Who may sign requests.
    pub(super) credentials: Arc<Credentials>,
    /// Authorizers that let no request pass, though routes ask for them.
    pub(super) withdrawn: Arc<Withdrawn>,
}

impl Trust {
    /// Whom those stages may trust by the files of a listing.
    pub(super) fn narrowed(&self, stages: &[&Stage], listing: &Listing) -> Trust {
        let root = listing.root.to_string_lossy();
        let is_unread = |place: &str| listing.problems.has_error(place, "");
        if is_unread(&root) {
            return self.clone();
        }
        let mut resources = Resources::read(&listing.files);
        resources.root.clone_from(&listing.root);
        let mut problems = std::mem::take(&mut resources.problems);
        // For what is wrong with their files.
        let _ = authorizer::check_all(&resources, &mut problems);
        let functions = Functions::check(&resources, &mut problems);
        let files = TrustFiles {
            listing,
            resources: &resources,
            functions: &functions,
            problems: &problems,
            has_authorizers: !is_unread("authorizers"),
            has_functions: !is_unread("functions"),
        };
        let mut withdrawn = Withdrawn::new();
        for stage in stages {
            let mut seen = BTreeSet::new();
            for route in stage.routes.iter() {
                let Some(id) = authorizer_id(&route.authorization).filter(|id| seen.insert(*id)) else {
                    continue;
                };
                let reason = match files.verdict(id, &route.authorization, stage) {
                    Verdict::Trusted => continue,
                    Verdict::Withdrawn(reason) => reason,
                    Verdict::Unsaid => match self.withdrawn.get(id) {
                        Some(reason) => reason.clone(),
                        None => continue,
                    },
                };
                withdrawn.entry(id.to_owned()).or_insert(reason);
            }
        }
        let credentials = match &resources.credentials {
            _ if !resources.has_credentials() || listing.dangling.contains(CREDENTIALS_FILE) => Arc::default(),
            Some(credentials) => Arc::clone(credentials),
            None => Arc::clone(&self.credentials),
        };
        Trust {
            credentials,
            issuers: issuers_but_of(stages, &withdrawn),
            withdrawn: Arc::new(withdrawn),
        }
    }
}

/// Whose tokens the routes take, but for those authorizers.
fn issuers_but_of(stages: &[&Stage], withdrawn: &Withdrawn) -> Vec<String> {
    let mut issuers = BTreeSet::new();
    for stage in stages {
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

/// What the files of a listing say of whom they trust.
struct TrustFiles<'a> {
    listing: &'a Listing,
    resources: &'a Resources,
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

    /// Whether an authorizer that is deployed counts on.
    fn verdict(&self, id: &str, authorization: &Authorization, stage: &Stage) -> Verdict {
        if !self.has_authorizers {
            return Verdict::Unsaid;
        }
        let file = format!("authorizers/{id}.json");
        if self.is_gone("authorizers", id) {
            return Verdict::Withdrawn(format!("{file} is gone"));
        }
        let Some(now) = self.resources.authorizers.get(id) else {
            return Verdict::Unsaid;
        };
        let objection = match authorization {
            Authorization::None | Authorization::Iam => None,
            Authorization::Jwt { authorizer, .. } => issuer_objection(authorizer, now),
            Authorization::Lambda(authorizer) => self.function_objection(authorizer, now, stage),
        };
        let is_jwt = matches!(authorization, Authorization::Jwt { .. });
        let is_of_type = |kind: &str| (kind == "JWT") == is_jwt;
        let other_type = now.authorizer_type.as_deref().filter(|kind| !is_of_type(kind));
        let objection = objection.or(other_type.map(|kind| format!("is of the type {kind} now")));
        let has_errors = |file: &str| self.problems.has_errors_in(file);
        match (objection, authorization) {
            (Some(reason), _) => Verdict::Withdrawn(format!("{file} {reason}")),
            (None, _) if has_errors(&file) => Verdict::Unsaid,
            (None, Authorization::Lambda(authorizer))
                if !self.has_functions || has_errors(&format!("functions/{}.json", authorizer.arn.name())) =>
            {
                Verdict::Unsaid
            }
            (None, _) => Verdict::Trusted,
        }
    }

    fn function_objection(&self, authorizer: &LambdaAuthorizer, now: &Resource, stage: &Stage) -> Option<String> {
        let variables = match self.resources.stages.get(&stage.name) {
            Some(stage) if !self.problems.has_errors_in(&stage.file) => &stage.stage_variables,
            _ => &stage.variables,
        };
        let uri = now.authorizer_uri.as_deref();
        let arn = uri.and_then(|uri| arn_in_stage(uri, variables).ok());
        if arn.is_some_and(|arn| arn != authorizer.arn) {
            return Some("names another function now".to_owned());
        }
        if !self.has_functions {
            return None;
        }
        let name = authorizer.arn.name();
        let is_unreadable = self.resources.has_file("functions", name) && !self.resources.functions.contains_key(name);
        let is_the_same = match (&authorizer.function, self.functions.get(&authorizer.arn)) {
            (Function::At(_) | Function::Local(_), _) if self.is_gone("functions", name) => false,
            // The file has an error, or cannot even be read.
            (_, None) => true,
            _ if is_unreadable => true,
            (Function::At(before), Some(Function::At(now))) => before.uri == now.uri,
            // Its program may be edited: it goes on to be the function of that name.
            (Function::Local(_), Some(Function::Local(_))) => true,
            (Function::AtEndpoint, Some(Function::AtEndpoint)) => true,
            _ => false,
        };
        (!is_the_same).then(|| format!("names a function that functions/{name}.json has no more, or has elsewhere"))
    }
}

/// What the files say of an authorizer.
enum Verdict {
    Trusted,
    /// It counts no longer, and why.
    Withdrawn(String),
    /// They cannot be read so far.
    Unsaid,
}

/// The authorizer that a route asks, if it asks one.
fn authorizer_id(authorization: &Authorization) -> Option<&str> {
    match authorization {
        Authorization::None | Authorization::Iam => None,
        Authorization::Jwt { authorizer, .. } => Some(&authorizer.id),
        Authorization::Lambda(authorizer) => Some(&authorizer.id),
    }
}

fn issuer_objection(before: &JwtAuthorizer, now: &Resource) -> Option<String> {
    let now = now.jwt_configuration.as_ref()?;
    if now.issuer.as_ref().is_some_and(|issuer| *issuer != before.issuer) {
        return Some("trusts another issuer now".to_owned());
    }
    let audience = now.audience.as_ref()?;
    let gone = before.audience.iter().find(|one| !audience.contains(one))?;
    Some(format!("has no audience {gone:?} any more"))
}
