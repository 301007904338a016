//! Api: `api.json`.

use crate::definition::model::member::{Member, Shape, Update, Value};

/// The selection expression that every HTTP API has, as answers say it (`R20.22`).
pub const ROUTE_SELECTION: &str = "$request.method $request.path";

/// The same with braces, as the model's prose writes it.
pub const ROUTE_SELECTION_WITH_BRACES: &str = "${request.method} ${request.path}";

/// Where AWS looks for API keys, which HTTP APIs do not have (`R20.23`).
pub const API_KEY_SELECTION: &str = "$request.header.x-api-key";

/// The other place.
pub const API_KEY_OF_AUTHORIZER: &str = "$context.authorizer.usageIdentifierKey";

/// What CORS is.
pub const CORS: &[Member] = &[
    Member::boolean("AllowCredentials"),
    Member::texts("AllowHeaders").cleared_by_empty(),
    Member::new("AllowMethods", Shape::Texts { most: 64 }).cleared_by_empty(),
    Member::texts("AllowOrigins").cleared_by_empty(),
    Member::texts("ExposeHeaders").cleared_by_empty(),
    Member::new(
        "MaxAge",
        Shape::Integer {
            least: -1,
            most: 86_400,
        },
    ),
];

/// The members of an Api.
pub const MEMBERS: &[Member] = &[
    Member::answered("ApiEndpoint"),
    Member::set_here("ApiGatewayManaged", Shape::Boolean),
    Member::set_here("ApiId", Shape::Text { least: 1, most: 128 }),
    Member::new(
        "ApiKeySelectionExpression",
        Shape::OneOf(&[API_KEY_SELECTION, API_KEY_OF_AUTHORIZER]),
    )
    .default(Value::Text(API_KEY_SELECTION)),
    Member::new("CorsConfiguration", Shape::Object(CORS)).update(Update::Merge),
    Member::set_here("CreatedDate", Shape::Other),
    Member::description(),
    Member::boolean("DisableSchemaValidation"),
    Member::boolean("DisableExecuteApiEndpoint").default(Value::Boolean(false)),
    Member::answered("ImportInfo"),
    Member::new("IpAddressType", Shape::OneOf(&["ipv4", "dualstack"])).default(Value::Text("ipv4")),
    Member::text("Name", 1, 128).required(),
    Member::new("ProtocolType", Shape::OneOf(&["HTTP"]))
        .required()
        .create_only(),
    Member::new(
        "RouteSelectionExpression",
        Shape::OneOf(&[ROUTE_SELECTION, ROUTE_SELECTION_WITH_BRACES]),
    )
    .default(Value::Text(ROUTE_SELECTION)),
    Member::tags(),
    Member::text("Version", 1, 64).cleared_by_empty(),
    Member::answered("Warnings"),
    // Quick create (R20.33, R20.34).
    Member::of_calls("CredentialsArn", Shape::Text { least: 1, most: 2048 }),
    Member::of_calls("RouteKey", Shape::Text { least: 1, most: 1024 }),
    Member::of_calls("Target", Shape::Text { least: 1, most: 2048 }),
];

/// The members of a call that brings an OpenAPI document.
pub const IMPORT: &[Member] = &[Member::any_text("Body").required()];
