//! A call that was let in and read.

use std::time::SystemTime;

use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::members::{self, Action, Given};
use crate::control_plane::api::operation::Operation;
use crate::control_plane::api::settings::Settings;
use crate::definition::json::Json;
use crate::definition::model::member::Member;
use crate::platform::clock::iso_8601;

/// A call.
#[derive(Debug)]
pub struct Call<'a> {
    /// What is asked for.
    pub operation: Operation,
    /// The labels of its path, decoded.
    pub labels: &'a [String],
    /// Its query.
    pub query: Option<&'a str>,
    /// The members of its content.
    pub body: &'a [(String, Json)],
    /// When it came.
    pub now: SystemTime,
    /// What the control plane was told when it started.
    pub settings: &'a Settings,
}

/// What a call is answered with, besides its status.
pub type Answered = Result<Option<Json>, ApiError>;

impl Call<'_> {
    /// A label of the path.
    pub fn label(&self, place: usize) -> &str {
        self.labels.get(place).map(String::as_str).unwrap_or_default()
    }

    /// Reads what the call says of a new resource.
    ///
    /// # Errors
    /// See [`members::check`].
    pub fn create(&self, table: &'static [Member]) -> Result<Given, ApiError> {
        members::check(self.operation, Action::Create, table, self.body)
    }

    /// Reads what the call says of a resource that is there.
    ///
    /// # Errors
    /// See [`members::check`].
    pub fn update(&self, table: &'static [Member]) -> Result<Given, ApiError> {
        members::check(self.operation, Action::Update, table, self.body)
    }

    /// When the call came, as files say it.
    pub fn date(&self) -> Json {
        Json::String(iso_8601(self.now))
    }

    /// The text that a member of the content says, by its name on the wire, whatever else is wrong with the call.
    pub fn raw_text(&self, wire: &str) -> Option<&str> {
        self.body.iter().find_map(|(name, value)| match value {
            Json::String(text) if name == wire => Some(text.as_str()),
            _ => None,
        })
    }
}
