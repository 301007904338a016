//! What is served: the APIs, and their routes in the order of precedence.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::wire;
use crate::deployment::Deployment;
use crate::deployment::routes::Route;
use crate::deployment::stage::Stage;
use crate::management::console::served::Served;
use crate::management::route_table::{authorizer, id, integration, throttle};
use crate::platform::clock::iso_8601_millis;

/// The gateway and its APIs.
///
/// # Errors
/// The gateway has stopped.
pub(super) fn overview(served: &Served) -> Result<Value, ApiError> {
    let configuration = served.gateway.configuration();
    let settings = served.gateway.settings();
    let api = |api: &Arc<Deployment>| {
        let stages = stages(api);
        let routes: BTreeSet<&str> = stages
            .iter()
            .flat_map(|stage| stage.routes.iter().map(|route| route.key_text.as_str()))
            .collect();
        json!({
            "apiId": api.api_id(),
            "name": api.api_name().unwrap_or_default(),
            "endpoint": served.settings.public_url.of(api.api_id(), &served.settings.region),
            "routes": routes.len(),
            "stages": stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(),
        })
    };
    let problems = served.problems()?;
    let problems = problems.get("problems").and_then(Value::as_array).map_or(0, Vec::len);
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "hash": configuration.hash(),
        "region": settings.region,
        "accountId": settings.account_id,
        "dataPlane": served.data_plane,
        "controlPlane": served.settings.mode.to_string(),
        "capture": served.standing(),
        "problems": problems,
        "apis": configuration.apis().map(api).collect::<Vec<_>>(),
    }))
}

/// The stages of an API, by name.
fn stages(api: &Deployment) -> Vec<&Arc<Stage>> {
    let mut stages: Vec<&Arc<Stage>> = api.stages().collect();
    stages.sort_by(|one, other| one.name.cmp(&other.name));
    stages
}

/// The routes of a stage in the order of precedence; where the query names none, of the default stage, else of the first.
///
/// # Errors
/// There is no such API or stage.
pub(super) fn routes(served: &Served, api_id: &str, query: Option<&str>) -> Result<Value, ApiError> {
    let configuration = served.gateway.configuration();
    let no_api = || ApiError::not_found("Invalid API identifier specified");
    let api = configuration.api(api_id).ok_or_else(no_api)?;
    let stages = stages(api);
    let stage = match wire::parameter(query, "stage")? {
        Some(name) => {
            let stage = stages.iter().find(|stage| stage.name == name);
            Some(stage.ok_or_else(|| ApiError::not_found(format!("there is no stage {name:?}")))?)
        }
        None => {
            let default = stages.iter().find(|stage| stage.name == "$default");
            default.or(stages.first())
        }
    };
    Ok(Value::Array(stage.map_or_else(Vec::new, |stage| rows(stage))))
}

fn rows(stage: &Stage) -> Vec<Value> {
    let row = |route: &Arc<Route>| {
        let mut row = Map::new();
        let mut put = |name: &str, value: Value| drop(row.insert(name.to_owned(), value));
        put("routeKey", json!(route.key_text));
        put("file", json!(route.file));
        if let Some(target) = route.integration.as_deref() {
            put("target", json!(id(&target.file)));
            put("integration", json!(integration(target)));
        }
        put("authorization", json!(authorizer(&route.authorization)));
        put("throttle", json!(throttle(route)));
        let state = route.state.get();
        if let Some(seen) = state.and_then(|state| state.last_seen()) {
            put("lastSeen", json!(iso_8601_millis(seen)));
        }
        put("requests", json!(state.map_or(0, |state| state.metrics.count.value())));
        Value::Object(row)
    };
    stage.routes.iter().map(row).collect()
}
