//! Api: create (with quick create), get, list, update, delete, and its CORS configuration (`R20.20`–`R20.35`).

use crate::control_plane::api::answer::Answer;
use crate::control_plane::api::api_files::{self, ApiFiles, Members};
use crate::control_plane::api::call::{Answered, Call};
use crate::control_plane::api::edit;
use crate::control_plane::api::edits::Edits;
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::ids;
use crate::control_plane::api::kind::{INTEGRATION, ROUTE};
use crate::control_plane::api::members::Given;
use crate::control_plane::api::page;
use crate::control_plane::api::root::Root;
use crate::control_plane::api::tag_rules;
use crate::definition::document::Document;
use crate::definition::json::Json;
use crate::definition::model::api::MEMBERS;
use crate::definition::unit::is_api_id;
use crate::definition::unit::{API_FILE, APIS_DIRECTORY, UnitName};

/// Characters of a new API's id.
const ID_LENGTH: usize = 10;

/// The tag by which a caller chooses the id of a new API, as LocalStack has it.
const CUSTOM_ID_TAG: &str = "_custom_id_";

/// The members of a call that make or change what quick create made.
const OF_QUICK_CREATE: [&str; 3] = ["Target", "RouteKey", "CredentialsArn"];

/// GetApi.
pub fn get(call: &Call<'_>, root: &Root<'_>) -> Answered {
    let files = root.api(call.label(0))?;
    let members = files.api()?;
    Ok(Some(answer(call, root, &files, &members)))
}

/// GetApis.
pub fn list(call: &Call<'_>, root: &Root<'_>) -> Answered {
    let read = |files: ApiFiles| {
        let members = files.api().ok()?;
        Some((files.id().to_owned(), (files, members)))
    };
    let apis = root.apis().into_iter().filter_map(read).collect();
    page::of("apis", call.query, apis, |_, (files, members)| {
        answer(call, root, files, members)
    })
    .map(Some)
}

fn answer(call: &Call<'_>, root: &Root<'_>, files: &ApiFiles, members: &Members) -> Json {
    answered(call, root, files, members).into_json()
}

/// What is answered of an API.
pub fn answered(call: &Call<'_>, root: &Root<'_>, files: &ApiFiles, members: &Members) -> Answer {
    let mut answer = Answer::of(MEMBERS, members);
    answer.remove("ApiGatewayManaged");
    answer.put_text("ApiId", files.id());
    answer.put_default("ProtocolType", "HTTP");
    answer.put_text(
        "ApiEndpoint",
        call.settings.public_url.of(files.id(), &call.settings.region),
    );
    root.put_date(&mut answer, "CreatedDate", members, &files.api_path());
    answer
}

/// CreateApi.
pub fn create(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    check_protocol(call)?;
    let mut given = call.create(MEMBERS)?;
    check(&given, None)?;
    let id = new_id(&given, root)?;
    let quick: Vec<Option<Json>> = OF_QUICK_CREATE.iter().map(|name| given.take(name)).collect();
    let mut files = match quick.as_slice() {
        [Some(target), route_key, credentials] => quick_create(call, target, route_key.as_ref(), credentials.as_ref())?,
        [None, Some(_), _] => return Err(without_target("RouteKey")),
        [None, _, Some(_)] => return Err(without_target("CredentialsArn")),
        _ => Vec::new(),
    };
    given.put(MEMBERS, "ApiId", Json::String(id.clone()));
    given.put(MEMBERS, "CreatedDate", call.date());
    let members = edit::members_of_new(MEMBERS, &given);
    let text = Document::write(members.clone());
    files.insert(0, (API_FILE.to_owned(), text));
    edits.create_directory(format!("{APIS_DIRECTORY}/{id}"), files);
    let mut answer = Answer::of(MEMBERS, &members);
    answer.put_text("ApiEndpoint", call.settings.public_url.of(&id, &call.settings.region));
    Ok(Some(answer.into_json()))
}

fn without_target(name: &str) -> ApiError {
    ApiError::bad_request(format!("{name} is supported only with Target: it is of quick create"))
}

