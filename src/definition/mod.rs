//! What the user wrote: files, their JSON, AWS's notations, and every problem in them.

pub mod suggestion;
pub mod problem;
pub mod notation;
pub mod json;
pub mod document;
pub mod model;
pub mod credentials;
pub mod unit;
pub mod resource;
pub mod store;
pub mod content_hash;
