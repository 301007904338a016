//! Requests that do not reach the route that they seem to be for: those that a stage of that name takes, and preflights
//! that an authorizer refuses.

use crate::definition::notation::route_key::{RouteKey, RouteMethod, Segment};
use crate::definition::problem::Problems;
use crate::definition::resource::Resources;
use crate::definition::resource::stage::Stage as StageResource;
use crate::deployment::authorization::RouteDraft as Authorization;
use crate::deployment::default_stage::{DEFAULT_STAGE, DEFAULT_STAGE_ALIAS};
use crate::deployment::route_draft::RouteDraft;
use crate::deployment::routes::Precedence;
use crate::http1::message::Method;

/// Adds the warnings about the routes that a stage serves.
pub(super) fn warn(stage: &str, routes: &[&RouteDraft<'_>], resources: &Resources, problems: &mut Problems) {
    let is_default =
        stage == DEFAULT_STAGE || (stage == DEFAULT_STAGE_ALIAS && !resources.stages.contains_key(DEFAULT_STAGE));
    if is_default {
        for (name, other) in &resources.stages {
            warn_of_shadow(stage, routes, name, other, problems);
        }
    }
    let has_cors = resources
        .api
        .as_ref()
        .is_some_and(|api| api.cors_configuration.is_some());
    if has_cors {
        for route in routes {
            warn_of_refused_preflights(route, routes, problems);
        }
    }
}

/// Warns where the first segment of routes of the default stage is the name of another stage, which comes first
/// (`R2.3`).
fn warn_of_shadow(
    default: &str,
    routes: &[&RouteDraft<'_>],
    name: &str,
    other: &StageResource,
    problems: &mut Problems,
) {
    let is_shadowed = |route: &&&RouteDraft<'_>| matches!(route.key.segments().first(), Some(Segment::Literal(literal)) if literal == name);
    let mut shadowed = routes.iter().filter(is_shadowed);
    let Some(first) = shadowed.next() else { return };
    let more = match shadowed.count() {
        0 => String::new(),
        more => format!(" and of {more} more"),
    };
    let text = format!(
        "the stage takes the requests of the route {:?} ({}){more} of the stage {default:?}: its name is their first \
         segment",
        first.key_text, first.file
    );
    problems.warning(&other.file, "", text);
}

/// Warns of a route whose authorizer gets preflights: browsers send these without credentials (`R7.9`).
fn warn_of_refused_preflights(route: &RouteDraft<'_>, routes: &[&RouteDraft<'_>], problems: &mut Problems) {
    let is_open = matches!(route.authorization, None | Some(Authorization::None));
    if is_open || !takes_options(&route.key) {
        return;
    }
    let precedence = Precedence::of(&route.key);
    // One that is guarded itself has a warning of its own.
    let goes_before = |other: &&RouteDraft<'_>| {
        takes_options(&other.key) && covers(&other.key, &route.key) && Precedence::of(&other.key) < precedence
    };
    if routes.iter().any(goes_before) {
        return;
    }
    let cure = match &route.key {
        RouteKey::Path {
            method: RouteMethod::Exact(_),
            ..
        } => "the AuthorizationType of OPTIONS must be NONE".to_owned(),
        // `$default` has no path.
        _ => {
            let path = route.key_text.split_once(' ').map_or("/{proxy+}", |(_, path)| path);
            format!("add a route \"OPTIONS {path}\" without an authorizer")
        }
    };
    let text = format!("CORS preflights go to the authorizer, and browsers send them without credentials: {cure}");
    problems.warning(route.file, "/AuthorizationType", text);
}

fn takes_options(key: &RouteKey) -> bool {
    match key {
        RouteKey::Default => true,
        RouteKey::Path { method, .. } => method.takes(Method::Options),
    }
}

/// Whether a key takes every path that another one takes. For `$default` that is a greedy variable alone, but for `/`.
fn covers(key: &RouteKey, other: &RouteKey) -> bool {
    let (mut own, mut theirs) = (key.segments().iter(), other.segments().iter());
    if matches!(other, RouteKey::Default) {
        return matches!(own.as_slice(), [Segment::Greedy(_)]);
    }
    loop {
        match (own.next(), theirs.next()) {
            (Some(Segment::Greedy(_)), Some(_)) | (None, None) => return true,
            (Some(Segment::Literal(one)), Some(Segment::Literal(other))) if one == other => {}
            (Some(Segment::Variable(_)), Some(Segment::Literal(_) | Segment::Variable(_))) => {}
            _ => return false,
        }
    }
}
