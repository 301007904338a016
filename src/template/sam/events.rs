//! Events of `Type: HttpApi`, which are routes to their function (`R32.3`, `R32.4`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::template::cloudformation::sections;
use crate::template::evaluator::{Evaluator, IMPLICIT_API, Resource};
use crate::template::node::Node;
use crate::template::openapi::read::ANY_METHOD;
use crate::template::place::Place;
use crate::template::value::{Data, Value};

/// An event that is a route.
pub(in crate::template) struct Event {
    /// The logical id of its API.
    pub(in crate::template) api: String,
    /// Where the route is told of.
    pub(in crate::template) place: Place,
    /// As an OpenAPI document has it.
    pub(in crate::template) path: String,
    /// In small letters, or the key for all methods.
    pub(in crate::template) method: String,
    /// What is invoked.
    pub(in crate::template) uri: String,
    pub(in crate::template) auth: Option<Value>,
    pub(in crate::template) timeout: Option<Value>,
    pub(in crate::template) version: Option<Value>,
    pub(in crate::template) route_settings: Option<Value>,
}

impl Event {
    /// The key of the route in `RouteSettings`.
    pub(in crate::template) fn route_key(&self) -> String {
        match (self.path.as_str(), self.method.as_str()) {
            ("$default" | "/$default", ANY_METHOD) => "$default".to_owned(),
            (path, ANY_METHOD) => format!("ANY {path}"),
            (path, method) => format!("{} {path}", method.to_ascii_uppercase()),
        }
    }
}

/// The events of all functions that exist.
pub(in crate::template) fn events(evaluator: &Evaluator<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    let mut others: BTreeMap<String, (Place, Vec<String>)> = BTreeMap::new();
    for function in evaluator.resources() {
        if function.kind != "AWS::Serverless::Function" {
            continue;
        }
        let Some(node) = evaluator.property_node(&function, "Events") else {
            continue;
        };
        if !mentions_http_api(&node) && evaluator.exists(&function) == Ok(false) {
            continue;
        }
        if mentions_http_api(&node) && !sections::exists(evaluator, &function) {
            continue;
        }
        let Some(map) = node.map() else {
            evaluator
                .messages
                .error(&node.place, format!("Events must be a mapping, not {}", node.kind()));
            continue;
        };
        evaluator.refuse_duplicates(map);
        for (key, event) in &map.members {
            let kind = event.map().and_then(|map| map.get("Type")).and_then(|node| node.text());
            match kind {
                Some("HttpApi") => events.extend(read(evaluator, &function, &key.name, &key.place, event)),
                Some("Api") => {
                    let text = "an event of type Api is of a REST API, which is not served here";
                    evaluator.messages.warning(&key.place, text);
                    check_rest_api(evaluator, event);
                }
                Some(kind) => {
                    let known = others
                        .entry(kind.to_owned())
                        .or_insert_with(|| (key.place.clone(), Vec::new()));
                    known.1.push(format!("{}.{}", function.id, key.name));
                }
                None => evaluator.messages.error(&key.place, "the event has no Type"),
            }
        }
    }
    for (kind, (place, ids)) in others {
        evaluator.messages.note(
            &place,
            format!("events of type {kind} are not sent here: {}", ids.join(", ")),
        );
    }
    events
}

/// An event of a REST API that names an HTTP API is refused, as AWS's transform does.
fn check_rest_api(evaluator: &Evaluator<'_>, event: &Node) {
    let reference = event
        .map()
        .and_then(|map| map.get("Properties")?.map()?.get("RestApiId"));
    let Some(reference) = reference else { return };
    let Some(name) = evaluator.named_by(reference) else {
        return;
    };
    if evaluator
        .resource(name)
        .is_some_and(|api| api.kind == "AWS::Serverless::HttpApi")
    {
        let text = format!("RestApiId must refer to an AWS::Serverless::Api, and {name} is an HTTP API");
        evaluator.messages.error(&reference.place, text);
    }
}

fn mentions_http_api(node: &Node) -> bool {
    let mut found = false;
    node.walk(&mut |node| found |= node.text() == Some("HttpApi"));
    found
}

