//! Who is asking: signatures, tokens, IAM policies.

pub mod caller;
pub mod policy;
pub mod sigv4;
pub mod jwt;
