//! Sends a request to an integration: HTTP upstreams, local function processes, Valkey.

pub mod upstream;
pub mod function;
pub mod own_listener;
#[cfg(feature = "fleet")]
pub mod valkey;
