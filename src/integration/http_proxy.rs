//! HTTP_PROXY: the request that is sent to the integration's URI (spec §3.2).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-http.html>

use std::fmt::{self, Write};

use crate::context::RequestContext;
use crate::deployment::routes::RouteMatch;
use crate::error::GatewayError;
use crate::integration::headers;
use crate::message::{Method, Request};
use crate::notation::path::{
    self, RequestPath, encode_query_value, encode_query_values, encode_segment, encode_segments, has_dot_segment,
};
use crate::notation::route_key::{RouteKey, Segment};
use crate::notation::uri::Part;
use crate::upstream::IntegrationRequest;

/// Most bytes of a target that is sent. A request's whole head has no more than a third of it, and percent-encoding
/// makes three bytes of one; only a URI that repeats a variable gets there.
const MAX_TARGET_LENGTH: usize = 32 * 1024;

/// Builds the request for the route that was chosen; `path` is the request's path below the stage (`R2.9`).
///
/// # Errors
/// A path variable would change the meaning of the URI.
pub fn build(
    context: &RequestContext,
    route: &RouteMatch,
    method: Method,
    path: &RequestPath,
    request: Request,
) -> Result<IntegrationRequest, GatewayError> {
    let integration = &route.route.integration;
    Ok(IntegrationRequest {
        scheme: integration.uri.scheme(),
        authority: integration.uri.authority().to_owned(),
        target: target(route, path, request.query.as_deref())?,
        method: integration.method.unwrap_or(method),
        headers: headers::to_integration(context, integration.uri.authority(), &request.headers),
        body: request.body,
        timeout: integration.timeout,
    })
}

/// Path and query as they stand in the request line upstream.
fn target(route: &RouteMatch, path: &RequestPath, query: Option<&str>) -> Result<String, GatewayError> {
    let uri = &route.route.integration.uri;
    let mut target = String::new();
    insert(&mut target, uri.path(), route, Place::Path)?;
    if has_dot_segment(&target) {
        let cause = "the path variables make up a '.' or '..' segment of the URI";
        return Err(GatewayError::BadRequest(cause.to_owned()));
    }
    if route.route.key == RouteKey::Default {
        // R3.3: the whole path follows the URI's, which loses its own trailing slash.
        if target.ends_with('/') {
            target.pop();
        }
        push(&mut target, path::passed_path(path.raw()));
    } else if target.is_empty() {
        target.push('/');
    }
    let mut separator = '?';
    if let Some(own) = uri.query() {
        target.push(separator);
        separator = '&';
        insert(&mut target, own, route, Place::Query)?;
    }
    // R3.5: the URI's query comes first, then the client's as it is.
    if let Some(query) = query {
        target.push(separator);
        push(&mut target, path::passed_query(query));
    }
    Ok(target)
}

/// Where a path variable is put in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Path,
    Query,
}

fn insert(target: &mut String, parts: &[Part], route: &RouteMatch, place: Place) -> Result<(), GatewayError> {
    for part in parts {
        match part {
            Part::Text(text) => target.push_str(text),
            Part::Variable(name) => insert_variable(target, name, route, place)?,
        }
        if target.len() > MAX_TARGET_LENGTH {
            let cause = format!("the URI has more than {MAX_TARGET_LENGTH} bytes with its path variables in it");
            return Err(GatewayError::BadRequest(cause));
        }
    }
    Ok(())
}

/// R3.4: a value is encoded so that it stays what it was, one segment, or several for a greedy variable.
fn insert_variable(target: &mut String, name: &str, route: &RouteMatch, place: Place) -> Result<(), GatewayError> {
    // A variable that this route lacks is empty; compiling saw to it that another route has it.
    let value = route
        .path_parameters
        .iter()
        .find(|(parameter, _)| parameter == name)
        .map_or("", |(_, value)| value.as_str());
    if has_dot_segment(value) {
        let cause = format!("the path variable {name:?} is or holds a '.' or '..' segment once decoded");
        return Err(GatewayError::BadRequest(cause));
    }
    match (place, is_greedy(&route.route.key, name)) {
        (Place::Path, true) => push(target, encode_segments(value)),
        (Place::Path, false) => push(target, encode_segment(value)),
        (Place::Query, true) => push(target, encode_query_values(value)),
        (Place::Query, false) => push(target, encode_query_value(value)),
    }
    Ok(())
}

fn is_greedy(key: &RouteKey, name: &str) -> bool {
    matches!(key, RouteKey::Path { path, .. }
        if matches!(path.last(), Some(Segment::Greedy(greedy)) if greedy == name))
}

fn push(target: &mut String, text: impl fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(target, "{text}");
}
