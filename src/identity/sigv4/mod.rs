//! Signature Version 4: verifies that a request was signed by the holder of an access key (`R8.38`), and signs requests
//! of the gateway's own (contract S12).
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>
//!
//! Both forms count, the `Authorization` field and the presigned query. What is refused although AWS's documents
//! leave it open, because it could be understood in two ways or changed on the way:
//! * both forms at once; a part, a parameter or a field of the signature that occurs twice;
//! * `SignedHeaders` that are not sorted and in lower case, or that name a field which is not there;
//! * `Host`, any `x-amz-` field (but CloudFront's id), or a `Date` that counts, when it is not signed;
//! * a session's token in the field of a presigned request, or in the query of one that is signed in a field;
//! * a signature in upper case;
//! * a body that is not signed (`UNSIGNED-PAYLOAD`, `STREAMING-…`): those are S3's.
//!
//! A signature does not keep a request from being sent twice while it holds; AWS's does not, either.
//!
//! # Why so
//!
//! `identity/sigv4` verifies Signature Version 4 without sockets and without a clock of its own: `signature` reads
//! what the request says of its signature, `canonical` computes what it covers, `timestamp` the time; `mod` puts them
//! together and lists what is refused although AWS leaves it open. An unknown access key is checked against a secret
//! of nobody's, so that it costs what a wrong signature costs. `sign` turns the same steps round: there is one canonical
//! request, one text that is signed and one key. The tests have AWS's published suite and requests that
//! botocore signed, as data in `tests/vectors`.
//!
//! Secrets are overwritten when they are dropped, with the text of `credentials.json`; ring's keys are not, which is
//! one reason for `platform::signals::forbid_core_dumps`.

mod canonical;
mod query_parameters;
mod refusal;
mod signed_request;
mod signature;
mod timestamp;
mod signing_steps;
mod sign;

#[cfg(test)]
mod tests;

use std::time::SystemTime;

use ring::hmac;

use crate::definition::credentials::{Credential, Credentials};
use crate::http1::message::is_token;
use crate::identity::sigv4::query_parameters::QueryParameters;
pub use crate::identity::sigv4::refusal::Refusal;
pub use crate::identity::sigv4::sign::{Signer, sign};
use crate::identity::sigv4::signature::{Signature, one_field};
pub use crate::identity::sigv4::signed_request::SignedRequest;
use crate::identity::sigv4::signing_steps::{hash, signing_key, string_to_sign};

/// The service for which requests to an API are signed.
const SERVICE: &str = "execute-api";

/// What an unknown key's requests are checked against, so that they cost what a wrong signature costs. Whoever signs
/// with it is refused all the same.
const NOBODY: &str = "an access key id that is in no file has no secret";

/// Who signed a request.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The access key and whose it is.
    pub credential: &'a Credential,
    /// The account it belongs to: twelve digits.
    pub account_id: &'a str,
}

/// Tells whose access key has signed a request.
///
/// # Errors
/// See [`Refusal`].
pub fn verify<'a>(
    request: &SignedRequest<'_>,
    credentials: &'a Credentials,
    region: &str,
    now: SystemTime,
) -> Result<Caller<'a>, Refusal> {
    verify_for(SERVICE, request, credentials, region, now)
}

/// The path that a signature covers, where that has fewer slashes than the path that was sent.
pub fn merged_slashes(path: &str) -> Option<String> {
    path.contains("//")
        .then(|| canonical::with_merged_slashes(path, String::push_str))
}

fn verify_for<'a>(
    service: &str,
    request: &SignedRequest<'_>,
    credentials: &'a Credentials,
    region: &str,
    now: SystemTime,
) -> Result<Caller<'a>, Refusal> {
    if !is_token(request.method.as_bytes()) {
        return Err(Refusal::Incomplete("the method is not a token"));
    }
    let parameters = QueryParameters::of(request.query.unwrap_or_default());
    let signature = Signature::of(request, &parameters)?;
    if signature.region() != region {
        return Err(Refusal::Region);
    }
    if signature.service() != service {
        return Err(Refusal::Service);
    }
    signature.check_time(now)?;
    let payload_hash = payload_hash(request, &parameters)?;
    let canonical = canonical::request(request, &parameters, &signature.signed_headers, &payload_hash);
    let scope = signature.scope();
    let text = string_to_sign(scope, &canonical);
    let credential = credentials.get(signature.access_key_id());
    let secret = credential.map_or(NOBODY, |credential| credential.secret_access_key.expose());
    let key = signing_key(secret, scope);
    let is_genuine = hmac::verify(&key, text.as_bytes(), &signature.mac).is_ok();
    let has_token = has_token(&key, credential, signature.token.as_deref());
    let credential = credential.ok_or(Refusal::UnknownKey)?;
    if !is_genuine {
        return Err(Refusal::SignatureMismatch);
    }
    if !has_token {
        return Err(Refusal::SessionToken);
    }
    let account_id = credential.user_arn.account_id();
    Ok(Caller { credential, account_id })
}

/// The hash of the body that came. Who says what it should be must be right.
fn payload_hash(request: &SignedRequest<'_>, parameters: &QueryParameters<'_>) -> Result<String, Refusal> {
    let hash = hash(request.body);
    let in_field = one_field(request.headers, "x-amz-content-sha256")?;
    let in_query = parameters.one("X-Amz-Content-Sha256")?;
    let mut said = in_field.into_iter().chain(in_query.as_deref());
    if said.any(|said| said != hash.as_bytes()) {
        return Err(Refusal::PayloadHash);
    }
    Ok(hash)
}

/// Whether a request brought exactly the token that its credential has, or none where that has none.
///
/// Authentication codes are compared, in constant time; two of them tell nothing of how far the tokens agree.
fn has_token(key: &hmac::Key, credential: Option<&Credential>, sent: Option<&[u8]>) -> bool {
    let wanted = credential.and_then(|credential| credential.session_token.as_ref());
    match (wanted, sent) {
        (Some(wanted), Some(sent)) => {
            let code = hmac::sign(key, wanted.expose().as_bytes());
            hmac::verify(key, sent, code.as_ref()).is_ok()
        }
        (None, None) => true,
        _ => false,
    }
}
