//! Payload format 2.0: the event (spec §5.2) and the answer (spec §5.5).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::data_plane::lambda::answer::{self, InvalidAnswer, Members};
use crate::data_plane::lambda::event::{ClientCert, EventSource, joined};
use crate::data_plane::lambda::text;
use crate::definition::json::{self, Json};
use crate::definition::notation::raw_json;
use crate::http1::message::{Body, Headers, Response};
use crate::identity::caller::Caller;

/// What is absent in AWS's events is absent here, never null (`R5.7`).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_source: Option<Vec<Cow<'a, str>>>,
    route_key: &'a str,
    raw_path: Cow<'a, str>,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<Vec<Cow<'a, str>>>,
    headers: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_string_parameters: Option<BTreeMap<String, String>>,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_parameters: Option<BTreeMap<&'a str, &'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_base64_encoded: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage_variables: Option<&'a BTreeMap<String, String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    account_id: &'a str,
    api_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<Authentication<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<Authorizer<'a>>,
    domain_name: Cow<'a, str>,
    domain_prefix: Cow<'a, str>,
    http: Http<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'a str,
    time: String,
    time_epoch: u64,
}

/// What the TLS handshake told of the client.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Authentication<'a> {
    client_cert: ClientCert<'a>,
}

/// What the route's authorizer found out; its own event has none.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Authorizer<'a> {
    Jwt {
        claims: &'a BTreeMap<String, String>,
        scopes: &'a Option<Vec<String>>,
    },
    Lambda(Option<json::Members<'a>>),
    #[serde(rename_all = "camelCase")]
    Iam {
        access_key: &'a str,
        account_id: &'a str,
        caller_id: &'a str,
        cognito_identity: Option<&'a str>,
        principal_org_id: Option<&'a str>,
        user_arn: &'a str,
        user_id: &'a str,
    },
}

impl<'a> Authorizer<'a> {
    fn of(caller: &'a Caller) -> Option<Authorizer<'a>> {
        match caller {
            Caller::Anybody => None,
            Caller::Jwt(token) => Some(Authorizer::Jwt {
                claims: &token.claims,
                scopes: &token.scopes,
            }),
            Caller::Lambda { context, .. } => {
                let members = context.as_ref().map(|members| json::Members(members));
                Some(Authorizer::Lambda(members))
            }
            Caller::Iam(identity) => Some(Authorizer::Iam {
                access_key: &identity.access_key,
                account_id: &identity.account_id,
                caller_id: &identity.user_id,
                cognito_identity: None,
                principal_org_id: None,
                user_arn: &identity.user_arn,
                user_id: &identity.user_id,
            }),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: Cow<'a, str>,
    protocol: &'static str,
    source_ip: String,
    user_agent: Cow<'a, str>,
}

/// Writes the event of an integration.
///
/// # Errors
/// There is none that could happen: every part is text.
pub fn event(source: &EventSource<'_>) -> serde_json::Result<Vec<u8>> {
    let (body, is_base64_encoded) = source.body();
    serde_json::to_vec(&Event {
        body,
        is_base64_encoded: Some(is_base64_encoded),
        ..without_body(source)
    })
}

/// Writes the event of an authorizer, which has no body (`R8.23`, `R8.26`).
///
/// # Errors
/// As for [`event`].
pub fn authorizer_event(
    source: &EventSource<'_>,
    route_arn: &str,
    identity_source: &[Vec<u8>],
) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Event {
        kind: Some("REQUEST"),
        route_arn: Some(route_arn),
        identity_source: Some(identity_source.iter().map(|value| text(value)).collect()),
        ..without_body(source)
    })
}

fn without_body<'a>(source: &'a EventSource<'_>) -> Event<'a> {
    let values = source.values;
    let path = source.decoded_path();
    Event {
        version: "2.0",
        kind: None,
        route_arn: None,
        identity_source: None,
        route_key: values.route_key,
        raw_path: path.clone(),
        raw_query_string: source.parts.query.as_deref().unwrap_or_default(),
        cookies: cookies(&source.parts.headers),
        headers: headers(&source.parts.headers),
        query_string_parameters: query_string_parameters(source),
        request_context: RequestContext {
            account_id: values.account_id,
            api_id: values.api_id,
            authentication: ClientCert::of(source).map(|client_cert| Authentication { client_cert }),
            authorizer: Authorizer::of(values.caller),
            domain_name: values.domain_name().unwrap_or_default(),
            domain_prefix: values.domain_prefix().unwrap_or_default(),
            http: Http {
                method: &values.request.method,
                path,
                // R15.1: whatever the client speaks.
                protocol: "HTTP/1.1",
                source_ip: values.context.client.address.to_string(),
                user_agent: EventSource::or_empty(values.user_agent()),
            },
            request_id: &values.context.request_id,
            route_key: values.route_key,
            stage: values.stage,
            time: values.request_time(),
            time_epoch: values.request_time_epoch(),
        },
        body: None,
        path_parameters: source.path_parameters(),
        is_base64_encoded: None,
        stage_variables: source.stage_variables(),
    }
}

/// The cookies one by one; none where there is none.
fn cookies(headers: &Headers) -> Option<Vec<Cow<'_, str>>> {
    let fields = headers.iter().filter(|(name, _)| *name == "cookie");
    let cookies: Vec<Cow<'_, str>> = fields
        .flat_map(|(_, value)| value.split(|byte| *byte == b';'))
        .map(|cookie| text(cookie.trim_ascii()))
        .filter(|cookie| !cookie.is_empty())
        .collect();
    (!cookies.is_empty()).then_some(cookies)
}

