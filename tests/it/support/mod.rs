//! These helpers are used by the tests of several rooms.

pub mod case;
pub mod wait;
pub mod repository;
pub mod client;
pub mod content;
pub mod directory;
pub mod endpoint;
pub mod tls;
pub mod gateway;
pub mod https;
pub mod edited_api;
pub mod program;
pub mod metrics;
pub mod log;
pub mod properties;
pub mod rust_function;
pub mod runtime;
pub mod local_function;
pub mod lambda_authorizer;
pub mod tokens;
pub mod jwt;
pub mod jwt_api;
pub mod sigv4;
