//! To whom AWS's own API is open, by what the command says and where the management listener is.

use std::net::TcpListener;

use crate::control_plane::api::settings::{Mode, host_of};

/// To whom AWS's own API is open.
pub(super) fn mode(asked: Option<Mode>, admin: Option<&TcpListener>, has_administrator: bool) -> Mode {
    let Some(admin) = admin else { return Mode::Off };
    let is_loopback = admin.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let default = if is_loopback { Mode::Open } else { Mode::Signed };
    let mode = asked.unwrap_or(default);
    if mode == Mode::Signed && !has_administrator {
        log::warn!(
            "no call to the control plane will be let in: credentials.json has no credential with \"Administrator\": true"
        );
    }
    mode
}

/// The names under which AWS's own API may be called: those that are said, and the one of the listener.
pub(super) fn hosts(mut hosts: Vec<String>, admin: Option<&str>) -> Vec<String> {
    hosts.extend(admin.map(|address| host_of(address).to_owned()));
    hosts
        .iter()
        .map(|host| host.trim_end_matches('.').to_ascii_lowercase())
        .collect()
}
