//! The last 300 seconds in numbers.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::data_plane::capture::Capture;
use crate::data_plane::capture::rates::{Point, SECONDS};
use crate::management::console::requests::millis;
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
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    put("requests", json!(point.requests));
    put("status4xx", json!(point.status_4xx));
    put("status5xx", json!(point.status_5xx));
    for (name, micros) in [
        ("latencyP50", point.latency_p50),
        ("latencyP99", point.latency_p99),
        ("integrationP50", point.integration_p50),
    ] {
        if let Some(micros) = micros {
            put(name, json!(millis(Duration::from_micros(micros))));
        }
    }
    Value::Object(members)
}
