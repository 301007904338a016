//! A stage: a name, and the routes that it serves.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-stages.html>

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::definition::notation::log_format::LogFormat;
use crate::definition::problem::{Problems, member};
use crate::definition::resource::Resources;
use crate::definition::resource::stage::Stage as Resource;
use crate::definition::suggestion::closest;
use crate::deployment::cors::Cors;
use crate::deployment::default_stage::DEFAULT_STAGE;
use crate::deployment::integration::IntegrationCompiler;
use crate::deployment::route_draft::{RouteDraft, RouteTarget};
use crate::deployment::route_state::RouteState;
use crate::deployment::routes::{Route, Routes};
use crate::deployment::{shadowed_routes, throttle};

/// Most characters of a stage's name (`R2.1`).
const MAX_NAME_LENGTH: usize = 128;

/// Most characters of a stage variable's name (`R2.11`).
const MAX_VARIABLE_NAME_LENGTH: usize = 64;

/// Most characters of a stage variable's value: the larger of AWS's two figures (`R2.11`).
const MAX_VARIABLE_LENGTH: usize = 2048;

/// What is served under one first path segment.
#[derive(Debug)]
pub struct Stage {
    /// The name, `$default` for the default stage.
    pub name: String,
    /// `StageVariables`.
    pub variables: BTreeMap<String, String>,
    /// The routes, ready to be chosen from.
    pub routes: Routes,
    /// The CORS configuration; that of the deployment which the stage serves.
    pub cors: Option<Arc<Cors>>,
    /// `DisableExecuteApiEndpoint`, likewise.
    pub is_execute_api_disabled: bool,
    /// Whether it serves a deployment, and not the live files.
    pub is_of_deployment: bool,
    /// The format of its lines in the access log.
    pub log_format: LogFormat,
    /// Of requests for which it has no route; set when it is deployed.
    pub state: OnceLock<Arc<RouteState>>,
}

impl Stage {
    /// Checks a stage and compiles its routes.
    pub(super) fn compile(
        id: &str,
        resources: &Resources,
        resource: &Resource,
        routes: &BTreeMap<&str, RouteDraft<'_>>,
        integrations: &mut IntegrationCompiler<'_>,
        problems: &mut Problems,
    ) -> Stage {
        check_name(id, resource, problems);
        check_variables(resource, problems);
        let mut served = Vec::new();
        let mut chosen = chosen(resources, resource, routes, problems);
        let serves = |key: &str| chosen.iter().any(|draft| draft.key_text == key);
        throttle::check(resource, resources, serves, problems);
        shadowed_routes::warn(id, &chosen, resources, problems);
        if resource.is_undeployed() {
            chosen.clear();
        }
        for draft in chosen {
            let integration = match draft.target {
                RouteTarget::Absent => Some(None),
                RouteTarget::Integration(target) => integrations.compile(target, id, resource, problems).map(Some),
                RouteTarget::Invalid => None,
            };
            let authorization = draft
                .authorization
                .as_ref()
                .and_then(|authorization| authorization.compile(id, resource, integrations.functions(), problems));
            let (Some(integration), Some(authorization)) = (integration, authorization) else {
                continue;
            };
            served.push(Arc::new(Route {
                file: draft.file.to_owned(),
                key_text: draft.key_text.to_owned(),
                key: draft.key.clone(),
                authorization,
                integration,
                throttle: throttle::limits(resource, draft.key_text),
                state: OnceLock::new(),
            }));
        }
        Stage {
            name: id.to_owned(),
            variables: resource.stage_variables.clone(),
            routes: Routes::new(served),
            cors: None,
            is_execute_api_disabled: false,
            is_of_deployment: false,
            log_format: log_format(resource, problems),
            state: OnceLock::new(),
        }
    }
}

