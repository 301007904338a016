//! Route: `routes/<id>.json`.

use crate::definition::model::member::{Member, Shape, Value};

/// What `AuthorizationType` may be.
pub const AUTHORIZATION_TYPES: &[&str] = &["NONE", "JWT", "CUSTOM", "AWS_IAM"];

/// The members of a Route.
pub const MEMBERS: &[Member] = &[
    Member::of_files("ApiId", Shape::Other),
    Member::set_here("ApiGatewayManaged", Shape::Boolean),
    Member::boolean("ApiKeyRequired")
        .drops(Value::Boolean(false))
        .default(Value::Boolean(false)),
    Member::new("AuthorizationScopes", Shape::Texts { most: 64 }).cleared_by_empty(),
    Member::new("AuthorizationType", Shape::OneOf(AUTHORIZATION_TYPES)).default(Value::Text("NONE")),
    Member::any_text("AuthorizerId").cleared_by_empty(),
    Member::of_web_sockets("ModelSelectionExpression"),
    Member::text("OperationName", 1, 64).cleared_by_empty(),
    Member::of_web_sockets("RequestModels"),
    Member::of_web_sockets("RequestParameters"),
    Member::set_here("RouteId", Shape::Text { least: 1, most: 255 }),
    Member::any_text("RouteKey").required(),
    Member::of_web_sockets("RouteResponseSelectionExpression"),
    Member::text("Target", 1, 128),
];
