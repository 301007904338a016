//! `integrations/<id>.json`: where a route's requests are sent.
//!
//! <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-integrations-integrationid.html>

use crate::resource::fields::Fields;

/// What `IntegrationMethod` may be.
const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"];

/// The Integration object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Integration {
    /// Where it was read from.
    pub file: String,
    /// `IntegrationType`.
    pub integration_type: Option<String>,
    /// `IntegrationMethod`.
    pub integration_method: Option<String>,
    /// `IntegrationUri`.
    pub integration_uri: Option<String>,
    /// `PayloadFormatVersion`.
    pub payload_format_version: Option<String>,
    /// `ConnectionType`.
    pub connection_type: Option<String>,
    /// `TimeoutInMillis`.
    pub timeout_in_millis: Option<i64>,
}

impl Integration {
    /// Reads the fields, and notes what is wrong with them.
    pub fn read(file: String, mut fields: Fields<'_>) -> Integration {
        let integration = Integration {
            file,
            integration_type: fields.one_of("IntegrationType", &["HTTP_PROXY", "AWS_PROXY"]),
            integration_method: fields.one_of("IntegrationMethod", &METHODS),
            integration_uri: fields.string("IntegrationUri"),
            payload_format_version: fields.string("PayloadFormatVersion"),
            connection_type: fields.one_of("ConnectionType", &["INTERNET", "VPC_LINK"]),
            timeout_in_millis: fields.integer("TimeoutInMillis"),
        };
        fields.not_supported_yet("IntegrationSubtype", "AWS service integrations");
        fields.not_supported_yet("CredentialsArn", "AWS credentials");
        fields.not_supported_yet("ConnectionId", "VPC links");
        fields.not_supported_yet("TlsConfig", "another server name to verify");
        fields.not_supported_yet("RequestParameters", "parameter mapping");
        fields.not_supported_yet("ResponseParameters", "parameter mapping");
        fields.string("IntegrationId");
        fields.string("Description");
        fields.without_effect(&["ApiGatewayManaged"]);
        fields.finish();
        integration
    }
}
