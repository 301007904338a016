//! What AWS's strings mean: pure parsers, each with its grammar, its errors and its examples.

pub mod path;
pub mod query;
pub mod route_key;
pub mod stage_variable;
pub mod uri;
pub mod arn;
pub mod forwarded;
pub mod cidr;
pub mod raw_json;
pub mod json_path;
pub mod context_variable;
pub mod log_format;
pub mod mapping_key;
pub mod mapping_value;
pub mod moment;
pub mod service_parameter;
pub mod integration_subtype;
