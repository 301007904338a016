//! Deployment: create, get, list, update, delete (`R20.65`–`R20.68`). One is a copy of the API's files as they were.

use crate::control_plane::api::answer::Answer;
use crate::control_plane::api::api_files::{self, ApiFiles, Members};
use crate::control_plane::api::call::{Answered, Call};
use crate::control_plane::api::edit;
use crate::control_plane::api::edits::Edits;
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::kind::{AUTHORIZER, DEPLOYMENT, INTEGRATION, Kind, ROUTE, STAGE};
use crate::control_plane::api::resources::new_id;
use crate::control_plane::api::root::Root;
use crate::definition::document::Document;
use crate::definition::json::Json;
use crate::definition::model::deployment::{OF_API, SNAPSHOT};

/// What AWS says of deployments that it makes itself (`R20.67`).
pub const AUTOMATIC_DESCRIPTION: &str = "Automatic deployment triggered by changes to the Api configuration";

/// What is answered of a deployment.
pub fn show(root: &Root<'_>, files: &ApiFiles, id: &str, members: &Members) -> Answer {
    let mut answer = Answer::of(DEPLOYMENT.table, members);
    root.put_date(&mut answer, "CreatedDate", members, &files.path(&DEPLOYMENT, id));
    answer.put_text(DEPLOYMENT.id, id);
    answer.put_text("DeploymentStatus", "DEPLOYED");
    answer
}

/// CreateDeployment.
pub fn create(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let given = call.create(DEPLOYMENT.table)?;
    let stage = given
        .text("StageName")
        .map(|name| files.document(&STAGE, name))
        .transpose()?;
    if stage
        .as_ref()
        .is_some_and(|stage| api_files::is_true(&stage.members(), "AutoDeploy"))
    {
        return Err(is_automatic());
    }
    if files.ids(&ROUTE).is_empty() {
        let text = "Unable to deploy API because no routes exist in this API";
        return Err(ApiError::bad_request(text));
    }
    let (id, members) = take(call, &files, given.text("Description").map(str::to_owned), false, edits)?;
    if let Some((name, mut stage)) = given.text("StageName").zip(stage) {
        let path = files.path(&STAGE, name);
        edit::set(&mut stage, STAGE.table, "DeploymentId", &Json::String(id.clone()));
        edit::set(&mut stage, STAGE.table, "LastUpdatedDate", &call.date());
        edits.put(&path, files.text(&path), stage.text().to_owned());
    }
    Ok(Some(show(root, &files, &id, &members).into_json()))
}

/// Takes a copy of the files; its id and its members.
///
/// # Errors
/// A file cannot be read.
pub fn take(
    call: &Call<'_>,
    files: &ApiFiles,
    description: Option<String>,
    is_automatic: bool,
    edits: &mut Edits,
) -> Result<(String, Members), ApiError> {
    let id = new_id(files, &DEPLOYMENT)?;
    let mut members = vec![("CreatedDate".to_owned(), call.date())];
    if is_automatic {
        members.insert(0, ("AutoDeployed".to_owned(), Json::Bool(true)));
    }
    members.extend(description.map(|description| ("Description".to_owned(), Json::String(description))));
    let api = files
        .api()?
        .into_iter()
        .filter(|(name, _)| OF_API.contains(&name.as_str()));
    let [of_api, of_routes, of_integrations, of_authorizers] = SNAPSHOT;
    members.push((of_api.to_owned(), Json::Object(api.collect())));
    for (name, kind) in [
        (of_routes, &ROUTE),
        (of_integrations, &INTEGRATION),
        (of_authorizers, &AUTHORIZER),
    ] {
        members.push((name.to_owned(), copies(files, kind)?));
    }
    edits.put(&files.path(&DEPLOYMENT, &id), None, Document::write(members.clone()));
    Ok((id, members))
}

/// All resources of a kind, by id.
fn copies(files: &ApiFiles, kind: &Kind) -> Result<Json, ApiError> {
    let mut all = Vec::new();
    for id in files.ids(kind) {
        let mut members = files.members(kind, id)?;
        // Where an editor finds the file's schema.
        members.retain(|(name, _)| name != "$schema");
        all.push((id.to_owned(), Json::Object(members)));
    }
    Ok(Json::Object(all))
}

/// UpdateDeployment.
pub fn update(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let id = call.label(1);
    let mut document = files.document(&DEPLOYMENT, id)?;
    let given = call.update(DEPLOYMENT.table)?;
    edit::update(&mut document, DEPLOYMENT.table, &given);
    let path = files.path(&DEPLOYMENT, id);
    edits.put(&path, files.text(&path), document.text().to_owned());
    Ok(Some(show(root, &files, id, &document.members()).into_json()))
}

/// DeleteDeployment (`R20.111`).
pub fn delete(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let id = call.label(1);
    if !files.has(&DEPLOYMENT, id) {
        return Err(DEPLOYMENT.not_found(id));
    }
    let serves = |members: &Members| {
        api_files::text(members, "DeploymentId") == Some(id) && !api_files::is_true(members, "AutoDeploy")
    };
    if files.all(&STAGE).iter().any(|(_, members)| serves(members)) {
        let text = "Active stages pointing to this deployment must be moved or deleted";
        return Err(ApiError::bad_request(text));
    }
    let path = files.path(&DEPLOYMENT, id);
    edits.remove(&path, files.text(&path));
    Ok(None)
}

/// That a stage which deploys by itself takes no deployment (`R20.104`).
pub fn is_automatic() -> ApiError {
    ApiError::bad_request("Deployment ID cannot be set on this stage because AutoDeploy is enabled.")
}
