//! What is served, as a table for people, and which route would answer a request and why.

use std::fmt::Write;

use crate::definition::notation::arn::FunctionArn;
use crate::definition::notation::path::RequestPath;
use crate::definition::notation::route_key::RouteKey;
use crate::definition::resource::CREDENTIALS_FILE;
use crate::deployment::Deployment;
use crate::deployment::authorizer::Authorization;
use crate::deployment::integration::{Integration, Kind};
use crate::deployment::routes::{Precedence, Route};
use crate::deployment::stage::Stage;
use crate::http1::message::Method;
use crate::http1::target::is_authority;

/// The heads of the table's columns.
const COLUMNS: [&str; 6] = ["STAGE", "METHOD", "PATH", "AUTHORIZER", "INTEGRATION", "THROTTLE"];

/// A line for each route of each stage, in the order of precedence.
pub fn table(deployment: &Deployment) -> String {
    let mut stages: Vec<&Stage> = deployment.stages().map(AsRef::as_ref).collect();
    stages.sort_by(|one, other| one.name.cmp(&other.name));
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    for stage in stages {
        rows.extend(stage.routes.iter().map(|route| row(stage, route)));
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let line: String = cells.map(|(cell, width)| format!("{cell:width$}  ")).collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn row(stage: &Stage, route: &Route) -> [String; COLUMNS.len()] {
    let key = &route.key_text;
    let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
    [
        stage.name.clone(),
        method.to_owned(),
        path.to_owned(),
        authorizer(&route.authorization),
        route.integration.as_deref().map_or_else(|| "-".to_owned(), integration),
        throttle(route),
    ]
}

fn id(file: &str) -> &str {
    file.strip_suffix(".json").unwrap_or(file)
}

/// What is called: a function by its name, anything else by the integration's.
fn integration(integration: &Integration) -> String {
    match &integration.kind {
        Kind::HttpProxy(_) => id(&integration.file).to_owned(),
        Kind::LambdaProxy(proxy) => format!("function {}", function(&proxy.arn)),
        Kind::Service(service) => service.subtype.as_str().to_owned(),
    }
}

/// A function's name, with its version where the ARN has one.
fn function(arn: &FunctionArn) -> String {
    match arn.qualifier() {
        Some(qualifier) => format!("{}:{qualifier}", arn.name()),
        None => arn.name().to_owned(),
    }
}

/// What a route asks of its callers, in the words of `AuthorizationType`.
fn authorizer(authorization: &Authorization) -> String {
    match authorization {
        Authorization::None => "-".to_owned(),
        Authorization::Jwt { authorizer, .. } => format!("JWT {}", authorizer.id),
        Authorization::Lambda(authorizer) => format!("CUSTOM {}", authorizer.id),
        Authorization::Iam => "AWS_IAM".to_owned(),
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

fn throttle(route: &Route) -> String {
    match route.throttle {
        None => "-".to_owned(),
        Some(limits) if limits.burst() == 0 => "closed".to_owned(),
        // With the digits that the file has: the interval is kept in whole nanoseconds.
        Some(limits) => format!("{}/s, burst {}", rounded(limits.rate()), limits.burst()),
    }
}

/// Without the digits that a calculation adds.
fn rounded(rate: f64) -> String {
    let text = format!("{rate:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// A route or the CORS configuration answers it.
    pub is_answered: bool,
    /// Which, why, and with what; lines.
    pub text: String,
}

/// Tells which route would answer `<METHOD> <path>`, why it and no other, and with which variables. A whole URL may stand
/// for the path, and alone for a GET.
///
/// # Errors
/// The text is not of that form.
pub fn explain(deployment: &Deployment, request: &str) -> Result<Explanation, String> {
    let form = || format!("{request:?} is not of the form \"GET /path\" or \"GET http://host/path\"");
    let (method, target) = match request.split_once(' ') {
        Some(parts) => parts,
        None if below_authority(request).is_some() => ("GET", request),
        None => return Err(form()),
    };
    let below = below_authority(target);
    let path = below.unwrap_or(target).split(['?', '#']).next().unwrap_or_default();
    // A URL need not have a path.
    let path = if below.is_some() && path.is_empty() { "/" } else { path };
    if !path.starts_with('/') || path.contains(' ') {
        return Err(form());
    }
    let refused = |text: String| {
        Ok(Explanation {
            is_answered: false,
            text,
        })
    };
    let Some(method) = Method::parse(method) else {
        return refused(format!("404: no route can have the method {method}\n"));
    };
    let path = match RequestPath::parse(path) {
        Ok(path) => path,
        Err(error) => return refused(format!("400: {error}\n")),
    };
    let Some((stage, below)) = deployment.stage(&path) else {
        return refused("404: there is no stage of that name, and no default stage\n".to_owned());
    };
    Ok(explain_in(deployment, stage, method, &path, &below))
}

/// What follows the host of an `http(s)://` URL.
fn below_authority(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, below) = rest.split_at_checked(end)?;
    is_authority(authority).then_some(below)
}

fn explain_in(
    deployment: &Deployment,
    stage: &Stage,
    method: Method,
    path: &RequestPath,
    below: &RequestPath,
) -> Explanation {
    let mut lines = Lines(String::new());
    let first = path.segments().next().unwrap_or_default();
    if std::ptr::eq(path, below) {
        lines.add("stage", format_args!("{}: no stage is named {first:?}", stage.name));
    } else {
        lines.add("stage", format_args!("{}: the first segment of the path", stage.name));
    }
    let by_cors = method == Method::Options && deployment.cors().is_some();
    let mut candidates = stage.routes.candidates(method, below).into_iter();
    let Some(route) = candidates.next() else {
        lines.add("route", format_args!("none: 404"));
        if by_cors {
            lines.add("answer", format_args!("204 by the CORS configuration"));
        }
        return Explanation {
            is_answered: by_cors,
            text: lines.0,
        };
    };
    lines.add("route", format_args!("{} ({})", route.key_text, route.file));
    let others: Vec<_> = candidates.collect();
    if others.is_empty() {
        lines.add("why", format_args!("no other route matches"));
    }
    for other in others {
        let reason = Precedence::of(&route.key).reason_over(&Precedence::of(&other.key));
        lines.add("before", format_args!("{} ({}): {reason}", other.key_text, other.file));
    }
    match stage.routes.select(method, below) {
        Ok(found) => {
            for parameter in found.iter().flat_map(|found| &found.path_parameters) {
                lines.add("variable", format_args!("{} = {:?}", parameter.name, parameter.value()));
            }
        }
        Err(error) => lines.add("answer", format_args!("400: {error}")),
    }
    // R7.9: a preflight that has a route is for its authorizer, too.
    lines.add("authorizer", format_args!("{}", asked(&route.authorization)));
    if by_cors && matches!(route.authorization, Authorization::None) {
        lines.add("answer", format_args!("204 by the CORS configuration"));
    } else if by_cors {
        let text = "401 or 403 by the authorizer, for browsers send preflights without credentials; else 204 by the \
                    CORS configuration";
        lines.add("answer", format_args!("{text}"));
    } else {
        match route.integration.as_deref() {
            None => lines.add("answer", format_args!("500: the route has no Target")),
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
    }
    Explanation {
        is_answered: true,
        text: lines.0,
    }
}

struct Lines(String);

impl Lines {
    fn add(&mut self, what: &str, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{what:11}  {text}");
    }
}
