//! What the console tells of: the gateway, its files, and what was captured.

use std::sync::{Arc, Weak};

use serde_json::{Value, json};

use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::settings::Settings;
use crate::control_plane::reloader::Reloader;
use crate::data_plane::capture::Capture;
use crate::data_plane::gateway::Gateway;
use crate::management::console::problems::KnownProblems;

/// What the console tells of.
pub(super) struct Served {
    pub(super) gateway: Arc<Gateway>,
    pub(super) capture: Arc<Capture>,
    /// None where the files are not watched.
    pub(super) reloader: Option<Weak<Reloader>>,
    /// Those of the control plane.
    pub(super) settings: Settings,
    /// The URL of the API's listener.
    pub(super) data_plane: String,
    pub(super) problems: KnownProblems,
}

impl Served {
    /// What is wrong with the files.
    ///
    /// # Errors
    /// The gateway has stopped.
    pub(super) fn problems(&self) -> Result<Value, ApiError> {
        match &self.reloader {
            Some(reloader) => {
                let reloader = reloader.upgrade().ok_or_else(ApiError::stopped)?;
                Ok(self.problems.now(&self.gateway, &reloader))
            }
            None => {
                let hash = self.gateway.configuration_now().hash().to_owned();
                Ok(json!({"problems": [], "errors": 0, "warnings": 0, "hash": hash, "serving": false}))
            }
        }
    }

    /// How the capture stands.
    pub(super) fn standing(&self) -> Value {
        let standing = self.capture.standing();
        json!({
            "mode": standing.mode.as_str(),
            "secrets": standing.keeps_secrets,
            "details": standing.takes_details,
            "streams": standing.streams,
            "requests": standing.requests,
            "bytes": standing.size,
        })
    }
}
