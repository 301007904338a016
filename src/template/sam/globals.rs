//! `Globals`: what holds for each function and each HTTP API of a SAM template (`R32.2`).

use crate::template::evaluator::{Evaluator, Resource};
use crate::template::node::Node;
use crate::template::value::{Data, Value};

const SECTIONS: [&str; 9] = [
    "Function",
    "HttpApi",
    "Api",
    "SimpleTable",
    "StateMachine",
    "LayerVersion",
    "CapacityProvider",
    "WebSocketApi",
    "Connector",
];

const OF_HTTP_API: [&str; 10] = [
    "Auth",
    "AccessLogSettings",
    "StageVariables",
    "Tags",
    "CorsConfiguration",
    "DefaultRouteSettings",
    "Domain",
    "RouteSettings",
    "FailOnWarnings",
    "PropagateTags",
];

const OF_FUNCTION: [&str; 39] = [
    "Handler",
    "Runtime",
    "CodeUri",
    "DeadLetterQueue",
    "Description",
    "MemorySize",
    "Timeout",
    "VpcConfig",
    "Environment",
    "Tags",
    "PropagateTags",
    "Tracing",
    "KmsKeyArn",
    "AutoPublishAlias",
    "AutoPublishAliasAllProperties",
    "Layers",
    "DeploymentPreference",
    "RolePath",
    "PermissionsBoundary",
    "ReservedConcurrentExecutions",
    "ProvisionedConcurrencyConfig",
    "AssumeRolePolicyDocument",
    "EventInvokeConfig",
    "FileSystemConfigs",
    "CodeSigningConfigArn",
    "Architectures",
    "SnapStart",
    "EphemeralStorage",
    "FunctionUrlConfig",
    "RuntimeManagementConfig",
    "LoggingConfig",
    "RecursiveLoop",
    "SourceKMSKeyArn",
    "TenancyConfig",
    "DurableConfig",
    "CapacityProviderConfig",
    "FunctionScalingConfig",
    "PublishToLatestPublished",
    "VersionDeletionPolicy",
];

/// Checks the names in `Globals`.
pub(in crate::template) fn check(evaluator: &Evaluator<'_>) {
    let Some(globals) = evaluator.section("Globals") else {
        return;
    };
    evaluator.refuse_duplicates(globals);
    for (key, node) in &globals.members {
        if !SECTIONS.contains(&&*key.name) {
            evaluator
                .messages
                .error(&key.place, format!("Globals has no section {:?}", key.name));
        }
        let known: &[&str] = match &*key.name {
            "Function" => &OF_FUNCTION,
            "HttpApi" => &OF_HTTP_API,
            _ => continue,
        };
        let Some(map) = node.map() else {
            let text = format!("{} in Globals must be a mapping, not {}", key.name, node.kind());
            evaluator.messages.error(&node.place, text);
            continue;
        };
        evaluator.refuse_duplicates(map);
        for (property, _) in map
            .members
            .iter()
            .filter(|(property, _)| !known.contains(&&*property.name))
        {
            let text = format!("{} in Globals has no property {:?}", key.name, property.name);
            evaluator.messages.error(&property.place, text);
        }
    }
}

/// A property of a function or an HTTP API, with what `Globals` say of it.
pub(in crate::template) fn property(evaluator: &Evaluator<'_>, resource: &Resource, name: &str) -> Value {
    let local = evaluator.property(resource, name);
    match global_node(evaluator, Some(resource), section_of(resource), name) {
        Some(node) => merged(evaluator.eval(node), local),
        None => local,
    }
}

/// A property of the API that SAM makes.
pub(in crate::template) fn of_implicit_api(evaluator: &Evaluator<'_>, name: &str, absent: Value) -> Value {
    match global_node(evaluator, None, "HttpApi", name) {
        Some(node) => evaluator.eval(node),
        None => absent,
    }
}

fn section_of(resource: &Resource) -> &'static str {
    match resource.kind.as_str() {
        "AWS::Serverless::Function" => "Function",
        "AWS::Serverless::HttpApi" => "HttpApi",
        _ => "",
    }
}

fn global_node<'e>(
    evaluator: &'e Evaluator<'_>,
    resource: Option<&Resource>,
    section: &str,
    name: &str,
) -> Option<&'e Node> {
    let node = evaluator.section("Globals")?.get(section)?.map()?.get(name)?;
    let is_ignored = resource.is_some_and(|resource| match evaluator.attribute(resource, "IgnoreGlobals") {
        Some(Value {
            data: Data::Scalar(scalar),
            ..
        }) => &*scalar.text == "*",
        Some(value) => value.items().iter().any(|item| item.peek() == Some(name)),
        None => false,
    });
    (!is_ignored).then_some(&**node)
}

/// Mappings deep, lists one after the other, else what the resource says.
fn merged(global: Value, local: Value) -> Value {
    match (global.data, &local.data) {
        (data, Data::Absent) => Value {
            place: global.place,
            data,
        },
        (Data::List(mut items), Data::List(own)) => {
            items.extend(own.iter().cloned());
            Value::list(&local.place, items)
        }
        (Data::Map(members), Data::Map(own)) => {
            let mut all = members;
            for member in own {
                match all.iter_mut().find(|known| known.key.name == member.key.name) {
                    Some(known) => {
                        let global = std::mem::replace(&mut known.value, Value::absent(&local.place));
                        known.value = merged(global, member.value.clone());
                        known.key = member.key.clone();
                    }
                    None => all.push(member.clone()),
                }
            }
            Value {
                place: local.place.clone(),
                data: Data::Map(all),
            }
        }
        _ => local,
    }
}
