//! These tests check who is asking: by tokens and by signatures.

mod jwt;
mod iam;
