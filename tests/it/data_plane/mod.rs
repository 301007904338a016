//! These tests follow one request from its route to its response.

mod lambda_authorizer;
mod throttling;
#[cfg(feature = "fleet")]
mod fleet;
mod event_consumers;
mod decoding;
mod http_integrations;
mod services;
