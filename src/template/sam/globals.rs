//! `Globals`: what holds for each function and each HTTP API of a SAM template (`R32.2`).

use crate::template::evaluator::Evaluator;

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
