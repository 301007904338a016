//! An API's files as they are exported.

use crate::definition::json::Json;
use crate::definition::unit::{Listing, UnitName};
use crate::template::openapi::write::Files;

/// The id of a root API whose files tell none.
const DEFAULT_ID: &str = "local";

/// The files of an API, by their paths below its folder.
fn files(listing: &Listing, name: &UnitName) -> Files {
    let prefix = name.prefix();
    let mut files = Files::new();
    for file in listing.units.get(name).into_iter().flat_map(|unit| &unit.files) {
        if let Ok(text) = &file.text
            && let Ok(json) = Json::parse(text.trim_start_matches('\u{feff}'))
        {
            let path = file.path.strip_prefix(&prefix).unwrap_or(&file.path);
            files.insert(path.to_owned(), json);
        }
    }
    files
}

/// The files of the API that is meant, and of what all APIs share the functions.
///
/// # Errors
/// A sentence: there are several APIs and none is named, or the one that is named is not there.
pub fn chosen(listing: &Listing, api: Option<&str>) -> Result<Files, String> {
    let mut apis: Vec<(String, Files)> = Vec::new();
    for name in listing.units.keys().filter(|name| name.is_api()) {
        let mut files = files(listing, name);
        let own_id = id(&files).map(str::to_owned);
        let id = match name {
            UnitName::Api(folder) => folder.clone(),
            _ => own_id.unwrap_or_else(|| DEFAULT_ID.to_owned()),
        };
        files.extend(
            self::files(listing, &UnitName::Shared)
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
