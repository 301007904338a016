//! Who is asking: tokens and signatures.

mod jwt;
mod iam;
