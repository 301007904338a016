//! Who is asking: signatures, tokens, IAM policies; who we are to AWS.

pub mod caller;
pub mod policy;
pub mod sigv4;
pub mod jwt;
pub mod tls;
pub mod aws;
