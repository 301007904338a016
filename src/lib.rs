//! A self-hosted gateway that serves Amazon API Gateway HTTP APIs from JSON files.
//!
//! Start with [`gateway`], which is the life of a request, and with ARCHITECTURE.md beside this crate's sources.
//!
//! The modules stand in dependency order: **a module may use only those above it**. A test reads this list and
//! holds the code to it.

// Plain values and the outside world.
pub mod slots;
pub mod message;
pub mod clock;
pub mod signals;
pub mod process;
pub mod operational_log;
pub mod suggestion;
pub mod throttle;
pub mod metrics;
// What AWS's strings mean.
pub mod notation;
// The way to the integrations.
pub mod upstream;
pub mod function;
// Who may sign requests.
pub mod credentials;
// What the JSON files say.
pub mod problem;
pub mod resource;
pub mod store;
// The files, checked and compiled.
pub mod deployment;
// One request.
pub mod error;
pub mod trusted_proxies;
pub mod context;
pub mod access_log;
pub mod account;
pub mod cors;
pub mod parameter_mapping;
pub mod lambda;
pub mod authorizer;
pub mod integration;
pub mod reload;
pub mod gateway;
// The rest of the program.
pub mod watcher;
pub mod metrics_page;
pub mod route_table;
pub mod admin;
pub mod front;
pub mod server;
pub mod testing;
