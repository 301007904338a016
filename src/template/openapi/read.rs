//! Reads an OpenAPI document: its operations become routes, integrations and authorizers.

use std::collections::{BTreeMap, HashMap};

use crate::template::ids::{ids, of_route_key};
use crate::template::message::Messages;
use crate::template::openapi::file_id::id_of;
use crate::template::openapi::integration::{Integration, Integrations};
use crate::template::openapi::security::Schemes;
use crate::template::options::{BasePath, Environment};
use crate::template::output::VirtualFile;
use crate::template::place::Place;
use crate::template::value::{Data, Member, Value};

/// The key of the operation for all methods.
pub(in crate::template) const ANY_METHOD: &str = "x-amazon-apigateway-any-method";
pub(in crate::template) const INTEGRATION: &str = "x-amazon-apigateway-integration";
const CORS: &str = "x-amazon-apigateway-cors";
const ENDPOINT: &str = "x-amazon-apigateway-endpoint-configuration";

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

/// How a document is read.
pub(in crate::template) struct Settings<'a> {
    pub(in crate::template) environment: &'a Environment,
    pub(in crate::template) base_path: BasePath,
    pub(in crate::template) fail_on_warnings: bool,
}

/// What a document means.
pub(in crate::template) struct Document {
    pub(in crate::template) title: Option<Value>,
    pub(in crate::template) version: Option<Value>,
    pub(in crate::template) description: Option<Value>,
    pub(in crate::template) cors: Option<Value>,
    /// `disableExecuteApiEndpoint`, where it is said.
    pub(in crate::template) disabled_endpoint: Option<(bool, Place)>,
    /// Routes, integrations and authorizers.
    pub(in crate::template) files: Vec<VirtualFile>,
}

/// One operation with an integration.
struct Operation<'a> {
    route_key: String,
    place: Place,
    value: &'a Value,
    integration: Integration,
    id: Option<String>,
}

/// Reads a document. What is wrong with it is among the messages.
pub(in crate::template) fn read(document: &Value, settings: &Settings<'_>, messages: &Messages) -> Document {
    let own = Messages::default();
    let document = with_variables(document, settings.environment);
    let result = read_document(&document, settings, &own);
    messages.take(own, settings.fail_on_warnings);
    result
}

fn read_document(document: &Value, settings: &Settings<'_>, messages: &Messages) -> Document {
    check_version(document, messages);
    let info = document.get("info");
    let of_info = |name: &str| info.and_then(|info| info.get(name)).cloned();
    let prefix = prefix(document, settings.base_path, messages);
    let mut integrations = Integrations::of(document, messages);
    let schemes = Schemes::of(document, messages);
    let mut operations = Vec::new();
    match document.get("paths") {
        None => messages.error(&document.place, "the document has no paths"),
        Some(paths) => {
            for path in messages.members(paths).unwrap_or_default() {
                read_path(path, &prefix, &mut integrations, &mut operations, messages);
            }
        }
    }
    refuse_twins(&operations, messages);
    let keys = operations.iter().map(|operation| operation.route_key.as_str());
    let derived = ids(keys, of_route_key);
    let mut files = Vec::new();
    for (operation, derived) in operations.iter().zip(derived) {
        let id = operation.id.clone().unwrap_or(derived);
        let target = integrations.target(&operation.integration, &id, messages);
        let mut file = VirtualFile::new(format!("routes/{id}.json"), &operation.place);
        file.set_text("RouteKey", operation.route_key.clone(), &operation.place);
        file.set_text("Target", format!("integrations/{target}"), &operation.place);
        if let Some(name) = operation.value.get("operationId")
            && let Some(name) = messages.text(name)
        {
            file.set_text("OperationName", name, &operation.place);
        }
        schemes.guard(operation.value, &operation.place, document, &mut file, messages);
        files.push(file);
    }
    files.extend(integrations.into_files());
    files.extend(schemes.into_files());
    Document {
        title: of_info("title"),
        version: of_info("version"),
        description: of_info("description"),
        cors: document.get(CORS).cloned(),
        disabled_endpoint: disabled_endpoint(document, messages),
        files,
    }
}

fn check_version(document: &Value, messages: &Messages) {
    if let Some(swagger) = document.get("swagger") {
        let text = "an HTTP API is described by OpenAPI 3.0, not by Swagger 2.0";
        return messages.error(&swagger.place, text);
    }
    let Some(version) = document.get("openapi") else {
        return messages.error(&document.place, "the document has no openapi, which tells its version");
    };
    let text = messages.text(version).unwrap_or_default();
    if !(text == "3.0" || text == "3.1" || text.starts_with("3.0.") || text.starts_with("3.1.")) {
        messages.error(
            &version.place,
            format!("the version {text:?} is not read here: 3.0 and 3.1 are"),
        );
    }
}

