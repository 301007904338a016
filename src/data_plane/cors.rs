//! CORS: what a browser is told about other sites' scripts, instead of what an integration says (spec §7).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>

use crate::deployment::cors::{AllowedOrigin, Cors};
use crate::http1::message::{Body, Headers, Request, Response};

/// What the names of CORS's fields begin with.
const FIELDS: &str = "access-control-";

/// The answer to a preflight, which never reaches an integration (`R7.5`, `R7.7`).
///
/// An OPTIONS without `Origin` and `Access-Control-Request-Method` is answered too, but told nothing (`R7.6`).
pub fn preflight(cors: &Cors, request: &Request) -> Response {
    let mut response = Response {
        status: 204,
        headers: Headers::new(),
        body: Body::Empty,
    };
    let asks = request.headers.get("access-control-request-method").is_some();
    if !asks {
        vary(cors, &mut response.headers);
    } else if allow(cors, &request.headers, &mut response.headers) {
        let headers = &mut response.headers;
        // R7.14: the browser compares; the lists are sent as they are configured.
        put(headers, "access-control-allow-methods", cors.methods.as_deref());
        put(headers, "access-control-allow-headers", cors.headers.as_deref());
        let max_age = cors.max_age.map(|seconds| seconds.to_string());
        put(headers, "access-control-max-age", max_age.as_deref());
    }
    response
}

/// Makes a response say what the configuration says, and nothing of what the integration said (`R7.8`, `R7.11`).
pub fn decorate(cors: &Cors, request: &Headers, response: &mut Headers) {
    response.retain(|name, _| !name.starts_with(FIELDS));
    allow(cors, request, response);
}

/// Adds what preflight and ordinary answers have in common; whether the request's origin is allowed.
fn allow(cors: &Cors, request: &Headers, response: &mut Headers) -> bool {
    vary(cors, response);
    let mut origins = request.get_all("origin");
    // Two origins are none that a browser sends.
    let (Some(origin), None) = (origins.next(), origins.next()) else {
        return false;
    };
    if cors.origins.contains(&AllowedOrigin::Any) {
        response.put("access-control-allow-origin", "*");
    } else if cors.origins.iter().any(|allowed| matches(allowed, origin)) {
        // It was compared with text of the configuration, or begins so; what it holds is valid in a field.
        let _ = response.append("access-control-allow-origin", origin);
    } else {
        return false;
    }
    put(response, "access-control-expose-headers", cors.exposed.as_deref());
    put(
        response,
        "access-control-allow-credentials",
        cors.credentials.then_some("true"),
    );
    true
}

/// Tells caches that the answer depends on the origin: also one without `Origin`, or else a cache gives it to a script
/// that is allowed.
fn vary(cors: &Cors, response: &mut Headers) {
    let is_told = |response: &Headers| ["origin", "*"].iter().any(|token| response.has_token("vary", token));
    if !cors.origins.contains(&AllowedOrigin::Any) && !is_told(response) {
        let _ = response.append("vary", b"origin");
    }
}

/// R7.12. Scheme and host have no case (RFC 3986 §6.2.2.1).
fn matches(allowed: &AllowedOrigin, origin: &[u8]) -> bool {
    match allowed {
        AllowedOrigin::Any => true,
        AllowedOrigin::Prefix(prefix) => origin
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()) && origin.len() > prefix.len()),
        AllowedOrigin::Exact(exact) => origin.eq_ignore_ascii_case(exact.as_bytes()),
    }
}

fn put(headers: &mut Headers, name: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        headers.put(name, value);
    }
}
