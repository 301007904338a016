//! Parts of a written OpenAPI document: integrations and security schemes.

use crate::definition::json::Json;
use crate::template::openapi::integration::DEFAULT_TIMEOUT;

/// A text.
pub(super) fn text(value: &str) -> Json {
    Json::String(value.to_owned())
}

/// An object with members in their order.
pub(super) fn object<'a>(members: impl IntoIterator<Item = (&'a str, Json)>) -> Json {
    Json::Object(
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// A member that says something.
pub(super) fn member<'a>(json: &'a Json, name: &str) -> Option<&'a Json> {
    let Json::Object(members) = json else { return None };
    let found = members
        .iter()
        .find(|(known, value)| known == name && *value != Json::Null);
    found.map(|(_, value)| value)
}

pub(super) fn text_of<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    match member(json, name) {
        Some(Json::String(text)) => Some(text),
        _ => None,
    }
}

/// The texts of a list.
pub(super) fn texts_of(json: &Json) -> Vec<&str> {
    let Json::Array(items) = json else { return Vec::new() };
    let texts = items.iter().filter_map(|item| match item {
        Json::String(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// A boolean, as such or as a text.
pub(super) fn boolean(json: &Json) -> Option<bool> {
    match json {
        Json::Bool(value) => Some(*value),
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A number, as such or as a text.
fn number(json: &Json) -> Option<Json> {
    match json {
        Json::Number(number) => Some(Json::Number(number.clone())),
        Json::String(text) => text.parse().ok().map(Json::Number),
        _ => None,
    }
}

/// The extension of an integration, its keys in AWS's order (`R30.23`).
pub(super) fn integration(json: &Json) -> Vec<(String, Json)> {
    let mut fields: Vec<(&str, Json)> = Vec::new();
    let kind = text_of(json, "IntegrationType").unwrap_or_default();
    if let Some(parameters) = member(json, "ResponseParameters").filter(|value| !value.is_empty()) {
        fields.push(("responseParameters", response_parameters(parameters)));
    }
    if let Some(parameters) = member(json, "RequestParameters").filter(|value| !value.is_empty()) {
        fields.push(("requestParameters", parameters.clone()));
    }
    let version = text_of(json, "PayloadFormatVersion").or_else(|| (kind == "HTTP_PROXY").then_some("1.0"));
    fields.extend(version.map(|version| ("payloadFormatVersion", text(version))));
    fields.push(("type", text(&kind.to_ascii_lowercase())));
    let method = text_of(json, "IntegrationMethod").or_else(|| (kind == "HTTP_PROXY").then_some("ANY"));
    fields.extend(method.map(|method| ("httpMethod", text(method))));
    fields.extend(text_of(json, "IntegrationUri").map(|uri| ("uri", text(uri))));
    fields.extend(text_of(json, "ConnectionId").map(|id| ("connectionId", text(id))));
    let connection = text_of(json, "ConnectionType").unwrap_or("INTERNET");
    fields.push(("connectionType", text(connection)));
    let timeout = member(json, "TimeoutInMillis").and_then(number);
    let is_default = |timeout: &Json| matches!(timeout, Json::Number(number) if number.to_string() == DEFAULT_TIMEOUT);
    fields.extend(
        timeout
            .filter(|timeout| !is_default(timeout))
            .map(|timeout| ("timeoutInMillis", timeout)),
    );
    if let Some(name) = member(json, "TlsConfig").and_then(|tls| text_of(tls, "ServerNameToVerify")) {
        fields.push(("tlsConfig", object([("serverNameToVerify", text(name))])));
    }
    fields.extend(text_of(json, "CredentialsArn").map(|arn| ("credentials", text(arn))));
    fields.extend(text_of(json, "IntegrationSubtype").map(|subtype| ("integrationSubtype", text(subtype))));
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Mappings by status; what CloudFormation lists as sources and destinations, too.
fn response_parameters(json: &Json) -> Json {
    let Json::Object(statuses) = json else {
        return json.clone();
    };
    let mapped = statuses.iter().map(|(status, value)| {
        let Some(Json::Array(items)) = member(value, "ResponseParameters") else {
            return (status.clone(), value.clone());
        };
        let mapping = |item: &Json| {
            let (destination, source) = (text_of(item, "Destination")?, text_of(item, "Source")?);
            Some((destination.to_owned(), text(source)))
        };
        (status.clone(), Json::Object(items.iter().filter_map(mapping).collect()))
    });
    Json::Object(mapped.collect())
}

/// The security scheme of an authorizer (`R30.24`).
pub(super) fn authorizer_scheme(json: &Json, no_extensions: bool) -> Vec<(String, Json)> {
    let sources = member(json, "IdentitySource")
        .map(texts_of)
        .unwrap_or_default()
        .join(",");
    let is_jwt = text_of(json, "AuthorizerType") == Some("JWT");
    let mut scheme = match is_jwt {
        true => vec![("type", text("oauth2")), ("flows", Json::Object(Vec::new()))],
        false => api_key(),
    };
    let mut fields = Vec::new();
    if !sources.is_empty() {
        fields.push(("identitySource", text(&sources)));
    }
    if is_jwt {
        let jwt = member(json, "JwtConfiguration");
        let of = |name: &str| jwt.and_then(|jwt| member(jwt, name)).cloned();
        let configuration = [("audience", of("Audience")), ("issuer", of("Issuer"))];
        let configuration = configuration
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        fields.push(("jwtConfiguration", object(configuration)));
        fields.push(("type", text("jwt")));
    } else {
        fields.extend(text_of(json, "AuthorizerUri").map(|uri| ("authorizerUri", text(uri))));
        let credentials = text_of(json, "AuthorizerCredentialsArn");
        fields.extend(credentials.map(|arn| ("authorizerCredentials", text(arn))));
        let version = text_of(json, "AuthorizerPayloadFormatVersion");
        fields.extend(version.map(|version| ("authorizerPayloadFormatVersion", text(version))));
        let ttl = member(json, "AuthorizerResultTtlInSeconds").and_then(number);
        fields.extend(ttl.map(|seconds| ("authorizerResultTtlInSeconds", seconds)));
        fields.push(("type", text("request")));
        let simple = member(json, "EnableSimpleResponses").and_then(boolean);
        fields.extend(simple.map(|simple| ("enableSimpleResponses", Json::Bool(simple))));
    }
    if !no_extensions {
        scheme.push(("x-amazon-apigateway-authorizer", object(fields)));
    }
    scheme
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The security scheme of routes with `AWS_IAM`.
pub(super) fn iam_scheme(no_extensions: bool) -> Vec<(String, Json)> {
    let mut scheme = api_key();
    if !no_extensions {
        scheme.push(("x-amazon-apigateway-authtype", text("awsSigv4")));
    }
    scheme
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn api_key() -> Vec<(&'static str, Json)> {
    vec![
        ("type", text("apiKey")),
        ("name", text("Authorization")),
        ("in", text("header")),
    ]
}

/// The variables of a path, a greedy one with its plus.
pub(super) fn variables(path: &str) -> Vec<&str> {
    let parts = path.split('{').skip(1);
    parts
        .filter_map(|part| part.split_once('}').map(|(name, _)| name))
        .collect()
}

/// The parameter of a path's variable.
pub(super) fn parameter(name: &str) -> Json {
    object([
        ("name", text(name)),
        ("in", text("path")),
        ("description", text(&format!("Generated path parameter for {name}"))),
        ("required", Json::Bool(true)),
        ("schema", object([("type", text("string"))])),
    ])
}

/// CORS in AWS's order of keys (`R30.25`).
pub(super) fn cors_of(cors: &Json) -> Json {
    let keys = [
        ("AllowMethods", "allowMethods"),
        ("AllowHeaders", "allowHeaders"),
        ("ExposeHeaders", "exposeHeaders"),
        ("MaxAge", "maxAge"),
        ("AllowCredentials", "allowCredentials"),
        ("AllowOrigins", "allowOrigins"),
    ];
    let found = keys
        .into_iter()
        .filter_map(|(field, key)| Some((key, member(cors, field)?.clone())));
    object(found.filter(|(_, value)| !value.is_empty() || matches!(value, Json::Number(_))))
}
