//! Which API, stage and route would answer a request, and why.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::data_plane::error::GatewayError;
use crate::definition::notation::path::RequestPath;
use crate::definition::notation::route_key::RouteKey;
use crate::definition::unit::CREDENTIALS_FILE;
use crate::deployment::Deployment;
use crate::deployment::address::{Address, Target, Unreachable, Way};
use crate::deployment::authorizer::Authorization;
use crate::deployment::configuration::Configuration;
use crate::deployment::integration::Kind;
use crate::deployment::routes::Precedence;
use crate::deployment::stage::Stage;
use crate::http1::message::Method;
use crate::http1::request_head;
use crate::http1::target::is_authority;
use crate::management::near_misses;
use crate::management::route_table::{authorizer, function, id, integration, throttle};

/// What becomes of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// A route or the CORS configuration answers it.
    pub is_answered: bool,
    /// The id of the API that it is for, if it is for one.
    pub api_id: Option<String>,
    /// Which, why, and with what; lines.
    pub text: String,
    /// The status of a request that no route answers.
    pub status: Option<u16>,
    /// The name of its stage.
    pub stage: Option<String>,
    /// The key of its route.
    pub route_key: Option<String>,
    /// Why it is that route, or none.
    pub why: String,
    /// The keys of the routes that match as well.
    pub outranks: Vec<String>,
    /// What the path variables of the route stand for.
    pub variables: Vec<(String, String)>,
    /// What the route asks of its callers.
    pub authorization: Option<String>,
    /// What it calls.
    pub integration: Option<String>,
    /// How many requests it takes.
    pub throttle: Option<String>,
}

impl Explanation {
    /// The same for programs: `api`, `answered`, and `lines`.
    pub fn to_json(&self) -> Value {
        let lines: Vec<&str> = self.text.lines().collect();
        json!({"api": self.api_id, "answered": self.is_answered, "lines": lines})
    }
}

/// Tells which route would answer `<METHOD> <path>`, why it and no other, and with which variables. A whole URL may stand
/// for the path, and alone for a GET; a path alone has an empty host.
///
/// # Errors
/// The text is not of that form.
pub fn explain(configuration: &Configuration, request: &str) -> Result<Explanation, String> {
    let form = || format!("{request:?} is not of the form \"GET /path\" or \"GET http://host/path\"");
    let (method, target) = match request.split_once(' ') {
        Some(parts) => parts,
        None if split_url(request).is_some() => ("GET", request),
        None => return Err(form()),
    };
    let url = split_url(target);
    let (host, path) = url.unwrap_or(("", target));
    // Nobody sends the fragment of a URL, and a URL need not have a path.
    let path = match url {
        Some(_) => path.split('#').next().unwrap_or_default(),
        None => path,
    };
    let path = match url.is_some() && !path.starts_with('/') {
        true => Cow::Owned(format!("/{path}")),
        false => Cow::Borrowed(path),
    };
    if !path.starts_with('/') || path.contains(' ') {
        return Err(form());
    }
    Ok(of_line(configuration, method, host, &path, url.is_some()))
}

/// As [`explain`], by the parts of a request that nobody has read yet: what cannot be read is answered before there is an
/// API. `is_url` where its API and its address are worth a line.
pub fn of_line(configuration: &Configuration, method: &str, host: &str, target: &str, is_url: bool) -> Explanation {
    match request_head::check(method, host, target) {
        Ok(()) => {
            let path = target.split('?').next().unwrap_or_default();
            of_request(configuration, method, host.as_bytes(), path, is_url)
        }
        Err(error) => {
            let error = GatewayError::from(error);
            let why = error.cause().unwrap_or(error.message()).to_owned();
            Explanation {
                text: format!("{}: {why}\n", error.status()),
                status: Some(error.status()),
                why,
                ..Explanation::default()
            }
        }
    }
}

