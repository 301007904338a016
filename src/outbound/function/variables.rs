//! The environment variables of a function's process.
//!
//! See [Defined runtime environment variables][1].
//!
//! [1]: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::outbound::function::definition::Definition;
use crate::outbound::function::programs::SearchPlaces;
use crate::platform::clock::iso_8601;

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
        ("_HANDLER", handler(definition)),
        ("TZ", ":UTC".to_owned()),
    ] {
        variables.insert(variable.into(), value.into());
    }
    variables.insert("LAMBDA_TASK_ROOT".into(), task_root.into());
    if let Some(managed) = &definition.managed {
        let environment = format!("AWS_Lambda_{}", managed.runtime);
        variables.insert("AWS_EXECUTION_ENV".into(), environment.into());
    }
    for (variable, value) in &definition.environment {
        variables.insert(variable.into(), value.into());
    }
    add_layers(definition, &mut variables);
    variables.insert("AWS_LAMBDA_RUNTIME_API".into(), runtime_api.to_string().into());
    variables
}

/// Where what the function starts and loads is looked for: what its variables say of it, layers among that.
pub(super) fn search_places(definition: &Definition) -> SearchPlaces {
    let given = |name: &str| {
        let own = definition.environment.get(name).map(OsString::from);
        Some((name.into(), own.or_else(|| std::env::var_os(name))?))
    };
    let mut variables = ["PATH", "PYTHONPATH", "NODE_PATH"]
        .into_iter()
        .filter_map(given)
        .collect();
    add_layers(definition, &mut variables);
    let mut take = |name: &str| variables.remove(OsStr::new(name));
    SearchPlaces {
        path: take("PATH"),
        python: take("PYTHONPATH"),
        node: take("NODE_PATH"),
    }
}

/// The function's `Handler`; without one, what the last argument names, as `app.handler` in
/// `python3 -m awslambdaric app.handler`.
fn handler(definition: &Definition) -> String {
    match &definition.managed {
        Some(managed) => managed.handler.clone(),
        None => definition.command.last().cloned().unwrap_or_default(),
    }
}

/// Puts the directories of layers to the variables that name where programs look.
fn add_layers(definition: &Definition, variables: &mut BTreeMap<OsString, OsString>) {
    let python = definition
        .managed
        .as_ref()
        .map(|managed| managed.runtime.as_str())
        .unwrap_or_default();
    for (variable, below) in [
        (
            "PYTHONPATH",
            vec!["python".to_owned(), format!("python/lib/{python}/site-packages")],
        ),
        ("NODE_PATH", vec!["nodejs/node_modules".to_owned()]),
        ("PATH", vec!["bin".to_owned()]),
        ("LD_LIBRARY_PATH", vec!["lib".to_owned()]),
    ] {
        let found = definition
            .layers
            .iter()
            .flat_map(|layer| below.iter().map(|name| process_path(layer).join(name)));
        let found: Vec<PathBuf> = found.filter(|path| path.is_dir()).collect();
        if found.is_empty() {
            continue;
        }
        let known = variables.get(OsStr::new(variable)).cloned().unwrap_or_default();
        let known = std::env::split_paths(&known)
            .filter(|path| !path.as_os_str().is_empty())
            .collect::<Vec<_>>();
        // A directory whose name holds a colon cannot stand in such a list.
        if let Ok(joined) = std::env::join_paths(known.into_iter().chain(found)) {
            variables.insert(variable.into(), joined);
        }
    }
}

/// A path that holds in any working directory.
fn process_path(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A name of CloudWatch's shape: `2026/07/10/[$LATEST]<32 hex digits>`.
fn log_stream(unique: &str) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let date = iso_8601(UNIX_EPOCH + since);
    let day = date.get(..10).unwrap_or_default().replace('-', "/");
    format!("{day}/[$LATEST]{}", unique.replace('-', ""))
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
