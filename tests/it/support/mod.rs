//! What the tests stand on.

pub mod case;
pub mod client;
pub mod directory;
pub mod endpoint;
pub mod gateway;
