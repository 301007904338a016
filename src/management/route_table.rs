//! What is served, as tables for people and as JSON for programs.

use serde_json::{Value, json};

use crate::definition::notation::arn::FunctionArn;
use crate::deployment::Deployment;
use crate::deployment::authorizer::Authorization;
use crate::deployment::configuration::Configuration;
use crate::deployment::domain::Domain;
use crate::deployment::domain::mapping::Mapping;
use crate::deployment::integration::{Integration, Kind};
use crate::deployment::routes::Route;
use crate::deployment::stage::Stage;

/// The heads of the table's columns.
const COLUMNS: [&str; 6] = ["STAGE", "METHOD", "PATH", "AUTHORIZER", "INTEGRATION", "THROTTLE"];

/// The heads of the columns of the table of domains.
const DOMAIN_COLUMNS: [&str; 5] = ["DOMAIN", "KEY", "API", "STAGE", "TLS"];

/// A line for each route of each stage, in the order of precedence; where there are custom domains, a line for each of
/// their mappings follows after an empty line. With an `apis/` folder the first column is the API.
pub fn table(configuration: &Configuration) -> String {
    let with_api = configuration.has_apis_directory();
    let first = with_api.then(|| "API".to_owned());
    let mut rows = vec![first.into_iter().chain(COLUMNS.map(str::to_owned)).collect()];
    for (api, stage, route) in routes(configuration) {
        let first = with_api.then(|| api.api_id().to_owned());
        rows.push(first.into_iter().chain(row(stage, route)).collect());
    }
    let mut text = aligned(&rows);
    if !configuration.domains().is_empty() {
        let mut rows: Vec<Vec<String>> = vec![DOMAIN_COLUMNS.map(str::to_owned).into()];
        rows.extend(mappings(configuration).map(|(domain, mapping)| {
            let or_none = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
            let [key, api, stage] = match mapping {
                Some(mapping) => [&mapping.key, &mapping.api_id, &mapping.stage].map(|text| or_none(text)),
                None => ["-"; 3].map(str::to_owned),
            };
            vec![domain.name.clone(), key, api, stage, domain.tls().to_owned()]
        }));
        text.push('\n');
        text += &aligned(&rows);
    }
    text
}

/// The same as JSON: `routes` and `domains`.
pub fn to_json(configuration: &Configuration) -> Value {
    let routes = routes(configuration).map(|(api, stage, route)| {
        let [stage, method, path, authorizer, integration, throttle] = row(stage, route);
        json!({
            "api": api.api_id(),
            "stage": stage,
            "routeKey": route.key_text,
            "method": method,
            "path": path,
            "authorizer": authorizer,
            "integration": integration,
            "throttle": throttle,
            "file": route.file,
        })
    });
    let domains = mappings(configuration).map(|(domain, mapping)| {
        json!({
            "domain": domain.name,
            "key": mapping.map(|mapping| &mapping.key),
            "api": mapping.map(|mapping| &mapping.api_id),
            "stage": mapping.map(|mapping| &mapping.stage),
            "tls": domain.tls(),
        })
    });
    json!({"routes": routes.collect::<Vec<_>>(), "domains": domains.collect::<Vec<_>>()})
}

/// Every route of every stage: by API, by stage, and in the order of precedence.
fn routes(configuration: &Configuration) -> impl Iterator<Item = (&Deployment, &Stage, &Route)> {
    configuration.apis().flat_map(|api| {
        let mut stages: Vec<&Stage> = api.stages().map(AsRef::as_ref).collect();
        stages.sort_by(|one, other| one.name.cmp(&other.name));
        stages.into_iter().flat_map(move |stage| {
            stage
                .routes
                .iter()
                .map(move |route| (api.as_ref(), stage, route.as_ref()))
        })
    })
}

/// Every mapping of every domain, by name and key; a domain without a mapping is there once.
fn mappings(configuration: &Configuration) -> impl Iterator<Item = (&Domain, Option<&Mapping>)> {
    configuration.domains().into_iter().flat_map(|domain| {
        let mut mappings: Vec<Option<&Mapping>> = domain.mappings.iter().map(Some).collect();
        mappings.sort_by_key(|mapping| mapping.map(|mapping| &mapping.key));
        if mappings.is_empty() {
            mappings.push(None);
        }
        mappings.into_iter().map(move |mapping| (domain.as_ref(), mapping))
    })
}

/// Rows of cells as lines, each column as wide as its widest cell.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: String = cells.map(|(cell, width)| format!("{cell:width$}  ")).collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn row(stage: &Stage, route: &Route) -> [String; COLUMNS.len()] {
    let key = &route.key_text;
    let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
    [
        stage.name.clone(),
        method.to_owned(),
        path.to_owned(),
        authorizer(&route.authorization),
        route.integration.as_deref().map_or_else(|| "-".to_owned(), integration),
        throttle(route),
    ]
}

/// What `Target` calls the integration of a file.
pub(super) fn id(file: &str) -> &str {
    let file = file.strip_suffix(".json").unwrap_or(file);
    file.rfind("integrations/")
        .and_then(|at| file.get(at..))
        .unwrap_or(file)
}

/// What is called: a function by its name, anything else by the integration's.
pub(super) fn integration(integration: &Integration) -> String {
    match &integration.kind {
        Kind::HttpProxy(_) => id(&integration.file).to_owned(),
        Kind::LambdaProxy(proxy) => format!("function {}", function(&proxy.arn)),
        Kind::Service(service) => service.subtype.as_str().to_owned(),
    }
}

/// A function's name, with its version where the ARN has one.
pub(super) fn function(arn: &FunctionArn) -> String {
    match arn.qualifier() {
        Some(qualifier) => format!("{}:{qualifier}", arn.name()),
        None => arn.name().to_owned(),
    }
}

/// What a route asks of its callers, in the words of `AuthorizationType`.
pub(super) fn authorizer(authorization: &Authorization) -> String {
    match authorization {
        Authorization::None => "-".to_owned(),
        Authorization::Jwt { authorizer, .. } => format!("JWT {}", authorizer.id),
        Authorization::Lambda(authorizer) => format!("CUSTOM {}", authorizer.id),
        Authorization::Iam => "AWS_IAM".to_owned(),
    }
}

pub(super) fn throttle(route: &Route) -> String {
    match route.throttle {
        None => "-".to_owned(),
        Some(limits) if limits.burst() == 0 => "closed".to_owned(),
        // With the digits that the file has: the interval is kept in whole nanoseconds.
        Some(limits) => format!("{}/s, burst {}", rounded(limits.rate()), limits.burst()),
    }
}

/// Without the digits that a calculation adds.
fn rounded(rate: f64) -> String {
    let text = format!("{rate:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
