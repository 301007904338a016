//! Puts a template's resources together to APIs and what they share.

use crate::template::cloudformation::domain::{Domain, add_mapping, read_domain};
use crate::template::cloudformation::{api, parts, sections};
use crate::template::draft::Draft;
use crate::template::evaluator::{Evaluator, IMPLICIT_API, Resource};
use crate::template::functions::{self, InlineCode};
use crate::template::output::{Api, VirtualFile};
use crate::template::sam::events::{Event, events};
use crate::template::sam::http_api::Source;
use crate::template::sam::{domain, globals};

/// What a template means.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    pub(super) apis: Vec<Api>,
    /// Functions, domains and VPC links.
    pub(super) shared: Vec<VirtualFile>,
    pub(super) inline: Vec<InlineCode>,
}

/// Whether a template may have an HTTP API, which decides which stack of several is meant.
pub(super) fn has_http_api(evaluator: &Evaluator<'_>) -> bool {
    let is_http = |resource: &Resource| match resource.kind.as_str() {
        "AWS::ApiGatewayV2::Api" => !api::is_websocket(evaluator, resource),
        "AWS::Serverless::HttpApi" => true,
        _ => false,
    };
    evaluator.resources().iter().any(is_http)
}

/// Reads a whole template.
pub(super) fn assemble(evaluator: &Evaluator<'_>) -> Assembly {
    sections::check(evaluator);
    evaluator.check_parameters();
    let resources = evaluator.resources();
    let serverless = resources
        .iter()
        .find(|resource| resource.kind.starts_with("AWS::Serverless::"));
    if let Some(first) = serverless {
        globals::check(evaluator);
        if !evaluator.is_sam() {
            let text = "resources of AWS::Serverless want AWS::Serverless-2016-10-31 in Transform";
            evaluator.messages.warning(&first.place, text);
        }
    }
    let mut domains = Vec::new();
    let mut drafts = read_apis(evaluator, &resources, &mut domains);
    add_parts(evaluator, &resources, &mut drafts);
    let mut shared = add_shared(evaluator, &resources, &drafts, &mut domains);
    refuse_twins(evaluator, &drafts);
    for draft in &drafts {
        if draft.stages().is_empty() {
            let text = format!("the API {} has no stage: it serves nothing", draft.logical_id);
            evaluator.messages.warning(&draft.place, text);
        }
    }
    let apis: Vec<Api> = drafts.into_iter().map(Draft::finish).collect();
    let functions = functions::read(evaluator, &apis);
    shared.extend(functions.files);
    sections::note_others(evaluator);
    if apis.is_empty() && !evaluator.messages.has_errors() {
        let text = format!("the template has no HTTP API{}", others(evaluator, &resources));
        evaluator.messages.error(&evaluator.root().place, text);
    }
    evaluator.warn_of_unused_resolutions();
    Assembly {
        apis,
        shared,
        inline: functions.inline,
    }
}

fn read_apis(evaluator: &Evaluator<'_>, resources: &[Resource], domains: &mut Vec<Domain>) -> Vec<Draft> {
    let messages = evaluator.messages;
    let events = events(evaluator);
    let mut drafts = Vec::new();
    let mut add = |source: &Source<'_>, id: &str, drafts: &mut Vec<Draft>| {
        let own: Vec<&Event> = events.iter().filter(|event| event.api == id).collect();
        let draft = source.read(&own);
        if let Some(stage) = draft.stages().first() {
            domain::read(evaluator, source, &draft.id, stage, domains);
        }
        drafts.push(draft);
    };
    for resource in resources {
        match resource.kind.as_str() {
            "AWS::Serverless::HttpApi" if sections::exists(evaluator, resource) => {
                let source = Source::of(evaluator, resource.clone());
                add(&source, &resource.id, &mut drafts);
            }
            "AWS::ApiGatewayV2::Api" if sections::exists(evaluator, resource) => {
                if api::is_websocket(evaluator, resource) {
                    let text = format!("the WebSocket API {} is not served here", resource.id);
                    messages.warning(&resource.place, text);
                    continue;
                }
                drafts.push(api::read_api(evaluator, resource));
            }
            _ => {}
        }
    }
    let implicit = events.iter().find(|event| event.api == IMPLICIT_API);
    if let Some(event) = implicit
        && evaluator.resource(IMPLICIT_API).is_none()
    {
        add(&Source::implicit(evaluator, event), IMPLICIT_API, &mut drafts);
    }
    drafts
}

