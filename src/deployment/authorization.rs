//! What a route asks of its callers: nothing, a token, a function's yes, or a signature.

use std::sync::Arc;

use crate::definition::problem::Problems;
use crate::definition::resource::Resources;
use crate::definition::resource::route::Route as RouteResource;
use crate::definition::resource::stage::Stage as StageResource;
use crate::definition::suggestion::closest;
use crate::deployment::authorizer::{Authorization, Draft, Drafts, JwtAuthorizer, LambdaAuthorizer, LambdaDraft};
use crate::deployment::function::{Functions, arn_in_stage};
use crate::deployment::shared::Shared;

/// Most scopes of a route (spec §8.1).
const MAX_SCOPES: usize = 10;

/// Most characters of a scope (spec §8.1).
const MAX_SCOPE_LENGTH: usize = 64;

/// What a route asks, checked but for what the stage decides.
#[derive(Debug)]
pub(super) enum RouteDraft<'a> {
    None,
    Jwt(Arc<JwtAuthorizer>, Vec<String>),
    Lambda(&'a LambdaDraft<'a>),
    Iam,
}

/// Checks what a route asks of its callers; none where something is wrong, so that it is never served open.
pub(super) fn of_route<'a>(
    route: &RouteResource,
    drafts: &'a Drafts<'a>,
    resources: &Resources,
    shared: &Shared,
    problems: &mut Problems,
) -> Option<RouteDraft<'a>> {
    let file = route.file.as_str();
    if problems.has_error(file, "/AuthorizationType") {
        return None;
    }
    let kind = route.authorization_type.as_deref().unwrap_or("NONE");
    let scopes = scopes(route, kind, problems);
    let is_of_authorizers = matches!(kind, "JWT" | "CUSTOM");
    if !is_of_authorizers && route.authorizer_id.is_some() {
        let id = route.authorizer_id.as_deref().unwrap_or_default();
        let wanted = match drafts.get(id.strip_prefix("authorizers/").unwrap_or(id)) {
            Some(Some(Draft::Jwt(_))) => "JWT",
            Some(Some(Draft::Lambda(_))) => "CUSTOM",
            _ => "JWT or CUSTOM",
        };
        let text = match route.authorization_type {
            None => format!("an authorizer has no effect without an AuthorizationType: set it to {wanted}"),
            Some(_) => {
                format!("an authorizer has no effect where the AuthorizationType is {kind}: set it to {wanted}")
            }
        };
        problems.error(file, "/AuthorizerId", text);
        return None;
    }
    match kind {
        "NONE" => return Some(RouteDraft::None),
        "AWS_IAM" => {
            if !shared.has_credentials() {
                let text = "there is no credentials.json: nobody may call this route";
                problems.warning(file, "/AuthorizationType", text);
            }
            return Some(RouteDraft::Iam);
        }
        _ => {}
    }
    let Some(id) = route.authorizer_id.as_deref() else {
        problems.error_unless_known(file, "/AuthorizerId", invalid_id(kind, "the field is missing"));
        return None;
    };
    let id = id.strip_prefix("authorizers/").unwrap_or(id);
    match (drafts.get(id), kind) {
        (Some(Some(Draft::Jwt(authorizer))), "JWT") => Some(RouteDraft::Jwt(Arc::clone(authorizer), scopes)),
        (Some(Some(Draft::Lambda(draft))), "CUSTOM") => Some(RouteDraft::Lambda(draft)),
        // The authorizer's own file says what is wrong with it.
        (Some(None), _) => None,
        (Some(Some(_)), _) => {
            let text = format!("authorizers/{id}.json is of another type");
            problems.error(file, "/AuthorizerId", invalid_id(kind, &text));
            None
        }
        // A file that cannot be read has a problem of its own.
        (None, _) if resources.has_file("authorizers", id) => None,
        (None, _) => {
            let text = no_authorizer(id, drafts);
            problems.error(file, "/AuthorizerId", invalid_id(kind, &text));
            None
        }
    }
}

/// That there is no such authorizer, and which may be meant.
fn no_authorizer(id: &str, drafts: &Drafts<'_>) -> String {
    if let Some(id) = id.strip_suffix(".json").filter(|id| drafts.contains_key(id)) {
        return format!("the id is written without .json: \"authorizers/{id}\"");
    }
    let hint = closest(id, drafts.keys().copied()).map(|id| format!("; did you mean \"authorizers/{id}\"?"));
    format!("there is no file authorizers/{id}.json{}", hint.unwrap_or_default())
}

/// AWS's own words, and what is the matter here.
fn invalid_id(kind: &str, reason: &str) -> String {
    let wanted = if kind == "JWT" { "JWT" } else { "REQUEST" };
    format!(
        "Invalid authorizer ID specified. Setting the authorization type to {kind} requires a valid {wanted} \
         authorizer: {reason}"
    )
}

fn scopes(route: &RouteResource, kind: &str, problems: &mut Problems) -> Vec<String> {
    let file = route.file.as_str();
    let scopes = route.authorization_scopes.clone().unwrap_or_default();
    if kind != "JWT" && !scopes.is_empty() {
        let text = "scopes are those of a token: the AuthorizationType must be JWT";
        problems.error(file, "/AuthorizationScopes", text);
    }
    if scopes.len() > MAX_SCOPES {
        let text = format!("there are {} scopes, {MAX_SCOPES} at most", scopes.len());
        problems.error(file, "/AuthorizationScopes", text);
    }
    for (at, scope) in scopes.iter().enumerate() {
        let length = scope.chars().count();
        // RFC 6749 §3.3: what a scope may be, so that it fits into a challenge too.
        let is_token = scope
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
        if !(1..=MAX_SCOPE_LENGTH).contains(&length) || !is_token {
            let text = format!(
                "{scope:?} is not a scope: 1 to {MAX_SCOPE_LENGTH} visible ASCII characters but quotes and backslashes"
            );
            problems.error(file, format!("/AuthorizationScopes/{at}"), text);
        }
    }
    scopes
}

impl RouteDraft<'_> {
    /// What the route asks in one stage; none where something is wrong.
    pub(super) fn compile(
        &self,
        stage_name: &str,
        stage: &StageResource,
        functions: &Functions,
        problems: &mut Problems,
    ) -> Option<Authorization> {
        match self {
            RouteDraft::None => Some(Authorization::None),
            RouteDraft::Iam => Some(Authorization::Iam),
            RouteDraft::Jwt(authorizer, scopes) => Some(Authorization::Jwt {
                authorizer: Arc::clone(authorizer),
                scopes: scopes.clone(),
            }),
            RouteDraft::Lambda(draft) => {
                let arn = match arn_in_stage(draft.uri, &stage.stage_variables) {
                    Ok(arn) => arn,
                    Err(text) => {
                        let text = format!("with the variables of the stage {stage_name:?}: {text}");
                        problems.error(draft.file, "/AuthorizerUri", text);
                        return None;
                    }
                };
                functions.note(&arn, draft.file, "/AuthorizerUri", problems);
                Some(Authorization::Lambda(Arc::new(LambdaAuthorizer {
                    id: draft.id.to_owned(),
                    file: draft.file.to_owned(),
                    identity_sources: draft.identity_sources.clone(),
                    function: functions.get(&arn)?,
                    arn,
                    payload_format: draft.payload_format,
                    simple_responses: draft.simple_responses,
                    result_ttl: draft.result_ttl,
                })))
            }
        }
    }
}
