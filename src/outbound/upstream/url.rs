//! A URL that the gateway itself asks: a function's endpoint, an issuer's documents.

use std::time::Duration;

use crate::http1::message::{Body, Headers, Method, RequestParts};
use crate::http1::target::{AbsoluteUrl, Scheme, has_dot_segment_encoded};
use crate::outbound::upstream::request::IntegrationRequest;

/// Most characters of a URL.
const MAX_LENGTH: usize = 2048;

/// An absolute URL of http or https without variables.
///
/// # Example
/// ```
/// use apigateway::outbound::upstream::url::Url;
/// let url = Url::parse("http://H.test:8080?a=b").unwrap();
/// assert_eq!((url.authority.as_str(), url.path.as_str(), url.query.as_deref()), ("h.test:8080", "/", Some("a=b")));
/// assert!(Url::parse("http://h.test/{name}").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// Over TLS or not.
    pub scheme: Scheme,
    /// Host and port, in lower case.
    pub authority: String,
    /// The path, never empty.
    pub path: String,
    /// The query.
    pub query: Option<String>,
}

impl Url {
    /// Reads a URL of 2,048 characters at most.
    ///
    /// # Errors
    /// A sentence on what is wrong with it.
    pub fn parse(text: &str) -> Result<Url, String> {
        match text.chars().count() {
            0 => return Err("the URI is empty".to_owned()),
            length if length > MAX_LENGTH => {
                return Err(format!("the URI has {length} characters, {MAX_LENGTH} at most"));
            }
            _ => {}
        }
        let url = AbsoluteUrl::split(text).map_err(|error| error.to_string())?;
        if text.contains(['{', '}']) {
            return Err("variables cannot stand in this URI".to_owned());
        }
        url.check().map_err(|error| error.to_string())?;
        if has_dot_segment_encoded(url.path) {
            return Err("the path of the URI has a '.' or '..' segment".to_owned());
        }
        Ok(Url {
            scheme: url.scheme,
            authority: url.authority.to_ascii_lowercase(),
            path: if url.path.is_empty() { "/" } else { url.path }.to_owned(),
            query: url.query.map(str::to_owned),
        })
    }

    /// A request of the gateway's own to it. It may be sent again: that the server closed a kept connection is no failure
    /// (contract §3).
    pub fn request(&self, method: Method, mut headers: Headers, body: Body, timeout: Duration) -> IntegrationRequest {
        headers.put("host", &self.authority);
        IntegrationRequest {
            scheme: self.scheme,
            authority: self.authority.clone(),
            server_name: None,
            parts: RequestParts {
                path: self.path.clone(),
                query: self.query.clone(),
                headers,
            },
            method,
            body,
            is_repeatable: true,
            is_single_attempt: false,
            may_stream: false,
            looks_at: 0,
            timeout,
            client: None,
            runs_on: false,
        }
    }
}