/// Unknown protocols have a text of their own (`R20.102`).
fn check_protocol(call: &Call<'_>) -> Result<(), ApiError> {
    match call.raw_text("protocolType") {
        None | Some("HTTP") => Ok(()),
        Some("WEBSOCKET") => Err(ApiError::bad_request(
            "ProtocolType WEBSOCKET is not supported: this gateway serves HTTP APIs",
        )),
        Some(_) => Err(ApiError::bad_request(
            "Invalid protocol specified. Must be one of [HTTP, WEBSOCKET]",
        )),
    }
}

/// Checks what the table of members cannot say. `cors` is what is there already.
fn check(given: &Given, cors: Option<&Json>) -> Result<(), ApiError> {
    if given.get("DisableSchemaValidation") == Some(&Json::Bool(true)) {
        let text = "DisableSchemaValidation is supported only for WebSocket APIs";
        return Err(ApiError::bad_request(text));
    }
    if let Some(Json::Object(tags)) = given.get("Tags") {
        tag_rules::check(tags)?;
    }
    let said = [given.get("CorsConfiguration"), cors];
    let of = |name: &str| {
        let objects = said.iter().filter_map(|object| match object {
            Some(Json::Object(members)) => members.iter().find(|(member, _)| member == name),
            _ => None,
        });
        objects.map(|(_, value)| value).next()
    };
    let has_any_origin = match of("AllowOrigins") {
        Some(Json::Array(origins)) => origins.contains(&Json::String("*".to_owned())),
        _ => false,
    };
    if has_any_origin && of("AllowCredentials") == Some(&Json::Bool(true)) {
        let text = "allow-credentials is not supported if 'allow-origin' is *";
        return Err(ApiError::bad_request(text));
    }
    Ok(())
}

/// A new id.
///
/// # Errors
/// The system has no random bytes.
pub fn random_id(root: &Root<'_>) -> Result<String, ApiError> {
    ids::new(ID_LENGTH, |id| root.is_api_id_taken(id))
}

fn new_id(given: &Given, root: &Root<'_>) -> Result<String, ApiError> {
    let custom = match given.get("Tags") {
        Some(Json::Object(tags)) => api_files::text(tags, CUSTOM_ID_TAG).map(str::to_owned),
        _ => None,
    };
    let Some(id) = custom else { return random_id(root) };
    if !is_api_id(&id) {
        let text = format!(
            "Tags must have an API's id in {CUSTOM_ID_TAG}: 1 to 63 lower-case letters, digits and -, no - at the ends"
        );
        return Err(ApiError::bad_request(text));
    }
    if root.is_api_id_taken(&id) {
        return Err(ApiError::conflict(format!("API with id {id} already exists")));
    }
    Ok(id)
}

/// The files of a route, an integration and a stage that are made with an API (`R20.33`).
fn quick_create(
    call: &Call<'_>,
    target: &Json,
    route_key: Option<&Json>,
    credentials: Option<&Json>,
) -> Result<Vec<(String, String)>, ApiError> {
    let text = |text: &str| Json::String(text.to_owned());
    let member = |name: &str, value: Json| (name.to_owned(), value);
    let managed = || member("ApiGatewayManaged", Json::Bool(true));
    let integration_id = ids::new(INTEGRATION.id_length, |_| false)?;
    let route_id = ids::new(ROUTE.id_length, |_| false)?;
    let mut integration = vec![managed()];
    integration.extend(credentials.map(|credentials| member("CredentialsArn", credentials.clone())));
    integration.extend(of_target(target));
    let route = vec![
        managed(),
        member("RouteKey", route_key.cloned().unwrap_or_else(|| text("$default"))),
        member("Target", text(&format!("integrations/{integration_id}"))),
    ];
    let stage = vec![
        managed(),
        member("AutoDeploy", Json::Bool(true)),
        member("CreatedDate", call.date()),
        member("LastUpdatedDate", call.date()),
        member("StageName", text("$default")),
    ];
    Ok(vec![
        (
            format!("integrations/{integration_id}.json"),
            Document::write(integration),
        ),
        (format!("routes/{route_id}.json"), Document::write(route)),
        ("stages/$default.json".to_owned(), Document::write(stage)),
    ])
}

