//! An issuer's keys over the network: its discovery document, and the key set that this one names (`R8.9`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::http1::message::BodyError;
use crate::http1::target::Scheme;
use crate::identity::jwt::json_object::Object;
use crate::identity::jwt::key::KeySet;
use crate::identity::jwt::refusal::{Description, Refusal};
use crate::outbound::upstream::url::Url;
use crate::outbound::upstream::{Upstream, UpstreamError};
use crate::platform::concurrency::{ConcurrencyLimit, ConcurrencyPermit};

/// How long each of the two answers may take (`R8.9`).
pub(super) const TIMEOUT: Duration = Duration::from_millis(1500);

/// Most bytes of a key set (`R8.9`), and of a discovery document, for which AWS states none.
const MAX_DOCUMENT_LENGTH: usize = 150_000;

/// Most characters of a document's text in a log line.
const MAX_LOGGED: usize = 200;

/// Why an issuer's keys cannot be had.
#[derive(Debug)]
pub(super) struct FetchError {
    /// Which of the two failed, for the client.
    pub(super) refusal: Refusal,
    /// What happened, for the operator.
    pub(super) cause: String,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.refusal {
            Refusal::Invalid(description) => f.write_str(description.text())?,
            other => other.fmt(f)?,
        }
        write!(f, ": {}", self.cause)
    }
}

/// Fetches an issuer's keys. `asks` is told of each destination before it is asked.
///
/// # Errors
/// An address is none, or its answer is not there in time, or not what it should be. Redirects are not followed. As
/// many workers wait for a destination as may.
pub(super) fn fetch(
    issuer: &str,
    upstream: &Upstream,
    asks: &mut dyn FnMut(&Arc<ConcurrencyLimit>),
) -> Result<KeySet, FetchError> {
    let failed = |description: Description| {
        let refusal = Refusal::from(description);
        move |cause| FetchError { refusal, cause }
    };
    let (of_discovery, of_keys) = (failed(Description::Discovery), failed(Description::Jwks));
    let discovery = discovery_uri(issuer).map_err(of_discovery)?;
    let slot = take_slot(&discovery, &upstream.slots(discovery.scheme, &discovery.authority))?;
    asks(slot.slots());
    let document = get(&discovery, upstream, &slot).map_err(of_discovery)?;
    let jwks = jwks_uri(issuer, discovery.scheme, &document).map_err(of_discovery)?;
    let slots = upstream.slots(jwks.scheme, &jwks.authority);
    // Given back and taken again, it could go to another request between the two.
    let slot = match Arc::ptr_eq(slot.slots(), &slots) {
        true => slot,
        false => take_slot(&jwks, &slots)?,
    };
    asks(slot.slots());
    let keys = get(&jwks, upstream, &slot).map_err(of_keys)?;
    KeySet::parse(&keys).map_err(|error| of_keys(format!("{}: {error}", place(&jwks))))
}

fn take_slot(uri: &Url, slots: &Arc<ConcurrencyLimit>) -> Result<ConcurrencyPermit, FetchError> {
    slots.take().ok_or_else(|| FetchError {
        refusal: Refusal::Overloaded(slots.most()),
        cause: place(uri),
    })
}

/// Where an issuer's discovery document is (OpenID Connect Discovery §4).
fn discovery_uri(issuer: &str) -> Result<Url, String> {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let uri = Url::parse(&format!("{base}/.well-known/openid-configuration"))?;
    if uri.query.is_some() {
        return Err("the issuer has a query".to_owned());
    }
    Ok(uri)
}

/// Where the document says that the keys are.
fn jwks_uri(issuer: &str, scheme: Scheme, document: &[u8]) -> Result<Url, String> {
    let document = Object::parse(document)
        .map_err(|_| "the document is not a JSON object in which each member occurs once".to_owned())?;
    // ASSUMED: AWS is not known to look at it, and nothing hangs on it, since the document comes from the issuer's own
    // address and a token's `iss` must equal the configured one. But it explains why tokens are refused then.
    if let Some(other) = document.string("issuer").filter(|other| other != issuer) {
        let other: String = other.chars().take(MAX_LOGGED).collect();
        log::warn!("the discovery document of the issuer {issuer} is for {other:?}");
    }
    let text = document
        .string("jwks_uri")
        .ok_or_else(|| "the document has no jwks_uri".to_owned())?;
    let uri = Url::parse(&text).map_err(|error| format!("jwks_uri: {error}"))?;
    if scheme == Scheme::Https && uri.scheme == Scheme::Http {
        return Err("jwks_uri leaves TLS, which the issuer has".to_owned());
    }
    Ok(uri)
}

