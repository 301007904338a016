//! ARNs of Lambda functions, alone or in the path of an invocation (`R5.1`), and of what a request asks for (`R8.25`).
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
//!
//! # Example
//! ```
//! use apigateway::definition::notation::arn::FunctionArn;
//!
//! let arn = "arn:aws:lambda:us-east-1:123456789012:function:pets:prod";
//! let uri = format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations");
//! for text in [arn, &uri] {
//!     let parsed = FunctionArn::parse(text).unwrap();
//!     assert_eq!((parsed.name(), parsed.qualifier()), ("pets", Some("prod")));
//!     assert_eq!(parsed.to_string(), arn);
//! }
//! ```

use std::fmt;

/// Most characters of a function's name.
const MAX_NAME_LENGTH: usize = 64;

/// Most characters of a qualifier: a version or an alias.
const MAX_QUALIFIER_LENGTH: usize = 128;

/// The ARN of a function, with a qualifier or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionArn {
    text: String,
    region: String,
    account_id: String,
    name: String,
    qualifier: Option<String>,
}

/// Why a text is no function's ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidArn {
    /// It has another shape.
    Shape,
    /// The region is none.
    Region(String),
    /// The account is not twelve digits.
    Account(String),
    /// The name is none.
    Name(String),
    /// The qualifier is neither a version nor an alias.
    Qualifier(String),
}

impl fmt::Display for InvalidArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidArn::Shape => f.write_str(
                "not the ARN of a function, such as arn:aws:lambda:us-east-1:123456789012:function:name, \
                 nor of its invocation",
            ),
            InvalidArn::Region(region) => write!(f, "{region:?} in the ARN is not a region"),
            InvalidArn::Account(account) => write!(f, "{account:?} in the ARN is not an account of 12 digits"),
            InvalidArn::Name(name) => write!(
                f,
                "{name:?} is not a function's name: letters, digits, - and _, {MAX_NAME_LENGTH} characters at most"
            ),
            InvalidArn::Qualifier(qualifier) => write!(f, "{qualifier:?} is neither a version nor an alias"),
        }
    }
}

impl std::error::Error for InvalidArn {}

impl fmt::Display for FunctionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FunctionArn {
    /// Reads either form; stage variables have been put in.
    ///
    /// # Errors
    /// See [`InvalidArn`].
    pub fn parse(text: &str) -> Result<FunctionArn, InvalidArn> {
        let text = invoked(text)?.unwrap_or(text);
        let parts: Vec<&str> = text.split(':').collect();
        let (partition, region, account, name, qualifier) = match parts.as_slice() {
            ["arn", partition, "lambda", region, account, "function", name] => {
                (*partition, *region, *account, *name, None)
            }
            ["arn", partition, "lambda", region, account, "function", name, qualifier] => {
                (*partition, *region, *account, *name, Some(*qualifier))
            }
            _ => return Err(InvalidArn::Shape),
        };
        if !is_partition(partition) {
            return Err(InvalidArn::Shape);
        }
        if !is_region(region) {
            return Err(InvalidArn::Region(region.to_owned()));
        }
        if !is_account_id(account) {
            return Err(InvalidArn::Account(account.to_owned()));
        }
        if !is_function_name(name) {
            return Err(InvalidArn::Name(name.to_owned()));
        }
        if let Some(qualifier) = qualifier.filter(|qualifier| !is_qualifier(qualifier)) {
            return Err(InvalidArn::Qualifier(qualifier.to_owned()));
        }
        Ok(FunctionArn {
            text: text.to_owned(),
            region: region.to_owned(),
            account_id: account.to_owned(),
            name: name.to_owned(),
            qualifier: qualifier.map(str::to_owned),
        })
    }

    /// The region that the function is in.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The account that it belongs to: twelve digits.
    pub fn account_id(&self) -> &str {
        &self.account_id
    }

    /// The function's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version or the alias.
    pub fn qualifier(&self) -> Option<&str> {
        self.qualifier.as_deref()
    }
}

/// The function's ARN in an invocation's; none where the text is no invocation's.
fn invoked(text: &str) -> Result<Option<&str>, InvalidArn> {
    let Some((before, after)) = text.split_once(":lambda:path/2015-03-31/functions/") else {
        return Ok(None);
    };
    let service: Vec<&str> = before.split(':').collect();
    let ["arn", partition, "apigateway", region] = service.as_slice() else {
        return Err(InvalidArn::Shape);
    };
    if !is_partition(partition) {
        return Err(InvalidArn::Shape);
    }
    if !is_region(region) {
        return Err(InvalidArn::Region((*region).to_owned()));
    }
    let inner = after.strip_suffix("/invocations").ok_or(InvalidArn::Shape)?;
    Ok(Some(inner))
}

/// Whether a text can be a partition's name: `aws`, `aws-cn`.
pub fn is_partition(text: &str) -> bool {
    text == "aws" || text.strip_prefix("aws-").is_some_and(is_region)
}

/// What a request asks for, by the words of an IAM policy (`R8.25`).
///
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html>
#[derive(Clone, Copy, Debug)]
pub struct RouteArn<'a> {
    /// The region.
    pub region: &'a str,
    /// The account: twelve digits.
    pub account_id: &'a str,
    /// `ApiId`.
    pub api_id: &'a str,
    /// The stage's name.
    pub stage: &'a str,
    /// The method of the request.
    pub method: &'a str,
    /// The path of the request below the stage, decoded; it begins with `/`.
    pub path: &'a str,
}

