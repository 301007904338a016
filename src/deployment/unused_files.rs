//! Files that all APIs share and none uses: probably a mistake.

use std::collections::BTreeSet;

use crate::definition::problem::Problems;
use crate::deployment::Deployment;
use crate::deployment::shared::Shared;

/// Warns of them; `apis` are all that there are.
pub(super) fn warn<'a>(shared: &Shared, apis: impl Iterator<Item = &'a Deployment> + Clone, problems: &mut Problems) {
    let functions: Option<Vec<&BTreeSet<String>>> = apis.clone().map(Deployment::used_functions).collect();
    // Where an API may name any function, each may be used.
    if let Some(used) = functions {
        let is_used = |name: &&str| used.iter().any(|names| names.contains(*name));
        for name in shared.function_names().filter(|name| !is_used(name)) {
            let text = "not used: no integration and no authorizer invokes it";
            problems.warning(&format!("functions/{name}.json"), "", text);
        }
    }
    for id in shared.vpc_links() {
        if !apis.clone().any(|api| api.used_vpc_links().contains(id)) {
            let text = "not used: no integration has it as its ConnectionId";
            problems.warning(&format!("vpclinks/{id}.json"), "", text);
        }
    }
}
