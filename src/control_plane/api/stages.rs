//! Stage: create, get, list, update, delete, its settings, and what authorizers answered for it (`R20.60`–`R20.64`).

use crate::control_plane::api::answer::Answer;
use crate::control_plane::api::api_files::{self, ApiFiles, Members};
use crate::control_plane::api::call::{Answered, Call};
use crate::control_plane::api::deployments::{self, AUTOMATIC_DESCRIPTION};
use crate::control_plane::api::edit;
use crate::control_plane::api::edits::Edits;
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::kind::{DEPLOYMENT, STAGE};
use crate::control_plane::api::members::Given;
use crate::control_plane::api::resources::refuse_managed;
use crate::control_plane::api::root::Root;
use crate::control_plane::api::stage_routes;
use crate::control_plane::api::tag_rules;
use crate::definition::document::Document;
use crate::definition::json::Json;

/// The stage of requests that name none.
const DEFAULT_STAGE: &str = "$default";

/// Most characters of a stage's name.
const MAX_NAME_LENGTH: usize = 128;

/// What is answered of a stage.
pub fn show(root: &Root<'_>, files: &ApiFiles, id: &str, members: &Members) -> Answer {
    let mut answer = Answer::of(STAGE.table, members);
    answer.put_text(STAGE.id, id);
    let path = files.path(&STAGE, id);
    for name in ["CreatedDate", "LastUpdatedDate"] {
        root.put_date(&mut answer, name, members, &path);
    }
    answer
}

/// CreateStage.
pub fn create(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let mut given = call.create(STAGE.table)?;
    let name = given.text("StageName").unwrap_or_default().to_owned();
    if !is_name(&name) {
        let text =
            format!("StageName must be $default, or 1 to {MAX_NAME_LENGTH} letters, digits, - and _, not {name:?}");
        return Err(ApiError::bad_request(text));
    }
    if files.has(&STAGE, &name) {
        return Err(ApiError::conflict("Stage already exists"));
    }
    if let Some(Json::Object(tags)) = given.get("Tags") {
        tag_rules::check(tags)?;
    }
    check_deployment(&files, &given, false)?;
    stage_routes::check_settings(&files, &given)?;
    given.put(STAGE.table, "CreatedDate", call.date());
    given.put(STAGE.table, "LastUpdatedDate", call.date());
    let members = edit::members_of_new(STAGE.table, &given);
    edits.put(&files.path(&STAGE, &name), None, Document::write(members.clone()));
    let mut answer = Answer::of(STAGE.table, &members);
    answer.put_text(STAGE.id, name);
    Ok(Some(answer.into_json()))
}

/// UpdateStage.
pub fn update(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let name = call.label(1);
    let mut document = files.document(&STAGE, name)?;
    let given = call.update(STAGE.table)?;
    let was_automatic = api_files::is_true(&document.members(), "AutoDeploy");
    let is_automatic = given
        .get("AutoDeploy")
        .map_or(was_automatic, |value| *value == Json::Bool(true));
    check_deployment(&files, &given, is_automatic)?;
    stage_routes::check_settings(&files, &given)?;
    edit::update(&mut document, STAGE.table, &given);
    if was_automatic && !is_automatic && given.get("DeploymentId").is_none() {
        // What is served does not change.
        let description = Some(AUTOMATIC_DESCRIPTION.to_owned());
        let id = deployments::take(call, &files, description, true, edits)?.0;
        edit::set(&mut document, STAGE.table, "DeploymentId", &Json::String(id));
    }
    put(call, root, &files, name, document, edits)
}

/// DeleteStage.
pub fn delete(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let name = call.label(1);
    if !files.has(&STAGE, name) {
        return Err(STAGE.not_found(name));
    }
    refuse_managed(&files.members(&STAGE, name).unwrap_or_default(), &STAGE)?;
    if root.mapped_stages(files.id()).iter().any(|stage| stage == name) {
        return Err(ApiError::bad_request(format!(
            "Deleting stage {name} failed. Please remove all API mappings for the stage from your custom domain names."
        )));
    }
    let path = files.path(&STAGE, name);
    edits.remove(&path, files.text(&path));
    Ok(None)
}

/// DeleteAccessLogSettings.
pub fn delete_access_log_settings(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let mut document = files.document(&STAGE, call.label(1))?;
    document.remove(&["AccessLogSettings"]);
    put(call, root, &files, call.label(1), document, edits).map(|_| None)
}

/// DeleteRouteSettings.
pub fn delete_route_settings(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let mut document = files.document(&STAGE, call.label(1))?;
    if !stage_routes::remove_settings(&mut document, call.label(2)) {
        return Err(stage_routes::no_settings(call.label(2)));
    }
    put(call, root, &files, call.label(1), document, edits).map(|_| None)
}

/// The API and the stage whose authorizers' answers are to be forgotten: ResetAuthorizersCache.
///
/// # Errors
/// One of them is not there.
pub fn to_reset(call: &Call<'_>, root: &Root<'_>) -> Result<(String, String), ApiError> {
    let files = root.api(call.label(0))?;
    match files.has(&STAGE, call.label(1)) {
        true => Ok((files.id().to_owned(), call.label(1).to_owned())),
        false => Err(STAGE.not_found(call.label(1))),
    }
}

/// Writes a changed stage, with the date of the change.
fn put(
    call: &Call<'_>,
    root: &Root<'_>,
    files: &ApiFiles,
    name: &str,
    mut document: Document,
    edits: &mut Edits,
) -> Answered {
    let path = files.path(&STAGE, name);
    let before = files.text(&path);
    if before != Some(document.text()) {
        edit::set(&mut document, STAGE.table, "LastUpdatedDate", &call.date());
        edits.put(&path, before, document.text().to_owned());
    }
    Ok(Some(show(root, files, name, &document.members()).into_json()))
}

/// Whether a stage can be called so (`R2.1`).
fn is_name(name: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    name == DEFAULT_STAGE || ((1..=MAX_NAME_LENGTH).contains(&name.len()) && name.bytes().all(is_known))
}

/// Checks which deployment a stage is to serve (`R20.104`).
fn check_deployment(files: &ApiFiles, given: &Given, is_automatic: bool) -> Result<(), ApiError> {
    let Some(id) = given.text("DeploymentId") else {
        return Ok(());
    };
    if is_automatic || given.get("AutoDeploy") == Some(&Json::Bool(true)) {
        return Err(deployments::is_automatic());
    }
    files.members(&DEPLOYMENT, id).map(drop)
}
