//! Stages, routes, integrations, authorizers and VPC links of CloudFormation.

use crate::definition::json::Json;
use crate::template::cloudformation::api::warn_of_others;
use crate::template::cloudformation::sections;
use crate::template::draft::{Draft, response_parameters};
use crate::template::evaluator::{Evaluator, Resource};
use crate::template::output::VirtualFile;
use crate::template::shape::{AUTHORIZER, INTEGRATION, ROUTE, STAGE, put_all, texts};

const OTHERS_OF_STAGE: [&str; 6] = [
    "ApiId",
    "StageName",
    "DeploymentId",
    "ClientCertificateId",
    "Tags",
    "AccessPolicyId",
];

const OTHERS_OF_ROUTE: [&str; 4] = [
    "ApiId",
    "ModelSelectionExpression",
    "RequestModels",
    "RouteResponseSelectionExpression",
];

const OTHERS_OF_INTEGRATION: [&str; 5] = [
    "ApiId",
    "ContentHandlingStrategy",
    "PassthroughBehavior",
    "RequestTemplates",
    "TemplateSelectionExpression",
];

/// `AWS::ApiGatewayV2::Stage` (`R31.19`).
pub(in crate::template) fn add_stage(evaluator: &Evaluator<'_>, resource: &Resource, draft: &mut Draft) {
    let messages = evaluator.messages;
    sections::open(evaluator, resource);
    warn_of_others(evaluator, resource, STAGE, &OTHERS_OF_STAGE);
    let property = |name: &str| evaluator.property(resource, name);
    let name_value = property("StageName");
    let Some(name) = messages.text(&name_value) else {
        if name_value.is_absent() {
            messages.error(&resource.place, "the stage has no StageName");
        }
        return;
    };
    let mut fields = VirtualFile::new("", &resource.place);
    put_all(&mut fields, STAGE, property, messages);
    let is_live = fields.get("AutoDeploy") == Some(&Json::Bool(true))
        || evaluator.property_node(resource, "DeploymentId").is_some();
    if !is_live {
        let text = format!("the stage {name} has neither AutoDeploy nor DeploymentId: AWS serves nothing on it");
        messages.warning(&resource.place, text);
    }
    let certificate = property("ClientCertificateId");
    if !certificate.is_absent() {
        messages.warning(
            &certificate.place,
            "it has no effect: AWS has it for WebSocket APIs only",
        );
    }
    fields.remove("AutoDeploy");
    draft.add_stage(&name, &resource.place, fields, messages);
    if let Some(file) = draft.file(&format!("stages/{name}.json")) {
        file.origins.insert("/StageName".to_owned(), name_value.place);
    }
}

/// `AWS::ApiGatewayV2::Route` (`R31.18`).
pub(in crate::template) fn add_route(evaluator: &Evaluator<'_>, resource: &Resource, draft: &mut Draft) {
    let messages = evaluator.messages;
    sections::open(evaluator, resource);
    warn_of_others(evaluator, resource, ROUTE, &OTHERS_OF_ROUTE);
    let mut file = VirtualFile::new(format!("routes/{}.json", resource.id), &resource.place);
    put_all(&mut file, ROUTE, |name| evaluator.property(resource, name), messages);
    if let Some(id) = file.text_of("AuthorizerId").map(str::to_owned) {
        let place = file.origin("/AuthorizerId").clone();
        let id = id.trim_start_matches("authorizers/");
        file.set_text("AuthorizerId", format!("authorizers/{id}"), &place);
    }
    if file.text_of("AuthorizationType") == Some("NONE") && file.get("AuthorizerId").is_none() {
        file.remove("AuthorizationType");
    }
    for name in ["AuthorizationScopes", "ApiKeyRequired", "RequestParameters"] {
        if file.get(name).is_some_and(Json::is_empty) {
            file.remove(name);
        }
    }
    draft.add(file, messages);
}

/// `AWS::ApiGatewayV2::Integration` (`R31.18`).
pub(in crate::template) fn add_integration(evaluator: &Evaluator<'_>, resource: &Resource, draft: &mut Draft) {
    let messages = evaluator.messages;
    sections::open(evaluator, resource);
    warn_of_others(evaluator, resource, INTEGRATION, &OTHERS_OF_INTEGRATION);
    let mut file = VirtualFile::new(format!("integrations/{}.json", resource.id), &resource.place);
    put_all(
        &mut file,
        INTEGRATION,
        |name| evaluator.property(resource, name),
        messages,
    );
    response_parameters(&mut file);
    let is_function = file.text_of("IntegrationType") == Some("AWS_PROXY") && file.get("IntegrationSubtype").is_none();
    if is_function && file.get("IntegrationMethod").is_none() {
        // CDK leaves it out, and AWS invokes a function by POST.
        file.set_text("IntegrationMethod", "POST", &resource.place);
    }
    draft.add(file, messages);
}

/// `AWS::ApiGatewayV2::Authorizer`.
pub(in crate::template) fn add_authorizer(evaluator: &Evaluator<'_>, resource: &Resource, draft: &mut Draft) {
    let messages = evaluator.messages;
    sections::open(evaluator, resource);
    warn_of_others(evaluator, resource, AUTHORIZER, &["ApiId"]);
    let mut file = VirtualFile::new(format!("authorizers/{}.json", resource.id), &resource.place);
    put_all(
        &mut file,
        AUTHORIZER,
        |name| evaluator.property(resource, name),
        messages,
    );
    draft.add(file, messages);
}

/// `AWS::ApiGatewayV2::VpcLink`.
pub(in crate::template) fn vpc_link(evaluator: &Evaluator<'_>, resource: &Resource) -> VirtualFile {
    let mut file = VirtualFile::new(format!("vpclinks/{}.json", resource.id), &resource.place);
    let name = evaluator.name_of(resource, "Name");
    file.set_text("VpcLinkId", &*resource.id, &resource.place);
    file.set_text("Name", name, &resource.place);
    // The network of AWS decides nothing here.
    for name in ["SubnetIds", "SecurityGroupIds"] {
        let value = evaluator.property(resource, name);
        let known: Vec<&str> = value.items().iter().filter_map(|item| item.peek()).collect();
        if !known.is_empty() {
            file.set(name, texts(known), &value.place);
        }
    }
    file
}
