//! `AWS::ApiGatewayV2::Api`, with a body or quick create, and `AWS::ApiGatewayV2::ApiGatewayManagedOverrides`.

use crate::template::cloudformation::sections;
use crate::template::draft::{Draft, QuickCreate, is_true};
use crate::template::evaluator::{Evaluator, Resource};
use crate::template::ids::{api_id, ids, of_route_key};
use crate::template::message::Messages;
use crate::template::openapi::read::{Settings, read};
use crate::template::options::BasePath;
use crate::template::output::VirtualFile;
use crate::template::shape::{API, INTEGRATION, ROUTE, STAGE, Shape, put, put_all, warn_of_unknown};
use crate::template::value::{Data, Value};

const OTHERS: [&str; 10] = [
    "Body",
    "BodyS3Location",
    "BasePath",
    "FailOnWarnings",
    "ProtocolType",
    "Target",
    "RouteKey",
    "CredentialsArn",
    "ApiKeySelectionExpression",
    "Tags",
];

/// Warns of properties that a kind of resource does not have.
pub(in crate::template) fn warn_of_others(
    evaluator: &Evaluator<'_>,
    resource: &Resource,
    shapes: &[(&'static str, Shape)],
    others: &[&str],
) {
    let properties = resource
        .node
        .map()
        .and_then(|map| map.get("Properties"))
        .and_then(|node| node.map());
    let names = properties.map(|map| map.members.as_slice()).unwrap_or_default();
    let names = names.iter().map(|(key, _)| (&*key.name, &key.place));
    warn_of_unknown(&resource.kind, names, shapes, others, evaluator.messages);
}

/// Whether an API speaks WebSocket, which is not served.
pub(in crate::template) fn is_websocket(evaluator: &Evaluator<'_>, resource: &Resource) -> bool {
    let protocol = evaluator.property(resource, "ProtocolType");
    protocol
        .peek()
        .is_some_and(|protocol| protocol.eq_ignore_ascii_case("WEBSOCKET"))
}

/// An HTTP API.
pub(in crate::template) fn read_api(evaluator: &Evaluator<'_>, resource: &Resource) -> Draft {
    let messages = evaluator.messages;
    sections::open(evaluator, resource);
    warn_of_others(evaluator, resource, API, &OTHERS);
    let property = |name: &str| evaluator.property(resource, name);
    let mut draft = Draft::new(&resource.id, &api_id(&resource.id), &resource.place);
    put_all(&mut draft.api_file, API, property, messages);
    let body = property("Body");
    let protocol = property("ProtocolType");
    if let Some(text) = messages.text(&protocol)
        && text != "HTTP"
    {
        messages.error(
            &protocol.place,
            format!("ProtocolType must be HTTP or WEBSOCKET, not {text:?}"),
        );
    }
    if let Some(location) = evaluator.property_node(resource, "BodyS3Location") {
        messages.error(&location.place, "a body in S3 is not read: write it into Body");
    }
    if body.is_absent() {
        if protocol.is_absent() {
            messages.error(&resource.place, "the API has neither a ProtocolType nor a Body");
        }
        if property("Name").is_absent() {
            messages.error(&resource.place, "the API has no Name");
        }
    } else {
        let base_path = property("BasePath");
        let base_path = match base_path.peek().map(BasePath::named) {
            None => evaluator.options.base_path,
            Some(Some(mode)) => mode,
            Some(None) => {
                messages.error(&base_path.place, "BasePath must be ignore, prepend or split");
                BasePath::Ignore
            }
        };
        let fail = property("FailOnWarnings");
        let settings = Settings {
            environment: &evaluator.environment,
            base_path,
            fail_on_warnings: match fail.is_absent() {
                true => evaluator.options.fail_on_warnings,
                false => is_true(&fail, messages),
            },
        };
        match &body.data {
            Data::Unresolved(why) => messages.error(&body.place, &**why),
            _ => draft.take(read(&body, &settings, messages), messages),
        }
    }
    if !property("Target").is_absent() {
        quick_create(evaluator, resource, &mut draft);
    } else {
        for name in ["RouteKey", "CredentialsArn"] {
            let value = property(name);
            if !value.is_absent() {
                messages.warning(&value.place, format!("{name} has an effect with Target only"));
            }
        }
    }
    draft
}

/// One route, one integration and the stage `$default` (`R31.17`).
fn quick_create(evaluator: &Evaluator<'_>, resource: &Resource, draft: &mut Draft) {
    let messages = evaluator.messages;
    let target = evaluator.property(resource, "Target");
    let Some(uri) = messages.text(&target) else { return };
    let key_value = evaluator.property(resource, "RouteKey");
    let route_key = messages.text(&key_value).unwrap_or_else(|| "$default".to_owned());
    let id = ids([route_key.as_str()], of_route_key).pop().unwrap_or_default();
    let mut integration = VirtualFile::new(format!("integrations/{id}.json"), &target.place);
    let (kind, method, version) = match uri.starts_with("arn:") {
        true => ("AWS_PROXY", "POST", "2.0"),
        false => ("HTTP_PROXY", "ANY", "1.0"),
    };
    for (name, text) in [
        ("IntegrationType", kind),
        ("IntegrationMethod", method),
        ("IntegrationUri", &uri),
        ("PayloadFormatVersion", version),
    ] {
        integration.set_text(name, text, &target.place);
    }
    let credentials = evaluator.property(resource, "CredentialsArn");
    put(
        &mut integration,
        "CredentialsArn",
        &credentials,
        Shape::TextIfKnown,
        messages,
    );
    draft.add(integration, messages);
    let place = if key_value.is_absent() {
        &target.place
    } else {
        &key_value.place
    };
    let mut route = VirtualFile::new(format!("routes/{id}.json"), place);
    route.set_text("RouteKey", route_key, place);
    route.set_text("Target", format!("integrations/{id}"), &target.place);
    draft.add(route, messages);
    draft.add_stage("$default", &target.place, VirtualFile::new("", &target.place), messages);
    draft.quick_create = Some(QuickCreate {
        route: format!("routes/{id}.json"),
        integration: format!("integrations/{id}.json"),
    });
}

/// Changes what quick create has made.
pub(in crate::template) fn override_managed(evaluator: &Evaluator<'_>, resource: &Resource, draft: &mut Draft) {
    let messages = evaluator.messages;
    sections::open(evaluator, resource);
    warn_of_others(evaluator, resource, &[], &["ApiId", "Integration", "Route", "Stage"]);
    let Some(made) = draft.quick_create.clone() else {
        let text = format!("{} has no Target, so there is nothing to override", draft.logical_id);
        return messages.error(&resource.place, text);
    };
    let parts = [
        (
            "Integration",
            made.integration.as_str(),
            INTEGRATION,
            &[
                "Description",
                "IntegrationMethod",
                "PayloadFormatVersion",
                "TimeoutInMillis",
            ][..],
        ),
        (
            "Route",
            made.route.as_str(),
            ROUTE,
            &[
                "AuthorizationScopes",
                "AuthorizationType",
                "AuthorizerId",
                "OperationName",
                "Target",
            ][..],
        ),
        (
            "Stage",
            "stages/$default.json",
            STAGE,
            &[
                "AccessLogSettings",
                "AutoDeploy",
                "DefaultRouteSettings",
                "Description",
                "RouteSettings",
                "StageVariables",
            ][..],
        ),
    ];
    for (name, path, shapes, names) in parts {
        let value = evaluator.property(resource, name);
        let Some(file) = draft.file(path) else { continue };
        take(file, &value, shapes, names, messages);
    }
}

fn take(file: &mut VirtualFile, value: &Value, shapes: &[(&'static str, Shape)], names: &[&str], messages: &Messages) {
    for member in messages.members(value).unwrap_or_default() {
        let name = &*member.key.name;
        match shapes.iter().find(|(known, _)| *known == name && names.contains(known)) {
            // The stage serves what is there in any case.
            Some(("AutoDeploy", _)) => {}
            Some((known, shape)) => put(file, known, &member.value, *shape, messages),
            None => messages.warning(&member.key.place, "unknown property"),
        }
    }
}
