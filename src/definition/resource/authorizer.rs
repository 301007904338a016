//! `authorizers/<id>.json`: which callers may pass.
//!
//! <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-authorizers-authorizerid.html>

use crate::definition::model::authorizer::{MEMBERS, TYPES};
use crate::definition::resource::fields::Fields;

/// The Authorizer object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorizer {
    /// Where it was read from.
    pub file: String,
    /// `AuthorizerType`.
    pub authorizer_type: Option<String>,
    /// `IdentitySource`.
    pub identity_source: Option<Vec<String>>,
    /// `JwtConfiguration`.
    pub jwt_configuration: Option<JwtConfiguration>,
    /// `AuthorizerUri`.
    pub authorizer_uri: Option<String>,
    /// `AuthorizerPayloadFormatVersion`.
    pub payload_format_version: Option<String>,
    /// `EnableSimpleResponses`.
    pub enable_simple_responses: Option<bool>,
    /// `AuthorizerResultTtlInSeconds`.
    pub result_ttl_in_seconds: Option<i64>,
}

/// The JWTConfiguration object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JwtConfiguration {
    /// `Issuer`.
    pub issuer: Option<String>,
    /// `Audience`.
    pub audience: Option<Vec<String>>,
}

impl Authorizer {
    /// Reads the fields, and notes what is wrong with them.
    pub fn read(file: String, mut fields: Fields<'_>) -> Authorizer {
        let authorizer = Authorizer {
            file,
            authorizer_type: fields.one_of("AuthorizerType", TYPES),
            identity_source: fields.strings("IdentitySource"),
            jwt_configuration: fields.object("JwtConfiguration", |fields| JwtConfiguration {
                issuer: fields.string("Issuer"),
                audience: fields.strings("Audience"),
            }),
            authorizer_uri: fields.string("AuthorizerUri"),
            payload_format_version: fields.string("AuthorizerPayloadFormatVersion"),
            enable_simple_responses: fields.boolean("EnableSimpleResponses"),
            result_ttl_in_seconds: fields.integer("AuthorizerResultTtlInSeconds"),
        };
        fields.of_other_apis(
            "an authorizer",
            "IdentityValidationExpression",
            "REST and WebSocket APIs",
        );
        fields.others(MEMBERS);
        fields.finish();
        authorizer
    }
}