fn read_path<'a>(
    member: &'a Member,
    prefix: &str,
    integrations: &mut Integrations,
    operations: &mut Vec<Operation<'a>>,
    messages: &Messages,
) {
    let (path, place) = (&*member.key.name, &member.key.place);
    if path.starts_with("x-") {
        return;
    }
    let is_default = path == "/$default" || path == "$default";
    if !is_default && !path.starts_with('/') {
        return messages.error(place, format!("the path {path:?} does not begin with a /"));
    }
    if let Some(reference) = member.value.get("$ref") {
        return messages.error(
            &reference.place,
            "a path that stands elsewhere is not read: write it out here",
        );
    }
    let shared = member.value.get("parameters");
    for operation in messages.members(&member.value).unwrap_or_default() {
        let name = operation.key.name.to_ascii_lowercase();
        let place = &operation.key.place;
        let method = match name.as_str() {
            ANY_METHOD => "ANY".to_owned(),
            method if METHODS.contains(&method) => method.to_ascii_uppercase(),
            "trace" => {
                messages.warning(place, "HTTP APIs have no routes for TRACE");
                continue;
            }
            _ => continue,
        };
        if is_default && method != "ANY" {
            messages.error(place, format!("the path {path} has {ANY_METHOD} only"));
            continue;
        }
        let route_key = match is_default {
            true => "$default".to_owned(),
            false => format!("{method} {prefix}{path}"),
        };
        if messages.members(&operation.value).is_none() {
            if operation.value.is_absent() {
                messages.warning(
                    place,
                    format!("the operation {route_key} has no integration: it is not served"),
                );
            }
            continue;
        }
        for parameters in [shared, operation.value.get("parameters")].into_iter().flatten() {
            warn_of_parameters(parameters, path, messages);
        }
        let Some(given) = operation.value.get(INTEGRATION) else {
            let text = format!("the operation {route_key} has no {INTEGRATION}: it is not served");
            messages.warning(place, text);
            continue;
        };
        let Some(integration) = integrations.read(given, messages) else {
            continue;
        };
        operations.push(Operation {
            route_key,
            place: place.clone(),
            value: &operation.value,
            integration,
            id: id_of(&operation.value, messages),
        });
    }
}

fn warn_of_parameters(parameters: &Value, path: &str, messages: &Messages) {
    for parameter in parameters.items() {
        let (Some("path"), Some(name)) = (
            parameter.get("in").and_then(Value::peek),
            parameter.get("name").and_then(Value::peek),
        ) else {
            continue;
        };
        let bare = name.trim_end_matches('+');
        if !path.contains(&format!("{{{bare}}}")) && !path.contains(&format!("{{{bare}+}}")) {
            messages.warning(&parameter.place, format!("the path {path} has no variable {name:?}"));
        }
    }
}

fn refuse_twins(operations: &[Operation<'_>], messages: &Messages) {
    let mut by_key: HashMap<&str, &Place> = HashMap::new();
    let mut by_id: BTreeMap<String, &Place> = BTreeMap::new();
    for operation in operations {
        if let Some(first) = by_key.insert(&operation.route_key, &operation.place) {
            let text = format!(
                "{} is an operation at {} already",
                operation.route_key,
                first.position()
            );
            messages.error(&operation.place, text);
        }
        if let Some(id) = &operation.id
            && let Some(first) = by_id.insert(id.to_ascii_lowercase(), &operation.place)
        {
            let text = format!("the operation at {} has the id {id:?} already", first.position());
            messages.error(&operation.place, text);
        }
    }
}

/// What goes before each path (`R12.4`).
fn prefix(document: &Value, mode: BasePath, messages: &Messages) -> String {
    if mode == BasePath::Ignore {
        return String::new();
    }
    let servers = document.get("servers").map(Value::items).unwrap_or_default();
    let variable = servers
        .iter()
        .find_map(|server| server.get("variables")?.get("basePath")?.get("default"));
    let base = match variable {
        Some(default) => messages.text(default).unwrap_or_default(),
        None => servers
            .iter()
            .find_map(|server| path_of(server, messages))
            .unwrap_or_default(),
    };
    let segments: Vec<&str> = base.split('/').filter(|segment| !segment.is_empty()).collect();
    let segments = match mode {
        BasePath::Split => segments.get(1..).unwrap_or_default(),
        _ => &segments,
    };
    segments.iter().map(|segment| format!("/{segment}")).collect()
}

/// The path of a server's URL, variables put in.
fn path_of(server: &Value, messages: &Messages) -> Option<String> {
    let mut url = messages.text(server.get("url")?)?;
    for variable in server.get("variables").map(Value::members).unwrap_or_default() {
        if let Some(default) = variable.value.get("default").and_then(|default| messages.text(default)) {
            url = url.replace(&format!("{{{}}}", variable.key.name), &default);
        }
    }
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => &url,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    (!path.is_empty()).then(|| path.to_owned())
}

/// Whether a server's own address is closed, where one says it; closed in one is closed.
fn disabled_endpoint(document: &Value, messages: &Messages) -> Option<(bool, Place)> {
    let servers = document.get("servers").map(Value::items).unwrap_or_default();
    let flags = servers
        .iter()
        .filter_map(|server| server.get(ENDPOINT)?.get("disableExecuteApiEndpoint"));
    let said = flags.filter_map(|flag| Some((messages.boolean(flag)?, flag.place.clone())));
    said.reduce(|one, other| if other.0 && !one.0 { other } else { one })
}

/// The document with AWS's variables put into each text (`R12.9`).
fn with_variables(value: &Value, environment: &Environment) -> Value {
    let data = match &value.data {
        Data::Scalar(scalar) if scalar.text.contains("${AWS::") => {
            let text = scalar
                .text
                .replace("${AWS::Region}", &environment.region)
                .replace("${AWS::AccountId}", &environment.account_id)
                .replace("${AWS::Partition}", environment.partition());
            return Value::text(&value.place, text);
        }
        Data::List(items) => Data::List(items.iter().map(|item| with_variables(item, environment)).collect()),
        Data::Map(members) => {
            let member = |member: &Member| Member {
                key: member.key.clone(),
                value: with_variables(&member.value, environment),
            };
            Data::Map(members.iter().map(member).collect())
        }
        other => other.clone(),
    };
    Value {
        place: value.place.clone(),
        data,
    }
}

/// Whether an integration can be told from an operation, which an event of SAM then does not give.
pub(in crate::template) fn has_integration(operation: &Value) -> bool {
    operation
        .get(INTEGRATION)
        .is_some_and(|integration| !integration.is_absent())
}

/// Whether the key of a path is a method.
pub(in crate::template) fn is_method(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == ANY_METHOD || METHODS.contains(&name.as_str())
}
