//! Who is asking: signatures, tokens, IAM policies; who we are to AWS.

mod sha256;
pub mod caller;
pub mod policy;
pub mod sigv4;
pub mod jwt;
pub mod tls;
pub mod aws;
