//! Keys of a parameter mapping: what is changed, and how (`R4.1`, `R4.2`, `R4.9`).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html>
//!
//! # Example
//! ```
//! use apigateway::definition::notation::mapping_key::{MappingKey, Operation, Side, Target};
//!
//! let key = MappingKey::parse("append:header.X-Tenant", Side::Request).unwrap();
//! assert_eq!(key.operation, Operation::Append);
//! assert_eq!(key.target, Target::Header("x-tenant".into()));
//! let error = MappingKey::parse("overwrite:header.Via", Side::Request).unwrap_err();
//! assert!(error.to_string().contains("reserved"));
//! ```

use std::fmt;

use crate::http1::message::is_token;

/// Which message is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The request on its way to the integration.
    Request,
    /// The integration's answer on its way to the client.
    Response,
}

/// What is done to the target. The order is that in which operations are done (`R4.13`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// All values go.
    Remove,
    /// All values give way to one.
    Overwrite,
    /// One value is added.
    Append,
}

/// What is changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// A header field, its name in lower case.
    Header(String),
    /// Parameters of the query, by their decoded name.
    Querystring(String),
    /// The path.
    Path,
    /// The status code.
    StatusCode,
}

/// A key such as `append:header.x-tenant`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingKey {
    /// What is done.
    pub operation: Operation,
    /// What it is done to.
    pub target: Target,
}

/// Why a text is no key of a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidKey {
    /// It does not begin with an operation and a colon.
    Operation,
    /// It is neither a header nor anything else that this message has.
    Target(Side),
    /// The path and the status code can only be overwritten.
    OverwriteOnly(&'static str),
    /// The name is no field name.
    Header(String),
    /// There is no name, or it has a control character.
    Querystring,
    /// AWS does not let this field be mapped (`R4.9`).
    Reserved(String),
    /// The field is about one connection, which another mapping would break.
    Hop(String),
    /// A request has one Host: it can be replaced, but neither doubled nor taken away.
    Host,
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidKey::Operation => f.write_str("a key begins with append:, overwrite: or remove:"),
            InvalidKey::Target(Side::Request) => {
                f.write_str("what is mapped is header.<name>, querystring.<name> or path")
            }
            InvalidKey::Target(Side::Response) => f.write_str("what is mapped is header.<name> or statuscode"),
            InvalidKey::OverwriteOnly(target) => write!(f, "the only operation on {target} is overwrite:{target}"),
            InvalidKey::Header(name) => write!(f, "{name:?} is not a header name"),
            InvalidKey::Querystring => {
                f.write_str("the name of the query parameter is empty or has a control character")
            }
            InvalidKey::Reserved(name) => write!(f, "the header {name:?} is reserved and cannot be mapped"),
            InvalidKey::Hop(name) => write!(f, "the header {name:?} concerns one connection and cannot be mapped"),
            InvalidKey::Host => f.write_str("a request has exactly one Host: only overwrite:header.host is possible"),
        }
    }
}

impl std::error::Error for InvalidKey {}

/// Fields that AWS neither lets be changed nor read in a mapping (`R4.9`).
const RESERVED: [&str; 18] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-location",
    "forwarded",
    "keep-alive",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "via",
];

/// What the names of further reserved fields begin with.
const RESERVED_PREFIXES: [&str; 4] = ["access-control-", "apigw-", "x-amz-", "x-amzn-"];

/// Fields that AWS's list leaves out, and that no message that is built afresh can have.
const HOP: [&str; 5] = [
    "expect",
    "http2-settings",
    "proxy-connection",
    "proxy-status",
    "trailer",
];

impl MappingKey {
    /// Reads a key.
    ///
    /// # Errors
    /// See [`InvalidKey`].
    pub fn parse(text: &str, side: Side) -> Result<MappingKey, InvalidKey> {
        let (operation, target) = text.split_once(':').ok_or(InvalidKey::Operation)?;
        let operation = match operation {
            "append" => Operation::Append,
            "overwrite" => Operation::Overwrite,
            "remove" => Operation::Remove,
            _ => return Err(InvalidKey::Operation),
        };
        let only = |text, target| match operation {
            Operation::Overwrite => Ok(target),
            _ => Err(InvalidKey::OverwriteOnly(text)),
        };
        let target = match (target.split_once('.'), target, side) {
            (Some(("header", name)), ..) => header(name, operation, side)?,
            (Some(("querystring", name)), _, Side::Request) => {
                if name.is_empty() || name.contains(char::is_control) {
                    return Err(InvalidKey::Querystring);
                }
                Target::Querystring(name.to_owned())
            }
            (None, "path", Side::Request) => only("path", Target::Path)?,
            (None, "statuscode", Side::Response) => only("statuscode", Target::StatusCode)?,
            _ => return Err(InvalidKey::Target(side)),
        };
        Ok(MappingKey { operation, target })
    }
}

