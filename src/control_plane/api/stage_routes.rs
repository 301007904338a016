//! What stages say of routes: the list of those that they serve, and settings by route key.

use crate::control_plane::api::api_files::{self, ApiFiles};
use crate::control_plane::api::edits::Edits;
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::kind::{ROUTE, STAGE};
use crate::control_plane::api::members::Given;
use crate::control_plane::api::resources::bare_id;
use crate::definition::document::Document;
use crate::definition::json::Json;

/// Takes a route out of every stage.
pub fn forget(files: &ApiFiles, id: &str, key: Option<&str>, edits: &mut Edits) {
    for name in files.ids(&STAGE) {
        let path = files.path(&STAGE, name);
        let Some(Ok(mut document)) = files.text(&path).map(Document::of) else {
            continue;
        };
        let is_it = |item: &Json| matches!(item, Json::String(reference) if bare_id(&ROUTE, reference) == id);
        if let Some(Json::Array(routes)) = document.get(&["Routes"])
            && routes.iter().any(is_it)
        {
            let left = routes.into_iter().filter(|route| !is_it(route)).collect();
            document.set(&["Routes"], &Json::Array(left), &[]);
        }
        if let Some(key) = key {
            remove_settings(&mut document, key);
        }
        edits.put(&path, files.text(&path), document.text().to_owned());
    }
}

/// Lets every stage know other routes than before: those that are new, with their ids and keys. In its list the place of
/// a route that is gone goes to the one that has its key now.
pub fn replace_routes(files: &ApiFiles, new: &[(&str, &str)], edits: &mut Edits) {
    let before = files.all(&ROUTE);
    let successor = |id: &str| {
        let key = before.iter().find(|(known, _)| known == id);
        let key = key.and_then(|(_, members)| api_files::text(members, "RouteKey"))?;
        new.iter().find(|(_, known)| *known == key).map(|(id, _)| *id)
    };
    for name in files.ids(&STAGE) {
        let path = files.path(&STAGE, name);
        let Some(Ok(mut document)) = files.text(&path).map(Document::of) else {
            continue;
        };
        if let Some(Json::Array(routes)) = document.get(&["Routes"]) {
            let now = routes.iter().filter_map(|route| {
                let Json::String(reference) = route else {
                    return Some(route.clone());
                };
                let id = bare_id(&ROUTE, reference);
                match new.iter().any(|(known, _)| *known == id) {
                    true => Some(route.clone()),
                    false => Some(Json::String(format!("{}/{}", ROUTE.directory, successor(id)?))),
                }
            });
            let now: Vec<Json> = now.collect();
            if now != routes {
                document.set(&["Routes"], &Json::Array(now), &[]);
            }
        }
        if let Some(Json::Object(settings)) = document.get(&["RouteSettings"]) {
            for (key, _) in settings
                .iter()
                .filter(|(key, _)| !new.iter().any(|(_, known)| known == key))
            {
                remove_settings(&mut document, key);
            }
        }
        edits.put(&path, files.text(&path), document.text().to_owned());
    }
}

/// Takes the settings of a route out of every stage.
pub fn forget_settings(files: &ApiFiles, key: Option<&str>, edits: &mut Edits) {
    for name in files.ids(&STAGE) {
        let path = files.path(&STAGE, name);
        if let (Some(Ok(mut document)), Some(key)) = (files.text(&path).map(Document::of), key) {
            remove_settings(&mut document, key);
            edits.put(&path, files.text(&path), document.text().to_owned());
        }
    }
}

/// Takes the settings of a route out of a stage; tells whether there were any.
pub fn remove_settings(document: &mut Document, key: &str) -> bool {
    let was_there = document.remove(&["RouteSettings", key]);
    if matches!(document.get(&["RouteSettings"]), Some(Json::Object(left)) if left.is_empty()) {
        document.remove(&["RouteSettings"]);
    }
    was_there
}

/// Checks that each route key that a call has settings for is that of a route (`R20.103`).
pub fn check_settings(files: &ApiFiles, given: &Given) -> Result<(), ApiError> {
    let Some(Json::Object(settings)) = given.get("RouteSettings") else {
        return Ok(());
    };
    let routes = files.all(&ROUTE);
    for (key, _) in settings {
        let is_it = |members: &[(String, Json)]| api_files::text(members, "RouteKey") == Some(key.as_str());
        if !routes.iter().any(|(_, members)| is_it(members)) {
            return Err(no_settings(key));
        }
    }
    Ok(())
}

/// That no route has that key.
pub fn no_settings(key: &str) -> ApiError {
    ApiError::not_found(format!(
        "Unable to find Route by key {key} within the provided RouteSettings"
    ))
}
