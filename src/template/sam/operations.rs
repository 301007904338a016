//! Operations and security schemes that SAM puts into an OpenAPI document (`R32.4`, `R32.9`).

use std::sync::Arc;

use crate::template::message::Messages;
use crate::template::openapi::integration::function_integration;
use crate::template::openapi::read::{ANY_METHOD, INTEGRATION, has_integration, is_method};
use crate::template::sam::auth::Auth;
use crate::template::sam::events::Event;
use crate::template::value::{Data, Member, Value};

/// Refuses what AWS's transform does not read as operations.
pub(super) fn check(document: &Value, messages: &Messages) {
    for path in document.get("paths").map(Value::members).unwrap_or_default() {
        if path.value.is_absent() {
            continue;
        }
        for method in messages.members(&path.value).unwrap_or_default() {
            let is_method = is_method(&method.key.name);
            if is_method && !method.value.is_map() && !matches!(method.value.data, Data::Unresolved(_)) {
                let text = format!(
                    "the operation {} of {} must be a mapping",
                    method.key.name, path.key.name
                );
                messages.error(&method.key.place, text);
            }
        }
    }
}

/// Adds the operation of an event. One that has an integration keeps it, and is an error where no author wrote it.
pub(super) fn add(document: &mut Value, event: &Event, is_managed: bool, auth: &Auth, messages: &Messages) {
    let place = &event.place;
    let Some(paths) = document.get_mut("paths") else { return };
    // A path of an OpenAPI document begins with a `/`; SAM writes `$default` without.
    let known = [event.path.as_str(), "/$default", "$default"];
    let is_default = known.get(1..).is_some_and(|names| names.contains(&event.path.as_str()));
    let path = match is_default {
        true => known
            .into_iter()
            .find(|name| paths.get(name).is_some())
            .unwrap_or("$default"),
        false => &event.path,
    };
    if paths.get(path).is_none() {
        paths.set(path, Value::map(place, Vec::new()));
    }
    let Some(item) = paths.get_mut(path) else { return };
    let written = item
        .members()
        .iter()
        .find(|member| member.key.name.eq_ignore_ascii_case(&event.method));
    let method = written.map_or_else(|| event.method.as_str().into(), |member| Arc::clone(&member.key.name));
    if item.get(&method).is_some_and(has_integration) {
        if is_managed {
            let text = format!("the route {} is defined by another event", event.route_key());
            messages.error(place, text);
        }
    } else {
        if item.get(&method).is_none() {
            item.set(&method, Value::map(place, Vec::new()));
        }
        let uri = Value::text(place, event.uri.as_str());
        let integration = function_integration(uri, event.version.clone(), event.timeout.clone(), place);
        if let Some(operation) = item.get_mut(&method) {
            operation.set(INTEGRATION, integration);
        }
    }
    let Some(given) = &event.auth else { return };
    let Some(requirement) = auth.of_event(given, place, messages) else {
        return;
    };
    let Some(operation) = item.get_mut(&method) else { return };
    let mut requirements = operation
        .get("security")
        .map(|known| known.items().to_vec())
        .unwrap_or_default();
    requirements.extend(requirement.items().iter().cloned());
    operation.set("security", Value::list(&requirement.place, requirements));
}

/// Guards each operation with an integration and no requirement of its own, but for OPTIONS.
pub(super) fn guard(document: &mut Value, requirement: &Value, messages: &Messages) {
    let Some(Value {
        data: Data::Map(paths), ..
    }) = document.get_mut("paths")
    else {
        return;
    };
    for path in paths {
        let Data::Map(methods) = &mut path.value.data else {
            continue;
        };
        for Member { key, value } in methods {
            if key.name.eq_ignore_ascii_case("any") {
                let text = format!("the operation for all methods is called {ANY_METHOD}");
                messages.error(&key.place, text);
            }
            let is_open = |security: &Value| match &security.data {
                Data::List(items) => items.is_empty(),
                _ => false,
            };
            let has_own = value.get("security").is_some_and(|security| !is_open(security));
            if !key.name.eq_ignore_ascii_case("options") && has_integration(value) && !has_own {
                value.set("security", requirement.clone());
            }
        }
    }
}

/// Adds the schemes of the authorizers; those of the document with the same names are replaced.
pub(super) fn add_schemes(document: &mut Value, auth: &Auth) {
    let Some((_, first)) = auth.schemes.first() else { return };
    let place = first.place.clone();
    for (owner, name) in [(None, "components"), (Some("components"), "securitySchemes")] {
        let parent = match owner {
            None => Some(&mut *document),
            Some(owner) => document.get_mut(owner),
        };
        let Some(parent) = parent else { return };
        if parent.get(name).is_none() {
            parent.set(name, Value::map(&place, Vec::new()));
        }
    }
    let schemes = document
        .get_mut("components")
        .and_then(|components| components.get_mut("securitySchemes"));
    let Some(schemes) = schemes else { return };
    for (name, scheme) in &auth.schemes {
        schemes.set(name, scheme.clone());
    }
}
