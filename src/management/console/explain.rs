//! Why a request goes where it goes.

use serde_json::{Map, Value, json};

use crate::control_plane::api::error::ApiError;
use crate::deployment::configuration::Configuration;
use crate::management::console::call::Members;
use crate::management::explanation::{self, Explanation};

/// Explains a request that a call describes.
///
/// # Errors
/// It is not described.
pub(super) fn answer(configuration: &Configuration, members: &Members) -> Result<Value, ApiError> {
    members.only(&["apiId", "method", "path", "host"])?;
    let (method, path) = (members.required("method")?, members.required("path")?);
    if !path.starts_with('/') {
        return Err(ApiError::bad_request("path must begin with /"));
    }
    let host = match (members.text("host")?, members.text("apiId")?) {
        (Some(host), _) => host.to_owned(),
        (None, Some(id)) => host_of(id),
        (None, None) => String::new(),
    };
    Ok(members_of(explanation::of_line(
        configuration,
        method,
        &host,
        path,
        true,
    )))
}

/// The host by which an API is reached.
pub(super) fn host_of(api_id: &str) -> String {
    format!("{api_id}.execute-api.localhost")
}

/// What `routes --match` says of a request, member by member.
pub(super) fn of_request(configuration: &Configuration, method: &str, host: &[u8], path: &str) -> Value {
    members_of(explanation::of_request(configuration, method, host, path, true))
}

fn members_of(found: Explanation) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            members.insert(name.to_owned(), value);
        }
    };
    put("apiId", json!(found.api_id));
    put("stage", json!(found.stage));
    put("routeKey", json!(found.route_key));
    put("status", json!(found.status));
    put("why", json!(found.why));
    if found.route_key.is_some() {
        let variables = found.variables.into_iter().map(|(name, value)| (name, json!(value)));
        put("outranks", json!(found.outranks));
        put("variables", Value::Object(variables.collect()));
        put("authorization", json!(found.authorization));
        put("integration", json!(found.integration));
        put("throttle", json!(found.throttle));
    }
    put("lines", json!(found.text.lines().collect::<Vec<_>>()));
    Value::Object(members)
}
