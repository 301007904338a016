//! ApiMapping: create, get, list, update, delete (`R20.74`). Mappings stand in the file of their domain.

use crate::control_plane::api::answer::Answer;
use crate::control_plane::api::api_files::{self, Members};
use crate::control_plane::api::call::{Answered, Call};
use crate::control_plane::api::domain_files::DomainFile;
use crate::control_plane::api::edit;
use crate::control_plane::api::edits::Edits;
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::file_writer;
use crate::control_plane::api::ids;
use crate::control_plane::api::kind::STAGE;
use crate::control_plane::api::page;
use crate::control_plane::api::root::Root;
use crate::definition::document::Document;
use crate::definition::json::Json;
use crate::definition::model::domain_name::{MAPPING, MEMBERS};

/// Characters of a new mapping's id.
const ID_LENGTH: usize = 10;

/// The member that has the mappings.
const LIST: &str = "ApiMappings";

/// What a key may have besides letters and digits.
const OTHER_CHARACTERS: &[u8] = b"$-_.+!*'()/";

/// Each mapping of a domain, by id.
fn all(members: &Members) -> Vec<(String, Members)> {
    let Some(Json::Array(items)) = api_files::value(members, LIST) else {
        return Vec::new();
    };
    let mapping = |item: &Json| match item {
        Json::Object(mapping) => Some((id_of(mapping), mapping.clone())),
        _ => None,
    };
    items.iter().filter_map(mapping).collect()
}

/// The id of a mapping; of a hand-written one, the hash of its key.
fn id_of(mapping: &[(String, Json)]) -> String {
    let written = api_files::text(mapping, "ApiMappingId").map(str::to_owned);
    written.unwrap_or_else(|| {
        let hash = file_writer::hash(key_of(mapping).as_bytes());
        format!("m{}", hash.get(..9).unwrap_or_default())
    })
}

fn key_of(mapping: &[(String, Json)]) -> &str {
    api_files::text(mapping, "ApiMappingKey").unwrap_or_default()
}

fn show(id: &str, mapping: &Members) -> Json {
    let mut answer = Answer::of(MAPPING, mapping);
    answer.put_text("ApiMappingId", id);
    answer.into_json()
}

/// The place of the mapping that the second label names, and what it says.
fn find(call: &Call<'_>, members: &Members) -> Result<(usize, Members), ApiError> {
    let mut mappings = all(members).into_iter().enumerate();
    let found = mappings.find(|(_, (id, _))| id == call.label(1));
    found
        .map(|(place, (_, mapping))| (place, mapping))
        .ok_or_else(|| ApiError::not_found("The api mapping resource specified in the request was not found."))
}

/// GetApiMapping.
pub fn get(call: &Call<'_>, root: &Root<'_>) -> Answered {
    let file = DomainFile::find(root, call.label(0))?;
    let (_, mapping) = find(call, &file.members()?)?;
    Ok(Some(show(call.label(1), &mapping)))
}

/// GetApiMappings.
pub fn list(call: &Call<'_>, root: &Root<'_>) -> Answered {
    let file = DomainFile::find(root, call.label(0))?;
    let list = format!("domainnames/{}/apimappings", file.name());
    page::of(&list, call.query, all(&file.members()?), show).map(Some)
}

/// CreateApiMapping.
pub fn create(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let file = DomainFile::find(root, call.label(0))?;
    let mut given = call.create(MAPPING)?;
    let mut document = file.document()?;
    let mappings = all(&document.members());
    let id = ids::new(ID_LENGTH, |id| mappings.iter().any(|(known, _)| known == id))?;
    given.put(MAPPING, "ApiMappingId", Json::String(id.clone()));
    let mapping = edit::members_of_new(MAPPING, &given);
    check(root, &mapping, &mappings, &id)?;
    if mappings.is_empty() {
        edit::set(
            &mut document,
            MEMBERS,
            LIST,
            &Json::Array(vec![Json::Object(mapping.clone())]),
        );
    } else {
        document.set(
            &[LIST, &mappings.len().to_string()],
            &Json::Object(mapping.clone()),
            &[],
        );
    }
    edits.put(&file.path(), file.text(), document.text().to_owned());
    Ok(Some(show(&id, &mapping)))
}

/// UpdateApiMapping.
pub fn update(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let file = DomainFile::find(root, call.label(0))?;
    let mut document = file.document()?;
    let members = document.members();
    let (place, before) = find(call, &members)?;
    let given = call.update(MAPPING)?;
    if given.get("ApiId").is_none() {
        let text = format!("ApiId is a required parameter of {}", call.operation);
        return Err(ApiError::bad_request(text));
    }
    // A hand-written id is that of the key, which may change now.
    let id = id_of(&before);
    let place = place.to_string();
    let order: Vec<&str> = MAPPING.iter().map(|member| member.name).collect();
    let changed = given.iter().map(|(member, value)| (member.name, value.clone()));
    for (name, value) in changed.chain([("ApiMappingId", Json::String(id.clone()))]) {
        match name == "ApiMappingKey" && value == Json::String(String::new()) {
            true => drop(document.remove(&[LIST, &place, name])),
            false => document.set(&[LIST, &place, name], &value, &order),
        }
    }
    let mappings = all(&document.members());
    let mapping = mappings
        .iter()
        .find(|(known, _)| *known == id)
        .map(|(_, mapping)| mapping.clone());
    let mapping = mapping.unwrap_or_default();
    check(root, &mapping, &mappings, &id)?;
    edits.put(&file.path(), file.text(), document.text().to_owned());
    Ok(Some(show(&id, &mapping)))
}

/// DeleteApiMapping.
pub fn delete(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let file = DomainFile::find(root, call.label(0))?;
    let mut document: Document = file.document()?;
    let (place, _) = find(call, &document.members())?;
    document.remove(&[LIST, &place.to_string()]);
    edits.put(&file.path(), file.text(), document.text().to_owned());
    Ok(None)
}

/// Checks a mapping in AWS's order: the key's form, the API, the stage, whether the key is taken (`R20.109`).
fn check(root: &Root<'_>, mapping: &[(String, Json)], others: &[(String, Members)], own: &str) -> Result<(), ApiError> {
    let key = key_of(mapping);
    if key.starts_with('/') || key.contains("//") {
        let text = "API mapping key should not start with a '/' or have consecutive '/'s.";
        return Err(ApiError::bad_request(text));
    }
    if key.ends_with('/') {
        return Err(ApiError::bad_request("API mapping key should not end with a '/'."));
    }
    if !key
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || OTHER_CHARACTERS.contains(&byte))
    {
        let text = "ApiMappingKey must have letters, digits and $-_.+!*'()/ only";
        return Err(ApiError::bad_request(text));
    }
    let api = root
        .api(api_files::text(mapping, "ApiId").unwrap_or_default())
        .map_err(|_| {
            ApiError::not_found("Invalid API identifier specified The resource specified in the request was not found.")
        })?;
    if !api.has(&STAGE, api_files::text(mapping, "Stage").unwrap_or_default()) {
        return Err(ApiError::bad_request("Invalid stage identifier specified"));
    }
    let is_taken = |(id, other): &(String, Members)| id != own && key_of(other) == key;
    match others.iter().any(is_taken) {
        true => Err(ApiError::conflict("ApiMapping key already exists for this domain name")),
        false => Ok(()),
    }
}
