//! Who asks, by what the route's authorizer found out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::definition::json::Json;

/// Who asks, by what the route's authorizer found out.
#[derive(Clone, Debug, Default)]
pub enum Caller {
    /// Nobody asked.
    #[default]
    Anybody,
    /// Who holds a token.
    Jwt(Arc<Verified>),
    /// Whom a function let pass.
    Lambda {
        /// `principalId` of a policy.
        principal_id: Option<String>,
        /// `context`, as the function gave it (`R8.31`).
        context: Option<Arc<Vec<(String, Json)>>>,
    },
    /// Who signed the request (`R8.40`).
    Iam(Box<IamIdentity>),
}

/// A token that holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Verified {
    /// Every claim but those that are null, as text (`R8.16`–`R8.18`).
    pub claims: BTreeMap<String, String>,
    /// All scopes of the token, where the route wants any (`R8.19`).
    pub scopes: Option<Vec<String>>,
    /// When it ends: from then on it does not hold; the time since 1970.
    pub expires: Duration,
}

/// Claims are personal, so they are in no log.
impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("claims", &self.claims.len())
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Who signed a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IamIdentity {
    /// The id of the access key.
    pub access_key: String,
    /// The account of the user's ARN.
    pub account_id: String,
    /// The user's id.
    pub user_id: String,
    /// The user's ARN.
    pub user_arn: String,
}

impl Caller {
    /// Who signed the request.
    pub fn iam(&self) -> Option<&IamIdentity> {
        match self {
            Caller::Iam(identity) => Some(identity),
            _ => None,
        }
    }

    /// A claim of the token, as text.
    pub fn claim(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        match self {
            Caller::Jwt(token) => token.claims.get(name).map(|claim| Cow::Borrowed(claim.as_bytes())),
            _ => None,
        }
    }

    /// The `principalId` of a policy.
    pub fn principal_id(&self) -> Option<&str> {
        match self {
            Caller::Lambda { principal_id, .. } => principal_id.as_deref(),
            _ => None,
        }
    }

    /// A member of an authorizer's context: a string as it is, all else as JSON.
    pub fn property(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let Caller::Lambda { context, .. } = self else {
            return None;
        };
        let (_, value) = context.as_ref()?.iter().rev().find(|(member, _)| member == name)?;
        match value {
            Json::Null => None,
            Json::String(value) => Some(Cow::Borrowed(value.as_bytes())),
            other => serde_json::to_vec(other).ok().map(Cow::Owned),
        }
    }
}