/// Adds stages, routes, integrations, authorizers and overrides to their APIs.
fn add_parts(evaluator: &Evaluator<'_>, resources: &[Resource], drafts: &mut [Draft]) {
    let messages = evaluator.messages;
    let mut overrides = Vec::new();
    for resource in resources {
        let kind = resource.kind.strip_prefix("AWS::ApiGatewayV2::").unwrap_or_default();
        let is_part = [
            "Stage",
            "Route",
            "Integration",
            "Authorizer",
            "ApiGatewayManagedOverrides",
        ]
        .contains(&kind);
        if !is_part || !sections::exists(evaluator, resource) {
            continue;
        }
        let api = evaluator.property(resource, "ApiId");
        if api.is_absent() {
            messages.error(&resource.place, format!("{} has no ApiId", resource.id));
            continue;
        }
        let Some(draft) = drafts.iter_mut().find(|draft| Some(draft.id.as_str()) == api.peek()) else {
            let text = format!(
                "{} is not served: its API is not an HTTP API of the template",
                resource.id
            );
            messages.warning(&api.place, text);
            continue;
        };
        match kind {
            "Stage" => parts::add_stage(evaluator, resource, draft),
            "Route" => parts::add_route(evaluator, resource, draft),
            "Integration" => parts::add_integration(evaluator, resource, draft),
            "Authorizer" => parts::add_authorizer(evaluator, resource, draft),
            _ => overrides.push((draft.id.clone(), resource)),
        }
    }
    for (id, resource) in overrides {
        if let Some(draft) = drafts.iter_mut().find(|draft| draft.id == id) {
            api::override_managed(evaluator, resource, draft);
        }
    }
}

/// VPC links and domains.
fn add_shared(
    evaluator: &Evaluator<'_>,
    resources: &[Resource],
    drafts: &[Draft],
    domains: &mut Vec<Domain>,
) -> Vec<VirtualFile> {
    let of_kind = |kind: &'static str| {
        let is_it = move |resource: &&Resource| resource.kind == kind && sections::exists(evaluator, resource);
        resources.iter().filter(is_it)
    };
    let mut files: Vec<VirtualFile> = Vec::new();
    for resource in of_kind("AWS::ApiGatewayV2::VpcLink") {
        files.push(parts::vpc_link(evaluator, resource));
    }
    for resource in of_kind("AWS::ApiGatewayV2::DomainName") {
        domains.extend(read_domain(evaluator, resource));
    }
    let apis: Vec<(String, Vec<String>)> = drafts.iter().map(|draft| (draft.id.clone(), draft.stages())).collect();
    for resource in of_kind("AWS::ApiGatewayV2::ApiMapping") {
        add_mapping(evaluator, resource, domains, &apis);
    }
    files.extend(domains.drain(..).map(Domain::into_file));
    files
}

fn refuse_twins(evaluator: &Evaluator<'_>, drafts: &[Draft]) {
    for (at, draft) in drafts.iter().enumerate() {
        let mut before = drafts.iter().take(at);
        if let Some(first) = before.find(|first| first.id == draft.id) {
            let text = format!(
                "{} and {} differ only by case: both are the API {:?}",
                first.logical_id, draft.logical_id, draft.id
            );
            evaluator.messages.error(&draft.place, text);
        }
    }
}

/// What else than HTTP APIs a template has.
fn others(evaluator: &Evaluator<'_>, resources: &[Resource]) -> String {
    let mut found = Vec::new();
    for resource in resources {
        match resource.kind.as_str() {
            "AWS::ApiGateway::RestApi" | "AWS::Serverless::Api" => found.push(format!("the REST API {}", resource.id)),
            "AWS::ApiGatewayV2::Api" if api::is_websocket(evaluator, resource) => {
                found.push(format!("the WebSocket API {}", resource.id));
            }
            _ => {}
        }
    }
    match found.is_empty() {
        true => String::new(),
        false => format!(", only {}", found.join(", ")),
    }
}
