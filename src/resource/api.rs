//! `api.json`: the API itself.
//!
//! <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid.html>

use crate::resource::fields::Fields;

/// The Api object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Api {
    /// `Name`: shown in the log.
    pub name: Option<String>,
}

/// The selection expression that every HTTP API has (`R1.7`).
const ROUTE_SELECTION: [&str; 2] = ["$request.method $request.path", "${request.method} ${request.path}"];

impl Api {
    /// Reads the fields, and notes what is wrong with them.
    pub fn read(mut fields: Fields<'_>) -> Api {
        let name = fields.string("Name");
        fields.one_of("ProtocolType", &["HTTP"]);
        fields.one_of("RouteSelectionExpression", &ROUTE_SELECTION);
        fields.not_supported_yet("CorsConfiguration", "CORS");
        fields.not_supported_yet("DisableExecuteApiEndpoint", "a disabled default endpoint");
        for name in ["ApiId", "ApiEndpoint", "Version", "Description"] {
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
        Api { name }
    }
}
