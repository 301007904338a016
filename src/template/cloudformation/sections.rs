//! The sections of a template, and the resources of which nothing is served.

use std::collections::BTreeMap;

use crate::template::evaluator::{Evaluator, Resource};
use crate::template::node::Content;

const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Transform",
    "Resources",
    "Outputs",
    "Hooks",
];

/// Attributes of a resource that decide nothing here (`R31.22`).
const ATTRIBUTES: [&str; 12] = [
    "Type",
    "Properties",
    "Condition",
    "DependsOn",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "UpdatePolicy",
    "CreationPolicy",
    "Metadata",
    "IgnoreGlobals",
    "Connectors",
    "Fn::Transform",
];

/// Kinds of API Gateway's resources that are read.
const PARTS: [&str; 10] = [
    "Api",
    "Stage",
    "Route",
    "Integration",
    "Authorizer",
    "ApiGatewayManagedOverrides",
    "DomainName",
    "ApiMapping",
    "VpcLink",
    "Deployment",
];

/// Checks the sections, and what the template says that nothing here can do.
pub(in crate::template) fn check(evaluator: &Evaluator<'_>) {
    let messages = evaluator.messages;
    let root = evaluator.root();
    let Some(map) = root.map() else {
        return messages.error(&root.place, format!("a template is a mapping, not {}", root.kind()));
    };
    evaluator.refuse_duplicates(map);
    for (key, node) in &map.members {
        let is_known = SECTIONS.contains(&&*key.name) || &*key.name == "Globals";
        if !is_known {
            messages.warning(&key.place, format!("a template has no section {:?}", key.name));
        }
        match &*key.name {
            "Outputs" | "Rules" => messages.note(&key.place, format!("{} are not evaluated", key.name)),
            "Globals" if !evaluator.is_sam() => {
                messages.warning(&key.place, "Globals want AWS::Serverless-2016-10-31 in Transform");
            }
            "Resources" | "Parameters" | "Mappings" | "Conditions" => match &node.content {
                Content::Map(map) if node.tag.is_none() => evaluator.refuse_duplicates(map),
                Content::Null => {}
                _ => messages.error(&node.place, format!("{} must be a mapping", key.name)),
            },
            _ => {}
        }
    }
    for name in evaluator.macros() {
        let place = map.get("Transform").map_or(&root.place, |node| &node.place);
        match name {
            "AWS::Include" => messages.error(place, "AWS::Include in Transform reads from S3 only"),
            _ => messages.error(place, format!("the macro {name:?} runs in AWS only")),
        }
    }
    let resources = map.get("Resources").and_then(|node| node.map());
    for (key, node) in resources.map(|map| map.members.as_slice()).unwrap_or_default() {
        if key.name.starts_with("Fn::ForEach") {
            messages.error(&key.place, "Fn::ForEach is not supported: write the resources out");
        } else if key.name.starts_with("Fn::") {
            messages.error(
                &key.place,
                format!("{} cannot stand among the resources here", key.name),
            );
        } else if node.map().is_none_or(|map| map.get("Type").is_none()) {
            messages.error(&key.place, format!("the resource {} has no Type", key.name));
        }
    }
}

/// Notes what is not run here, one line for each type.
pub(in crate::template) fn note_others(evaluator: &Evaluator<'_>) {
    let mut by_kind: BTreeMap<String, Vec<Resource>> = BTreeMap::new();
    for resource in evaluator.resources() {
        let kind = resource.kind.as_str();
        let part = kind.strip_prefix("AWS::ApiGatewayV2::");
        let is_served = part.is_some_and(|part| PARTS.contains(&part))
            || [
                "AWS::Serverless::HttpApi",
                "AWS::Serverless::Function",
                "AWS::Lambda::Function",
            ]
            .contains(&kind)
            || [
                "AWS::Lambda::Alias",
                "AWS::Lambda::Version",
                "AWS::Serverless::LayerVersion",
            ]
            .contains(&kind)
            || ["AWS::Lambda::LayerVersion", "AWS::CDK::Metadata"].contains(&kind);
        if !is_served && !kind.is_empty() && evaluator.exists(&resource) != Ok(false) {
            by_kind.entry(kind.to_owned()).or_default().push(resource);
        }
    }
    for (kind, resources) in by_kind {
        let Some(first) = resources.first() else { continue };
        let ids: Vec<&str> = resources.iter().map(|resource| &*resource.id).collect();
        let ids = ids.join(", ");
        let messages = evaluator.messages;
        match kind.as_str() {
            "AWS::Lambda::Permission" => {
                messages.note(&first.place, format!("{kind} is not evaluated here: {ids}"));
            }
            "AWS::CloudFormation::Stack" | "AWS::Serverless::Application" => {
                for resource in &resources {
                    let property = match kind.as_str() {
                        "AWS::CloudFormation::Stack" => "TemplateURL",
                        _ => "Location",
                    };
                    let location = evaluator.property(resource, property);
                    let location = location.peek().unwrap_or("elsewhere");
                    let text = format!("the nested stack {} is not served: it is at {location}", resource.id);
                    messages.warning(&resource.place, text);
                }
            }
            "AWS::ApiGateway::RestApi" | "AWS::Serverless::Api" => {
                messages.warning(&first.place, format!("REST APIs are not served here: {ids}"));
            }
            _ => messages.note(&first.place, format!("{kind} is not run here: {ids}")),
        }
    }
}

/// Refuses keys that occur twice in a resource that is read, and warns of attributes that no resource has.
pub(in crate::template) fn open(evaluator: &Evaluator<'_>, resource: &Resource) {
    let Some(map) = resource.node.map() else { return };
    evaluator.refuse_duplicates(map);
    if let Some(properties) = map.get("Properties") {
        match &properties.content {
            Content::Map(map) if properties.tag.is_none() => evaluator.refuse_duplicates(map),
            Content::Null => {}
            _ => evaluator
                .messages
                .error(&properties.place, "Properties must be a mapping"),
        }
    }
    for (key, _) in &map.members {
        if !ATTRIBUTES.contains(&&*key.name) {
            evaluator
                .messages
                .warning(&key.place, format!("a resource has no attribute {:?}", key.name));
        }
    }
}

/// Whether a resource that an API reads exists; where that cannot be told, that is an error.
pub(in crate::template) fn exists(evaluator: &Evaluator<'_>, resource: &Resource) -> bool {
    match evaluator.exists(resource) {
        Ok(exists) => exists,
        Err(why) => {
            let text = format!("whether {} is created is not known: {why}", resource.id);
            evaluator.messages.error(&resource.place, text);
            false
        }
    }
}
