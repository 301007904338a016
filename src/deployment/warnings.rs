//! What can be served but is probably a mistake: files that nothing uses, and more than AWS allows (spec §13).

use std::collections::{BTreeSet, HashSet};

use crate::definition::notation::arn::FunctionArn;
use crate::definition::notation::stage_variable;
use crate::definition::problem::{Problems, member};
use crate::definition::resource::Resources;
use crate::definition::resource::stage::Stage;
use crate::deployment::function::{NamedArn, arn_in_stage};

/// What AWS allows an API by default; most of it can be raised there, and all of it is served here.
const MOST: [(&str, usize); 4] = [
    ("routes", 300),
    ("integrations", 300),
    ("stages", 10),
    ("authorizers", 10),
];

/// Most variables of a stage.
const MOST_STAGE_VARIABLES: usize = 100;

/// Most characters of a stage variable's value: the smaller of AWS's two figures (`R2.11`).
const MOST_OF_A_VARIABLE: usize = 512;

/// Most characters of an API's name.
const MOST_OF_A_NAME: usize = 128;

/// Adds the warnings.
pub(super) fn add(resources: &Resources, problems: &mut Problems) {
    unused_integrations(resources, problems);
    unused_routes(resources, problems);
    unused_authorizers(resources, problems);
    quotas(resources, problems);
}

/// Warns of a region or an account that all functions' ARNs have and the gateway has not: events and the ARNs that
/// authorizers see have the gateway's.
pub(super) fn of_options(arns: &[NamedArn], region: &str, account_id: &str, problems: &mut Problems) {
    let Some(first) = arns.first() else { return };
    let mut compare = |what: &str, option: &str, theirs: &str, ours: &str| {
        if theirs != ours {
            let text = format!(
                "every function's ARN has the {what} {theirs:?}, but events and the ARNs of requests have {ours:?}: \
                 {option} {theirs}"
            );
            problems.warning(&first.file, first.pointer, text);
        }
    };
    if arns.iter().all(|arn| arn.region == first.region) {
        compare("region", "--region", &first.region, region);
    }
    if arns.iter().all(|arn| arn.account_id == first.account_id) {
        compare("account", "--account-id", &first.account_id, account_id);
    }
}

fn unused_integrations(resources: &Resources, problems: &mut Problems) {
    // A route that cannot be read may be the one that uses it.
    if resources.has_unread("routes") {
        return;
    }
    let targets = resources.routes.values().filter_map(|route| route.target.as_deref());
    let used: HashSet<&str> = targets
        .filter_map(|target| target.strip_prefix("integrations/"))
        .collect();
    for (id, integration) in &resources.integrations {
        if !used.contains(id.as_str()) {
            problems.warning(&integration.file, "", "not used: no route has it as its target");
        }
    }
}

fn unused_routes(resources: &Resources, problems: &mut Problems) {
    let stages = resources.stages.values();
    // A stage without a list serves all.
    if resources.has_unread("stages") || stages.len() == 0 || stages.clone().any(|stage| stage.routes.is_none()) {
        return;
    }
    let listed = stages.filter_map(|stage| stage.routes.as_ref()).flatten();
    let served: HashSet<&str> = listed.filter_map(|entry| entry.strip_prefix("routes/")).collect();
    for (id, route) in &resources.routes {
        if !served.contains(id.as_str()) {
            problems.warning(&route.file, "", "not used: no stage serves it");
        }
    }
}

fn unused_authorizers(resources: &Resources, problems: &mut Problems) {
    if resources.has_unread("routes") {
        return;
    }
    let ids = resources
        .routes
        .values()
        .filter_map(|route| route.authorizer_id.as_deref());
    let used: HashSet<&str> = ids.map(|id| id.strip_prefix("authorizers/").unwrap_or(id)).collect();
    for (id, authorizer) in &resources.authorizers {
        if !used.contains(id.as_str()) {
            problems.warning(&authorizer.file, "", "not used: no route asks it");
        }
    }
}

/// The functions that an API's files name; none where they may name any.
pub(super) fn used_functions(resources: &Resources) -> Option<BTreeSet<String>> {
    let integrations = resources.integrations.values();
    let integrations = integrations
        .filter(|integration| integration.integration_type.as_deref() != Some("HTTP_PROXY"))
        .filter_map(|integration| integration.integration_uri.as_deref());
    let authorizers = resources.authorizers.values();
    let authorizers = authorizers.filter_map(|authorizer| authorizer.authorizer_uri.as_deref());
    let mut used = BTreeSet::new();
    for uri in integrations.chain(authorizers) {
        if !stage_variable::is_in(uri) {
            used.extend(FunctionArn::parse(uri).ok().map(|arn| arn.name().to_owned()));
            continue;
        }
        let name = |stage: &Stage| {
            let arn = arn_in_stage(uri, &stage.stage_variables).ok()?;
            Some(arn.name().to_owned())
        };
        let names: Vec<String> = resources.stages.values().filter_map(name).collect();
        // It may be any function, once a stage says which.
        if names.is_empty() {
            return None;
        }
        used.extend(names);
    }
    Some(used)
}

/// The VPC links that an API's files name.
pub(super) fn used_vpc_links(resources: &Resources) -> BTreeSet<String> {
    let integrations = resources.integrations.values();
    integrations
        .filter_map(|integration| integration.connection_id.clone())
        .collect()
}

fn quotas(resources: &Resources, problems: &mut Problems) {
    let counts = [
        resources.routes.len(),
        resources.integrations.len(),
        resources.stages.len(),
        resources.authorizers.len(),
    ];
    for ((directory, most), count) in MOST.into_iter().zip(counts) {
        if count > most {
            let text = format!("there are {count} {directory}: AWS has {most} at most, unless one asks for more");
            problems.warning(&format!("{}{directory}", resources.prefix), "", text);
        }
    }
    for stage in resources.stages.values() {
        let count = stage.stage_variables.len();
        if count > MOST_STAGE_VARIABLES {
            let text = format!("there are {count} stage variables: AWS has {MOST_STAGE_VARIABLES} at most");
            problems.warning(&stage.file, "/StageVariables", text);
        }
        for (name, value) in &stage.stage_variables {
            let pointer = member("/StageVariables", name);
            if value.len() > MOST_OF_A_VARIABLE && !problems.has_error(&stage.file, &pointer) {
                let text = format!(
                    "the value has {} characters: AWS has {MOST_OF_A_VARIABLE} at most",
                    value.len()
                );
                problems.warning(&stage.file, pointer, text);
            }
        }
    }
    let name = resources
        .api
        .as_ref()
        .and_then(|api| api.name.as_deref())
        .unwrap_or_default();
    let length = name.chars().count();
    if length > MOST_OF_A_NAME {
        let text = format!("the name has {length} characters: AWS has {MOST_OF_A_NAME} at most");
        problems.warning(&resources.api_file(), "/Name", text);
    }
}
