//! `routes/<id>.json`: which requests go to which integration.
//!
//! <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-routes-routeid.html>

use crate::resource::fields::Fields;

/// The Route object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Where it was read from.
    pub file: String,
    /// `RouteKey`.
    pub route_key: Option<String>,
    /// `Target`: `"integrations/<id>"`.
    pub target: Option<String>,
}

impl Route {
    /// Reads the fields, and notes what is wrong with them.
    pub fn read(file: String, mut fields: Fields<'_>) -> Route {
        let route = Route {
            file,
            route_key: fields.string("RouteKey"),
            target: fields.string("Target"),
        };
        let kinds = ["NONE", "JWT", "CUSTOM", "AWS_IAM"];
        if let Some(kind) = fields.one_of("AuthorizationType", &kinds).filter(|kind| kind != "NONE") {
            fields.error("AuthorizationType", format!("not supported yet: {kind} authorization"));
        }
        fields.not_supported_yet("AuthorizerId", "authorizers");
        fields.not_supported_yet("AuthorizationScopes", "authorizers");
        fields.not_supported_yet("ApiKeyRequired", "API keys, which AWS has for REST APIs only");
        fields.string("RouteId");
        fields.string("OperationName");
        fields.without_effect(&["ApiGatewayManaged"]);
        fields.finish();
        route
    }
}
