//! Integration: `integrations/<id>.json`.

use crate::definition::model::member::{Member, Shape, Update, Value};
use crate::definition::notation::integration_subtype::IntegrationSubtype;

/// The types that HTTP APIs have.
pub const TYPES: &[&str] = &["HTTP_PROXY", "AWS_PROXY"];

/// What `IntegrationMethod` may be.
pub const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"];

/// What `ConnectionType` may be.
pub const CONNECTION_TYPES: &[&str] = &["INTERNET", "VPC_LINK"];

/// What TLS to the endpoint asks for.
pub const TLS: &[Member] = &[Member::text("ServerNameToVerify", 1, 512).cleared_by_empty()];

/// The members of an Integration.
pub const MEMBERS: &[Member] = &[
    Member::of_files("ApiId", Shape::Other),
    Member::set_here("ApiGatewayManaged", Shape::Boolean),
    Member::text("ConnectionId", 1, 1024).cleared_by_empty(),
    Member::new("ConnectionType", Shape::OneOf(CONNECTION_TYPES)).default(Value::Text("INTERNET")),
    Member::of_web_sockets("ContentHandlingStrategy"),
    Member::text("CredentialsArn", 1, 2048).cleared_by_empty(),
    Member::description(),
    Member::set_here("IntegrationId", Shape::Text { least: 1, most: 255 }),
    Member::new("IntegrationMethod", Shape::OneOf(METHODS)),
    Member::of_web_sockets("IntegrationResponseSelectionExpression"),
    Member::new("IntegrationSubtype", Shape::OneOf(&IntegrationSubtype::NAMES)),
    Member::new("IntegrationType", Shape::OneOf(TYPES)).required(),
    Member::text("IntegrationUri", 1, 2048),
    Member::of_web_sockets("PassthroughBehavior").drops(Value::Text("WHEN_NO_MATCH")),
    Member::text("PayloadFormatVersion", 1, 64),
    Member::new("RequestParameters", Shape::TextMap { least: 1, most: 512 }).update(Update::MergeAndRemove),
    Member::of_web_sockets("RequestTemplates"),
    Member::new("ResponseParameters", Shape::TextMaps).update(Update::Merge),
    Member::of_web_sockets("TemplateSelectionExpression"),
    Member::new(
        "TimeoutInMillis",
        Shape::Integer {
            least: 50,
            most: 30_000,
        },
    )
    .default(Value::Integer(30_000)),
    Member::new("TlsConfig", Shape::Object(TLS))
        .cleared_by_empty()
        .update(Update::Merge),
];
