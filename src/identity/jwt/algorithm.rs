//! The algorithms a token may be signed by (`R8.4` with the contract's extension).

use std::fmt;

use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
};

/// A signature algorithm (RFC 7518 §3.1). One that is missing here is refused, whatever the key: `none`, HS256 and its
/// kin, whose key is no public one, EdDSA, and ES512, which ring does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are RFC 7518's")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
}

/// What kind of key an algorithm needs.
#[derive(Clone, Copy)]
pub(super) enum Needs {
    Rsa(&'static RsaParameters),
    P256,
    P384,
}

impl Algorithm {
    /// Every algorithm that is taken.
    pub const ALL: [Algorithm; 8] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
    ];

    /// The algorithm of that name, which is case sensitive.
    pub fn parse(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// The name as it stands in a token.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
            Algorithm::Ps256 => "PS256",
            Algorithm::Ps384 => "PS384",
            Algorithm::Ps512 => "PS512",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
        }
    }

    pub(super) fn needs(self) -> Needs {
        match self {
            Algorithm::Rs256 => Needs::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            Algorithm::Rs384 => Needs::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            Algorithm::Rs512 => Needs::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            Algorithm::Ps256 => Needs::Rsa(&RSA_PSS_2048_8192_SHA256),
            Algorithm::Ps384 => Needs::Rsa(&RSA_PSS_2048_8192_SHA384),
            Algorithm::Ps512 => Needs::Rsa(&RSA_PSS_2048_8192_SHA512),
            Algorithm::Es256 => Needs::P256,
            Algorithm::Es384 => Needs::P384,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
