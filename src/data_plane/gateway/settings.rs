//! What a gateway knows besides its files.

use std::path::PathBuf;

use crate::data_plane::trusted_proxies::TrustedProxies;
use crate::identity::aws::AwsAccess;
use crate::outbound::upstream::url::Url;
use crate::platform::clock::Clock;

/// What a gateway knows besides its files.
#[derive(Debug)]
pub struct Settings {
    /// Time and ids.
    pub clock: Clock,
    /// The program by which functions are started, see [`crate::outbound::function::Settings`].
    pub launcher: Option<PathBuf>,
    /// The region in ARNs.
    pub region: String,
    /// `$context.accountId`: twelve digits.
    pub account_id: String,
    /// Whose word on the client's address counts.
    pub trusted_proxies: TrustedProxies,
    /// Where functions are invoked that no file tells of.
    pub lambda_endpoint: Option<Url>,
    /// The way to AWS's other services.
    pub aws: AwsAccess,
}
