//! Signature Version 4: verifies that a request was signed by who holds an access key (`R8.38`).
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

mod canonical;
mod signature;
mod timestamp;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::SystemTime;

use ring::{digest, hmac};
use zeroize::Zeroizing;

use crate::definition::credentials::{Credential, Credentials};
use crate::http1::message::{Headers, is_token};
use crate::identity::sigv4::canonical::Parameters;
use crate::identity::sigv4::signature::{ALGORITHM, Signature, TERMINATOR, one_field};

/// The service for which requests to an API are signed.
const SERVICE: &str = "execute-api";

/// What an unknown key's requests are checked against, so that they cost what a wrong signature costs. Whoever signs
/// with it is refused all the same.
const NOBODY: &str = "an access key id that is in no file has no secret";

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

/// Who signed a request.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The access key and whose it is.
    pub credential: &'a Credential,
    /// The account it belongs to: twelve digits.
    pub account_id: &'a str,
}

/// Why a request is not taken for its caller's. The texts hold nothing of the request, so they can be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request is not signed.
    MissingToken,
    /// The signature is not to the letter; the text says what is wrong.
    Incomplete(&'static str),
    /// Something that must be signed is not; the text names it.
    NotSigned(&'static str),
    /// Signature Version 4A.
    Algorithm,
    /// The scope's day is not that of the request's time.
    ScopeDate,
    /// It was signed for another region.
    Region,
    /// It was signed for another service.
    Service,
    /// It was signed too long ago.
    Expired,
    /// It was signed with a clock that is ahead of ours.
    SkewedClock,
    /// The body is another than `X-Amz-Content-Sha256` says, or is not signed.
    PayloadHash,
    /// No credential has that access key id.
    UnknownKey,
    /// The signature was made with another secret, or for another request.
    SignatureMismatch,
    /// The session's token is another than the credential's, is missing, or belongs to no such credential.
    SessionToken,
    /// The path is signed with fewer slashes, and so leads to another route.
    OtherPath,
}

impl Refusal {
    /// The value of `x-amzn-ErrorType`, where one is known (`R8.39`).
    ///
    /// It was seen for a request that is not signed. That a signature which is not to the letter gets the same is
    /// ASSUMED, from the exception's name.
    pub fn error_type(&self) -> Option<&'static str> {
        match self {
            Refusal::MissingToken | Refusal::Incomplete(_) => Some("IncompleteSignatureException"),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Refusal::MissingToken => "the request is not signed",
            Refusal::Incomplete(what) => return write!(f, "the signature is incomplete: {what}"),
            Refusal::NotSigned(what) => return write!(f, "{what} is not signed"),
            Refusal::Algorithm => "Signature Version 4A is not supported",
            Refusal::ScopeDate => "the credential's scope has another day than the request",
            Refusal::Region => "the request is signed for another region",
            Refusal::Service => "the request is signed for another service than execute-api",
            Refusal::Expired => "the signature has expired",
            Refusal::SkewedClock => "the signature is not yet current",
            Refusal::PayloadHash => "the body is another than X-Amz-Content-Sha256 says",
            Refusal::UnknownKey => "the access key is unknown",
            Refusal::SignatureMismatch => "the signature does not match",
            Refusal::SessionToken => "the session token is not the credential's",
            Refusal::OtherPath => "the path that is signed, without empty segments, leads to another route",
        };
        f.write_str(text)
    }
}

impl std::error::Error for Refusal {}

/// Tells who signed a request.
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
    if !path.contains("//") {
        return None;
    }
    let mut merged = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        merged.push('/');
        merged.push_str(segment);
    }
    if merged.is_empty() || path.ends_with('/') {
        merged.push('/');
    }
    Some(merged)
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
    let parameters = Parameters::of(request.query.unwrap_or_default());
    let signature = Signature::of(request, &parameters)?;
    if signature.region() != region {
        return Err(Refusal::Region);
    }
    if signature.service() != service {
        return Err(Refusal::Service);
    }
    signature.check_time(now)?;
    let payload_hash = payload_hash(request, &parameters)?;
    let canonical = canonical::request(request, &parameters, &signature, &payload_hash);
    let text = string_to_sign(&signature, &canonical);
    let credential = credentials.get(signature.access_key_id());
    let secret = credential.map_or(NOBODY, |credential| credential.secret_access_key.expose());
    let key = signing_key(secret, &signature);
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
fn payload_hash(request: &SignedRequest<'_>, parameters: &Parameters<'_>) -> Result<String, Refusal> {
    let hash = hex(digest::digest(&digest::SHA256, request.body).as_ref());
    let in_field = one_field(request.headers, "x-amz-content-sha256")?;
    let in_query = parameters.one("X-Amz-Content-Sha256")?;
    let mut said = in_field.into_iter().chain(in_query.as_deref());
    if said.any(|said| said != hash.as_bytes()) {
        return Err(Refusal::PayloadHash);
    }
    Ok(hash)
}

fn string_to_sign(signature: &Signature<'_>, canonical: &[u8]) -> String {
    let hash = hex(digest::digest(&digest::SHA256, canonical).as_ref());
    let (time, region, service) = (&signature.time, signature.region(), signature.service());
    let (at, day) = (time.as_str(), time.day());
    format!("{ALGORITHM}\n{at}\n{day}/{region}/{service}/{TERMINATOR}\n{hash}")
}

/// The key of one day, region and service.
///
/// It is made for each request: that takes 3 µs, and keys of ring's that were kept would stay in memory, since
/// nothing overwrites them.
fn signing_key(secret: &str, signature: &Signature<'_>) -> hmac::Key {
    let first = Zeroizing::new(format!("AWS4{secret}"));
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, first.as_bytes());
    for part in [
        signature.time.day(),
        signature.region(),
        signature.service(),
        TERMINATOR,
    ] {
        key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
    }
    key
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

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
