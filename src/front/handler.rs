//! What a listener's requests are given to.

use crate::http1::error::RequestError;
use crate::http1::message::{Request, Response};

/// What answers the requests of a listener: the API, or the management pages.
pub trait Handler: Send + Sync {
    /// Answers a request.
    fn handle(&self, request: Request) -> Response;

    /// The answer to what the front could not make a request of.
    ///
    /// `request` is what is known of it, without content.
    fn refuse(&self, error: RequestError, request: &Request) -> Response;

    /// Whether a request is to be answered also where there is no room for others, and before them. It must take little
    /// time. Defaults to none.
    fn is_vital(&self, _: &Request) -> bool {
        false
    }
}
