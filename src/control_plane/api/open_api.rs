//! ImportApi, ReimportApi and ExportApi (`R20.36`): an API from an OpenAPI document, and as one.

use std::path::Path;
use std::sync::Arc;

use crate::control_plane::api::answer::Answer;
use crate::control_plane::api::api_files::ApiFiles;
use crate::control_plane::api::apis;
use crate::control_plane::api::call::{Answered, Call};
use crate::control_plane::api::edits::Edits;
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::kind::{AUTHORIZER, INTEGRATION, Kind, ROUTE, STAGE};
use crate::control_plane::api::root::Root;
use crate::control_plane::api::stage_routes;
use crate::control_plane::api::wire;
use crate::definition::document::Document;
use crate::definition::json::Json;
use crate::definition::model::api::{IMPORT, MEMBERS};
use crate::definition::unit::{API_FILE, APIS_DIRECTORY};
use crate::http1::message::{Body, Headers, Response};
use crate::template::export;
use crate::template::listing::list;
use crate::template::message::{Level, Message};
use crate::template::openapi::write;
use crate::template::options::{BasePath, Options};
use crate::template::output::VirtualFile;
use crate::template::place::Pointer;
use crate::template::reading::{Reading, read_text};

/// What messages call the document.
const SHOWN: &str = "body";

/// The one specification that AWS exports.
const SPECIFICATION: &str = "OAS30";

/// The one version of its exports.
const EXPORT_VERSION: &str = "1.0";

/// The kinds of resources that a document says all of, those first that others name.
const KINDS: [&Kind; 3] = [&AUTHORIZER, &INTEGRATION, &ROUTE];

/// Members of `api.json` that a document says: what it does not say of them is not there afterwards.
const OF_DOCUMENT: [&str; 3] = ["CorsConfiguration", "Description", "Version"];

/// ImportApi.
pub fn import(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let id = apis::random_id(root)?;
    let directory = format!("{APIS_DIRECTORY}/{id}");
    let reading = read(call, &id)?;
    edits.explain(Arc::new(list(&reading, None, Some(&id), Path::new(""))));
    let mut members = Vec::new();
    let mut files = Vec::new();
    for file in files_of(&reading) {
        if file.path == API_FILE {
            members = file.fields.clone();
        } else {
            files.push((file.path.clone(), file.text()));
        }
    }
    members.push(("CreatedDate".to_owned(), call.date()));
    members.push(("ProtocolType".to_owned(), Json::String("HTTP".to_owned())));
    members.sort_by_key(|(name, _)| MEMBERS.iter().position(|member| member.name == name));
    files.insert(0, (API_FILE.to_owned(), Document::write(members.clone())));
    edits.create_directory(directory, files);
    let mut answer = Answer::of(MEMBERS, &members);
    answer.put_text("ApiEndpoint", call.settings.public_url.of(&id, &call.settings.region));
    tell(&reading, &mut answer);
    Ok(Some(answer.into_json()))
}

/// ReimportApi. Stages, deployments and the members of the API that no document says stay.
pub fn reimport(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let reading = read(call, files.id())?;
    let under = match files.prefix() {
        "" => None,
        _ => Some(files.id()),
    };
    edits.explain(Arc::new(list(&reading, None, under, Path::new(""))));
    for kind in KINDS {
        for file in of_kind(&reading, kind) {
            let path = files.path(kind, file.id());
            edits.put(&path, files.text(&path), file.text());
        }
    }
    let api = files_of(&reading).find(|file| file.path == API_FILE);
    let document = described(&files, api, &reading)?;
    let path = files.api_path();
    edits.put(&path, files.text(&path), document.text().to_owned());
    let is_kept = |kind: &Kind, id: &str| of_kind(&reading, kind).any(|file| file.id() == id);
    let new: Vec<(&str, &str)> = of_kind(&reading, &ROUTE)
        .filter_map(|file| Some((file.id(), file.text_of("RouteKey")?)))
        .collect();
    stage_routes::replace_routes(&files, &new, edits);
    for kind in KINDS.into_iter().rev() {
        for id in files.ids(kind).into_iter().filter(|id| !is_kept(kind, id)) {
            let path = files.path(kind, id);
            edits.remove(&path, files.text(&path));
        }
    }
    let mut members = document.members();
    if files.text(&path).is_none() {
        members.push(("CreatedDate".to_owned(), call.date()));
    }
    let mut answer = apis::answered(call, root, &files, &members);
    tell(&reading, &mut answer);
    Ok(Some(answer.into_json()))
}

/// `api.json` with what a document says of the API.
fn described(files: &ApiFiles, api: Option<&VirtualFile>, reading: &Reading) -> Result<Document, ApiError> {
    let mut document = files.document_at(&files.api_path())?;
    let order: Vec<&str> = MEMBERS.iter().map(|member| member.name).collect();
    let mut set = |name: &str, value: Option<&Json>| match value {
        Some(value) => document.set(&[name], value, &order),
        None => drop(document.remove(&[name])),
    };
    let value = |name: &str| api.and_then(|file| file.get(name));
    // A name that the document does not say has the place of the document as a whole.
    if let Some(file) = api.filter(|file| file.origin("/Name").pointer != Pointer::default()) {
        set("Name", file.get("Name"));
    }
    for name in OF_DOCUMENT {
        set(name, value(name));
    }
    // A document that says nothing of the endpoint opens none that is closed.
    let endpoint = value("DisableExecuteApiEndpoint");
    if endpoint.is_some() || reading.opens_endpoint {
        set("DisableExecuteApiEndpoint", endpoint);
    }
    Ok(document)
}

