//! Lambda authorizers: what is asked, what the answer means, and how long it is remembered.

pub mod lambda;
pub mod cache;
