//! What only WebSocket APIs have: Model, RouteResponse, IntegrationResponse. HTTP APIs have none of them.

use crate::control_plane::api::call::{Answered, Call};
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::kind::{INTEGRATION, ROUTE};
use crate::control_plane::api::page;
use crate::control_plane::api::root::Root;

/// A kind of resources that HTTP APIs do not have.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// What a body must look like.
    Model,
    /// What a route answers.
    RouteResponse,
    /// What an integration answers.
    IntegrationResponse,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Model => "Model",
            Kind::RouteResponse => "RouteResponse",
            Kind::IntegrationResponse => "IntegrationResponse",
        }
    }

    /// Looks whether the resource is there to which such a resource would belong.
    fn check_parent(self, call: &Call<'_>, root: &Root<'_>) -> Result<(), ApiError> {
        let files = root.api(call.label(0))?;
        let parent = match self {
            Kind::Model => return Ok(()),
            Kind::RouteResponse => &ROUTE,
            Kind::IntegrationResponse => &INTEGRATION,
        };
        match files.has(parent, call.label(1)) {
            true => Ok(()),
            false => Err(parent.not_found(call.label(1))),
        }
    }
}

/// Create and update.
pub fn refuse(call: &Call<'_>, root: &Root<'_>, kind: Kind) -> Answered {
    kind.check_parent(call, root)?;
    let text = format!("{} is supported only for WebSocket APIs", kind.name());
    Err(ApiError::bad_request(text))
}

/// The list, which has nothing in it.
pub fn list(call: &Call<'_>, root: &Root<'_>, kind: Kind) -> Answered {
    kind.check_parent(call, root)?;
    let none: Vec<(String, ())> = Vec::new();
    page::of(kind.name(), call.query, none, |_, ()| {
        crate::definition::json::Json::Null
    })
    .map(Some)
}

/// Get and delete: there is none.
pub fn not_found(call: &Call<'_>, root: &Root<'_>, kind: Kind) -> Answered {
    kind.check_parent(call, root)?;
    let id = match kind {
        Kind::Model => call.label(1),
        Kind::RouteResponse | Kind::IntegrationResponse => call.label(2),
    };
    Err(ApiError::not_found(format!(
        "Invalid {} identifier specified {id}",
        kind.name()
    )))
}