fn read(evaluator: &Evaluator<'_>, function: &Resource, id: &str, place: &Place, node: &Node) -> Option<Event> {
    let messages = evaluator.messages;
    let map = node.map()?;
    let properties_node: Option<&Arc<Node>> = map.get("Properties");
    let properties = match properties_node {
        None => Value::map(place, Vec::new()),
        Some(node) => evaluator.eval(node),
    };
    let properties = match properties.data {
        Data::Map(_) => properties,
        Data::Absent => Value::map(place, Vec::new()),
        _ => {
            messages.error(
                &properties.place,
                format!("Properties of the event {id} must be a mapping"),
            );
            return None;
        }
    };
    let known = [
        "Path",
        "Method",
        "ApiId",
        "Stage",
        "Auth",
        "TimeoutInMillis",
        "RouteSettings",
        "PayloadFormatVersion",
    ];
    for member in properties.members() {
        if !known.contains(&&*member.key.name) {
            let text = format!("an event of type HttpApi has no property {:?}", member.key.name);
            messages.error(&member.key.place, text);
        }
    }
    let (path, method) = (properties.get("Path"), properties.get("Method"));
    let (path, method, place) = match (path, method) {
        (None, None) => ("$default".to_owned(), ANY_METHOD.to_owned(), place.clone()),
        (Some(path), Some(method)) => {
            let text = messages.text(path)?;
            if text.is_empty() || matches!(&path.data, Data::Scalar(scalar) if scalar.plain && path.kind() != "a text")
            {
                messages.error(&path.place, "Path must be a text that is not empty");
                return None;
            }
            let method = messages.text(method)?.to_ascii_lowercase();
            let method = if method == "any" { ANY_METHOD.to_owned() } else { method };
            (text, method, path.place.clone())
        }
        (Some(path), None) => {
            messages.error(&path.place, "the event has a Path and no Method");
            return None;
        }
        (None, Some(method)) => {
            messages.error(&method.place, "the event has a Method and no Path");
            return None;
        }
    };
    let known_methods = ["get", "put", "post", "delete", "options", "head", "patch", ANY_METHOD];
    if !known_methods.contains(&method.as_str()) {
        let place = properties.get("Method").map_or(&place, |method| &method.place);
        messages.error(place, format!("{method:?} is no method of a route"));
        return None;
    }
    let api = api_of(evaluator, properties_node, place.clone())?;
    let mut arn = evaluator
        .environment
        .function_arn(&evaluator.name_of(function, "FunctionName"));
    let alias = evaluator.property_with_globals(function, "AutoPublishAlias");
    if let Some(alias) = messages.text(&alias) {
        arn = format!("{arn}:{alias}");
    }
    let route_settings = properties.get("RouteSettings").cloned();
    if let Some(settings) = &route_settings {
        messages.members(settings);
    }
    Some(Event {
        api,
        path,
        method,
        uri: evaluator.environment.invocation_arn(&arn),
        auth: properties.get("Auth").cloned(),
        timeout: properties.get("TimeoutInMillis").cloned(),
        version: properties.get("PayloadFormatVersion").cloned(),
        route_settings,
        place,
    })
}

/// The logical id of the API that an event names.
fn api_of(evaluator: &Evaluator<'_>, properties: Option<&Arc<Node>>, place: Place) -> Option<String> {
    let node = properties.and_then(|node| node.map()?.get("ApiId"));
    let Some(node) = node else {
        return Some(IMPLICIT_API.to_owned());
    };
    let is_http_api = |name: &str| {
        let resource = evaluator.resource(name);
        resource.is_some_and(|resource| resource.kind == "AWS::Serverless::HttpApi")
    };
    // A parameter may hold the logical id.
    let name = match evaluator.named_by(node) {
        Some(name) if is_http_api(name) => Some(name.to_owned()),
        _ => evaluator
            .eval(node)
            .peek()
            .filter(|name| is_http_api(name))
            .map(str::to_owned),
    };
    if name.is_none() {
        let place = if node.place.line > 0 { &node.place } else { &place };
        let text = "ApiId must refer to an AWS::Serverless::HttpApi of the template";
        evaluator.messages.error(place, text);
    }
    name
}
