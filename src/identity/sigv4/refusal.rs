//! Why a signature does not hold.

use std::fmt;

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
            Refusal::Service => "the request is signed for another service",
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
