//! OpenAPI documents with AWS's extensions: read as an API's files (`R30.1` to `R30.20`), and written from them.

mod file_id;
pub(super) mod integration;
mod security;
pub(super) mod read;
pub(super) mod info;
pub mod write;
mod write_parts;
mod yaml_writer;
