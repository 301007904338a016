//! What an operator sees: health, metrics, explanations.

pub mod metrics_page;
pub mod route_table;
pub mod explanation;
pub mod admin;
