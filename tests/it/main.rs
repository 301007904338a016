//! Black-box tests: a real gateway on a free port, a scripted endpoint behind it, raw sockets before it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "a test that meets the unexpected must fail, and a test binary has no outside"
)]

mod support;

mod conformance;
mod wire;
mod hostile;
mod properties;
mod decoding;
mod http_integrations;
mod jwt_issuers;
mod connections;
mod crowds;
mod departures;
mod upstream_faults;
mod surplus_bytes;
mod destinations;
mod live_files;
mod functions;
mod function_files;
mod function_restarts;
mod event_consumers;
mod authorizers_lambda;
mod authorizers_jwt;
mod issuers;
mod authorizers_iam;
mod operations;
mod own_certificates;
mod schemas;
mod deployment_files;
mod documents;
mod cli;
mod machine_faults;
mod tidy;
