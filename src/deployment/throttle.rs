//! `DefaultRouteSettings` and `RouteSettings`, checked: how many requests each route takes (spec §9).

use crate::definition::problem::{Problems, member};
use crate::definition::resource::Resources;
use crate::definition::resource::stage::{RouteSettings, Stage};
use crate::definition::suggestion::did_you_mean;
use crate::deployment::token_bucket::Limits;

/// Requests a second where only the burst is said: those that AWS gives an account (`R9.2`).
const ACCOUNT_RATE: f64 = 10_000.0;

/// Requests at once where only the rate is said: those that AWS gives an account (`R9.2`).
const ACCOUNT_BURST: i64 = 5_000;

/// Checks a stage's settings; `serves` tells whether it serves a route.
pub(super) fn check(stage: &Stage, resources: &Resources, serves: impl Fn(&str) -> bool, problems: &mut Problems) {
    check_limits(
        &stage.file,
        "/DefaultRouteSettings",
        &stage.default_route_settings,
        problems,
    );
    // A route that cannot be read may be the one that is meant.
    let all_are_known = !resources.has_unread("routes");
    let keys = || resources.routes.values().filter_map(|route| route.route_key.as_deref());
    for (key, settings) in &stage.route_settings {
        let pointer = member("/RouteSettings", key);
        check_limits(&stage.file, &pointer, settings, problems);
        if keys().any(|known| known == key) {
            if !serves(key) {
                problems.warning(
                    &stage.file,
                    pointer,
                    format!("the stage does not serve the route {key:?}"),
                );
            }
        } else if all_are_known {
            // AWS's words (R1.10).
            let hint = did_you_mean(key, keys());
            let text = format!("Unable to find Route by key {key} within the provided RouteSettings{hint}");
            problems.error(&stage.file, pointer, text);
        }
    }
}

fn check_limits(file: &str, pointer: &str, settings: &RouteSettings, problems: &mut Problems) {
    if let Some(burst) = settings.throttling_burst_limit.filter(|burst| *burst < 0) {
        let pointer = member(pointer, "ThrottlingBurstLimit");
        problems.error(file, pointer, format!("{burst} is not a number of requests"));
    }
    if let Some(rate) = settings
        .throttling_rate_limit
        .filter(|rate| rate.is_nan() || *rate < 0.0)
    {
        let pointer = member(pointer, "ThrottlingRateLimit");
        problems.error(file, pointer, format!("{rate} is not a number of requests a second"));
    }
}

/// The limits of a route; none where neither it nor the stage's default says anything.
pub(super) fn limits(stage: &Stage, route_key: &str) -> Option<Limits> {
    let own = stage.route_settings.get(route_key);
    let default = &stage.default_route_settings;
    let rate = own
        .and_then(|own| own.throttling_rate_limit)
        .or(default.throttling_rate_limit);
    let burst = own
        .and_then(|own| own.throttling_burst_limit)
        .or(default.throttling_burst_limit);
    if rate.is_none() && burst.is_none() {
        return None;
    }
    let burst = u64::try_from(burst.unwrap_or(ACCOUNT_BURST)).unwrap_or_default();
    Some(Limits::new(rate.unwrap_or(ACCOUNT_RATE), burst))
}
