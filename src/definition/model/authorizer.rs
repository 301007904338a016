//! Authorizer: `authorizers/<id>.json`.

use crate::definition::model::member::{Member, Shape, Update};

/// What `AuthorizerType` may be.
pub const TYPES: &[&str] = &["JWT", "REQUEST"];

/// What a JWT authorizer asks of a token.
pub const JWT: &[Member] = &[Member::texts("Audience"), Member::text("Issuer", 1, 2048)];

/// The members of an Authorizer.
pub const MEMBERS: &[Member] = &[
    Member::of_files("ApiId", Shape::Other),
    Member::text("AuthorizerCredentialsArn", 1, 2048).cleared_by_empty(),
    Member::set_here("AuthorizerId", Shape::Text { least: 1, most: 255 }),
    Member::text("AuthorizerPayloadFormatVersion", 1, 64),
    Member::new("AuthorizerResultTtlInSeconds", Shape::Integer { least: 0, most: 3600 }),
    Member::new("AuthorizerType", Shape::OneOf(TYPES)).required(),
    Member::text("AuthorizerUri", 1, 2048),
    Member::boolean("EnableSimpleResponses"),
    Member::texts("IdentitySource").required().cleared_by_empty(),
    Member::of_web_sockets("IdentityValidationExpression"),
    Member::new("JwtConfiguration", Shape::Object(JWT)).update(Update::Merge),
    Member::text("Name", 1, 128).required(),
];
