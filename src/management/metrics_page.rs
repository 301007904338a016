//! The page of counters, for Prometheus.
//!
//! Names are AWS's with the prefix `apigateway_` and the endings that Prometheus wants; docs/operating.md has the table.

use std::sync::Arc;

use crate::data_plane::gateway::Gateway;
use crate::deployment::route_state::RouteState;
#[cfg(feature = "fleet")]
use crate::management::fleet_metrics;
use crate::platform::logging;
use crate::platform::metrics::exposition::{Exposition, Kind};
use crate::platform::metrics::{Counter, FrontMetrics, Histogram};
use crate::platform::process;

/// All counters of a gateway and its front.
///
/// Routes appear with their first request: an API of thousands of routes makes a page of those that are used.
pub fn page(gateway: &Gateway, front: &FrontMetrics) -> String {
    let mut page = Exposition::new();
    let states: Vec<Arc<RouteState>> = gateway
        .recorder()
        .all()
        .into_iter()
        .filter(|state| state.metrics.count.value() > 0)
        .collect();
    routes(&mut page, &states);
    of_front(&mut page, front);
    of_gateway(&mut page, gateway);
    #[cfg(feature = "fleet")]
    if let Some(fleet) = gateway.throttle().fleet() {
        fleet_metrics::of_fleet(&mut page, fleet);
    }
    let help = "Lines of the operational log that were not written.";
    counter(
        &mut page,
        "apigateway_operational_log_lost_total",
        help,
        logging::lost(),
    );
    of_process(&mut page);
    page.text()
}

fn routes(page: &mut Exposition, states: &[Arc<RouteState>]) {
    let mut counter = |name, help, of: fn(&RouteState) -> &Counter| {
        page.family(name, Kind::Counter, help);
        for state in states {
            page.sample(name, &labels(state), of(state).value());
        }
    };
    counter("apigateway_requests_total", "AWS's Count: requests.", |state| {
        &state.metrics.count
    });
    counter(
        "apigateway_4xx_total",
        "AWS's 4xx: answers with a status of 400 to 499.",
        |state| &state.metrics.client_errors,
    );
    counter(
        "apigateway_5xx_total",
        "AWS's 5xx: answers with a status of 500 and above.",
        |state| &state.metrics.server_errors,
    );
    counter(
        "apigateway_data_processed_bytes_total",
        "AWS's DataProcessed: bytes of content of requests and answers.",
        |state| &state.metrics.data_processed,
    );
    counter(
        "apigateway_throttled_total",
        "Requests that a throttle refused with 429.",
        |state| &state.metrics.throttled,
    );
    let mut histogram = |name, help, of: fn(&RouteState) -> &Histogram| {
        page.family(name, Kind::Histogram, help);
        for state in states {
            page.histogram(name, &labels(state), of(state));
        }
    };
    histogram(
        "apigateway_latency_seconds",
        "AWS's Latency: from the coming of a request to the end of its answer.",
        |state| &state.metrics.latency,
    );
    histogram(
        "apigateway_integration_latency_seconds",
        "AWS's IntegrationLatency: from the sending of a request to the head of the integration's answer, or its failure.",
        |state| &state.metrics.integration_latency,
    );
}

fn labels(state: &RouteState) -> [(&str, &str); 3] {
    [
        ("api", &state.api),
        ("stage", &state.stage),
        ("route", &state.route_key),
    ]
}

fn of_front(page: &mut Exposition, front: &FrontMetrics) {
    if let Some(connections) = &front.connections {
        gauge(
            page,
            "apigateway_connections_open",
            "Connections of clients.",
            connections.open.value(),
        );
        let (accepted, refused) = (&connections.accepted, &connections.refused);
        counter(
            page,
            "apigateway_connections_accepted_total",
            "Connections that were taken.",
            accepted.value(),
        );
        let help = "Idle connections that were closed for new ones, since there were too many.";
        let evicted = connections.evicted.value();
        counter(page, "apigateway_connections_evicted_total", help, evicted);
        let help = "Connections that were refused since there were too many.";
        counter(page, "apigateway_connections_refused_total", help, refused.value());
    }
    if let Some(handshakes) = &front.handshakes {
        let name = "apigateway_tls_handshakes_total";
        page.family(
            name,
            Kind::Counter,
            "TLS handshakes of clients, by what became of them.",
        );
        for (outcome, count) in [
            ("ok", &handshakes.ok),
            ("resumed", &handshakes.resumed),
            ("failed", &handshakes.failed),
            ("timeout", &handshakes.timeout),
            ("plain_http", &handshakes.plain_http),
        ] {
            page.sample(name, &[("outcome", outcome)], count.value());
        }
    }
    if let Some(longest) = &front.longest_batch {
        let name = "apigateway_loop_batch_seconds";
        let help = "How long a loop took at most, in the last minute or two, for all that was ready at once.";
        page.family(name, Kind::Gauge, help);
        page.sample(name, &[], longest.value().as_secs_f64());
    }
    gauge(
        page,
        "apigateway_queue_depth",
        "Requests that wait for a worker.",
        front.queue_depth.value(),
    );
    gauge(
        page,
        "apigateway_workers_busy",
        "Workers that answer a request.",
        front.workers_busy.value(),
    );
    let help = "Requests that were refused for want of room, or of a worker in time.";
    counter(
        page,
        "apigateway_requests_refused_total",
        help,
        front.requests_refused.value(),
    );
}