/// The files of the API that a document describes.
fn files_of(reading: &Reading) -> impl Iterator<Item = &VirtualFile> {
    reading.apis.iter().flat_map(|api| &api.files)
}

fn of_kind<'a>(reading: &'a Reading, kind: &Kind) -> impl Iterator<Item = &'a VirtualFile> {
    let directory = kind.directory;
    files_of(reading).filter(move |file| file.path.split('/').next() == Some(directory))
}

/// What the document of a call means.
///
/// # Errors
/// A member or a parameter of the call is wrong; or the document has errors, or warnings that are to be errors.
fn read(call: &Call<'_>, id: &str) -> Result<Reading, ApiError> {
    let given = call.create(IMPORT)?;
    let base_path = match wire::parameter(call.query, "basepath")? {
        None => BasePath::default(),
        Some(name) => BasePath::named(&name).ok_or_else(|| {
            ApiError::bad_request(format!("Basepath must be one of ignore, prepend, split, not {name:?}"))
        })?,
    };
    let fail_on_warnings = flag(call, "failOnWarnings", "FailOnWarnings")?.unwrap_or_default();
    let options = Options {
        region: Some(call.settings.region.clone()),
        account_id: Some(call.settings.account_id.clone()),
        base_path,
        ..Options::default()
    };
    let reading = read_text(given.text("Body").unwrap_or_default(), SHOWN, id, &options);
    let of_level = |level| told(reading.messages.iter().filter(|message| message.level == level));
    match (of_level(Level::Error), of_level(Level::Warning)) {
        (errors, _) if !errors.is_empty() => Err(found("Errors", &errors)),
        (_, warnings) if fail_on_warnings && !warnings.is_empty() => Err(found("Warnings", &warnings)),
        _ => Ok(reading),
    }
}

/// What an import is refused with that meets these.
pub fn found(what: &str, sentences: &[String]) -> ApiError {
    let lines: String = sentences.iter().map(|sentence| format!("\n\t{sentence}")).collect();
    ApiError::bad_request(format!("{what} found during import:{lines}"))
}

/// A sentence for each message, with its place in the document.
pub fn told<'a>(messages: impl Iterator<Item = &'a Message>) -> Vec<String> {
    messages
        .map(|message| format!("{}: {}", message.place, message.text))
        .collect()
}

/// Says what an import has met.
fn tell(reading: &Reading, answer: &mut Answer) {
    let texts = |texts: Vec<String>| Json::Array(texts.into_iter().map(Json::String).collect());
    let warnings = told(
        reading
            .messages
            .iter()
            .filter(|message| message.level == Level::Warning),
    );
    for (name, sentences) in [("ImportInfo", reading.infos.clone()), ("Warnings", warnings)] {
        if !sentences.is_empty() {
            answer.put(name, texts(sentences));
        }
    }
}

/// A parameter of the query that says yes or no.
fn flag(call: &Call<'_>, wire_name: &str, name: &str) -> Result<Option<bool>, ApiError> {
    let Some(text) = wire::parameter(call.query, wire_name)? else {
        return Ok(None);
    };
    let flag = text
        .parse()
        .map_err(|_| ApiError::bad_request(format!("{name} must be true or false, not {text:?}")))?;
    Ok(Some(flag))
}

/// ExportApi. The answer is the document, not an object.
pub fn export(call: &Call<'_>, root: &Root<'_>) -> Result<Response, ApiError> {
    let files = root.api(call.label(0))?;
    check_only("Specification", Some(call.label(1)), SPECIFICATION)?;
    check_only(
        "ExportVersion",
        wire::parameter(call.query, "exportVersion")?.as_deref(),
        EXPORT_VERSION,
    )?;
    let is_json = match wire::parameter(call.query, "outputType")?.as_deref() {
        Some("JSON") => true,
        Some("YAML") => false,
        Some(other) => {
            return Err(ApiError::bad_request(format!(
                "OutputType must be one of JSON, YAML, not {other:?}"
            )));
        }
        None => return Err(ApiError::bad_request("OutputType is a required parameter of ExportApi")),
    };
    let includes_extensions = flag(call, "includeExtensions", "IncludeExtensions")?.unwrap_or(true);
    let stage = wire::parameter(call.query, "stageName")?;
    if let Some(stage) = &stage
        && !files.has(&STAGE, stage)
    {
        return Err(STAGE.not_found(stage));
    }
    // A file that cannot be read would be missing in the document.
    files.api()?;
    for kind in KINDS.into_iter().chain([&STAGE]) {
        files.check(kind)?;
    }
    let settings = write::Settings {
        no_extensions: !includes_extensions,
        ids: false,
        endpoint: call.settings.public_url.of(files.id(), &call.settings.region),
        stage,
    };
    let exported = export::files_of(&root.unit(files.name()), settings.stage.as_deref());
    let document = write::write(&exported, &settings).map_err(ApiError::not_found)?;
    let (content_type, text) = match is_json {
        true => ("application/json", document.to_json()),
        false => ("application/yaml", document.to_yaml()),
    };
    let mut headers = Headers::new();
    headers.put("content-type", content_type);
    Ok(Response {
        status: 200,
        headers,
        body: Body::Bytes(text.into_bytes()),
    })
}

/// Refuses a value of a parameter that can have one only.
fn check_only(name: &str, given: Option<&str>, only: &str) -> Result<(), ApiError> {
    match given.filter(|given| *given != only) {
        Some(given) => Err(ApiError::bad_request(format!("{name} must be {only}, not {given:?}"))),
        None => Ok(()),
    }
}
