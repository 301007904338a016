//! `integrations/<id>.json`: where a route's requests are sent.
//!
//! <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations-integrationid.html>

use std::collections::BTreeMap;

use crate::definition::notation::integration_subtype::IntegrationSubtype;
use crate::definition::resource::fields::Fields;
use crate::definition::resource::fields::mappings::Mapping;

/// What `IntegrationMethod` may be.
const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"];

/// The Integration object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Integration {
    /// Where it was read from.
    pub file: String,
    /// `IntegrationType`.
    pub integration_type: Option<String>,
    /// `IntegrationSubtype`: one of those that are known.
    pub integration_subtype: Option<String>,
    /// `IntegrationMethod`.
    pub integration_method: Option<String>,
    /// `IntegrationUri`.
    pub integration_uri: Option<String>,
    /// `PayloadFormatVersion`.
    pub payload_format_version: Option<String>,
    /// `ConnectionType`.
    pub connection_type: Option<String>,
    /// `ConnectionId`: the VPC link's.
    pub connection_id: Option<String>,
    /// `CredentialsArn`.
    pub credentials_arn: Option<String>,
    /// `TimeoutInMillis`.
    pub timeout_in_millis: Option<i64>,
    /// `TlsConfig`.
    pub tls_config: Option<TlsConfig>,
    /// `RequestParameters`.
    pub request_parameters: Vec<Mapping>,
    /// `ResponseParameters`, by the status of the integration.
    pub response_parameters: BTreeMap<String, Vec<Mapping>>,
}

/// The TlsConfig object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// `ServerNameToVerify`.
    pub server_name_to_verify: Option<String>,
}

impl Integration {
    /// Reads the fields, and notes what is wrong with them.
    pub fn read(file: String, mut fields: Fields<'_>) -> Integration {
        let integration = Integration {
            file,
            integration_type: fields.one_of("IntegrationType", &["HTTP_PROXY", "AWS_PROXY"]),
            integration_subtype: fields.one_of("IntegrationSubtype", &IntegrationSubtype::NAMES),
            integration_method: fields.one_of("IntegrationMethod", &METHODS),
            integration_uri: fields.string("IntegrationUri"),
            payload_format_version: fields.string("PayloadFormatVersion"),
            connection_type: fields.one_of("ConnectionType", &["INTERNET", "VPC_LINK"]),
            connection_id: fields.string("ConnectionId"),
            credentials_arn: fields.string("CredentialsArn"),
            timeout_in_millis: fields.integer("TimeoutInMillis"),
            tls_config: fields.object("TlsConfig", |fields| TlsConfig {
                server_name_to_verify: fields.string("ServerNameToVerify"),
            }),
            request_parameters: fields.mappings("RequestParameters"),
            response_parameters: fields.mapping_lists("ResponseParameters", ["Source", "Destination"]),
        };
        fields.string("IntegrationId");
        fields.string("Description");
        fields.without_effect(&["ApiGatewayManaged", "ApiId"]);
        fields.finish();
        integration
    }
}
