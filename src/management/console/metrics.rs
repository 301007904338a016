//! The last 300 seconds in numbers.

use std::time::UNIX_EPOCH;

use serde_json::{Map, Value, json};

use crate::data_plane::capture::Capture;
use crate::data_plane::capture::rates::{Point, SECONDS};
use crate::platform::clock::{Clock, iso_8601};

/// A point for each second, the oldest first: of all requests, and by API.
pub(super) fn series(capture: &Capture, clock: &Clock) -> Value {
    let now = clock.now();
    let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let series = capture.series(second);
    let points = |points: &[Point]| points.iter().map(point).collect::<Vec<_>>();
    let apis: Map<String, Value> = series
        .apis
        .iter()
        .map(|(api, of_api)| (api.clone(), json!(points(of_api))))
        .collect();
    json!({
        "end": iso_8601(now),
        "seconds": SECONDS,
        "points": points(&series.all),
        "apis": apis,
    })
}

/// Latencies are milliseconds; without a request there is none.
fn point(point: &Point) -> Value {
    let millis = |micros: Option<u64>| micros.map(|micros| (micros / 1000, micros % 1000));
    let millis = |micros| millis(micros).and_then(|(whole, rest)| format!("{whole}.{rest:03}").parse::<f64>().ok());
    json!({
        "requests": point.requests,
        "status4xx": point.status_4xx,
        "status5xx": point.status_5xx,
        "latencyP50": millis(point.latency_p50),
        "latencyP99": millis(point.latency_p99),
        "integrationP50": millis(point.integration_p50),
    })
}
