//! These tests bear tokens to JWT authorizers, and play the issuers whose keys verify them.

mod tokens;
mod scopes;
mod claims;
mod attacks;
mod malformed;
mod edits;
mod discovery;
mod key_sets;
mod refresh;
mod issuer;

use serde_json::{Value, json};

use crate::support::jwt::{Issuer, Signer};

const SEGMENTS: &str = "token contains an invalid number of segments";
const EXPIRED: &str = "the token has expired";
const AUDIENCE: &str = "the token does not have a valid audience";

/// A header with other members laid over it; null takes one out.
fn header(signer: &Signer, others: &Value) -> String {
    let mut header = signer.header();
    for (name, value) in others.as_object().unwrap() {
        if value.is_null() {
            header.as_object_mut().unwrap().remove(name);
        } else {
            header[name] = value.clone();
        }
    }
    header.to_string()
}

/// R8.10.
const DISCOVERY: &str = "OIDC discovery endpoint communication error";
const KEYS: &str = "JWKS communication error";

/// A token that the gateway has not seen yet.
fn fresh(issuer: &Issuer, signer: &Signer, number: usize) -> String {
    signer.token(&issuer.claims_with(json!({ "jti": number })))
}
