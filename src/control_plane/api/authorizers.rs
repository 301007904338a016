//! Authorizer: create, get, list, update, delete (`R20.70`, `R20.71`).

use crate::control_plane::api::answer::Answer;
use crate::control_plane::api::api_files::{self, ApiFiles, Members};
use crate::control_plane::api::call::{Answered, Call};
use crate::control_plane::api::edit;
use crate::control_plane::api::edits::Edits;
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::kind::{AUTHORIZER, ROUTE};
use crate::control_plane::api::resources::{bare_id, new_id};
use crate::control_plane::api::root::Root;
use crate::definition::document::Document;
use crate::definition::json::Json;

/// What is answered of an authorizer.
pub fn show(_: &Root<'_>, _: &ApiFiles, id: &str, members: &Members) -> Answer {
    let mut answer = Answer::of(AUTHORIZER.table, members);
    answer.put_text(AUTHORIZER.id, id);
    answer
}

/// CreateAuthorizer.
pub fn create(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let given = call.create(AUTHORIZER.table)?;
    let id = new_id(&files, &AUTHORIZER)?;
    let members = edit::members_of_new(AUTHORIZER.table, &given);
    check(&files, &id, &members)?;
    edits.put(&files.path(&AUTHORIZER, &id), None, Document::write(members.clone()));
    Ok(Some(show(root, &files, &id, &members).into_json()))
}

/// UpdateAuthorizer.
pub fn update(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let id = call.label(1);
    let mut document = files.document(&AUTHORIZER, id)?;
    let given = call.update(AUTHORIZER.table)?;
    edit::update(&mut document, AUTHORIZER.table, &given);
    check(&files, id, &document.members())?;
    let path = files.path(&AUTHORIZER, id);
    edits.put(&path, files.text(&path), document.text().to_owned());
    Ok(Some(show(root, &files, id, &document.members()).into_json()))
}

/// DeleteAuthorizer.
pub fn delete(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let id = call.label(1);
    if !files.has(&AUTHORIZER, id) {
        return Err(AUTHORIZER.not_found(id));
    }
    for (_, route) in files.all(&ROUTE) {
        let user = api_files::text(&route, "AuthorizerId").map(|user| bare_id(&AUTHORIZER, user));
        if user == Some(id) {
            let members = files.members(&AUTHORIZER, id).unwrap_or_default();
            let name = api_files::text(&members, "Name").unwrap_or(id);
            let key = api_files::text(&route, "RouteKey").unwrap_or_default();
            return Err(ApiError::conflict(format!(
                "Cannot delete authorizer '{name}', is referenced in route: {key}"
            )));
        }
    }
    let path = files.path(&AUTHORIZER, id);
    edits.remove(&path, files.text(&path));
    Ok(None)
}

/// What AWS refuses with texts of its own (`R20.108`).
fn check(files: &ApiFiles, own: &str, members: &[(String, Json)]) -> Result<(), ApiError> {
    let says = |name: &str| api_files::value(members, name).is_some();
    if let Some(name) = api_files::text(members, "Name") {
        let is_taken = |(id, other): &(String, Members)| id != own && api_files::text(other, "Name") == Some(name);
        if files.all(&AUTHORIZER).iter().any(is_taken) {
            return Err(ApiError::bad_request(format!(
                "Authorizer name must be unique. Authorizer {name} already exists in this RestApi."
            )));
        }
    }
    if api_files::text(members, "AuthorizerType") != Some("REQUEST") {
        return Ok(());
    }
    if !says("AuthorizerPayloadFormatVersion") {
        let text = "AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizer";
        return Err(ApiError::bad_request(text));
    }
    if !says("AuthorizerUri") {
        let text = "AuthorizerUri is a required parameter for REQUEST authorizer";
        return Err(ApiError::bad_request(text));
    }
    let is_remembered = match api_files::value(members, "AuthorizerResultTtlInSeconds") {
        Some(Json::Number(seconds)) => seconds.as_f64().is_some_and(|seconds| seconds > 0.0),
        Some(Json::String(seconds)) => seconds.parse().is_ok_and(|seconds: f64| seconds > 0.0),
        _ => false,
    };
    let has_source = matches!(api_files::value(members, "IdentitySource"), Some(Json::Array(list)) if !list.is_empty());
    if is_remembered && !has_source {
        let text = "Identity source must be set if authorizer caching is enabled (TTL is greater than 0)";
        return Err(ApiError::bad_request(text));
    }
    Ok(())
}
