//! Valkey or Redis: one connection on which scripts are called many at a time, with deadlines and bounded replies.
//!
//! The package redis writes commands and reads replies. Sockets, TLS and deadlines are here: its own connection looks names
//! up without a deadline, wants the system's roots where a container has none, and reads replies of any length.

pub mod address;
mod error;
mod socket;
mod reply;
pub mod script;
mod connection;

pub use crate::outbound::valkey::connection::{Connection, Password, Settings};
pub use crate::outbound::valkey::error::CallError;
