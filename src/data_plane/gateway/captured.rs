//! A gateway whose requests are captured for the console.

use std::sync::Arc;

use crate::data_plane::capture::Capture;
use crate::data_plane::gateway::Gateway;
use crate::deployment::configuration::Configuration;

impl Gateway {
    /// The same, with requests captured; none are where there is no console.
    #[must_use]
    pub fn with_capture(self, capture: Option<Arc<Capture>>) -> Gateway {
        let gateway = Gateway { capture, ..self };
        let now = gateway.configuration_now();
        gateway.note_deployment(&now, &now);
        gateway
    }

    /// Tells what is captured that other files are going to be served.
    pub(super) fn note_deployment(&self, before: &Arc<Configuration>, after: &Arc<Configuration>) {
        if let Some(capture) = &self.capture {
            capture.note_deployment(before, after);
        }
    }
}
