//! The requests that were captured, as JSON.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::wire;
use crate::data_plane::capture::Capture;
use crate::data_plane::capture::entry::{Authorization, CapturedBody, Detail, Fields, Outcome, Summary, Timing, Why};
use crate::data_plane::capture::ring::MAX_ENTRIES;
use crate::management::console::answer::shown;
use crate::platform::clock::iso_8601_millis;

/// The last requests, the newest first.
///
/// # Errors
/// The limit is none.
pub(super) fn list(capture: &Capture, query: Option<&str>) -> Result<Value, ApiError> {
    let limit = match wire::parameter(query, "limit")? {
        None => MAX_ENTRIES,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=MAX_ENTRIES).contains(limit));
            limit.ok_or_else(|| ApiError::bad_request(format!("limit must be a number from 1 to {MAX_ENTRIES}")))?
        }
    };
    Ok(capture.summaries(limit).iter().map(summary).collect())
}

/// One request.
///
/// # Errors
/// It is gone.
pub(super) fn get(capture: &Capture, request_id: &str) -> Result<Value, ApiError> {
    let (found, detail) = capture.find(request_id).ok_or_else(gone)?;
    let mut members = summary(&found);
    if let (Some(object), Some(captured)) = (members.as_object_mut(), &detail) {
        object.extend(of_detail(&found, captured));
    }
    Ok(members)
}

/// The request is not there any more.
pub(super) fn gone() -> ApiError {
    ApiError::not_found("there is no such request, or not any more")
}

/// A summary. What is not known is absent.
pub(super) fn summary(summary: &Summary) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            members.insert(name.to_owned(), value);
        }
    };
    put("requestId", json!(summary.request_id));
    put("time", json!(iso_8601_millis(summary.time)));
    put("method", json!(summary.method));
    put("path", json!(summary.path));
    let [api_id, stage, route_key] = summary.names();
    put("apiId", json!(api_id));
    put("stage", json!(stage));
    put("routeKey", json!(route_key));
    put("status", json!(summary.status));
    put("latency", json!(summary.latency.map(millis)));
    put("integrationLatency", json!(summary.integration_latency.map(millis)));
    put("bytesIn", json!(summary.bytes_in));
    put("bytesOut", json!(summary.bytes_out));
    put("sourceIp", json!(summary.source_ip.to_string()));
    put("state", json!(if summary.is_done { "done" } else { "pending" }));
    put("replayOf", json!(summary.replay_of));
    Value::Object(members)
}

/// Milliseconds with three digits behind the point.
pub(super) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

fn of_detail(summary: &Summary, detail: &Detail) -> Map<String, Value> {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            members.insert(name.to_owned(), value);
        }
    };
    put(
        "request",
        json!({
            "method": summary.method,
            "path": summary.path,
            "headers": fields(&detail.request_fields),
            "headersCut": detail.request_fields.cut,
            "body": body(&detail.request_body),
        }),
    );
    let nothing = Outcome::default();
    let outcome = detail.outcome.as_deref().unwrap_or(&nothing);
    if let Some(sent) = &outcome.sent {
        put(
            "integrationRequest",
            json!({
                "method": sent.method,
                "target": sent.target,
                "headers": fields(&sent.fields),
                "headersCut": sent.fields.cut,
            }),
        );
    }
    if let Some(status) = summary.status {
        put(
            "response",
            json!({
                "status": status,
                "headers": fields(&outcome.response_fields),
                "headersCut": outcome.response_fields.cut,
                "body": body(&outcome.response_body),
            }),
        );
    }
    if let Why::Told(why) = &detail.why {
        put("explanation", why.clone());
    }
    if let Some(authorization) = &outcome.authorization {
        put("authorization", decision(authorization));
    }
    put("integrationErrorMessage", json!(outcome.integration_error));
    put("timing", timing(&outcome.timing));
    put("replayable", json!(!detail.request_body.cut));
    members
}

/// What an authorizer decided.
fn decision(authorization: &Authorization) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    put("authorizer", json!(authorization.authorizer));
    put("allowed", json!(authorization.is_allowed));
    if let Some(cause) = &authorization.cause {
        put("cause", json!(cause));
    }
    if let Some(principal) = &authorization.principal {
        put("principal", json!(principal));
    }
    Value::Object(members)
}

/// Names and values, as pairs.
fn fields(fields: &Fields) -> Value {
    let fields = fields.iter();
    fields.map(|field| json!([field.name, shown(field.value)])).collect()
}

fn body(body: &CapturedBody) -> Value {
    content(&body.bytes, body.length, body.cut)
}

/// Content as text where it is UTF-8, else as base64.
pub(super) fn content(bytes: &[u8], length: u64, cut: bool) -> Value {
    let text = match str::from_utf8(bytes) {
        Ok(text) => Some(text),
        // A character may be cut in two.
        Err(error) if cut && error.error_len().is_none() => {
            str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).ok()
        }
        Err(_) => None,
    };
    match text {
        Some(text) => json!({"text": text, "length": length, "cut": cut}),
        None => json!({"base64": STANDARD.encode(bytes), "length": length, "cut": cut}),
    }
}

/// Microseconds; what did not happen is absent.
fn timing(timing: &Timing) -> Value {
    let mut members = Map::new();
    for (name, at) in [
        ("received", timing.received),
        ("routed", timing.routed),
        ("authorized", timing.authorized),
        ("throttled", timing.throttled),
        ("integrationStart", timing.integration_start),
        ("integrationHead", timing.integration_head),
        ("integrationEnd", timing.integration_end),
        ("sent", timing.sent),
    ] {
        if let Some(at) = at {
            let micros = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
            members.insert(name.to_owned(), json!(micros));
        }
    }
    Value::Object(members)
}