/// The document at an address.
fn get(uri: &Url, upstream: &Upstream, slot: &ConcurrencyPermit) -> Result<Vec<u8>, String> {
    let failed = |cause: String| format!("{}: {cause}", place(uri));
    let answer = upstream.get_document(slot, uri, &[("accept", "application/json")], TIMEOUT);
    let answer = answer.map_err(|error| failed(error.to_string()))?;
    if answer.status != 200 {
        return Err(failed(format!("its status is {}", answer.status)));
    }
    // The timeout would bound each wait, and not the whole.
    if answer.headers.announce_event_stream() {
        return Err(failed("it is an event stream".to_owned()));
    }
    answer
        .body
        .into_bytes(MAX_DOCUMENT_LENGTH)
        .map_err(|error| match error {
            BodyError::TooLarge => failed(format!("it has more than {MAX_DOCUMENT_LENGTH} bytes")),
            BodyError::Io(error) => failed(match error.downcast::<UpstreamError>() {
                Ok(error) => error.to_string(),
                Err(error) => error.to_string(),
            }),
        })
}

/// An address for a log: without its query, in which some put keys.
fn place(uri: &Url) -> String {
    format!("{}://{}{}", uri.scheme.as_str(), uri.authority, uri.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_below_the_issuer() {
        for (issuer, expected) in [
            ("https://h", Some("/.well-known/openid-configuration")),
            ("https://h/", Some("/.well-known/openid-configuration")),
            ("https://h/t/v2.0/", Some("/t/v2.0/.well-known/openid-configuration")),
            ("https://h//", Some("//.well-known/openid-configuration")),
            ("http://h:8080", Some("/.well-known/openid-configuration")),
            ("h", None),
            ("", None),
            ("https://u:p@h", None),
            ("https://h/?a=b", None),
            ("https://h/#a", None),
            ("https://h/{a}", None),
            ("https://h/..", None),
            ("file:///etc", None),
        ] {
            let uri = discovery_uri(issuer);
            assert_eq!(uri.ok().map(|uri| uri.path).as_deref(), expected, "{issuer}");
        }
    }

    #[test]
    fn only_an_address_that_is_as_safe_as_the_issuer_has_keys() {
        for (scheme, document, expected) in [
            (Scheme::Http, r#"{"jwks_uri":"http://k/a?b=c"}"#, Some("http://k/a")),
            (
                Scheme::Https,
                r#"{"jwks_uri":"https://k","issuer":"other"}"#,
                Some("https://k/"),
            ),
            (Scheme::Https, r#"{"jwks_uri":"http://k/a"}"#, None),
            (Scheme::Http, r#"{"jwks_uri":"http://u:p@k/a"}"#, None),
            (Scheme::Http, r#"{"jwks_uri":"file:///k"}"#, None),
            (Scheme::Http, r#"{"jwks_uri":"/k"}"#, None),
            (Scheme::Http, r#"{"jwks_uri":"http://k/a\r\nb: c"}"#, None),
            (Scheme::Http, r#"{"jwks_uri":["http://k/a"]}"#, None),
            (
                Scheme::Http,
                r#"{"jwks_uri":"http://k/a","jwks_uri":"http://k/b"}"#,
                None,
            ),
            (Scheme::Http, r#"{"keys":[]}"#, None),
            (Scheme::Http, "[]", None),
            (Scheme::Http, "<html>", None),
        ] {
            let uri = jwks_uri("http://h", scheme, document.as_bytes());
            assert_eq!(uri.ok().as_ref().map(place).as_deref(), expected, "{document}");
        }
    }
}
