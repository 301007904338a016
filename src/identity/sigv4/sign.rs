//! Signs a request of the gateway's own, by the steps that verify one.

use std::time::SystemTime;

use ring::hmac;

use crate::definition::credentials::Secret;
use crate::http1::message::{InvalidField, Method, RequestParts};
use crate::identity::sigv4::canonical;
use crate::identity::sigv4::query_parameters::QueryParameters;
use crate::identity::sigv4::signature::{ALGORITHM, Scope, TERMINATOR};
use crate::identity::sigv4::signed_request::SignedRequest;
use crate::identity::sigv4::signing_steps::{hash, hex, signing_key, string_to_sign};
use crate::identity::sigv4::timestamp::Timestamp;

/// The fields that are signed where they are there, in order (contract S12). Others may be changed on the way.
const SIGNED: [&str; 5] = [
    "content-type",
    "host",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-target",
];

/// Who signs, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The access key.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret_access_key: &'a Secret,
    /// The token of a temporary key.
    pub session_token: Option<&'a Secret>,
    /// The region of the service.
    pub region: &'a str,
    /// The name of the service, as signatures have it.
    pub service: &'a str,
    /// When it is signed.
    pub now: SystemTime,
}

/// Adds `x-amz-date`, `x-amz-security-token` where there is a token, and `authorization` to a request whose fields are
/// all there but for those.
///
/// # Errors
/// The token or the access key cannot stand in a field.
pub fn sign(method: Method, parts: &mut RequestParts, body: &[u8], signer: &Signer<'_>) -> Result<(), InvalidField> {
    let time = Timestamp::of(signer.now);
    parts.headers.append("x-amz-date", time.as_str().as_bytes())?;
    if let Some(token) = signer.session_token {
        parts
            .headers
            .append("x-amz-security-token", token.expose().as_bytes())?;
    }
    let signed: Vec<&str> = SIGNED
        .into_iter()
        .filter(|name| parts.headers.get(name).is_some())
        .collect();
    let signed_headers = signed.join(";");
    let request = SignedRequest {
        method: method.as_str(),
        path: &parts.path,
        query: parts.query.as_deref(),
        headers: &parts.headers,
        body,
    };
    let parameters = QueryParameters::of(request.query.unwrap_or_default());
    let canonical = canonical::request(&request, &parameters, &signed_headers, &hash(body));
    let (region, service) = (signer.region, signer.service);
    let scope = Scope {
        time: &time,
        region,
        service,
    };
    let key = signing_key(signer.secret_access_key.expose(), scope);
    let signature = hex(hmac::sign(&key, string_to_sign(scope, &canonical).as_bytes()).as_ref());
    let (id, day) = (signer.access_key_id, time.day());
    let authorization = format!(
        "{ALGORITHM} Credential={id}/{day}/{region}/{service}/{TERMINATOR}, SignedHeaders={signed_headers}, \
         Signature={signature}"
    );
    parts.headers.append("authorization", authorization.as_bytes())
}
