//! Why a token is refused, and in which words: for the client in `www-authenticate`, for the operator in the log.

use std::fmt;
use std::num::NonZeroUsize;

/// Why a request is not authorized. Nothing in it comes from the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no token (`R8.2`): 401.
    Missing,
    /// The token does not hold (`R8.11`): 401.
    Invalid(Description),
    /// The token holds, but has none of the route's scopes (`R8.8`): 403.
    Scopes,
    /// The issuer's keys cannot be asked for or waited for, since so many workers do so already (contract §3): 503.
    Overloaded(NonZeroUsize),
}

/// What is wrong with a token, in the order in which it is looked at.
///
/// AWS's own words are known for those marked KNOWN; all others are ASSUMED, in the style of those and of Go's jwt
/// library, whose words AWS's are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Description {
    /// It has more than [`super::MAX_TOKEN_LENGTH`] bytes.
    TooLong,
    /// It is not three parts with dots between them. KNOWN.
    Segments,
    /// The header is not base64url without padding.
    HeaderEncoding,
    /// The header is not a JSON object in which each member occurs once.
    HeaderJson,
    /// The claims are not base64url without padding.
    ClaimsEncoding,
    /// The claims are not a JSON object in which each member occurs once, or they are too deep.
    ClaimsJson,
    /// The header names no algorithm.
    NoAlgorithm,
    /// The header names an algorithm that is not taken: `none`, HS256, ES512 or an unknown one.
    Algorithm,
    /// The header wants extensions to be understood (`crit`, `b64`).
    Critical,
    /// The header has no `kid`, or one that is no name.
    NoKid,
    /// The issuer's discovery document cannot be had (`R8.10`). KNOWN.
    Discovery,
    /// The issuer's keys cannot be had (`R8.10`). KNOWN.
    Jwks,
    /// The issuer has no such key.
    UnknownKid,
    /// The key is not for that algorithm.
    KeyType,
    /// The signature is not base64url without padding.
    SignatureEncoding,
    /// The signature is not that of the issuer's key.
    Signature,
    /// `iss` is not the issuer (`R8.5`). KNOWN from one log.
    Issuer,
    /// `aud`, or `client_id` in its absence, is none of the audiences (`R8.6`). KNOWN.
    Audience,
    /// There is no `exp`.
    NoExpiry,
    /// `exp`, `nbf` or `iat` is no date.
    Date,
    /// `exp` is not after now (`R8.7`). KNOWN.
    Expired,
    /// `nbf` is after now.
    NotYetValid,
    /// `iat` is after now.
    NotYetIssued,
}

impl Description {
    /// The text of `error_description`.
    pub fn text(self) -> &'static str {
        match self {
            Description::TooLong => "the token is too long",
            Description::Segments => "token contains an invalid number of segments",
            Description::HeaderEncoding => "could not base64 decode header",
            Description::HeaderJson => "could not JSON decode header",
            Description::ClaimsEncoding => "could not base64 decode claim",
            Description::ClaimsJson => "could not JSON decode claim",
            Description::NoAlgorithm => "signing method (alg) is unspecified",
            Description::Algorithm => "signing method (alg) is unavailable",
            Description::Critical => "critical header parameters are not supported",
            Description::NoKid => "the token does not have a valid kid",
            Description::Discovery => "OIDC discovery endpoint communication error",
            Description::Jwks => "JWKS communication error",
            Description::UnknownKid => "the issuer does not have the key of the token",
            Description::KeyType => "key is of invalid type",
            Description::SignatureEncoding => "could not base64 decode signature",
            Description::Signature => "signature is invalid",
            Description::Issuer => "issuer does not match",
            Description::Audience => "the token does not have a valid audience",
            Description::NoExpiry => "the token does not have an expiry",
            Description::Date => "the token has an invalid date",
            Description::Expired => "the token has expired",
            Description::NotYetValid => "the token is not valid yet",
            Description::NotYetIssued => "the token is used before issued",
        }
    }
}

impl From<Description> for Refusal {
    fn from(description: Description) -> Refusal {
        Refusal::Invalid(description)
    }
}

impl Refusal {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::Missing | Refusal::Invalid(_) => 401,
            Refusal::Scopes => 403,
            Refusal::Overloaded(_) => 503,
        }
    }

    /// The value of `www-authenticate`, for a route that wants those scopes; none goes with a 403 (`R8.14`).
    pub fn challenge(&self, route_scopes: &[String]) -> Option<String> {
        match self {
            Refusal::Missing => Some("Bearer".to_owned()),
            Refusal::Invalid(description) => Some(format!(
                // R8.11: blanks between the parameters, no commas.
                "Bearer scope=\"{}\" error=\"invalid_token\" error_description=\"{}\"",
                quotable(&route_scopes.join(" ")),
                description.text(),
            )),
            Refusal::Scopes | Refusal::Overloaded(_) => None,
        }
    }

    /// The value of `$context.authorizer.error` (`R8.13`); for what is no answer to the token, what the log says.
    pub fn log_text(&self) -> String {
        match self {
            Refusal::Missing => "missing: token not provided".to_owned(),
            Refusal::Invalid(description) => format!("invalid_token: {}", description.text()),
            // ASSUMED: the code is RFC 6750's.
            Refusal::Scopes => "insufficient_scope: the token does not have a required scope".to_owned(),
            Refusal::Overloaded(most) => format!("the issuer holds {most} workers, as many as one destination may"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.log_text())
    }
}

impl std::error::Error for Refusal {}

/// What may stand between quotes (RFC 9110 §5.6.4).
fn quotable(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_aws_s_to_the_letter() {
        let scopes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (refusal, route_scopes, status, challenge, log) in [
            (
                Refusal::Missing,
                scopes(&["a"]),
                401,
                Some("Bearer"),
                "missing: token not provided",
            ),
            (
                Description::Audience.into(),
                scopes(&[]),
                401,
                Some(
                    "Bearer scope=\"\" error=\"invalid_token\" \
                     error_description=\"the token does not have a valid audience\"",
                ),
                "invalid_token: the token does not have a valid audience",
            ),
            (
                Description::Expired.into(),
                scopes(&["orders/read", "x"]),
                401,
                Some(
                    "Bearer scope=\"orders/read x\" error=\"invalid_token\" \
                     error_description=\"the token has expired\"",
                ),
                "invalid_token: the token has expired",
            ),
            (
                Description::Jwks.into(),
                scopes(&["a\"b\\"]),
                401,
                Some(
                    "Bearer scope=\"a\\\"b\\\\\" error=\"invalid_token\" \
                     error_description=\"JWKS communication error\"",
                ),
                "invalid_token: JWKS communication error",
            ),
            (
                Refusal::Scopes,
                scopes(&["a"]),
                403,
                None,
                "insufficient_scope: the token does not have a required scope",
            ),
            (
                Refusal::Overloaded(NonZeroUsize::MIN),
                scopes(&["a"]),
                503,
                None,
                "the issuer holds 1 workers, as many as one destination may",
            ),
        ] {
            assert_eq!(refusal.status(), status);
            assert_eq!(refusal.challenge(&route_scopes).as_deref(), challenge);
            assert_eq!(refusal.log_text(), log);
        }
    }
}