fn log_format(resource: &Resource, problems: &mut Problems) -> LogFormat {
    let format = resource
        .access_log_settings
        .as_ref()
        .and_then(|log| log.format.as_deref());
    let Some(format) = format else {
        return LogFormat::default();
    };
    let pointer = "/AccessLogSettings/Format";
    match LogFormat::parse(format) {
        Ok(format) => {
            for name in format.of_other_apis() {
                let text = format!("$context.{name} is a variable of REST or WebSocket APIs: it is always -");
                problems.warning(&resource.file, pointer, text);
            }
            for source in format.sources_as_text() {
                let text = match source.strip_prefix("context.") {
                    // Without braces it would be put in.
                    Some(name) => format!(
                        "\"${{context.{name}}}\" is written as it stands: braces do not work here, $context.{name} does"
                    ),
                    None => format!("{source:?} is written as it stands: only $context.<variable> is put in"),
                };
                problems.warning(&resource.file, pointer, text);
            }
            format
        }
        Err(errors) => {
            for error in errors {
                problems.error(&resource.file, pointer, error.to_string());
            }
            LogFormat::default()
        }
    }
}

fn check_name(id: &str, resource: &Resource, problems: &mut Problems) {
    let is_name = (1..=MAX_NAME_LENGTH).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if id != DEFAULT_STAGE && !is_name {
        let text = format!(
            "the file name {id:?} is not a stage name: letters, digits, - and _, {MAX_NAME_LENGTH} characters at most, or $default"
        );
        problems.error(&resource.file, "", text);
    }
    let named = [("/StageName", &resource.stage_name), ("/Name", &resource.name)];
    for (pointer, name) in named {
        if let Some(name) = name.as_deref().filter(|name| *name != id) {
            problems.error(
                &resource.file,
                pointer,
                format!("{name:?} is not the file's name, {id:?}"),
            );
        }
    }
}

fn check_variables(resource: &Resource, problems: &mut Problems) {
    for (name, value) in &resource.stage_variables {
        let pointer = member("/StageVariables", name);
        let is_name = (1..=MAX_VARIABLE_NAME_LENGTH).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            let text = format!(
                "{name:?} is not a stage variable's name: letters, digits and _, {MAX_VARIABLE_NAME_LENGTH} characters at most"
            );
            problems.error(&resource.file, pointer.as_str(), text);
        }
        if value.len() > MAX_VARIABLE_LENGTH {
            let text = format!(
                "the value has {} characters, {MAX_VARIABLE_LENGTH} at most",
                value.len()
            );
            problems.error(&resource.file, pointer.as_str(), text);
        }
        let is_allowed = |character: char| character.is_ascii_alphanumeric() || "-._~:/?#&=,".contains(character);
        if let Some(character) = value.chars().find(|character| !is_allowed(*character)) {
            let text = format!("the value has {character:?}, which a stage variable cannot have");
            problems.error(&resource.file, pointer.as_str(), text);
        }
    }
}

/// The routes of the stage's list, or all.
fn chosen<'a, 'b>(
    resources: &Resources,
    resource: &Resource,
    routes: &'a BTreeMap<&str, RouteDraft<'b>>,
    problems: &mut Problems,
) -> Vec<&'a RouteDraft<'b>> {
    let Some(list) = &resource.routes else {
        return routes.values().collect();
    };
    let mut chosen = BTreeMap::new();
    for (at, entry) in list.iter().enumerate() {
        let pointer = format!("/Routes/{at}");
        let Some(id) = entry.strip_prefix("routes/") else {
            let text = format!("{entry:?} is not of the form \"routes/<id>\"");
            problems.error(&resource.file, pointer, text);
            continue;
        };
        match routes.get(id) {
            Some(draft) if chosen.insert(id, draft).is_some() => {
                problems.warning(&resource.file, pointer, format!("{entry:?} is listed twice"));
            }
            Some(_) => {}
            // A route that cannot be read has a problem of its own.
            None if resources.has_file("routes", id) => {}
            None => {
                let hint = closest(id, routes.keys().copied()).map(|id| format!("; did you mean \"routes/{id}\"?"));
                let text = format!("there is no file routes/{id}.json{}", hint.unwrap_or_default());
                problems.error(&resource.file, pointer, text);
            }
        }
    }
    chosen.into_values().collect()
}
