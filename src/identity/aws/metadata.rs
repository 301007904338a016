//! Temporary keys of the two servers that give them: an agent of containers, and the instance metadata service.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use zeroize::Zeroizing;

use crate::definition::credentials::Secret;
use crate::definition::json::Json;
use crate::definition::notation::{moment, query};
use crate::http1::message::{Body, Headers, Method};
use crate::http1::target::Scheme;
use crate::identity::aws::access_key::AccessKey;
use crate::identity::aws::environment::Environment;
use crate::outbound::upstream::Upstream;
use crate::outbound::upstream::url::Url;
use crate::platform::files;

/// How long an answer of the instance metadata service may take. It is on the same machine.
const INSTANCE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long an agent of containers may take, which may have to ask for a role first.
const CONTAINER_TIMEOUT: Duration = Duration::from_secs(5);

/// Most bytes of an answer, and of a token's file.
const MAX_LENGTH: usize = 64 * 1024;

/// Where `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` is.
const CONTAINER_HOST: &str = "http://169.254.170.2";

/// Hosts besides loopback that are asked without TLS: the agents of ECS and EKS.
const AGENTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

/// Where the instance metadata service is.
const INSTANCE_HOST: &str = "http://169.254.169.254";

/// How long a token for the instance metadata service is asked for, in seconds.
const TOKEN_TIME: &str = "21600";

/// Why an instance gives no key.
pub(super) enum Absence {
    /// It has no role, or there is no such service here.
    NotConfigured(String),
    /// It should, and fails.
    Failed(String),
}

/// The key of a container; none where no variable says where to ask.
pub(super) fn of_container(environment: &Environment, upstream: &Upstream) -> Result<Option<AccessKey>, String> {
    let (full, relative) = (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    );
    // The order of AWS's SDKs, where both are set.
    let (name, text) = match (environment.get(relative), environment.get(full)) {
        (Some(path), _) if path.starts_with('/') => (relative, format!("{CONTAINER_HOST}{path}")),
        (Some(_), _) => return Err(format!("{relative} does not begin with a slash")),
        (None, Some(url)) => (full, url),
        (None, None) => return Ok(None),
    };
    let url = Url::parse(&text).map_err(|error| format!("{name}: {error}"))?;
    if url.scheme == Scheme::Http && !is_near(&url.authority) {
        let agents = AGENTS.join(", ");
        return Err(format!("{name}: without TLS only loopback and {agents} are asked"));
    }
    let mut headers = Headers::new();
    if let Some(token) = container_token(environment)? {
        let added = headers.append("authorization", token.expose().as_bytes());
        added.map_err(|_| "the authorization token of the container cannot stand in a header".to_owned())?;
    }
    let answer = ask(upstream, &url, Method::Get, headers, CONTAINER_TIMEOUT);
    let answer = answer.map_err(|error| format!("{name}: {error}"))?;
    match answer {
        (200, body) => key(name, &body).map(Some),
        (status, _) => Err(format!("{name}: the status is {status}")),
    }
}

