//! A request as its signature sees it.

use crate::http1::message::Headers;

/// The parts of a request that a signature can cover, as the client sent them.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, still encoded, with the stage.
    pub path: &'a str,
    /// The query, still encoded, without its `?`.
    pub query: Option<&'a str>,
    /// Every field that came, in its order.
    pub headers: &'a Headers,
    /// The content, freed of its transfer coding and of nothing else.
    pub body: &'a [u8],
}