/// As [`explain`], by the parts of a request. The path has no query; `is_url` where its API and its address are worth a
/// line.
pub fn of_request(configuration: &Configuration, method: &str, host: &[u8], path: &str, is_url: bool) -> Explanation {
    let mut lines = Lines(String::new());
    let address = configuration.address(host, path);
    if (is_url || configuration.has_apis_directory())
        && let Some(api) = address.api
    {
        lines.add("api", format_args!("{} ({})", api.api_id(), api.unit()));
        lines.add("address", format_args!("{}", named(&address)));
    }
    let api_id = address.api.map(|api| api.api_id().to_owned());
    let refused = |mut lines: Lines, text: String| {
        lines.0.push_str(&text);
        let (status, why) = text.trim_end().split_once(": ").unwrap_or_default();
        Explanation {
            api_id,
            text: lines.0,
            status: status.parse().ok(),
            why: why.to_owned(),
            ..Explanation::default()
        }
    };
    if method == "CONNECT" {
        return refused(lines, "400: CONNECT is for proxies\n".to_owned());
    }
    let (api, target) = match (address.api, address.target) {
        (Some(api), Ok(target)) => (api, target),
        (_, Err(Unreachable::Forbidden)) => {
            return refused(lines, "403: no mapping of the domain fits the path\n".to_owned());
        }
        (None, _) => {
            let text = match address.way {
                Way::None => "404: the request names no API, and there is neither a root API nor a single one\n",
                _ => "404: there is no such API\n",
            };
            return refused(lines, text.to_owned());
        }
        (Some(_), _) => {
            let text = match address.way {
                Way::Mapping(..) => "404: the mapping's stage is not there\n",
                _ => "404: DisableExecuteApiEndpoint is set: it is reached by its custom domains only\n",
            };
            return refused(lines, text.to_owned());
        }
    };
    let Some(method) = Method::parse(method) else {
        return refused(lines, format!("404: no route can have the method {method}\n"));
    };
    let path = match RequestPath::parse(target.below(path)) {
        Ok(path) => path,
        Err(error) => return refused(lines, format!("400: {error}\n")),
    };
    let Some((stage, below)) = address.stage(&path) else {
        let text = "404: there is no stage of that name, and no default stage\n";
        return refused(lines, text.to_owned());
    };
    if matches!(target, Target::Path(_)) && stage.is_execute_api_disabled {
        let text = format!(
            "404: DisableExecuteApiEndpoint is set in what the stage {} serves: it is reached by custom domains only\n",
            stage.name
        );
        return refused(lines, text);
    }
    let first = path.segments().next().unwrap_or_default();
    match (target, &below) {
        (Target::Stage(..), _) => lines.add("stage", format_args!("{}: the mapping names it", stage.name)),
        (Target::Path(_), Cow::Borrowed(_)) => {
            lines.add("stage", format_args!("{}: no stage is named {first:?}", stage.name));
        }
        (Target::Path(_), Cow::Owned(_)) => {
            lines.add("stage", format_args!("{}: the first segment of the path", stage.name));
        }
    }
    explain_in(lines, api, stage, method, &below)
}

/// How a request names its API.
fn named(address: &Address<'_>) -> String {
    match address.way {
        Way::Mapping(domain, mapping) => format!("mapping {:?} of {}", mapping.key, domain.name),
        Way::Domain => "custom domain".to_owned(),
        Way::HostName => "host name".to_owned(),
        Way::PathPrefix => "path prefix".to_owned(),
        Way::RootApi => "root API".to_owned(),
        Way::OnlyApi => "the only API".to_owned(),
        Way::None => "-".to_owned(),
    }
}

/// The host of an `http(s)://` URL, and what follows it.
fn split_url(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, below) = rest.split_at_checked(end)?;
    is_authority(authority).then_some((authority, below))
}