/// Read for each fetch, since the file is replaced.
fn container_token(environment: &Environment) -> Result<Option<Secret>, String> {
    let name = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
    let Some(path) = environment.get(name) else {
        return Ok(environment.secret("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    };
    let bytes = files::read_at_most(Path::new(&path), MAX_LENGTH as u64);
    let bytes = Zeroizing::new(bytes.map_err(|error| format!("{name}: {path}: {error}"))?);
    let text = str::from_utf8(&bytes).ok().filter(|_| bytes.len() <= MAX_LENGTH);
    let text = text.ok_or_else(|| format!("{name}: {path} holds no token"))?;
    Ok(Some(Secret::new(text.trim_end().to_owned())))
}

/// Whether a host is loopback or an agent of AWS's.
fn is_near(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = host.parse::<IpAddr>();
    host == "localhost"
        || address.is_ok_and(|address| {
            let agents = AGENTS.iter().filter_map(|agent| agent.parse::<IpAddr>().ok());
            address.is_loopback() || agents.into_iter().any(|agent| agent == address)
        })
}

/// The key of the instance's role, by version 2 of the service.
pub(super) fn of_instance(environment: &Environment, upstream: &Upstream) -> Result<AccessKey, Absence> {
    if environment.says_true("AWS_EC2_METADATA_DISABLED") {
        let text = "the instance metadata service is disabled by AWS_EC2_METADATA_DISABLED";
        return Err(Absence::NotConfigured(text.to_owned()));
    }
    let variable = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
    let given = environment.get(variable);
    let base = given.as_deref().unwrap_or(INSTANCE_HOST);
    let name = format!("the instance metadata service at {base}");
    let base = Url::parse(base).map_err(|error| Absence::Failed(format!("{variable}: {error}")))?;
    let failed = |error: String| Absence::Failed(format!("{name}: {error}"));
    let at = |path: &str| Url {
        path: format!("{}{path}", base.path.trim_end_matches('/')),
        query: None,
        ..base.clone()
    };
    let mut headers = Headers::new();
    headers.put("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_TIME);
    let token = match ask(
        upstream,
        &at("/latest/api/token"),
        Method::Put,
        headers,
        INSTANCE_TIMEOUT,
    ) {
        Ok((200, token)) => token,
        Ok((status, _)) => return Err(failed(format!("the status of the token is {status}"))),
        // Where no variable names it, no answer means that this is no instance.
        Err(error) if given.is_none() => return Err(Absence::NotConfigured(format!("{name}: {error}"))),
        Err(error) => return Err(failed(error)),
    };
    let get = |path: &str| {
        let mut headers = Headers::new();
        let added = headers.append("x-aws-ec2-metadata-token", &token);
        added.map_err(|_| failed("the token cannot stand in a header".to_owned()))?;
        ask(upstream, &at(path), Method::Get, headers, INSTANCE_TIMEOUT).map_err(failed)
    };
    let list = "/latest/meta-data/iam/security-credentials/";
    let role = match get(list)? {
        (200, role) => role,
        (404, _) => return Err(Absence::NotConfigured(format!("{name}: the instance has no role"))),
        (status, _) => return Err(failed(format!("the status of the roles is {status}"))),
    };
    let role = str::from_utf8(&role).ok().and_then(|text| text.lines().next());
    let role = role.map(str::trim).filter(|role| !role.is_empty());
    let role = role.ok_or_else(|| failed("there is no role's name in its answer".to_owned()))?;
    match get(&format!("{list}{}", query::encoded(role.as_bytes())))? {
        (200, body) => key(&name, &body).map_err(Absence::Failed),
        (status, _) => Err(failed(format!("the status of the role {role:?} is {status}"))),
    }
}

/// Status and content of an answer.
fn ask(
    upstream: &Upstream,
    url: &Url,
    method: Method,
    headers: Headers,
    timeout: Duration,
) -> Result<(u16, Zeroizing<Vec<u8>>), String> {
    let answer = upstream.send(url.request(method, headers, Body::Empty, timeout));
    let answer = answer.map_err(|error| error.to_string())?;
    let body = answer.body.into_bytes(MAX_LENGTH);
    let body = body.map_err(|_| "the answer is too long, or broke off".to_owned())?;
    Ok((answer.status, Zeroizing::new(body)))
}

/// The key in an answer; `place` is where it comes from.
fn key(place: &str, body: &[u8]) -> Result<AccessKey, String> {
    let text = str::from_utf8(body).map_err(|_| format!("{place}: the answer is not UTF-8"))?;
    let mut json = Json::parse(text).map_err(|_| format!("{place}: the answer is not JSON"))?;
    let key = key_of(place, &json);
    json.wipe();
    key
}

fn key_of(place: &str, json: &Json) -> Result<AccessKey, String> {
    let Json::Object(members) = json else {
        return Err(format!("{place}: the answer is no JSON object"));
    };
    let text = |name: &str| {
        members.iter().find_map(|(member, value)| match value {
            Json::String(text) if member == name && !text.is_empty() => Some(text.as_str()),
            _ => None,
        })
    };
    let required = |name: &str| text(name).ok_or_else(|| format!("{place}: the answer has no {name}"));
    if let Some(code) = text("Code").filter(|code| *code != "Success") {
        let code: String = code.chars().take(64).collect();
        return Err(format!("{place}: the answer has the code {code:?}"));
    }
    let secret = Secret::new(required("SecretAccessKey")?.to_owned());
    let token = Secret::new(required("Token")?.to_owned());
    let mut key = AccessKey::new(place, required("AccessKeyId")?, secret, Some(token))?;
    let expiration = moment::parse(required("Expiration")?)
        .and_then(|millis| UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(millis).ok()?)));
    let expires = expiration.ok_or_else(|| format!("{place}: the answer's Expiration is no time"))?;
    key.expires = Some(expires);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_hosts_are_asked_without_tls() {
        for (authority, expected) in [
            ("127.0.0.1:8080", true),
            ("127.9.9.9", true),
            ("[::1]:80", true),
            ("localhost:80", true),
            ("169.254.170.2", true),
            ("169.254.170.23:80", true),
            ("[fd00:ec2::23]", true),
            ("[fd00:ec2:0::23]:80", true),
            ("169.254.169.254", false),
            ("169.254.170.2.evil.test", false),
            ("localhost.evil.test", false),
            ("10.0.0.1", false),
            ("[fd00:ec2::24]", false),
        ] {
            assert_eq!(is_near(authority), expected, "{authority}");
        }
    }

    #[test]
    fn a_key_has_all_its_parts() {
        let good = r#"{"Code":"Success","AccessKeyId":"ASIA","SecretAccessKey":"hidden","Token":"hidden+","Expiration":"2026-07-10T19:19:05Z"}"#;
        let found = key("x", good.as_bytes()).unwrap();
        assert_eq!(found.access_key_id, "ASIA");
        assert_eq!(found.expires, Some(UNIX_EPOCH + Duration::from_secs(1_783_711_145)));
        for (from, to, says) in [
            ("Success", "AssumeRoleUnauthorizedAccess", "the code \"AssumeRole"),
            ("AccessKeyId", "Other", "no AccessKeyId"),
            ("\"hidden\"", "\"\"", "no SecretAccessKey"),
            ("Token", "Other", "no Token"),
            ("2026-07-10T19:19:05Z", "soon", "Expiration is no time"),
            ("hidden+", "hid den", "a session token that is none"),
            ("ASIA", "A/B", "an access key id that is none"),
            ("{", "[", "not JSON"),
        ] {
            let error = key("x", good.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(error.contains(says) && !error.contains("hidden"), "{error}");
        }
    }
}