/// What an integration says whose target that is: a function's ARN, or a URL.
fn of_target(target: &Json) -> Vec<(String, Json)> {
    let is_function = matches!(target, Json::String(text) if text.starts_with("arn:"));
    let (method, kind, format) = match is_function {
        true => (None, "AWS_PROXY", "2.0"),
        false => (Some("ANY"), "HTTP_PROXY", "1.0"),
    };
    let text = |name: &str, text: &str| (name.to_owned(), Json::String(text.to_owned()));
    let method = method.map(|method| text("IntegrationMethod", method));
    let rest = [
        text("IntegrationType", kind),
        ("IntegrationUri".to_owned(), target.clone()),
        text("PayloadFormatVersion", format),
    ];
    method.into_iter().chain(rest).collect()
}

/// UpdateApi.
pub fn update(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let before = files.api()?;
    let mut given = call.update(MEMBERS)?;
    check(&given, api_files::value(&before, "CorsConfiguration"))?;
    let quick: Vec<Option<Json>> = OF_QUICK_CREATE.iter().map(|name| given.take(name)).collect();
    if quick.iter().any(Option::is_some) {
        update_quick(&files, &quick, edits)?;
    }
    let path = files.api_path();
    let mut document = files.document_at(&path)?;
    edit::update(&mut document, MEMBERS, &given);
    put_api(&files, &document, edits);
    let mut members = document.members();
    if files.text(&path).is_none() {
        members.push(("CreatedDate".to_owned(), call.date()));
    }
    Ok(Some(answer(call, root, &files, &members)))
}

/// Writes `api.json`, unless there is none and it would say nothing.
fn put_api(files: &ApiFiles, document: &Document, edits: &mut Edits) {
    let path = files.api_path();
    let before = files.text(&path);
    if before.is_some() || !document.members().is_empty() {
        edits.put(&path, before, document.text().to_owned());
    }
}

/// Changes the integration and the route that quick create made (`R20.34`).
fn update_quick(files: &ApiFiles, quick: &[Option<Json>], edits: &mut Edits) -> Result<(), ApiError> {
    let managed = |kind| {
        let mut all = files.all(kind).into_iter();
        all.find(|(_, members)| api_files::is_true(members, "ApiGatewayManaged"))
    };
    let not_quick = || {
        ApiError::bad_request("Target, RouteKey and CredentialsArn are supported only for APIs that quick create made")
    };
    let [target, route_key, credentials] = quick else {
        return Err(not_quick());
    };
    if target.is_some() || credentials.is_some() {
        let (id, _) = managed(&INTEGRATION).ok_or_else(not_quick)?;
        let path = files.path(&INTEGRATION, &id);
        let mut document = files.document_at(&path)?;
        for (name, value) in target.iter().flat_map(of_target) {
            edit::set(&mut document, INTEGRATION.table, &name, &value);
        }
        if let Some(credentials) = credentials {
            edit::set(&mut document, INTEGRATION.table, "CredentialsArn", credentials);
        }
        edits.put(&path, files.text(&path), document.text().to_owned());
    }
    if let Some(route_key) = route_key {
        let (id, _) = managed(&ROUTE).ok_or_else(not_quick)?;
        let path = files.path(&ROUTE, &id);
        let mut document = files.document_at(&path)?;
        edit::set(&mut document, ROUTE.table, "RouteKey", route_key);
        edits.put(&path, files.text(&path), document.text().to_owned());
    }
    Ok(())
}

/// DeleteApi.
pub fn delete(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    if *files.name() == UnitName::RootApi {
        return Err(ApiError::bad_request("the root API is deleted by deleting its files"));
    }
    let id = files.id();
    if !root.mapped_stages(id).is_empty() {
        return Err(ApiError::bad_request(format!(
            "Deleting API {id} failed. Please remove all API mappings for the API from your custom domain names."
        )));
    }
    edits.delete_directory(files.name().clone());
    Ok(None)
}

/// DeleteCorsConfiguration.
pub fn delete_cors(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    files.api()?;
    let mut document = files.document_at(&files.api_path())?;
    if document.remove(&["CorsConfiguration"]) {
        put_api(&files, &document, edits);
    }
    Ok(None)
}
