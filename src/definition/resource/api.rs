//! `api.json`: the API itself.
//!
//! <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid.html>

use crate::definition::resource::fields::Fields;

/// The Api object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Api {
    /// `Name`: shown in the log.
    pub name: Option<String>,
    /// `ApiId`.
    pub api_id: Option<String>,
    /// `DisableExecuteApiEndpoint`.
    pub disable_execute_api_endpoint: bool,
    /// `CorsConfiguration`.
    pub cors_configuration: Option<Cors>,
}

/// The Cors object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// `AllowOrigins`.
    pub allow_origins: Vec<String>,
    /// `AllowMethods`.
    pub allow_methods: Vec<String>,
    /// `AllowHeaders`.
    pub allow_headers: Vec<String>,
    /// `ExposeHeaders`.
    pub expose_headers: Vec<String>,
    /// `AllowCredentials`.
    pub allow_credentials: bool,
    /// `MaxAge`, in seconds.
    pub max_age: Option<i64>,
}

/// The selection expression that every HTTP API has (`R1.7`).
const ROUTE_SELECTION: [&str; 2] = ["$request.method $request.path", "${request.method} ${request.path}"];

impl Api {
    /// Reads the fields, and notes what is wrong with them.
    pub fn read(mut fields: Fields<'_>) -> Api {
        let api = Api {
            name: fields.string("Name"),
            api_id: fields.string("ApiId"),
            disable_execute_api_endpoint: fields.boolean("DisableExecuteApiEndpoint").unwrap_or_default(),
            cors_configuration: fields.object("CorsConfiguration", Cors::read),
        };
        fields.one_of("ProtocolType", &["HTTP"]);
        fields.one_of("RouteSelectionExpression", &ROUTE_SELECTION);
        for name in ["ApiEndpoint", "Version", "Description"] {
            fields.string(name);
        }
        fields.string_map("Tags");
        fields.one_of("IpAddressType", &["ipv4", "dualstack"]);
        fields.boolean("DisableSchemaValidation");
        fields.without_effect(&[
            "ApiGatewayManaged",
            "ApiKeySelectionExpression",
            "CreatedDate",
            "ImportInfo",
            "Warnings",
        ]);
        fields.finish();
        api
    }
}

impl Cors {
    fn read(fields: &mut Fields<'_>) -> Cors {
        let mut list = |name| fields.strings(name).unwrap_or_default();
        Cors {
            allow_origins: list("AllowOrigins"),
            allow_methods: list("AllowMethods"),
            allow_headers: list("AllowHeaders"),
            expose_headers: list("ExposeHeaders"),
            allow_credentials: fields.boolean("AllowCredentials").unwrap_or_default(),
            max_age: fields.integer("MaxAge"),
        }
    }
}
