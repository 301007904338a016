//! Sends a request to an integration: HTTP upstreams, local function processes.

pub mod upstream;
pub mod function;
