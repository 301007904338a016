//! Route: create, get, list, update, delete (`R20.40`–`R20.47`).

use crate::control_plane::api::answer::Answer;
use crate::control_plane::api::api_files::{self, ApiFiles, Members};
use crate::control_plane::api::call::{Answered, Call};
use crate::control_plane::api::edit;
use crate::control_plane::api::edits::Edits;
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::kind::{AUTHORIZER, ROUTE};
use crate::control_plane::api::members::Given;
use crate::control_plane::api::resources::{bare_id, new_id};
use crate::control_plane::api::root::Root;
use crate::control_plane::api::stage_routes;
use crate::definition::document::Document;
use crate::definition::json::Json;
use crate::definition::notation::route_key::{InvalidRouteKey, RouteKey, Segment};

/// What is answered of a route.
pub fn show(_: &Root<'_>, _: &ApiFiles, id: &str, members: &Members) -> Answer {
    let mut answer = Answer::of(ROUTE.table, members);
    if let Some(authorizer) = api_files::text(members, "AuthorizerId") {
        answer.put_text("AuthorizerId", bare_id(&AUTHORIZER, authorizer));
    }
    answer.put_text(ROUTE.id, id);
    answer
}

/// CreateRoute.
pub fn create(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let mut given = call.create(ROUTE.table)?;
    let id = new_id(&files, &ROUTE)?;
    check_key(&files, &id, given.text("RouteKey").unwrap_or_default())?;
    normalise(&mut given);
    let members = edit::members_of_new(ROUTE.table, &given);
    check_authorizer(&files, &members)?;
    edits.put(&files.path(&ROUTE, &id), None, Document::write(members.clone()));
    Ok(Some(show(root, &files, &id, &members).into_json()))
}

/// UpdateRoute.
pub fn update(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let id = call.label(1);
    let mut document = files.document(&ROUTE, id)?;
    let before = document.members();
    let mut given = call.update(ROUTE.table)?;
    if let Some(key) = given.text("RouteKey") {
        let is_other = api_files::text(&before, "RouteKey") != Some(key);
        if is_other && api_files::is_true(&before, "ApiGatewayManaged") {
            let text = "RouteKey of a route that is managed by API Gateway cannot be changed";
            return Err(ApiError::bad_request(text));
        }
        check_key(&files, id, key)?;
        if is_other {
            // Settings are by route key, and no route has the one before any more.
            stage_routes::forget_settings(&files, api_files::text(&before, "RouteKey"), edits);
        }
    }
    normalise(&mut given);
    leave_authorizer(&mut given);
    edit::update(&mut document, ROUTE.table, &given);
    check_authorizer(&files, &document.members())?;
    let path = files.path(&ROUTE, id);
    edits.put(&path, files.text(&path), document.text().to_owned());
    Ok(Some(show(root, &files, id, &document.members()).into_json()))
}

/// DeleteRoute. Stages forget the route in the same call, and before its file goes.
pub fn delete(call: &Call<'_>, root: &Root<'_>, edits: &mut Edits) -> Answered {
    let files = root.api(call.label(0))?;
    let id = call.label(1);
    if !files.has(&ROUTE, id) {
        return Err(ROUTE.not_found(id));
    }
    let members = files.members(&ROUTE, id).unwrap_or_default();
    stage_routes::forget(&files, id, api_files::text(&members, "RouteKey"), edits);
    let path = files.path(&ROUTE, id);
    edits.remove(&path, files.text(&path));
    Ok(None)
}

/// DeleteRouteRequestParameter: routes of HTTP APIs have none (`R20.47`).
pub fn delete_request_parameter(call: &Call<'_>, root: &Root<'_>) -> Answered {
    let files = root.api(call.label(0))?;
    if !files.has(&ROUTE, call.label(1)) {
        return Err(ROUTE.not_found(call.label(1)));
    }
    Err(ApiError::not_found(format!(
        "Invalid RequestParameter identifier specified {}",
        call.label(2)
    )))
}

/// A file names an authorizer by its bare id.
fn normalise(given: &mut Given) {
    if let Some(id) = given.text("AuthorizerId") {
        let id = bare_id(&AUTHORIZER, id).to_owned();
        given.put(ROUTE.table, "AuthorizerId", Json::String(id));
    }
}

/// A type that asks no authorizer takes one out that the call does not name, and scopes with it.
fn leave_authorizer(given: &mut Given) {
    if !matches!(given.text("AuthorizationType"), Some("NONE" | "AWS_IAM")) {
        if given.text("AuthorizationType") == Some("CUSTOM") && given.said("AuthorizationScopes").is_none() {
            given.put(ROUTE.table, "AuthorizationScopes", Json::Null);
        }
        return;
    }
    for name in ["AuthorizerId", "AuthorizationScopes"] {
        if given.said(name).is_none() {
            given.put(ROUTE.table, name, Json::Null);
        }
    }
}

/// Checks a route key, and that no other route has it (`R1.2`, `R20.101`).
fn check_key(files: &ApiFiles, own: &str, text: &str) -> Result<(), ApiError> {
    let key = RouteKey::parse(text).map_err(|error| match error {
        InvalidRouteKey::Format | InvalidRouteKey::Method(_) => ApiError::bad_request(
            "The provided route key is not formatted properly for HTTP protocol. Format should be \"<HTTP METHOD> \
             /<RESOURCE PATH>\" or \"$default\".",
        ),
        other => ApiError::bad_request(format!("RouteKey: {other}")),
    })?;
    for (_, members) in files.all(&ROUTE).iter().filter(|(id, _)| id != own) {
        let Some(other) = api_files::text(members, "RouteKey") else {
            continue;
        };
        if other == text {
            let text = format!("Route with key {text} already exists for this API");
            return Err(ApiError::conflict(text));
        }
        if RouteKey::parse(other).is_ok_and(|other| takes_the_same(&key, &other)) {
            return Err(ApiError::conflict(format!(
                "The provided route key \"{text}\" has a conflicting variable on the same hierarchical level as \
                 \"{other}\""
            )));
        }
    }
    Ok(())
}

/// Whether two keys differ at most in the names of their variables.
fn takes_the_same(one: &RouteKey, other: &RouteKey) -> bool {
    let (
        RouteKey::Path { method, path },
        RouteKey::Path {
            method: other_method,
            path: other_path,
        },
    ) = (one, other)
    else {
        return false;
    };
    let is_same = |pair: (&Segment, &Segment)| match pair {
        (Segment::Literal(one), Segment::Literal(other)) => one == other,
        (Segment::Variable(_), Segment::Variable(_)) | (Segment::Greedy(_), Segment::Greedy(_)) => true,
        _ => false,
    };
    method == other_method && path.len() == other_path.len() && path.iter().zip(other_path).all(is_same)
}

/// Checks that an authorizer is there, and fits (`R20.107`).
fn check_authorizer(files: &ApiFiles, route: &[(String, Json)]) -> Result<(), ApiError> {
    let (kind, wanted) = match api_files::text(route, "AuthorizationType") {
        Some("JWT") => ("JWT", "JWT"),
        Some("CUSTOM") => ("CUSTOM", "REQUEST"),
        _ => return Ok(()),
    };
    let id = api_files::text(route, "AuthorizerId").map(|id| bare_id(&AUTHORIZER, id));
    let authorizer = id.and_then(|id| files.members(&AUTHORIZER, id).ok());
    let found = authorizer
        .as_deref()
        .and_then(|members| api_files::text(members, "AuthorizerType"));
    if found == Some(wanted) {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "Invalid authorizer ID specified. Setting the authorization type to {kind} requires a valid {kind} authorizer."
    )))
}
