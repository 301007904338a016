//! An access key of the gateway's own.

use std::sync::Arc;
use std::time::SystemTime;

use crate::definition::credentials::{Secret, is_access_key_id};

/// An access key that signs requests to AWS's services.
#[derive(Debug)]
pub struct AccessKey {
    /// Its id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
    /// The token of a temporary key.
    pub session_token: Option<Secret>,
    /// When a temporary key ends.
    pub(super) expires: Option<SystemTime>,
}

impl AccessKey {
    /// A key; `place` says where it was found.
    ///
    /// # Errors
    /// A sentence that names the place: a part of it cannot be one.
    pub(super) fn new(
        place: &str,
        access_key_id: &str,
        secret_access_key: Secret,
        session_token: Option<Secret>,
    ) -> Result<AccessKey, String> {
        if !is_access_key_id(access_key_id) {
            return Err(format!("{place} has an access key id that is none"));
        }
        if !secret_access_key.is_visible_ascii() {
            return Err(format!("{place} has a secret access key that is none"));
        }
        if session_token.as_ref().is_some_and(|token| !token.is_visible_ascii()) {
            return Err(format!("{place} has a session token that is none"));
        }
        Ok(AccessKey {
            access_key_id: access_key_id.to_owned(),
            secret_access_key,
            session_token,
            expires: None,
        })
    }

    /// What stand-ins take, as they take any key.
    pub(super) fn of_a_stand_in() -> Arc<AccessKey> {
        Arc::new(AccessKey {
            access_key_id: "test".to_owned(),
            secret_access_key: Secret::new("test".to_owned()),
            session_token: None,
            expires: None,
        })
    }
}
