//! What a gateway serves, and what is asked of it besides requests.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use crate::data_plane::gateway::withdrawals::log_withdrawn;
use crate::data_plane::gateway::{Gateway, Settings};
use crate::data_plane::request_record::Recorder;
use crate::data_plane::throttle::Throttle;
use crate::deployment::configuration::Configuration;
use crate::outbound::upstream::Upstream;
use crate::platform::metrics::{CacheMetrics, GatewayMetrics};

impl Gateway {
    /// Serves another configuration from the next request on; requests in flight keep theirs.
    ///
    /// Routes that were there before keep their counters and their buckets. What is remembered of authorizers is
    /// forgotten last, so that no answer that was asked for under an older deployment stays.
    pub fn deploy(&self, configuration: Configuration) {
        if configuration.apis().any(|api| api.calls_services())
            && let Err(error) = self.settings.aws.check()
        {
            log::error!("calls of AWS's services fail until the gateway is started anew: {error}");
        }
        let before = self.configuration_now();
        log_withdrawn(&before, &configuration);
        self.recorder.route_states.attach(&configuration);
        self.functions.keep_only(&configuration.local_functions());
        self.tokens.keep_only(&configuration.issuers());
        let configuration = Arc::new(configuration);
        self.note_deployment(&before, &configuration);
        *self.configuration.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&configuration);
        self.answers.keep_only(configuration.apis().map(|api| api.generation()));
    }

    /// What is counted besides the routes.
    pub fn metrics(&self) -> &GatewayMetrics {
        &self.metrics
    }

    /// How often tokens were remembered that had been verified.
    pub fn token_cache(&self) -> &CacheMetrics {
        self.tokens.metrics()
    }

    /// How often Lambda authorizers' answers were remembered.
    pub fn answer_cache(&self) -> &CacheMetrics {
        self.answers.metrics()
    }

    /// Counters of each route, and the access log.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// What the gateway knows besides its files.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The way to the integrations.
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Closes connections that have not been used for a while, and restarts functions whose files have changed. To be
    /// called a few times a second.
    pub fn run_maintenance(&self) {
        self.upstream.close_idle();
        self.functions.look_for_changes(self.recorder.access_log.file());
        if let Some(capture) = &self.capture {
            capture.expire(Instant::now());
        }
    }

    /// Where tokens come from.
    pub fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// Ends the functions that run here; requests that still want them fail. Gives back tokens that are held.
    pub fn stop(&self) {
        self.throttle.stop();
        self.functions.stop();
    }

    /// Forgets what authorizers answered for a stage of an API, and which tokens held.
    pub fn forget_authorizers(&self, api_id: &str, stage: &str) {
        if let Some(api) = self.configuration_now().api(api_id) {
            self.answers.forget(api.generation(), stage);
        }
        self.tokens.forget_tokens();
    }

    /// What is served, after a reload that is under way.
    pub fn configuration(&self) -> Arc<Configuration> {
        self.gate.wait_if_reloading();
        self.configuration_now()
    }

    /// What is served, without a wait for a reload.
    pub fn configuration_now(&self) -> Arc<Configuration> {
        Arc::clone(&self.configuration.read().unwrap_or_else(PoisonError::into_inner))
    }
}