/// Writes the ARN. What a policy takes for a wildcard stands as its encoding where the client wrote it: an authorizer that
/// puts the ARN into its policy would else allow every path that the client's text matches. A text that looks like such an
/// encoding is encoded too, so that no two paths have one ARN.
///
/// # Example
/// ```
/// use apigateway::definition::notation::arn::RouteArn;
///
/// let arn = RouteArn {
///     region: "us-east-1", account_id: "123456789012", api_id: "abc", stage: "$default", method: "GET", path: "/pets/*?",
/// };
/// assert_eq!(arn.to_string(), "arn:aws:execute-api:us-east-1:123456789012:abc/$default/GET/pets/%2A%3F");
/// ```
impl fmt::Display for RouteArn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RouteArn {
            region,
            account_id,
            api_id,
            stage,
            method,
            path,
        } = self;
        let partition = partition(region);
        write!(
            f,
            "arn:{partition}:execute-api:{region}:{account_id}:{api_id}/{stage}/{method}"
        )?;
        let mut rest = *path;
        while let Some(at) = rest.find(['*', '?', '%']) {
            let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            let encoded = match from.get(..3).unwrap_or(from) {
                "%2A" | "%3F" | "%25" => "%25",
                text if text.starts_with('*') => "%2A",
                text if text.starts_with('?') => "%3F",
                _ => "%",
            };
            f.write_str(before)?;
            f.write_str(encoded)?;
            rest = from.get(1..).unwrap_or_default();
        }
        f.write_str(rest)
    }
}

/// What the ARNs of a region begin with.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
///
/// # Example
/// ```
/// use apigateway::definition::notation::arn::partition;
///
/// assert_eq!(["eu-west-1", "cn-north-1"].map(partition), ["aws", "aws-cn"]);
/// ```
pub fn partition(region: &str) -> &'static str {
    /// With a hyphen behind the name, so that `us-iso` is not taken for the beginning of `us-isob`.
    const PARTITIONS: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    let found = PARTITIONS.iter().find(|(prefix, _)| region.starts_with(prefix));
    found.map_or("aws", |(_, partition)| partition)
}

/// Whether a text can be an account's id: twelve digits.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text can be a region's name.
pub fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Whether a text can be a function's name.
pub fn is_function_name(text: &str) -> bool {
    (1..=MAX_NAME_LENGTH).contains(&text.len()) && is_word(text)
}

fn is_qualifier(text: &str) -> bool {
    text == "$LATEST" || ((1..=MAX_QUALIFIER_LENGTH).contains(&text.len()) && is_word(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_in_every_form() {
        const URI: &str = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:000000000001:function:a-B_1:7/invocations";
        for (text, name, qualifier) in [
            ("arn:aws:lambda:us-east-1:123456789012:function:f", "f", None),
            (
                "arn:aws-cn:lambda:cn-north-1:123456789012:function:f:$LATEST",
                "f",
                Some("$LATEST"),
            ),
            (
                "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f:live",
                "f",
                Some("live"),
            ),
            (URI, "a-B_1", Some("7")),
        ] {
            let arn = FunctionArn::parse(text).unwrap();
            assert_eq!((arn.name(), arn.qualifier()), (name, qualifier), "{text}");
        }
    }

    #[test]
    fn a_partition_is_that_of_the_region() {
        for (region, expected) in [
            ("us-east-1", "aws"),
            ("eu-central-1", "aws"),
            ("cn-northwest-1", "aws-cn"),
            ("us-gov-east-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
            ("cn", "aws"),
        ] {
            assert_eq!(partition(region), expected, "{region}");
        }
    }

    #[test]
    fn what_is_no_function() {
        for (text, says) in [
            ("", "not the ARN of a function"),
            ("f", "not the ARN of a function"),
            ("http://h/", "not the ARN of a function"),
            (
                "arn:aws:lambda:us-east-1:123456789012:function",
                "not the ARN of a function",
            ),
            (
                "arn:aws:lambda:us-east-1:123456789012:layer:f",
                "not the ARN of a function",
            ),
            (
                "arn:gcp:lambda:us-east-1:123456789012:function:f",
                "not the ARN of a function",
            ),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:f:1:2",
                "not the ARN of a function",
            ),
            ("arn:aws:lambda::123456789012:function:f", "not a region"),
            ("arn:aws:lambda:US:123456789012:function:f", "not a region"),
            ("arn:aws:lambda:us-east-1:12345:function:f", "not an account"),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:",
                "not a function's name",
            ),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:a/b",
                "not a function's name",
            ),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:f:",
                "neither a version nor",
            ),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:f:a b",
                "neither a version nor",
            ),
            (
                "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/f/invocations",
                "not the ARN of a function",
            ),
            (
                "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f",
                "not the ARN of a function",
            ),
            (
                "arn:aws:apigateway:us-east-1:sqs:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f/invocations",
                "not the ARN of a function",
            ),
        ] {
            let error = FunctionArn::parse(text).expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
