//! The sources of credentials in their order: the first that is configured counts (contract S18).

use crate::identity::aws::access_key::AccessKey;
use crate::identity::aws::environment::Environment;
use crate::identity::aws::metadata::{self, Absence};
use crate::identity::aws::profile::Profile;
use crate::outbound::upstream::Upstream;

/// Settings of a profile by which others than static keys are got. None of them is supported, and to go on without
/// would be to go on as somebody else.
const UNSUPPORTED: [&str; 3] = ["role_arn", "credential_process", "web_identity_token_file"];

/// What those of single sign-on begin with.
const SINGLE_SIGN_ON: &str = "sso_";

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoCredentials {
    /// No source is configured; what was tried.
    NotConfigured(String),
    /// The one that is configured gives none.
    Failed(String),
}

/// Goes through the sources.
///
/// # Errors
/// See [`NoCredentials`].
pub(super) fn find(environment: &Environment, upstream: &Upstream) -> Result<AccessKey, NoCredentials> {
    let failed = NoCredentials::Failed;
    if let Some(key) = of_variables(environment).map_err(failed)? {
        return Ok(key);
    }
    let mut profile = Profile::load(environment).map_err(failed)?;
    if let Some(key) = of_profile(&mut profile).map_err(failed)? {
        return Ok(key);
    }
    if environment.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() {
        let text = "AWS_WEB_IDENTITY_TOKEN_FILE is set: web identity (IRSA) is not supported";
        return Err(failed(text.to_owned()));
    }
    if let Some(key) = metadata::of_container(environment, upstream).map_err(failed)? {
        return Ok(key);
    }
    let absence = match metadata::of_instance(environment, upstream) {
        Ok(key) => return Ok(key),
        Err(Absence::Failed(text)) => return Err(failed(text)),
        Err(Absence::NotConfigured(text)) => text,
    };
    Err(NoCredentials::NotConfigured(format!(
        "tried AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the profile {:?} of AWS_SHARED_CREDENTIALS_FILE and \
         AWS_CONFIG_FILE, AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, and {absence}",
        profile.name
    )))
}

fn of_variables(environment: &Environment) -> Result<Option<AccessKey>, String> {
    let (id, secret) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
    let place = format!("{id} and {secret}");
    match (environment.get(id), environment.secret(secret)) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(format!("{id} is set without {secret}")),
        (None, Some(_)) => Err(format!("{secret} is set without {id}")),
        (Some(id), Some(secret)) => {
            AccessKey::new(&place, &id, secret, environment.secret("AWS_SESSION_TOKEN")).map(Some)
        }
    }
}

fn of_profile(profile: &mut Profile) -> Result<Option<AccessKey>, String> {
    let place = format!("the AWS profile {:?}", profile.name);
    if !profile.is_there {
        return match profile.is_named {
            true => Err(format!("{place} of AWS_PROFILE is in neither file")),
            false => Ok(None),
        };
    }
    let is_unsupported = |name: &&str| UNSUPPORTED.contains(name) || name.starts_with(SINGLE_SIGN_ON);
    if let Some(name) = profile.names().find(is_unsupported) {
        return Err(format!("{place} has {name}, which is not supported: static keys only"));
    }
    let (id, secret) = ("aws_access_key_id", "aws_secret_access_key");
    let token = profile.take_secret("aws_session_token");
    match (profile.take_secret(id), profile.take_secret(secret)) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(format!("{place} has {id} without {secret}")),
        (None, Some(_)) => Err(format!("{place} has {secret} without {id}")),
        (Some(id), Some(secret)) => AccessKey::new(&place, id.expose(), secret, token).map(Some),
    }
}
