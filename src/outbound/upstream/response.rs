//! What an integration answers.

use crate::http1::message::{Body, Headers};

/// An integration's answer.
#[derive(Debug)]
pub struct IntegrationResponse {
    /// The status, 200–999.
    pub status: u16,
    /// All fields, hop-by-hop ones too.
    pub headers: Headers,
    /// The content: [`Body::Empty`] where there is none by definition (HEAD, 204, 304).
    pub body: Body,
}
