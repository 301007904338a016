//! What the options of the control plane may be.

use std::str::FromStr;

use apigateway::control_plane::api::settings::{Mode, PublicUrl};
use apigateway::http1::target::is_host;

/// The mode of `--control-plane`; none where it is not given.
pub(crate) struct ControlPlaneMode(pub(crate) Option<Mode>);

impl FromStr for ControlPlaneMode {
    type Err = ();

    fn from_str(text: &str) -> Result<ControlPlaneMode, ()> {
        text.parse().map(|mode| ControlPlaneMode(Some(mode)))
    }
}

/// The URL of `--public-url`; none where it is not given.
pub(crate) struct Public(pub(crate) Option<PublicUrl>);

impl FromStr for Public {
    type Err = ();

    fn from_str(text: &str) -> Result<Public, ()> {
        text.parse().map(|url| Public(Some(url)))
    }
}

/// The names of `--admin-host`, with commas between them.
pub(crate) struct Hosts(pub(crate) Vec<String>);

impl FromStr for Hosts {
    type Err = ();

    fn from_str(text: &str) -> Result<Hosts, ()> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        names.iter().all(|name| is_host(name)).then_some(Hosts(names)).ok_or(())
    }
}
