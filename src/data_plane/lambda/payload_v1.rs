//! Payload format 1.0: the event (spec §5.3) and the answer (spec §5.6).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::data_plane::lambda::answer::{self, InvalidAnswer, Members};
use crate::data_plane::lambda::event::{ClientCert, EventSource, joined};
use crate::data_plane::lambda::text;
use crate::definition::json::Json;
use crate::http1::message::{Headers, Response};
use crate::identity::caller::Caller;

/// What has no value is null here, where format 2.0 leaves it out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    resource: &'a str,
    path: &'a str,
    http_method: &'a str,
    headers: BTreeMap<String, String>,
    multi_value_headers: BTreeMap<String, Vec<String>>,
    query_string_parameters: Option<BTreeMap<String, String>>,
    multi_value_query_string_parameters: Option<BTreeMap<String, Vec<String>>>,
    request_context: RequestContext<'a>,
    path_parameters: Option<BTreeMap<&'a str, &'a str>>,
    stage_variables: Option<&'a BTreeMap<String, String>>,
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    account_id: &'a str,
    api_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<Authorizer<'a>>,
    domain_name: Cow<'a, str>,
    domain_prefix: Cow<'a, str>,
    extended_request_id: &'a str,
    http_method: &'a str,
    identity: Identity<'a>,
    path: Cow<'a, str>,
    protocol: &'static str,
    request_id: &'a str,
    request_time: String,
    request_time_epoch: u64,
    resource_id: &'a str,
    resource_path: &'a str,
    stage: &'a str,
}

/// What the route's authorizer found out: its members stand here without a block of their own (`R8.31`).
#[derive(Serialize)]
#[serde(untagged)]
enum Authorizer<'a> {
    Jwt {
        claims: &'a BTreeMap<String, String>,
        scopes: &'a Option<Vec<String>>,
    },
    Lambda {
        #[serde(rename = "principalId", skip_serializing_if = "Option::is_none")]
        principal_id: Option<&'a str>,
        #[serde(flatten)]
        context: Context<'a>,
    },
}

impl<'a> Authorizer<'a> {
    fn of(caller: &'a Caller) -> Option<Authorizer<'a>> {
        match caller {
            // Who signed is told by `identity`.
            Caller::Anybody | Caller::Iam(_) => None,
            Caller::Jwt(token) => Some(Authorizer::Jwt {
                claims: &token.claims,
                scopes: &token.scopes,
            }),
            Caller::Lambda { principal_id, context } => Some(Authorizer::Lambda {
                principal_id: principal_id.as_deref(),
                context: Context(context.as_ref().map(|members| members.as_slice()).unwrap_or_default()),
            }),
        }
    }
}

/// An authorizer's context without what would pass for its principal.
struct Context<'a>(&'a [(String, Json)]);

impl Serialize for Context<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own = self.0.iter().filter(|(name, _)| name != "principalId");
        serializer.collect_map(own.map(|(name, value)| (name, value)))
    }
}

/// The event of an authorizer (`R8.24`).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizerEvent<'a> {
    version: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    method_arn: &'a str,
    identity_source: &'a str,
    authorization_token: &'a str,
    resource: &'a str,
    path: &'a str,
    http_method: &'a str,
    headers: BTreeMap<String, String>,
    query_string_parameters: BTreeMap<String, String>,
    path_parameters: BTreeMap<&'a str, &'a str>,
    stage_variables: &'a BTreeMap<String, String>,
    request_context: AuthorizerRequestContext<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizerRequestContext<'a> {
    path: Cow<'a, str>,
    account_id: &'a str,
    resource_id: &'a str,
    stage: &'a str,
    request_id: &'a str,
    identity: Identity<'a>,
    resource_path: &'a str,
    http_method: &'a str,
    api_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    access_key: Option<&'a str>,
    account_id: Option<&'a str>,
    caller: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_cert: Option<ClientCert<'a>>,
    cognito_authentication_provider: Option<&'a str>,
    cognito_authentication_type: Option<&'a str>,
    cognito_identity_id: Option<&'a str>,
    cognito_identity_pool_id: Option<&'a str>,
    principal_org_id: Option<&'a str>,
    source_ip: String,
    user: Option<&'a str>,
    user_agent: Cow<'a, str>,
    user_arn: Option<&'a str>,
}

/// Writes the event.
///
/// # Errors
/// There is none that could happen: every part is text.
pub fn event(source: &EventSource<'_>) -> serde_json::Result<Vec<u8>> {
    let values = source.values;
    let (body, is_base64_encoded) = source.body();
    let resource = source.resource.unwrap_or("$default");
    let method = values.request.method.as_str();
    let mut parameters: Option<BTreeMap<String, Vec<String>>> = None;
    for (name, value) in source.query_parameters() {
        parameters.get_or_insert_default().entry(name).or_default().push(value);
    }
    let fields = fields(&source.parts.headers);
    serde_json::to_vec(&Event {
        version: "1.0",
        resource,
        path: source.client_path(),
        http_method: method,
        headers: last_of_each(&fields),
        multi_value_headers: fields,
        query_string_parameters: parameters.as_ref().map(last_of_each),
        multi_value_query_string_parameters: parameters,
        request_context: RequestContext {
            account_id: values.account_id,
            api_id: values.api_id,
            authorizer: Authorizer::of(values.caller),
            domain_name: values.domain_name().unwrap_or_default(),
            domain_prefix: values.domain_prefix().unwrap_or_default(),
            extended_request_id: &values.context.request_id,
            http_method: method,
            identity: identity(source),
            path: source.decoded_client_path(),
            protocol: "HTTP/1.1",
            request_id: &values.context.request_id,
            request_time: values.request_time(),
            request_time_epoch: values.request_time_epoch(),
            resource_id: values.route_key,
            resource_path: resource,
            stage: values.stage,
        },
        path_parameters: source.path_parameters(),
        stage_variables: source.stage_variables(),
        body,
        is_base64_encoded,
    })
}

