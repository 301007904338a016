//! What a route wants of a token.

/// What a token must say for a route.
#[derive(Clone, Copy, Debug)]
pub struct Expectations<'a> {
    /// `JwtConfiguration.Issuer`, which `iss` must equal to the letter.
    pub issuer: &'a str,
    /// `JwtConfiguration.Audience`, of which the token must have one. Where it is empty no token holds.
    pub audience: &'a [String],
    /// The route's `AuthorizationScopes`, of which the token must have one, unless it is empty.
    pub scopes: &'a [String],
}