fn header(name: &str, operation: Operation, side: Side) -> Result<Target, InvalidKey> {
    if !is_token(name.as_bytes()) {
        return Err(InvalidKey::Header(name.to_owned()));
    }
    let name = name.to_ascii_lowercase();
    if is_reserved(&name) {
        return Err(InvalidKey::Reserved(name));
    }
    if HOP.contains(&name.as_str()) {
        return Err(InvalidKey::Hop(name));
    }
    if name == "host" && side == Side::Request && operation != Operation::Overwrite {
        return Err(InvalidKey::Host);
    }
    Ok(Target::Header(name))
}

/// Whether a field, named in lower case, can neither be changed nor read.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_aws_takes() {
        let header = |name: &str| Target::Header(name.into());
        for (key, side, operation, target) in [
            ("append:header.X-A", Side::Request, Operation::Append, header("x-a")),
            (
                "remove:header.cookie",
                Side::Request,
                Operation::Remove,
                header("cookie"),
            ),
            (
                "overwrite:header.Host",
                Side::Request,
                Operation::Overwrite,
                header("host"),
            ),
            ("append:header.a.b", Side::Request, Operation::Append, header("a.b")),
            (
                "append:querystring.a.b[]",
                Side::Request,
                Operation::Append,
                Target::Querystring("a.b[]".into()),
            ),
            ("overwrite:path", Side::Request, Operation::Overwrite, Target::Path),
            (
                "overwrite:statuscode",
                Side::Response,
                Operation::Overwrite,
                Target::StatusCode,
            ),
            (
                "append:header.set-cookie",
                Side::Response,
                Operation::Append,
                header("set-cookie"),
            ),
            (
                "overwrite:header.date",
                Side::Response,
                Operation::Overwrite,
                header("date"),
            ),
            // R4.10: not on AWS's list.
            (
                "overwrite:header.X-Forwarded-Port",
                Side::Request,
                Operation::Overwrite,
                header("x-forwarded-port"),
            ),
        ] {
            assert_eq!(
                MappingKey::parse(key, side),
                Ok(MappingKey { operation, target }),
                "{key}"
            );
        }
    }

    #[test]
    fn keys_that_aws_refuses() {
        for (key, side, says) in [
            ("", Side::Request, "begins with append:"),
            ("header.x", Side::Request, "begins with append:"),
            ("Append:header.x", Side::Request, "begins with append:"),
            ("integration.request.header.x", Side::Request, "begins with append:"),
            ("append:", Side::Request, "what is mapped is"),
            ("append:header", Side::Request, "what is mapped is"),
            ("append:Header.x", Side::Request, "what is mapped is"),
            ("append:body", Side::Request, "what is mapped is"),
            ("append:path", Side::Request, "overwrite:path"),
            ("remove:path", Side::Request, "overwrite:path"),
            ("overwrite:path.x", Side::Request, "what is mapped is"),
            ("overwrite:statuscode", Side::Request, "what is mapped is"),
            ("overwrite:path", Side::Response, "statuscode"),
            ("append:querystring.x", Side::Response, "statuscode"),
            ("remove:statuscode", Side::Response, "overwrite:statuscode"),
            ("append:header.", Side::Request, "not a header name"),
            ("append:header.a b", Side::Request, "not a header name"),
            ("append:querystring.", Side::Request, "empty"),
            ("append:querystring.a\n", Side::Request, "control"),
            ("append:header.VIA", Side::Request, "reserved"),
            ("remove:header.Access-Control-Max-Age", Side::Response, "reserved"),
            ("append:header.x-amzn-trace-id", Side::Request, "reserved"),
            ("append:header.x-amz-", Side::Request, "reserved"),
            ("overwrite:header.Trailer", Side::Request, "one connection"),
            ("append:header.host", Side::Request, "exactly one Host"),
            ("remove:header.Host", Side::Request, "exactly one Host"),
        ] {
            let error = MappingKey::parse(key, side).expect_err(key).to_string();
            assert!(error.contains(says), "{key}: {error}");
        }
    }
}
