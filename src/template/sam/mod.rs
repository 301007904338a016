//! SAM: functions with events and HTTP APIs, expanded to an OpenAPI document each, as AWS's transform does (`R32`).

mod auth;
pub(super) mod domain;
pub(super) mod events;
pub(super) mod globals;
pub(super) mod http_api;
mod operations;
