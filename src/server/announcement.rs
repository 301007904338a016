//! What the log tells of what is served.

use std::net::SocketAddr;
use std::path::Path;

use crate::control_plane::api::settings::PublicUrl;
use crate::deployment::configuration::Configuration;

/// What is served, for the log.
fn served(configuration: &Configuration) -> String {
    let mut apis = configuration.apis();
    match (apis.next(), apis.count()) {
        (None, _) => "no API".to_owned(),
        (Some(api), 0) => api.api_name().unwrap_or("an API without a name").to_owned(),
        (Some(_), others) => format!("{} APIs", others + 1),
    }
}

/// Logs what is served from a root.
pub(super) fn log_root(configuration: &Configuration, root: &Path) {
    log_served(configuration, root);
    if configuration.apis().next().is_none() {
        log::info!("{} has no API: apigateway init DIR makes a small one", root.display());
    }
}

fn log_served(configuration: &Configuration, from: &Path) {
    let (name, hash) = (served(configuration), configuration.hash());
    log::info!("serving {name} from {}, hash {hash}", from.display());
}

/// Logs what is served from a template, and where each of its APIs is.
pub(super) fn log_template(configuration: &Configuration, template: &Path, scheme: &str, address: SocketAddr) {
    log_served(configuration, template);
    let has_several = configuration.apis().count() > 1;
    for api in configuration.apis() {
        let (name, id) = (api.api_name().unwrap_or("an API without a name"), api.api_id());
        match has_several {
            true => {
                let url = PublicUrl::local(scheme, address.port());
                log::info!("serving {name} ({id}): {}", url.of(id, ""));
            }
            false => log::info!("serving {name} ({id}): {scheme}://{address}"),
        }
    }
}

/// Most routes that are told at the start.
const MAX_ROUTES: usize = 20;

/// A line for each route, with its whole URL.
pub(super) fn route_lines(configuration: &Configuration, scheme: &str, address: SocketAddr) -> Vec<String> {
    let default_api = configuration.default_api().map(|api| api.unit());
    // An address that stands for all of this machine's is none that a browser could go to.
    let host = match address.ip().is_unspecified() {
        true => format!("localhost:{}", address.port()),
        false => address.to_string(),
    };
    let mut lines = Vec::new();
    let mut others = 0_usize;
    for api in configuration.apis() {
        let base = match default_api == Some(api.unit()) {
            true => format!("{scheme}://{host}"),
            false => PublicUrl::local(scheme, address.port()).of(api.api_id(), ""),
        };
        let default_stage = api.default_stage().map(|stage| stage.name.as_str());
        let mut stages: Vec<_> = api.stages().collect();
        stages.sort_by(|one, other| one.name.cmp(&other.name));
        for stage in stages {
            let prefix = match Some(stage.name.as_str()) == default_stage {
                true => String::new(),
                false => format!("/{}", stage.name),
            };
            for route in stage.routes.iter() {
                let (method, path) = route.key_text.split_once(' ').unwrap_or(("ANY", "/"));
                match lines.len() < MAX_ROUTES {
                    true => lines.push(format!("  {method:7} {base}{prefix}{path}")),
                    false => others += 1,
                }
            }
        }
    }
    if others > 0 {
        lines.push(format!("  and {others} more: apigateway routes"));
    }
    lines
}
