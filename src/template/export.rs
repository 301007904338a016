//! An API's files as they are exported.

use crate::definition::json::Json;
use crate::definition::store::Listing;
use crate::template::openapi::write::Files;

/// The files of a listing that could be read.
pub fn files(listing: &Listing) -> Files {
    let mut files = Files::new();
    for file in &listing.files {
        if file.path == crate::definition::resource::CREDENTIALS_FILE {
            continue;
        }
        if let Ok(text) = &file.text
            && let Ok(json) = Json::parse(text.trim_start_matches('\u{feff}'))
        {
            files.insert(file.path.clone(), json);
        }
    }
    files
}

/// The id of an API, where its files tell it.
pub fn id(files: &Files) -> Option<&str> {
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
