//! What the log tells of what is served.

use std::net::SocketAddr;

use crate::control_plane::api::settings::PublicUrl;
use crate::deployment::configuration::Configuration;

/// What is served, for the log.
pub(super) fn served(configuration: &Configuration) -> String {
    let mut apis = configuration.apis();
    match (apis.next(), apis.count()) {
        (None, _) => "no API".to_owned(),
        (Some(api), 0) => api.api_name().unwrap_or("an API without a name").to_owned(),
        (Some(_), others) => format!("{} APIs", others + 1),
    }
}

/// Logs where each API of a template is served.
pub(super) fn log_addresses(configuration: &Configuration, scheme: &str, address: SocketAddr) {
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
