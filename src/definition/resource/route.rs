//! `routes/<id>.json`: which requests go to which integration.
//!
//! <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-routes-routeid.html>

use crate::definition::model::route::{AUTHORIZATION_TYPES, MEMBERS};
use crate::definition::resource::fields::Fields;

/// The Route object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Where it was read from.
    pub file: String,
    /// `RouteKey`.
    pub route_key: Option<String>,
    /// `Target`: `"integrations/<id>"`.
    pub target: Option<String>,
    /// `AuthorizationType`.
    pub authorization_type: Option<String>,
    /// `AuthorizerId`: `"authorizers/<id>"` or the bare id.
    pub authorizer_id: Option<String>,
    /// `AuthorizationScopes`.
    pub authorization_scopes: Option<Vec<String>>,
}

impl Route {
    /// Reads the fields, and notes what is wrong with them.
    pub fn read(file: String, mut fields: Fields<'_>) -> Route {
        let route = Route {
            file,
            route_key: fields.string("RouteKey"),
            target: fields.string("Target"),
            authorization_type: fields.one_of("AuthorizationType", AUTHORIZATION_TYPES),
            authorizer_id: fields.string("AuthorizerId"),
            authorization_scopes: fields.strings("AuthorizationScopes"),
        };
        fields.of_other_apis("a route", "ApiKeyRequired", "REST and WebSocket APIs");
        fields.of_other_apis("a route", "RequestParameters", "WebSocket APIs");
        fields.of_other_apis("a route", "RequestModels", "WebSocket APIs");
        fields.others(MEMBERS);
        fields.finish();
        route
    }
}
