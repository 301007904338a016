//! HTTP_PROXY: the request that is sent to the integration's URI (spec §3.2).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-http.html>

use std::fmt::{self, Write};
use std::time::Duration;

use crate::data_plane::context_variables::RequestContext;
use crate::data_plane::error::GatewayError;
use crate::data_plane::integration::headers;
use crate::definition::notation::path::{self, RequestPath};
use crate::definition::notation::route_key::RouteKey;
use crate::definition::notation::uri::{IntegrationUri, Part};
use crate::deployment::http_proxy::{ConnectionType, HttpProxy};
use crate::deployment::routes::RouteMatch;
use crate::http1::message::{Body, Client, Method, Request, RequestParts};
use crate::http1::target::{Scheme, has_dot_segment_encoded};
use crate::outbound::upstream::{IntegrationRequest, MAX_REQUEST_PART_LENGTH};

/// The path, the query and the fields that an HTTP integration gets; `path` is the request's path below the stage
/// (`R2.9`).
///
/// # Errors
/// A path variable would change the meaning of the URI.
pub fn parts(
    context: &RequestContext,
    proxy: &HttpProxy,
    route: &RouteMatch,
    path: &RequestPath,
    request: &Request,
) -> Result<RequestParts, GatewayError> {
    let (path, query) = match proxy.connection {
        ConnectionType::Internet => {
            // R11.5: behind a mapping's key alone a $default route appends nothing.
            let appended = if context.ends_with_key { "" } else { path.raw() };
            (uri_path(&proxy.uri, route, appended)?, uri_query(&proxy.uri, route)?)
        }
        // R2.8, R3.6: the whole path with the stage, as it came.
        ConnectionType::VpcLink => {
            // R11.5: the path of a mapping may end with its key.
            let path = if request.path.is_empty() { "/" } else { &request.path };
            (path::passed_path(path).to_string(), None)
        }
    };
    Ok(RequestParts {
        path,
        query: with_client_query(query, request.query.as_deref()),
        headers: headers::to_integration(context, proxy, &request.headers),
    })
}

/// The request to the integration, of parts that have been mapped.
pub fn request(
    proxy: &HttpProxy,
    method: Method,
    parts: RequestParts,
    body: Body,
    timeout: Duration,
    client: Option<Client>,
) -> IntegrationRequest {
    IntegrationRequest {
        // Spec §3.1: a name to verify turns the connection into TLS.
        scheme: match &proxy.server_name {
            Some(_) => Scheme::Https,
            None => proxy.uri.scheme(),
        },
        authority: proxy.uri.authority().to_owned(),
        server_name: proxy.server_name.clone(),
        parts,
        method: proxy.method.unwrap_or(method),
        body,
        is_repeatable: false,
        is_single_attempt: false,
        may_stream: true,
        looks_at: 0,
        timeout,
        client,
        runs_on: false,
    }
}

/// The path that the URI says; a `$default` route appends the request's.
fn uri_path(uri: &IntegrationUri, route: &RouteMatch, appended: &str) -> Result<String, GatewayError> {
    let mut target = String::new();
    insert(&mut target, uri.path(), route, Place::Path)?;
    if has_dot_segment_encoded(&target) {
        let cause = "the path variables make up a '.' or '..' segment of the URI";
        return Err(GatewayError::BadRequest(cause.to_owned()));
    }
    if route.route.key == RouteKey::Default {
        // R3.3: the whole path follows the URI's, which loses its own trailing slash.
        if target.ends_with('/') {
            target.pop();
        }
        push(&mut target, path::passed_path(appended));
    }
    if target.is_empty() {
        target.push('/');
    }
    Ok(target)
}

/// The URI's own query.
fn uri_query(uri: &IntegrationUri, route: &RouteMatch) -> Result<Option<String>, GatewayError> {
    let Some(parts) = uri.query() else {
        return Ok(None);
    };
    let mut query = String::new();
    insert(&mut query, parts, route, Place::Query)?;
    Ok(Some(query))
}

/// R3.5: the URI's query comes first, then the client's as it is.
fn with_client_query(own: Option<String>, client: Option<&str>) -> Option<String> {
    let Some(client) = client else { return own };
    let mut query = own.map(|own| own + "&").unwrap_or_default();
    push(&mut query, path::passed_query(client));
    Some(query)
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
        // Here too, so that a URI which repeats a variable cannot make a text of any length.
        if target.len() > MAX_REQUEST_PART_LENGTH {
            return Err(GatewayError::UriTooLong);
        }
    }
    Ok(())
}

fn insert_variable(target: &mut String, name: &str, route: &RouteMatch, place: Place) -> Result<(), GatewayError> {
    // A variable that this route lacks is empty; compiling saw to it that another route has it.
    let Some(parameter) = route.parameter(name) else {
        return Ok(());
    };
    let written = match place {
        Place::Path => parameter.write_to_path(target),
        Place::Query => parameter.write_to_query(target),
    };
    written.map_err(|error| GatewayError::BadRequest(format!("with the path variable {name:?} decoded, {error}")))
}

fn push(target: &mut String, text: impl fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(target, "{text}");
}
