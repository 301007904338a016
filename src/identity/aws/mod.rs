//! Who the gateway is to AWS's services, and where they are: credentials, region, endpoint (contract S16–S18).
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>
//!
//! All of it is looked for when the first integration with a service needs it: a gateway without one reads no file of
//! AWS's and asks no metadata service. `environment` is where variables come from, `profile` reads the two files,
//! `endpoint` finds endpoint and region, `credentials` goes through the sources in their order, `metadata` asks the
//! two that are servers, and `key_cache` keeps what they gave: one request fetches, the others use the old key.
//!
//! The first source that is configured counts, not the first that works: a gateway that has lost its role must not go
//! on as somebody else.
//!
//! Secrets are overwritten when they are dropped. What is out of reach: the process's own environment, the buffers
//! of a connection to a metadata service, and the session token in a request that is sent with it.

mod access_key;
mod credentials;
mod endpoint;
mod environment;
mod key_cache;
mod metadata;
mod profile;
mod settings;

use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::definition::notation::integration_subtype::IntegrationSubtype;
use crate::identity::aws::endpoint::Configuration;
use crate::identity::aws::key_cache::KeyCache;
use crate::outbound::upstream::Upstream;

pub use crate::identity::aws::access_key::AccessKey;
pub use crate::identity::aws::endpoint::{Destination, parse_endpoint};
pub use crate::identity::aws::environment::Environment;
pub use crate::identity::aws::key_cache::NoKey;
pub use crate::identity::aws::settings::Settings;

/// The way to AWS's services, for all threads.
#[derive(Default)]
pub struct AwsAccess {
    settings: Settings,
    configuration: OnceLock<Result<Configuration, String>>,
    keys: KeyCache,
    /// Whether the log knows of the keys of a stand-in.
    told: AtomicBool,
}

impl AwsAccess {
    /// Nothing is looked for yet.
    pub fn new(settings: Settings) -> AwsAccess {
        AwsAccess {
            settings,
            ..AwsAccess::default()
        }
    }

    /// Looks for endpoint and region.
    ///
    /// # Errors
    /// A sentence on what of them is wrong.
    pub fn check(&self) -> Result<(), String> {
        self.configuration().map(drop)
    }

    fn configuration(&self) -> Result<&Configuration, String> {
        let read = || Configuration::read(&self.settings);
        self.configuration.get_or_init(read).as_ref().map_err(String::clone)
    }

    /// Where a call goes, and for which region it is signed; `region` is that of the call, where it has one.
    ///
    /// # Errors
    /// A sentence on why that cannot be told.
    pub fn destination(&self, subtype: IntegrationSubtype, region: Option<&str>) -> Result<Destination, String> {
        Ok(self.configuration()?.destination(subtype, region))
    }

    /// The key that signs a call to a destination; waits for another request's fetch no longer than `patience`.
    ///
    /// # Errors
    /// See [`NoKey`].
    pub fn key(
        &self,
        destination: &Destination,
        upstream: &Upstream,
        now: SystemTime,
        patience: Duration,
    ) -> Result<Arc<AccessKey>, NoKey> {
        let environment = &self.settings.environment;
        let is_stand_in = destination.is_stand_in();
        let found = self.keys.key(now, patience, is_stand_in, upstream.share(), || {
            credentials::find(environment, upstream)
        });
        match found {
            Err(NoKey::NotConfigured(_)) if is_stand_in => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    let authority = &destination.authority;
                    log::warn!("no AWS credentials are configured: calls to {authority} are signed as test/test");
                }
                Ok(AccessKey::of_a_stand_in())
            }
            other => other,
        }
    }
}

impl fmt::Debug for AwsAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsAccess")
    }
}
