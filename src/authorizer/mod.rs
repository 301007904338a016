//! Who may pass: what each kind of authorizer makes of a request. Only the keys of issuers come from the network.

pub mod policy;
pub mod lambda;
pub mod answers;
pub mod sigv4;
pub mod jwt;
