//! What a call says: the members of its content.

use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::wire;
use crate::definition::json::Json;

/// The members of a call's content.
#[derive(Debug, Default)]
pub(super) struct Members(Vec<(String, Json)>);

impl Members {
    /// The members of an object.
    ///
    /// # Errors
    /// It is no JSON object.
    pub(super) fn of(content: &[u8]) -> Result<Members, ApiError> {
        wire::members(content).map(Members)
    }

    /// Those of a member that is an object.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn object(&self, name: &str) -> Result<Option<Members>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Object(members)) => Ok(Some(Members(members.clone()))),
            Some(_) => Err(ApiError::bad_request(format!("{name} must be an object"))),
        }
    }

    /// Checks that there are no others.
    ///
    /// # Errors
    /// There are.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), ApiError> {
        match self.0.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::bad_request(format!("{name:?} is not a member of this call"))),
        }
    }

    /// A member; none where it is not there or `null`.
    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value).filter(|value| **value != Json::Null)
    }

    /// A text.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(ApiError::bad_request(format!("{name} must be a string"))),
        }
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name)?
            .ok_or_else(|| ApiError::bad_request(format!("{name} is missing")))
    }
}
