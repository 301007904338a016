//! What an operator sees: health, metrics, explanations.

#[cfg(feature = "fleet")]
mod fleet_metrics;
pub mod metrics_page;
pub mod route_table;
mod near_misses;
pub mod explanation;
pub mod console;
pub mod admin;
pub mod sample_service;
