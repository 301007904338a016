//! What the tests stand on.

pub mod case;
pub mod client;
pub mod directory;
pub mod endpoint;
pub mod gateway;
pub mod log;
pub mod properties;
pub mod rust_function;
pub mod runtime;
pub mod tokens;
pub mod jwt;
pub mod jwt_api;
pub mod sigv4;
