//! Whether there is a console, and what is captured for it, by what the command says and where the management listener is.

use std::net::TcpListener;
use std::sync::Arc;

use crate::control_plane::api::settings::Mode as Access;
use crate::data_plane::capture::{Capture, Mode};
use crate::management::console;

/// What is said of the console.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConsoleOptions {
    /// Whether there is one; where that is not said, there is on a loopback address.
    pub is_on: Option<bool>,
    /// When heads and bodies of requests are captured.
    pub capture: Mode,
    /// Whether secrets are kept in what is captured.
    pub keeps_secrets: bool,
}

impl ConsoleOptions {
    /// What requests are captured by; none where there is no console.
    ///
    /// # Errors
    /// Secrets are to be kept where others than this machine can read them.
    pub(super) fn capture(self, admin: Option<&TcpListener>, access: Access) -> Result<Option<Arc<Capture>>, String> {
        let is_loopback = admin.is_some_and(is_loopback);
        if self.keeps_secrets && !is_loopback {
            return Err("--capture-secrets: secrets are kept only where --admin is a loopback address".to_owned());
        }
        if admin.is_none() || !self.is_on.unwrap_or(is_loopback) {
            return Ok(None);
        }
        if !is_loopback && access != Access::Signed {
            log::warn!("all who reach the management listener can read what the console shows of requests");
        }
        Ok(Some(Arc::new(Capture::new(
            self.capture,
            self.keeps_secrets,
            console::explainer,
        ))))
    }
}

fn is_loopback(admin: &TcpListener) -> bool {
    admin.local_addr().is_ok_and(|address| address.ip().is_loopback())
}
