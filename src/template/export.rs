//! An API's files as they are exported.

use crate::definition::json::Json;
use crate::definition::model::deployment::OF_API;
use crate::definition::resource::Resources;
use crate::definition::unit::{API_FILE, Listing, Unit, UnitName};
use crate::template::openapi::write::Files;

/// The id of a root API whose files tell none.
const DEFAULT_ID: &str = "local";

/// The files of a unit, by their paths below its folder; of an API with a stage, what that serves.
pub fn files_of(unit: &Unit, stage: Option<&str>) -> Files {
    let prefix = unit.name.prefix();
    let mut files = Files::new();
    for file in &unit.files {
        if let Ok(text) = &file.text
            && let Ok(json) = Json::parse(text.trim_start_matches('\u{feff}'))
        {
            let path = file.path.strip_prefix(&prefix).unwrap_or(&file.path);
            files.insert(path.to_owned(), json);
        }
    }
    if let Some(stage) = stage {
        keep_served(&mut files, unit, stage);
    }
    files
}

/// The files of the API that is meant, or what a stage of it serves; and of what all APIs share the functions.
///
/// # Errors
/// A sentence: there are several APIs and none is named, or the one that is named is not there.
pub fn chosen(listing: &Listing, api: Option<&str>, stage: Option<&str>) -> Result<Files, String> {
    let mut apis: Vec<(String, Files)> = Vec::new();
    for name in listing.units.keys().filter(|name| name.is_api()) {
        let files_of = |name: &UnitName| {
            listing
                .units
                .get(name)
                .map(|unit| self::files_of(unit, stage))
                .unwrap_or_default()
        };
        let mut files = files_of(name);
        let own_id = id(&files).map(str::to_owned);
        let id = match name {
            UnitName::Api(folder) => folder.clone(),
            _ => own_id.unwrap_or_else(|| DEFAULT_ID.to_owned()),
        };
        files.extend(
            files_of(&UnitName::Shared)
                .into_iter()
                .filter(|(path, _)| path.starts_with("functions/")),
        );
        apis.push((id, files));
    }
    let names: Vec<String> = apis.iter().map(|(id, _)| id.clone()).collect();
    match api {
        Some(id) => {
            let found = apis.into_iter().find(|(known, _)| known == id).map(|(_, files)| files);
            found.ok_or_else(|| format!("--api: there is no API {id:?}, only {}", names.join(", ")))
        }
        None if apis.len() > 1 => Err(format!(
            "there are several APIs: {}: --api ID chooses one",
            names.join(", ")
        )),
        None => apis
            .pop()
            .map(|(_, files)| files)
            .ok_or_else(|| "there is no API".to_owned()),
    }
}

/// Leaves of an API's files what a stage serves: of one that serves a deployment, the copies in it.
fn keep_served(files: &mut Files, unit: &Unit, stage: &str) {
    let resources = Resources::read(unit);
    let Some(stage) = resources.stages.get(stage) else {
        return;
    };
    let deployment = stage.served_deployment().and_then(|id| resources.deployments.get(id));
    let of_kinds = match deployment {
        Some(deployment) => [&deployment.routes, &deployment.integrations, &deployment.authorizers].map(Vec::as_slice),
        // AWS has deployed nothing to it.
        None if stage.is_undeployed() => [[].as_slice(); 3],
        None => return,
    };
    for (directory, resources) in ["routes", "integrations", "authorizers"].into_iter().zip(of_kinds) {
        files.retain(|path, _| path.split('/').next() != Some(directory));
        for (id, members) in resources {
            files.insert(format!("{directory}/{id}.json"), Json::Object(members.clone()));
        }
    }
    if let (Some(Json::Object(api)), Some(deployment)) = (files.get_mut(API_FILE), deployment) {
        api.retain(|(name, _)| !OF_API.contains(&name.as_str()));
        api.extend(deployment.api.iter().cloned());
    }
}

/// The id of an API, where its files tell it.
fn id(files: &Files) -> Option<&str> {
    let Json::Object(members) = files.get("api.json")? else {
        return None;
    };
    members.iter().find_map(|(name, value)| match value {
        Json::String(text) if name == "ApiId" => Some(text.as_str()),
        _ => None,
    })
}

/// The URL of an API, where the gateway listens by default.
pub fn endpoint(files: &Files) -> String {
    match id(files) {
        Some(id) => format!("http://{id}.execute-api.localhost:8000"),
        None => "http://127.0.0.1:8000".to_owned(),
    }
}