fn of_gateway(page: &mut Exposition, gateway: &Gateway) {
    let metrics = gateway.metrics();
    let help = "Requests whose answer has not begun.";
    gauge(page, "apigateway_requests_in_flight", help, metrics.in_flight.value());
    let help = "Requests whose client was gone before it had its answer.";
    let abandonments = gateway.recorder().abandonments.value();
    counter(page, "apigateway_requests_abandoned_total", help, abandonments);
    let help = "Requests that were refused since as many workers waited for their destination as may.";
    let overloads = metrics.destination_overloads.value();
    counter(page, "apigateway_destination_overloads_total", help, overloads);
    let name = "apigateway_upstream_requests_total";
    page.family(
        name,
        Kind::Counter,
        "Requests that integrations answered, by the connection they took.",
    );
    let connections = gateway.upstream().connections();
    page.sample(name, &[("connection", "new")], connections.new.value());
    page.sample(name, &[("connection", "reused")], connections.reused.value());
    let name = "apigateway_authorizer_cache_total";
    let help = "Tokens and answers of Lambda authorizers that could have been remembered, by whether they were.";
    page.family(name, Kind::Counter, help);
    for (cache, metrics) in [("jwt", gateway.token_cache()), ("lambda", gateway.answer_cache())] {
        page.sample(name, &[("cache", cache), ("outcome", "hit")], metrics.hits.value());
        page.sample(name, &[("cache", cache), ("outcome", "miss")], metrics.misses.value());
    }
    let name = "apigateway_reloads_total";
    page.family(name, Kind::Counter, "Changes of the files, by what became of them.");
    page.sample(name, &[("outcome", "ok")], metrics.reloads.value());
    page.sample(name, &[("outcome", "failed")], metrics.failed_reloads.value());
    let name = "apigateway_deployment_info";
    page.family(name, Kind::Gauge, "1, with the hash of the files that are served.");
    page.sample(name, &[("hash", gateway.configuration_now().hash())], 1);
    let name = "apigateway_config_stale";
    page.family(
        name,
        Kind::Gauge,
        "1 while the files of a part of the root have errors.",
    );
    for (unit, is_stale) in gateway.configuration_now().units() {
        page.sample(name, &[("unit", &unit.to_string())], u64::from(*is_stale));
    }
    expiries(page, gateway);
    let help = "Lines of the access log that were not written.";
    counter(
        page,
        "apigateway_access_log_lost_total",
        help,
        gateway.recorder().access_log.lost(),
    );
}

/// Until when certificates hold.
fn expiries(page: &mut Exposition, gateway: &Gateway) {
    let configuration = gateway.configuration_now();
    if !configuration.speaks_tls() {
        return;
    }
    for (name, help, expiries) in [
        (
            "apigateway_certificate_expiry_timestamp_seconds",
            "The end of the certificate that is served, in seconds since 1970.",
            configuration.certificate_expiries(),
        ),
        (
            "apigateway_truststore_expiry_timestamp_seconds",
            "The end of the first certificate in the truststore, in seconds since 1970.",
            configuration.truststore_expiries(),
        ),
    ] {
        page.family(name, Kind::Gauge, help);
        for expiry in expiries {
            let at = u64::try_from(expiry.at).unwrap_or_default();
            page.sample(name, &[("domain", &expiry.domain)], at);
        }
    }
}

fn of_process(page: &mut Exposition) {
    let name = "apigateway_build_info";
    page.family(name, Kind::Gauge, "1, with the version of the program.");
    page.sample(name, &[("version", env!("CARGO_PKG_VERSION"))], 1);
    // The names that Prometheus's own clients have.
    for (name, help, value) in [
        (
            "process_resident_memory_bytes",
            "Bytes of memory in RAM.",
            process::resident_memory(),
        ),
        (
            "process_open_fds",
            "Descriptors that are open.",
            process::open_descriptors(),
        ),
        (
            "process_max_fds",
            "Most descriptors that may be open.",
            process::max_descriptors(),
        ),
        ("process_threads", "Threads of the process.", process::threads()),
    ] {
        if let Some(value) = value {
            gauge(page, name, help, value);
        }
    }
}

fn gauge(page: &mut Exposition, name: &str, help: &str, value: u64) {
    page.family(name, Kind::Gauge, help);
    page.sample(name, &[], value);
}

fn counter(page: &mut Exposition, name: &str, help: &str, value: u64) {
    page.family(name, Kind::Counter, help);
    page.sample(name, &[], value);
}
