//! What the command line says of AWS's services, and where variables come from.

use crate::identity::aws::environment::Environment;
use crate::outbound::upstream::url::Url;

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `--aws-endpoint-url`.
    pub endpoint_url: Option<Url>,
    /// `--region`, where it is given.
    pub region: Option<String>,
    /// Where variables come from.
    pub environment: Environment,
}