/// Each field once, its values with `,` between them (`R5.14`); cookies stand elsewhere.
fn headers(headers: &Headers) -> BTreeMap<&str, String> {
    let fields = headers.iter().filter(|(name, _)| *name != "cookie");
    joined(fields.map(|(name, value)| (name, text(value))))
}

/// Each parameter once, its values with `,` between them (`R5.12`, `R5.13`).
fn query_string_parameters(source: &EventSource<'_>) -> Option<BTreeMap<String, String>> {
    let parameters = source.query_parameters().into_iter();
    let map = joined(parameters.map(|(name, value)| (name, Cow::Owned(value))));
    (!map.is_empty()).then_some(map)
}

/// What the function answers; without a `statusCode` the payload itself is the content (`R5.23`).
///
/// # Errors
/// It has a `statusCode`, and is no response.
pub fn answer(payload: Vec<u8>) -> Result<Response, InvalidAnswer> {
    let text = str::from_utf8(&payload).ok();
    match text.and_then(|text| Json::parse(text).ok()) {
        Some(Json::Object(members)) => {
            let members = Members(&members);
            match members.get_even_null("statusCode") {
                Some(status) => with_status(members, status),
                None => Ok(inferred(payload)),
            }
        }
        Some(Json::String(text)) => Ok(inferred(text.into_bytes())),
        // JSON that cannot be held (too deep, half of a surrogate pair) must not show a client what was meant for us.
        None if text.is_some_and(has_status) => {
            let reason = "it has a \"statusCode\", and something in it that cannot be read";
            Err(InvalidAnswer(reason.to_owned()))
        }
        // What is no JSON goes through as it is, and so does every other kind of JSON.
        _ if payload.trim_ascii().is_empty() => Ok(inferred(b"null".to_vec())),
        _ => Ok(inferred(payload)),
    }
}

fn has_status(payload: &str) -> bool {
    let members: Option<raw_json::Members> = serde_json::from_str(payload).ok();
    members.is_some_and(|members| members.0.iter().any(|(name, _)| name == "statusCode"))
}

fn inferred(content: Vec<u8>) -> Response {
    let mut headers = Headers::new();
    headers.put("content-type", "application/json");
    Response {
        status: 200,
        headers,
        body: Body::Bytes(content),
    }
}

fn with_status(members: Members<'_>, status: &Json) -> Result<Response, InvalidAnswer> {
    let code = match status {
        Json::Number(number) => answer::status(Some(number))?,
        // R5.25: digits in a string are taken, as AWS's own emulator does.
        Json::String(text) => answer::status(text.trim().parse().ok().as_ref())?,
        other => return Err(answer::wrong("statusCode", "a number", other)),
    };
    let mut headers = Headers::new();
    // R5.27: each cookie has a line of its own.
    for cookie in members.list("cookies")? {
        match cookie {
            Json::String(_) => answer::add(&mut headers, "set-cookie", cookie)?,
            other => return Err(answer::wrong("cookies", "a list of strings", other)),
        }
    }
    for (name, value) in members.object("headers")? {
        answer::add(&mut headers, name, value)?;
    }
    answer::response(code, headers, members.body()?)
}
