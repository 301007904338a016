//! Who is trusted, by the files that say so. What is taken out of them is trusted no longer, also where other files
//! keep the API from being deployed anew: then the last good one goes on, but without it.
//!
//! What a file does not say because it has an error goes on as it was: trusted, or withdrawn. What it does say counts,
//! whatever else is wrong with it. So an access key is taken out that a list does not name, or names with an error: it
//! may have been changed because it has leaked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::definition::problem::Problems;
use crate::definition::resource::authorizer::Authorizer as Resource;
use crate::definition::resource::{Resources, SharedResources};
use crate::definition::unit::Unit;
use crate::deployment::authorizer::{self, Authorization, JwtAuthorizer, LambdaAuthorizer};
use crate::deployment::function::{Function, FunctionFiles, Functions, arn_in_stage};
use crate::deployment::stage::Stage;

/// Authorizers that let no request pass any more, by id, each with the reason.
pub type Withdrawn = BTreeMap<String, String>;

/// Who is trusted.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    /// Whose tokens any authorizer takes.
    pub(super) issuers: Vec<String>,
    /// Authorizers that let no request pass, though routes ask for them.
    pub(super) withdrawn: Arc<Withdrawn>,
}

impl Trust {
    /// Whom those stages may trust by the files of their API, and by those that all APIs share.
    pub(super) fn narrowed(
        &self,
        stages: &[&Stage],
        unit: &Unit,
        shared_unit: &Unit,
        shared: &SharedResources,
    ) -> Trust {
        let mut resources = Resources::read(unit);
        let mut problems = std::mem::take(&mut resources.problems);
        problems.extend(shared.problems.clone());
        // For what is wrong with their files.
        let _ = authorizer::check_all(&resources, &mut problems);
        let functions = Functions::of(Arc::new(FunctionFiles::check(shared, &mut problems)));
        let is_unread = |place: &str| problems.has_error(place, "");
        let files = TrustFiles {
            has_authorizers: !is_unread(&format!("{}authorizers", resources.prefix)),
            has_functions: !is_unread("functions"),
            unit,
            shared_unit,
            resources: &resources,
            shared,
            functions: &functions,
            problems: &problems,
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
        Trust {
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

/// What the files say of whom they trust.
struct TrustFiles<'a> {
    unit: &'a Unit,
    shared_unit: &'a Unit,
    resources: &'a Resources,
    shared: &'a SharedResources,
    functions: &'a Functions,
    problems: &'a Problems,
    /// The directory could be read, or is not there.
    has_authorizers: bool,
    has_functions: bool,
}

impl TrustFiles<'_> {
    /// Whether there is no such authorizer's file, nor one behind a link of that name.
    fn is_authorizer_gone(&self, id: &str, file: &str) -> bool {
        self.unit.dangling.contains(file) || !self.resources.has_file("authorizers", id)
    }

    /// Whether there is no such function's file, nor one behind a link of that name.
    fn is_function_gone(&self, name: &str) -> bool {
        let is_dangling = self.shared_unit.dangling.contains(&format!("functions/{name}.json"));
        is_dangling || !self.shared.has_function(name)
    }

    /// Whether an authorizer that is deployed counts on.
    fn verdict(&self, id: &str, authorization: &Authorization, stage: &Stage) -> Verdict {
        if !self.has_authorizers {
            return Verdict::Unsaid;
        }
        let file = format!("{}authorizers/{id}.json", self.resources.prefix);
        if self.is_authorizer_gone(id, &file) {
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
        let is_unreadable = self.shared.has_function(name) && !self.shared.functions.contains_key(name);
        let is_the_same = match (&authorizer.function, self.functions.get(&authorizer.arn)) {
            (Function::At(_) | Function::Local(_), _) if self.is_function_gone(name) => false,
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
