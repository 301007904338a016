//! The environment variables of a function's process.
//!
//! See [Defined runtime environment variables][1].
//!
//! [1]: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::outbound::function::definition::Definition;

/// The variables that tell the gateway itself what to do are none of a function's business.
const OWN_PREFIX: &str = "APIGATEWAY_";

/// The variables that hold the gateway's own secrets for AWS, and the id that is of no use without them. A function
/// has them from its `Environment` or not at all.
const SECRETS: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];

/// All variables: the gateway's own environment but for what is its own business, over it Lambda's, over it the function's `Environment`.
///
/// `unique` makes the name of a log stream that no other process of the function has.
pub(super) fn of(
    definition: &Definition,
    task_root: &Path,
    runtime_api: SocketAddr,
    unique: &str,
) -> BTreeMap<OsString, OsString> {
    let mut variables: BTreeMap<OsString, OsString> = std::env::vars_os()
        .filter(|(name, _)| !name.as_encoded_bytes().starts_with(OWN_PREFIX.as_bytes()))
        .filter(|(name, _)| !SECRETS.iter().any(|secret| name == secret))
        .collect();
    let name = &definition.name;
    for (variable, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", definition.memory_size.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream(unique)),
        ("AWS_REGION", definition.region.clone()),
        ("AWS_DEFAULT_REGION", definition.region.clone()),
        ("_HANDLER", handler(&definition.command)),
        ("TZ", ":UTC".to_owned()),
    ] {
        variables.insert(variable.into(), value.into());
    }
    variables.insert("LAMBDA_TASK_ROOT".into(), task_root.into());
    for (variable, value) in &definition.environment {
        variables.insert(variable.into(), value.into());
    }
    variables.insert("AWS_LAMBDA_RUNTIME_API".into(), runtime_api.to_string().into());
    variables
}

/// What the last argument names, as `app.handler` in `python3 -m awslambdaric app.handler`.
fn handler(command: &[String]) -> String {
    command.last().map(String::as_str).unwrap_or_default().to_owned()
}

/// A name of CloudWatch's shape: `2026/07/10/[$LATEST]<32 hex digits>`.
fn log_stream(unique: &str) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let date = httpdate::fmt_http_date(UNIX_EPOCH + since);
    // `Fri, 10 Jul 2026 19:19:05 GMT`
    let mut parts = date.split(' ').skip(1);
    let day = parts.next().unwrap_or_default();
    let month = parts.next().unwrap_or_default();
    let year = parts.next().unwrap_or_default();
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = months.iter().position(|name| *name == month).unwrap_or_default() + 1;
    format!("{year}/{month:02}/{day}/[$LATEST]{}", unique.replace('-', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_stream_has_the_shape_of_cloudwatch_s() {
        let stream = log_stream("01234567-89ab-cdef-0123-456789abcdef");
        let (date, unique) = stream.split_once("[$LATEST]").unwrap();
        assert_eq!(unique, "0123456789abcdef0123456789abcdef");
        let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000/00/00/", "{stream}");
    }
}
