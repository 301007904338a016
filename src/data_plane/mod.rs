//! One request, from its first step to its record.

pub mod error;
pub mod trusted_proxies;
pub mod context_variables;
pub mod access_log;
pub mod route_state_registry;
pub mod capture;
pub mod request_record;
#[cfg(feature = "fleet")]
pub mod shared_throttle;
pub mod throttle;
pub mod cors;
pub mod parameter_mapping;
pub mod lambda;
pub mod authorizer;
pub mod integration;
pub mod gateway;