fn explain_in(
    mut lines: Lines,
    deployment: &Deployment,
    stage: &Stage,
    method: Method,
    below: &RequestPath,
) -> Explanation {
    let by_cors = method == Method::Options && stage.cors.is_some();
    let mut found = Explanation {
        api_id: Some(deployment.api_id().to_owned()),
        stage: Some(stage.name.clone()),
        ..Explanation::default()
    };
    let mut candidates = stage.routes.candidates(method, below).into_iter();
    let Some(route) = candidates.next() else {
        lines.add("route", format_args!("none: 404"));
        found.status = Some(404);
        let mut why = vec!["no route matches".to_owned()];
        for (route, difference) in near_misses::of(stage, method, below) {
            lines.add(
                "near",
                format_args!("{} ({}): {difference}", route.key_text, route.file),
            );
            why.push(format!("near {}: {difference}", route.key_text));
        }
        found.why = why.join("; ");
        if by_cors {
            lines.add("answer", format_args!("204 by the CORS configuration"));
            found.status = Some(204);
            found.why = "204 by the CORS configuration".to_owned();
        }
        return Explanation {
            is_answered: by_cors,
            text: lines.0,
            ..found
        };
    };
    lines.add("route", format_args!("{} ({})", route.key_text, route.file));
    found.route_key = Some(route.key_text.clone());
    let mut why = Vec::new();
    let others: Vec<_> = candidates.collect();
    if others.is_empty() {
        lines.add("why", format_args!("no other route matches"));
        why.push("no other route matches".to_owned());
    }
    for other in others {
        let reason = Precedence::of(&route.key).reason_over(&Precedence::of(&other.key));
        lines.add("before", format_args!("{} ({}): {reason}", other.key_text, other.file));
        why.push(format!("before {}: {reason}", other.key_text));
        found.outranks.push(other.key_text.clone());
    }
    match stage.routes.select(method, below) {
        Ok(selected) => {
            for parameter in selected.iter().flat_map(|selected| &selected.path_parameters) {
                lines.add("variable", format_args!("{} = {:?}", parameter.name, parameter.value()));
                let variable = (parameter.name.clone(), parameter.value().to_string());
                found.variables.push(variable);
            }
        }
        Err(error) => {
            lines.add("answer", format_args!("400: {error}"));
            found.status = Some(400);
            why.push(error.to_string());
        }
    }
    // R7.9: a preflight that has a route is for its authorizer, too.
    lines.add("authorizer", format_args!("{}", asked(&route.authorization)));
    found.authorization = Some(asked(&route.authorization));
    found.integration = route.integration.as_deref().map(integration);
    found.throttle = Some(throttle(route));
    if by_cors && matches!(route.authorization, Authorization::None) {
        lines.add("answer", format_args!("204 by the CORS configuration"));
        why.push("204 by the CORS configuration".to_owned());
    } else if by_cors {
        let text = "401 or 403 by the authorizer, for browsers send preflights without credentials; else 204 by the \
                    CORS configuration";
        lines.add("answer", format_args!("{text}"));
    } else {
        match route.integration.as_deref() {
            None => {
                lines.add("answer", format_args!("500: the route has no Target"));
                found.status = Some(500);
                why.push("the route has no Target".to_owned());
            }
            Some(target) => match target.kind {
                Kind::HttpProxy(_) => lines.add("integration", format_args!("{}", integration(target))),
                Kind::LambdaProxy(_) | Kind::Service(_) => {
                    let file = id(&target.file);
                    lines.add("integration", format_args!("{} ({file})", integration(target)));
                }
            },
        }
    }
    lines.add("throttle", format_args!("{}", throttle(route)));
    if matches!(route.key, RouteKey::Default) {
        lines.add("note", format_args!("$default takes what no other route takes"));
        why.push("$default takes what no other route takes".to_owned());
    }
    Explanation {
        is_answered: true,
        text: lines.0,
        why: why.join("; "),
        ..found
    }
}

/// The same, with what decides.
fn asked(authorization: &Authorization) -> String {
    let name = authorizer(authorization);
    match authorization {
        Authorization::None => "-: anybody may call it".to_owned(),
        Authorization::Jwt { authorizer, scopes } if scopes.is_empty() => {
            format!("{name}: a token of {}", authorizer.issuer)
        }
        Authorization::Jwt { authorizer, scopes } => {
            let scopes = scopes.join(" or ");
            format!("{name}: a token of {} with the scope {scopes}", authorizer.issuer)
        }
        Authorization::Lambda(authorizer) => format!("{name}: function {}", function(&authorizer.arn)),
        Authorization::Iam => format!("{name}: a signature of somebody in {CREDENTIALS_FILE}"),
    }
}

struct Lines(String);

impl Lines {
    fn add(&mut self, what: &str, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{what:11}  {text}");
    }
}
