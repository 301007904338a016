//! The counters of a fleet, where there is one (`F8`, `F14`).

use crate::data_plane::shared_throttle::SharedThrottle;
use crate::platform::metrics::exposition::{Exposition, Kind};

/// What is counted of shared limits.
pub(super) fn of_fleet(page: &mut Exposition, fleet: &SharedThrottle) {
    let metrics = fleet.metrics();
    let mut family = |name, kind, help, samples: &[(&[(&str, &str)], u64)]| {
        page.family(name, kind, help);
        for (labels, value) in samples {
            page.sample(name, labels, value);
        }
    };
    family(
        "apigateway_valkey_up",
        Kind::Gauge,
        "1 while limits are shared with other gateways.",
        &[(&[], fleet.is_shared().into())],
    );
    family(
        "apigateway_valkey_calls_total",
        Kind::Counter,
        "Round trips to Valkey, by what became of them.",
        &[
            (&[("outcome", "ok")], metrics.ok.value()),
            (&[("outcome", "timeout")], metrics.timeouts.value()),
            (&[("outcome", "error")], metrics.errors.value()),
        ],
    );
    family(
        "apigateway_throttle_decisions_total",
        Kind::Counter,
        "Requests of throttled routes, by where the decision came from.",
        &[
            (&[("source", "held")], metrics.held.value()),
            (&[("source", "shared")], metrics.shared.value()),
            (&[("source", "denied_here")], metrics.denied_here.value()),
            (&[("source", "local")], metrics.local.value()),
        ],
    );
    family(
        "apigateway_fleet_replicas",
        Kind::Gauge,
        "Gateways that share limits, as they were seen last.",
        &[(&[], fleet.gateways())],
    );
    let name = "apigateway_valkey_latency_seconds";
    page.family(
        name,
        Kind::Histogram,
        "How long round trips to Valkey took that were answered.",
    );
    page.histogram(name, &[], &metrics.latency);
}
