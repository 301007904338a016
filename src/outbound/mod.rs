//! Sends a request to an integration: HTTP upstreams, local function processes, Valkey.

pub mod upstream;
pub mod function;
#[cfg(feature = "fleet")]
pub mod valkey;
