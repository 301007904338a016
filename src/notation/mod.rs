//! What AWS's strings mean: pure parsers, each with its grammar, its errors and its examples.

pub mod path;
pub mod route_key;
pub mod uri;
