//! A self-hosted gateway that serves Amazon API Gateway HTTP APIs from JSON files.
//!
//! The modules below are the crate's rooms. They stand in dependency order: **a room uses only rooms above it**. A test reads this
//! list and holds the code to it. Each room begins with its charter. ARCHITECTURE.md beside this crate's sources shows
//! one request and one change of configuration on their way through the rooms.
//!
//! Only [`testing`] and [`server`] are promised to users. Everything else may change with any version.

// The machine and HTTP: no word of API Gateway.
pub mod platform;
pub mod http1;
pub mod outbound;
pub mod front;
// What an API is: values, compiled and checked. No sockets but for keys and credentials.
pub mod definition;
pub mod template;
pub mod identity;
pub mod deployment;
// The gateway at work.
pub mod data_plane;
pub mod control_plane;
pub mod management;
pub mod server;

pub use server::testing;
