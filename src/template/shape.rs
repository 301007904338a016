//! The shapes of API Gateway's resources: which type each property has, in the order in which files have them.

use std::collections::HashSet;

use crate::definition::json::Json;
use crate::definition::problem::member;
use crate::template::message::Messages;
use crate::template::output::VirtualFile;
use crate::template::place::Place;
use crate::template::value::{Data, Value};

/// The type of a property.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Text,
    /// A text that decides nothing here: left out where it is not known.
    TextIfKnown,
    Number,
    Boolean,
    /// A list of texts.
    Texts,
    /// A list of texts, or a text with commas.
    CommaTexts,
    List(&'static Shape),
    /// A mapping whose names the author chooses.
    Map(&'static Shape),
    Object(&'static [(&'static str, Shape)]),
}

use Shape::{Boolean, CommaTexts, List, Map, Number, Object, Text, TextIfKnown, Texts};

pub(super) const CORS: Shape = Object(&[
    ("AllowCredentials", Boolean),
    ("AllowHeaders", Texts),
    ("AllowMethods", Texts),
    ("AllowOrigins", Texts),
    ("ExposeHeaders", Texts),
    ("MaxAge", Number),
]);

/// CORS of OpenAPI and SAM, whose lists may be texts with commas.
pub(super) const CORS_WITH_COMMAS: Shape = Object(&[
    ("AllowCredentials", Boolean),
    ("AllowHeaders", CommaTexts),
    ("AllowMethods", CommaTexts),
    ("AllowOrigins", CommaTexts),
    ("ExposeHeaders", CommaTexts),
    ("MaxAge", Number),
]);

const ROUTE_SETTINGS: Shape = Object(&[
    ("DetailedMetricsEnabled", Boolean),
    ("LoggingLevel", Text),
    ("DataTraceEnabled", Boolean),
    ("ThrottlingBurstLimit", Number),
    ("ThrottlingRateLimit", Number),
]);

pub(super) const API: &[(&str, Shape)] = &[
    ("Name", Text),
    ("CorsConfiguration", CORS),
    ("DisableExecuteApiEndpoint", Boolean),
    ("RouteSelectionExpression", Text),
    ("Version", Text),
    ("Description", TextIfKnown),
    ("IpAddressType", Text),
    ("DisableSchemaValidation", Boolean),
];

pub(super) const STAGE: &[(&str, Shape)] = &[
    ("AutoDeploy", Boolean),
    ("Description", TextIfKnown),
    ("DefaultRouteSettings", ROUTE_SETTINGS),
    ("RouteSettings", Map(&ROUTE_SETTINGS)),
    ("StageVariables", Map(&Text)),
    (
        "AccessLogSettings",
        Object(&[("DestinationArn", TextIfKnown), ("Format", Text)]),
    ),
];

pub(super) const ROUTE: &[(&str, Shape)] = &[
    ("RouteKey", Text),
    ("Target", Text),
    ("AuthorizationType", Text),
    ("AuthorizerId", Text),
    ("AuthorizationScopes", Texts),
    ("OperationName", TextIfKnown),
    ("ApiKeyRequired", Boolean),
    ("RequestParameters", Map(&Object(&[("Required", Boolean)]))),
];

const PARAMETER: Shape = Object(&[("Source", Text), ("Destination", Text)]);

pub(super) const INTEGRATION: &[(&str, Shape)] = &[
    ("IntegrationType", Text),
    ("IntegrationMethod", Text),
    ("IntegrationUri", Text),
    ("IntegrationSubtype", Text),
    ("ConnectionType", Text),
    ("ConnectionId", Text),
    ("CredentialsArn", TextIfKnown),
    ("PayloadFormatVersion", Text),
    ("TimeoutInMillis", Number),
    ("TlsConfig", Object(&[("ServerNameToVerify", Text)])),
    ("RequestParameters", Map(&Text)),
    (
        "ResponseParameters",
        Map(&Object(&[("ResponseParameters", List(&PARAMETER))])),
    ),
    ("Description", TextIfKnown),
];

/// An integration as OpenAPI has it: parameters of responses are mappings.
pub(super) const RESPONSE_PARAMETERS_OF_OPENAPI: Shape = Map(&Map(&Text));

pub(super) const AUTHORIZER: &[(&str, Shape)] = &[
    ("Name", Text),
    ("AuthorizerType", Text),
    ("IdentitySource", Texts),
    ("JwtConfiguration", Object(&[("Issuer", Text), ("Audience", Texts)])),
    ("AuthorizerUri", Text),
    ("AuthorizerCredentialsArn", TextIfKnown),
    ("AuthorizerPayloadFormatVersion", Text),
    ("EnableSimpleResponses", Boolean),
    ("AuthorizerResultTtlInSeconds", Number),
    ("IdentityValidationExpression", Text),
];

