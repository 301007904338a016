//! What reads and deletes have in common, whatever the kind of resource.

use crate::control_plane::api::answer::Answer;
use crate::control_plane::api::api_files::{self, ApiFiles, Members};
use crate::control_plane::api::call::{Answered, Call};
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::ids;
use crate::control_plane::api::kind::Kind;
use crate::control_plane::api::page;
use crate::control_plane::api::root::Root;
use crate::definition::json::Json;

/// What a resource is answered with.
pub type Show = fn(&Root<'_>, &ApiFiles, &str, &Members) -> Answer;

/// The resource that the second label names.
pub fn get(call: &Call<'_>, root: &Root<'_>, kind: &Kind, show: Show) -> Answered {
    let files = root.api(call.label(0))?;
    let id = call.label(1);
    let members = files.members(kind, id)?;
    Ok(Some(show(root, &files, id, &members).into_json()))
}

/// All resources of a kind.
pub fn list(call: &Call<'_>, root: &Root<'_>, kind: &Kind, show: Show) -> Answered {
    let files = root.api(call.label(0))?;
    let list = format!("{}/{}", files.id(), kind.directory);
    let shown = |id: &str, members: &Members| show(root, &files, id, members).into_json();
    page::of(&list, call.query, files.all(kind), shown).map(Some)
}

/// A new id of a kind.
///
/// # Errors
/// The system has no random bytes.
pub fn new_id(files: &ApiFiles, kind: &Kind) -> Result<String, ApiError> {
    let taken = files.ids(kind);
    ids::new(kind.id_length, |id| taken.contains(&id))
}

/// The id that a reference to a file names, with or without the directory before it.
pub fn bare_id<'a>(kind: &Kind, reference: &'a str) -> &'a str {
    let below = reference.strip_prefix(kind.directory);
    below.and_then(|below| below.strip_prefix('/')).unwrap_or(reference)
}

/// Refuses to delete what quick create made (`R20.35`).
///
/// # Errors
/// It is managed.
pub fn refuse_managed(members: &[(String, Json)], kind: &Kind) -> Result<(), ApiError> {
    match api_files::is_true(members, "ApiGatewayManaged") {
        true => Err(ApiError::bad_request(format!(
            "the {} is managed by API Gateway: it is deleted with its API",
            kind.noun.to_lowercase()
        ))),
        false => Ok(()),
    }
}
