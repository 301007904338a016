//! What throttles are shared through, as options say it.

use std::path::PathBuf;
use std::time::Duration;

use crate::data_plane::shared_throttle::{Settings, SharedThrottle};
use crate::data_plane::throttle::Throttle;
use crate::definition::store::Store;
use crate::outbound::upstream::tls;
use crate::outbound::valkey;
use crate::outbound::valkey::Password;
use crate::outbound::valkey::address::Address;

/// The Valkey through which many gateways have one limit.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// Where it is.
    pub address: Address,
    /// Where the password comes from, unless the address has it.
    pub password: Option<Password>,
    /// PEM roots that are trusted for it besides the built-in ones; else those for upstreams.
    pub ca: Option<PathBuf>,
    /// What every key begins with: 1 to 64 of `A–Z a–z 0–9 . _ - :`.
    pub prefix: String,
    /// Longest time that a request waits for it: 1 to 1000 ms.
    pub timeout: Duration,
}

/// Where tokens come from; tries to reach what is shared.
pub(super) fn throttle(options: Option<FleetOptions>, upstream_ca: Option<PathBuf>) -> Result<Throttle, String> {
    let Some(options) = options else {
        return Ok(Throttle::default());
    };
    if let Some(password @ Password::File(path)) = &options.password {
        let unusable = |reason| format!("--valkey-password-file {}: {reason}", path.display());
        password.read().map_err(unusable)?;
    }
    let (option, ca) = match options.ca {
        Some(ca) => ("--valkey-ca", Some(ca)),
        None => ("--upstream-ca", upstream_ca),
    };
    let unusable = |reason: String| {
        let path = ca.as_deref().unwrap_or_else(|| "".as_ref()).display();
        format!("{option} {path}: {reason}")
    };
    let pem = ca
        .as_deref()
        .map(Store::read_option_file)
        .transpose()
        .map_err(unusable)?;
    let trust = tls::client_config(pem.as_deref()).map_err(|error| unusable(error.to_string()))?;
    let settings = Settings {
        valkey: valkey::Settings {
            address: options.address,
            password: options.password,
            tls: trust.config(),
        },
        prefix: options.prefix,
        timeout: options.timeout,
    };
    let started = SharedThrottle::start(settings);
    started
        .map(Throttle::shared)
        .map_err(|error| format!("the system refuses what a server needs: {error}"))
}