/// The order of the fields of each kind of file, which is that of appendix A of the rules.
pub(super) fn order_of(path: &str) -> &'static [&'static str] {
    match path.rsplit('/').nth(1) {
        Some("routes") => &[
            "RouteKey",
            "Target",
            "AuthorizationType",
            "AuthorizerId",
            "AuthorizationScopes",
            "OperationName",
        ],
        Some("integrations") => &[
            "IntegrationType",
            "IntegrationMethod",
            "IntegrationUri",
            "IntegrationSubtype",
            "ConnectionType",
            "ConnectionId",
            "CredentialsArn",
            "PayloadFormatVersion",
            "TimeoutInMillis",
            "TlsConfig",
            "RequestParameters",
            "ResponseParameters",
        ],
        Some("authorizers") => &[
            "Name",
            "AuthorizerType",
            "IdentitySource",
            "JwtConfiguration",
            "AuthorizerUri",
            "AuthorizerCredentialsArn",
            "AuthorizerPayloadFormatVersion",
            "EnableSimpleResponses",
            "AuthorizerResultTtlInSeconds",
        ],
        Some("stages") => &[
            "StageName",
            "AutoDeploy",
            "DefaultRouteSettings",
            "RouteSettings",
            "StageVariables",
            "AccessLogSettings",
        ],
        _ => &[
            "ApiId",
            "Name",
            "ProtocolType",
            "CorsConfiguration",
            "DisableExecuteApiEndpoint",
            "RouteSelectionExpression",
            "Version",
            "Description",
        ],
    }
}

/// Takes a value over into a file, as a field of a shape. What is wrong with it is told at the value.
pub(super) fn put(file: &mut VirtualFile, name: &str, value: &Value, shape: Shape, messages: &Messages) {
    if value.is_absent() {
        return;
    }
    let pointer = member("", name);
    if let Some(json) = json(value, shape, messages, &pointer, file) {
        file.set(name, json, &value.place);
    }
}

/// A value as JSON of a shape; where its parts come from is noted in the file.
fn json(value: &Value, shape: Shape, messages: &Messages, pointer: &str, file: &mut VirtualFile) -> Option<Json> {
    if value.is_absent() {
        return None;
    }
    file.origins.insert(pointer.to_owned(), value.place.clone());
    Some(match shape {
        TextIfKnown if matches!(value.data, Data::Unresolved(_)) => {
            messages.note(&value.place, "it is known to AWS only, and left out");
            return None;
        }
        TextIfKnown => Json::String(messages.text(value)?),
        Text => Json::String(messages.text(value)?),
        Number => Json::Number(messages.number(value)?),
        Boolean => Json::Bool(messages.boolean(value)?),
        Texts | CommaTexts => {
            let texts = messages.texts(value, matches!(shape, CommaTexts))?;
            let mut items = Vec::new();
            for (at, item) in texts.iter().enumerate() {
                file.origins
                    .insert(member(pointer, &at.to_string()), item.place.clone());
                items.push(Json::String(messages.text(item)?));
            }
            Json::Array(items)
        }
        List(shape) => match &value.data {
            Data::List(items) => {
                let mut list = Vec::new();
                for (at, item) in items.iter().enumerate() {
                    list.extend(json(item, *shape, messages, &member(pointer, &at.to_string()), file));
                }
                Json::Array(list)
            }
            Data::Unresolved(why) => {
                messages.error(&value.place, &**why);
                return None;
            }
            _ => {
                messages.error(&value.place, format!("must be a list, not {}", value.kind()));
                return None;
            }
        },
        Map(shape) => {
            let mut map = Vec::new();
            for member_of in messages.members(value)? {
                let name = &member_of.key.name;
                let inner = json(&member_of.value, *shape, messages, &member(pointer, name), file);
                map.extend(inner.map(|json| (name.to_string(), json)));
            }
            Json::Object(map)
        }
        Object(fields) => {
            let members = messages.members(value)?;
            let mut map = Vec::new();
            for (name, shape) in fields {
                let Some(member_of) = members.iter().find(|found| first_capital(&found.key.name) == *name) else {
                    continue;
                };
                let inner = json(&member_of.value, *shape, messages, &member(pointer, name), file);
                map.extend(inner.map(|json| ((*name).to_owned(), json)));
            }
            let known: HashSet<&str> = fields.iter().map(|(name, _)| *name).collect();
            for unknown in members
                .iter()
                .filter(|found| !known.contains(&*first_capital(&found.key.name)))
            {
                messages.warning(&unknown.key.place, "unknown property");
            }
            Json::Object(map)
        }
    })
}

/// A name with a capital first, as files have it. OpenAPI's extensions have a small letter.
pub(super) fn first_capital(name: &str) -> String {
    let mut characters = name.chars();
    match characters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + characters.as_str(),
        None => String::new(),
    }
}

/// A list of texts as JSON.
pub(super) fn texts<'a>(items: impl IntoIterator<Item = &'a str>) -> Json {
    Json::Array(items.into_iter().map(|item| Json::String(item.to_owned())).collect())
}

/// A file with one field for each property of a shape that a value has.
pub(super) fn put_all(
    file: &mut VirtualFile,
    shapes: &[(&'static str, Shape)],
    get: impl Fn(&str) -> Value,
    messages: &Messages,
) {
    for (name, shape) in shapes {
        put(file, name, &get(name), *shape, messages);
    }
}

/// Warns of properties that a resource does not have (`R31.22`).
pub(super) fn warn_of_unknown<'a>(
    kind: &str,
    names: impl IntoIterator<Item = (&'a str, &'a Place)>,
    shapes: &[(&'static str, Shape)],
    others: &[&str],
    messages: &Messages,
) {
    for (name, place) in names {
        let is_known = shapes.iter().any(|(known, _)| *known == name) || others.contains(&name);
        if !is_known {
            messages.warning(place, format!("{kind} has no property {name:?}"));
        }
    }
}
