//! Integration: create, get, list, update, delete (`R20.50`–`R20.58`).

use crate::control_plane::api::answer::Answer;
use crate::control_plane::api::api_files::{self, ApiFiles, Members};
use crate::control_plane::api::call::{Answered, Call};
use crate::control_plane::api::edit;
use crate::control_plane::api::edits::Edits;
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::kind::{INTEGRATION, ROUTE};
use crate::control_plane::api::members::Given;
use crate::control_plane::api::resources::{bare_id, new_id, refuse_managed};
use crate::control_plane::api::root::Root;
use crate::definition::document::Document;
use crate::definition::json::Json;
use crate::definition::model::integration::TYPES;

/// The types that other APIs have (`R20.57`).
const TYPES_OF_OTHERS: [&str; 3] = ["AWS", "HTTP", "MOCK"];

/// What is answered of an integration.
pub fn show(_: &Root<'_>, _: &ApiFiles, id: &str, members: &Members) -> Answer {
    let mut answer = Answer::of(INTEGRATION.table, members);
    let kind = api_files::text(members, "IntegrationType").map(str::to_owned);
    let is_service = answer.get("IntegrationSubtype").is_some();
    match kind.as_deref() {
        Some("AWS_PROXY") if !is_service => answer.put_default("IntegrationMethod", "POST"),
        Some("HTTP_PROXY") => answer.put_default("IntegrationMethod", "ANY"),
        _ => {}
    }
    // A file may leave it out, and means this then.
    answer.put_default("PayloadFormatVersion", "1.0");
    answer.put_text(INTEGRATION.id, id);
    answer
}

/// CreateIntegration.
pub fn create(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    check_type(call)?;
    let given = call.create(INTEGRATION.table)?;
    let id = new_id(&files, &INTEGRATION)?;
    let mut members = edit::members_of_new(INTEGRATION.table, &given);
    check(&members)?;
    // A function is invoked by POST: that is the default.
    if api_files::text(&members, "IntegrationType") == Some("AWS_PROXY") {
        let is_default =
            |(name, value): &(String, Json)| name == "IntegrationMethod" && *value == Json::String("POST".to_owned());
        members.retain(|member| !is_default(member));
    }
    edits.put(&files.path(&INTEGRATION, &id), None, Document::write(members.clone()));
    Ok(Some(show(root, &files, &id, &members).into_json()))
}

/// UpdateIntegration.
pub fn update(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let id = call.label(1);
    let mut document = files.document(&INTEGRATION, id)?;
    check_type(call)?;
    let given = call.update(INTEGRATION.table)?;
    if api_files::value(&document.members(), "IntegrationSubtype").is_some() {
        refuse_empty_parameters(&given)?;
    }
    edit::update(&mut document, INTEGRATION.table, &given);
    check_connection(&document.members())?;
    let path = files.path(&INTEGRATION, id);
    edits.put(&path, files.text(&path), document.text().to_owned());
    Ok(Some(show(root, &files, id, &document.members()).into_json()))
}

/// DeleteIntegration.
pub fn delete(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let id = call.label(1);
    if !files.has(&INTEGRATION, id) {
        return Err(INTEGRATION.not_found(id));
    }
    refuse_managed(&files.members(&INTEGRATION, id).unwrap_or_default(), &INTEGRATION)?;
    let routes = files.all(&ROUTE);
    let is_user = |members: &Members| {
        api_files::text(members, "Target").is_some_and(|target| bare_id(&INTEGRATION, target) == id)
    };
    let users: Vec<&str> = routes
        .iter()
        .filter(|(_, members)| is_user(members))
        .map(|(id, _)| id.as_str())
        .collect();
    if !users.is_empty() {
        return Err(ApiError::conflict(format!(
            "Cannot delete Integration because it is referenced by the following Routes with Ids: [{}]",
            users.join(", ")
        )));
    }
    let path = files.path(&INTEGRATION, id);
    edits.remove(&path, files.text(&path));
    Ok(None)
}

/// Types that other APIs have are refused with AWS's own text (`R20.106`).
fn check_type(call: &Call<'_>) -> Result<(), ApiError> {
    match call.raw_text("integrationType") {
        Some(kind) if TYPES_OF_OTHERS.contains(&kind) => Err(ApiError::bad_request(
            "Currently, an API with a protocol type of HTTP may only be associated with proxy integrations (AWS_PROXY, \
             HTTP_PROXY)",
        )),
        _ => Ok(()),
    }
}

/// The parameters of a call of a service are not taken out by an empty text (`R20.54`).
fn refuse_empty_parameters(given: &Given) -> Result<(), ApiError> {
    let is_empty = |(_, value): &(String, Json)| *value == Json::Null;
    match given.get("RequestParameters") {
        Some(Json::Object(entries)) if entries.iter().any(is_empty) => Err(ApiError::bad_request(
            "RequestParameters must not be empty for an integration with an IntegrationSubtype",
        )),
        _ => Ok(()),
    }
}

/// A connection by a VPC link names the link (`R20.58`).
fn check_connection(members: &[(String, Json)]) -> Result<(), ApiError> {
    let is_link = api_files::text(members, "ConnectionType") == Some("VPC_LINK");
    match is_link && api_files::value(members, "ConnectionId").is_none() {
        true => Err(ApiError::bad_request(
            "ConnectionId is a required parameter for VPC_LINK integrations",
        )),
        false => Ok(()),
    }
}

/// Checks what AWS requires and a file need not say (`R20.52`).
fn check(members: &[(String, Json)]) -> Result<(), ApiError> {
    let says = |name: &str| api_files::value(members, name).is_some();
    if !says("PayloadFormatVersion") {
        let text = "PayloadFormatVersion is a required parameter for integration";
        return Err(ApiError::bad_request(text));
    }
    check_connection(members)?;
    let is_http = api_files::text(members, "IntegrationType") == TYPES.first().copied();
    if is_http && !says("IntegrationMethod") {
        let text = "IntegrationMethod is a required parameter for HTTP_PROXY integrations";
        return Err(ApiError::bad_request(text));
    }
    if !says("IntegrationUri") && !says("IntegrationSubtype") {
        return Err(ApiError::bad_request(
            "IntegrationUri is a required parameter for integration",
        ));
    }
    Ok(())
}