/// Writes the event of an authorizer, which has no body (`R8.24`, `R8.26`).
///
/// # Errors
/// As for [`event`].
pub fn authorizer_event(
    source: &EventSource<'_>,
    method_arn: &str,
    identity_source: &[Vec<u8>],
) -> serde_json::Result<Vec<u8>> {
    let values = source.values;
    let identities = identity_source.join(&b","[..]);
    let identities = text(&identities);
    let resource = source.resource.unwrap_or("$default");
    let method = values.request.method.as_str();
    let parameters = source.query_parameters();
    serde_json::to_vec(&AuthorizerEvent {
        version: "1.0",
        kind: "REQUEST",
        method_arn,
        identity_source: &identities,
        authorization_token: &identities,
        resource,
        path: source.client_path(),
        http_method: method,
        // Nothing else of the event shows a field or a parameter that stands twice, and the integration gets both.
        headers: joined(
            source
                .parts
                .headers
                .iter()
                .map(|(name, value)| (train_case(name), text(value))),
        ),
        query_string_parameters: joined(parameters.into_iter().map(|(name, value)| (name, Cow::Owned(value)))),
        path_parameters: source.path_parameters().unwrap_or_default(),
        stage_variables: source.stage_variables,
        request_context: AuthorizerRequestContext {
            path: source.decoded_client_path(),
            account_id: values.account_id,
            resource_id: values.route_key,
            stage: values.stage,
            request_id: &values.context.request_id,
            identity: identity(source),
            resource_path: resource,
            http_method: method,
            api_id: values.api_id,
        },
    })
}

fn identity<'a>(source: &EventSource<'a>) -> Identity<'a> {
    let iam = source.values.caller.iam();
    let user_id = iam.map(|identity| identity.user_id.as_str());
    Identity {
        access_key: iam.map(|identity| identity.access_key.as_str()),
        account_id: iam.map(|identity| identity.account_id.as_str()),
        caller: user_id,
        client_cert: ClientCert::of(source),
        cognito_authentication_provider: None,
        cognito_authentication_type: None,
        cognito_identity_id: None,
        cognito_identity_pool_id: None,
        principal_org_id: None,
        source_ip: source.values.context.client.address.to_string(),
        user: user_id,
        user_agent: EventSource::or_empty(source.values.user_agent()),
        user_arn: iam.map(|identity| identity.user_arn.as_str()),
    }
}

/// All values of each field, by its name in `Train-Case` (spec §5.3).
fn fields(headers: &Headers) -> BTreeMap<String, Vec<String>> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers.iter() {
        let values = fields.entry(train_case(name)).or_default();
        values.push(text(value).into_owned());
    }
    fields
}

fn train_case(name: &str) -> String {
    let mut begins = true;
    name.chars()
        .map(|character| {
            let cased = if begins {
                character.to_ascii_uppercase()
            } else {
                character
            };
            begins = character == '-';
            cased
        })
        .collect()
}

fn last_of_each(all: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, String> {
    all.iter()
        .filter_map(|(name, values)| Some((name.clone(), values.last()?.clone())))
        .collect()
}

/// What the function answers; nothing is inferred (`R5.34`).
///
/// # Errors
/// It is no object with an integer `statusCode`, or no response otherwise.
pub fn answer(payload: &[u8]) -> Result<Response, InvalidAnswer> {
    let members = answer::object(payload)?;
    let members = Members(&members);
    let code = match members.get("statusCode") {
        Some(Json::Number(number)) => answer::status(Some(number))?,
        Some(other) => return Err(answer::wrong("statusCode", "a number", other)),
        None => return Err(InvalidAnswer("its answer has no \"statusCode\"".to_owned())),
    };
    // R5.35: both are sent, the single value first.
    let singles = members.object("headers")?;
    let lists = members.object("multiValueHeaders")?;
    let mut headers = Headers::new();
    for (name, value) in singles {
        answer::add(&mut headers, name, value)?;
        for (_, list) in lists.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)) {
            add_all(&mut headers, name, list)?;
        }
    }
    let is_single = |name: &str| singles.iter().any(|(single, _)| single.eq_ignore_ascii_case(name));
    for (name, list) in lists.iter().filter(|(name, _)| !is_single(name)) {
        add_all(&mut headers, name, list)?;
    }
    answer::response(code, headers, members.body()?)
}

fn add_all(headers: &mut Headers, name: &str, value: &Json) -> Result<(), InvalidAnswer> {
    if *value == Json::Null {
        return Ok(());
    }
    for item in answer::list(name, value)? {
        answer::add(headers, name, item)?;
    }
    Ok(())
}
