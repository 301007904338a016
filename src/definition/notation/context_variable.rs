//! Names of `$context` variables (spec §10).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html>
//!
//! # Example
//! ```
//! use apigateway::definition::notation::context_variable::ContextVariable;
//!
//! assert_eq!(ContextVariable::parse("identity.sourceIp"), Some(ContextVariable::SourceIp));
//! assert_eq!(ContextVariable::parse("identity.sourceip"), None);
//! ```

/// A `$context` variable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the variable that `parse` names")]
pub enum ContextVariable {
    AccountId,
    /// `authorizer.claims.<name>`: a claim of a token.
    AuthorizerClaim(String),
    /// `authorizer.<name>`: what a Lambda authorizer tells.
    AuthorizerProperty(String),
    AuthorizerError,
    ApiId,
    BasePathMatched,
    ClientCertIssuer,
    ClientCertNotAfter,
    ClientCertNotBefore,
    ClientCertPem,
    ClientCertSerialNumber,
    ClientCertSubject,
    DataProcessed,
    DomainName,
    DomainPrefix,
    ErrorMessage,
    ErrorMessageString,
    ErrorResponseType,
    HttpMethod,
    IdentityAccountId,
    IdentityCaller,
    IdentityUser,
    IdentityUserArn,
    IntegrationErrorMessage,
    IntegrationLatency,
    IntegrationRequestId,
    IntegrationRequestId2,
    IntegrationServiceStatus,
    IntegrationStatus,
    Path,
    PrincipalId,
    Protocol,
    RequestId,
    RequestTime,
    RequestTimeEpoch,
    ResponseLatency,
    ResponseLength,
    RouteKey,
    SourceIp,
    Stage,
    Status,
    UserAgent,
    /// A variable of a feature that no request of this gateway has: it never has a value.
    Absent,
}

/// Variables that AWS has and that belong to what is not served here (Cognito), or
/// that have no value before a request is over.
const ABSENT: [&str; 6] = [
    "authorizer.claims",
    "identity.principalOrgId",
    "identity.cognitoAuthenticationProvider",
    "identity.cognitoAuthenticationType",
    "identity.cognitoIdentityId",
    "identity.cognitoIdentityPoolId",
];

/// The names that are searched for the one that was probably meant.
pub const NAMES: [&str; 44] = [
    "accountId",
    "apiId",
    "authorizer.error",
    "authorizer.principalId",
    "awsEndpointRequestId",
    "awsEndpointRequestId2",
    "customDomain.basePathMatched",
    "dataProcessed",
    "domainName",
    "domainPrefix",
    "error.message",
    "error.messageString",
    "error.responseType",
    "extendedRequestId",
    "httpMethod",
    "identity.accountId",
    "identity.caller",
    "identity.clientCert.clientCertPem",
    "identity.clientCert.issuerDN",
    "identity.clientCert.serialNumber",
    "identity.clientCert.subjectDN",
    "identity.clientCert.validity.notAfter",
    "identity.clientCert.validity.notBefore",
    "identity.sourceIp",
    "identity.user",
    "identity.userAgent",
    "identity.userArn",
    "integration.error",
    "integration.latency",
    "integration.requestId",
    "integration.status",
    "integrationErrorMessage",
    "integrationLatency",
    "integrationStatus",
    "path",
    "protocol",
    "requestId",
    "requestTime",
    "requestTimeEpoch",
    "responseLatency",
    "responseLength",
    "routeKey",
    "stage",
    "status",
];

/// Variables of REST and WebSocket APIs, which formats of access logs bring along: an HTTP API has no value for them.
const OF_OTHER_APIS: [&str; 34] = [
    "authenticate.error",
    "authenticate.latency",
    "authenticate.status",
    "authorize.error",
    "authorize.latency",
    "authorize.status",
    "cipherSuite",
    "connectedAt",
    "connectionId",
    "customDomain.routingRuleIdMatched",
    "deploymentId",
    "disconnectReason",
    "disconnectStatusCode",
    "endpointType",
    "error.validationErrorString",
    "eventType",
    "identity.apiKey",
    "identity.apiKeyId",
    "identity.vpcId",
    "identity.vpceId",
    "isCanaryRequest",
    "messageDirection",
    "messageId",
    "resourceId",
    "resourcePath",
    "responseOverride.status",
    "responseTransferMode",
    "tlsVersion",
    "waf.error",
    "waf.latency",
    "waf.status",
    "wafResponseCode",
    "webaclArn",
    "xrayTraceId",
];

/// What the names of others begin with: of what a REST API's template overrides.
const OVERRIDES: [&str; 4] = [
    "requestOverride.header.",
    "requestOverride.path.",
    "requestOverride.querystring.",
    "responseOverride.header.",
];

/// Whether AWS has a variable of that name in other APIs than HTTP APIs.
pub fn is_of_other_apis(name: &str) -> bool {
    let is_override = |root: &str| name.strip_prefix(root).is_some_and(|rest| !rest.is_empty());
    OF_OTHER_APIS.contains(&name) || OVERRIDES.into_iter().any(is_override)
}

/// What the names of an authorizer's variables begin with.
pub const AUTHORIZER: &str = "authorizer.";

/// Whether a byte may stand in what an authorizer calls its values, but for the dots.
pub fn is_authorizer_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_:-".contains(&byte)
}

impl ContextVariable {
    /// The variable of that name, which stands after `$context.`.
    pub fn parse(name: &str) -> Option<ContextVariable> {
        use ContextVariable as Variable;
        let variable = match name {
            "accountId" => Variable::AccountId,
            "authorizer.principalId" => Variable::PrincipalId,
            "authorizer.error" => Variable::AuthorizerError,
            "identity.accountId" => Variable::IdentityAccountId,
            "identity.caller" => Variable::IdentityCaller,
            "identity.user" => Variable::IdentityUser,
            "identity.userArn" => Variable::IdentityUserArn,
            "apiId" => Variable::ApiId,
            "customDomain.basePathMatched" => Variable::BasePathMatched,
            "dataProcessed" => Variable::DataProcessed,
            "domainName" => Variable::DomainName,
            "domainPrefix" => Variable::DomainPrefix,
            "error.message" => Variable::ErrorMessage,
            "error.messageString" => Variable::ErrorMessageString,
            "error.responseType" => Variable::ErrorResponseType,
            "httpMethod" => Variable::HttpMethod,
            "integration.error" | "integrationErrorMessage" => Variable::IntegrationErrorMessage,
            "integration.latency" | "integrationLatency" => Variable::IntegrationLatency,
            "integration.requestId" | "awsEndpointRequestId" => Variable::IntegrationRequestId,
            "integration.status" => Variable::IntegrationStatus,
            "integration.integrationStatus" | "integrationStatus" => Variable::IntegrationServiceStatus,
            "awsEndpointRequestId2" => Variable::IntegrationRequestId2,
            "path" => Variable::Path,
            "protocol" => Variable::Protocol,
            "requestId" | "extendedRequestId" => Variable::RequestId,
            "requestTime" => Variable::RequestTime,
            "requestTimeEpoch" => Variable::RequestTimeEpoch,
            "responseLatency" => Variable::ResponseLatency,
            "responseLength" => Variable::ResponseLength,
            "routeKey" => Variable::RouteKey,
            "identity.sourceIp" => Variable::SourceIp,
            "stage" => Variable::Stage,
            "status" => Variable::Status,
            "identity.userAgent" => Variable::UserAgent,
            "identity.clientCert.clientCertPem" => Variable::ClientCertPem,
            "identity.clientCert.subjectDN" => Variable::ClientCertSubject,
            "identity.clientCert.issuerDN" => Variable::ClientCertIssuer,
            "identity.clientCert.serialNumber" => Variable::ClientCertSerialNumber,
            "identity.clientCert.validity.notBefore" => Variable::ClientCertNotBefore,
            "identity.clientCert.validity.notAfter" => Variable::ClientCertNotAfter,
            name if ABSENT.contains(&name) => Variable::Absent,
            // What an authorizer tells has any name. AWS's list (`R4.8`) has neither `:` nor `-`, but its own user
            // pools have claims such as `cognito:groups`.
            name => {
                let property = name.strip_prefix(AUTHORIZER)?;
                let is_name = |part: &str| !part.is_empty() && part.bytes().all(is_authorizer_byte);
                let is_claim = property.starts_with("claims.");
                let claim = property.strip_prefix("claims.").unwrap_or(property);
                if !property.split('.').all(is_name) {
                    return None;
                }
                if is_claim {
                    Variable::AuthorizerClaim(claim.to_owned())
                } else {
                    Variable::AuthorizerProperty(property.to_owned())
                }
            }
        };
        Some(variable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_aws_to_the_letter() {
        for (name, expected) in [
            ("requestId", Some(ContextVariable::RequestId)),
            ("extendedRequestId", Some(ContextVariable::RequestId)),
            ("requestid", None),
            ("integration.status", Some(ContextVariable::IntegrationStatus)),
            (
                "authorizer.claims.sub",
                Some(ContextVariable::AuthorizerClaim("sub".into())),
            ),
            (
                "authorizer.tenant_id",
                Some(ContextVariable::AuthorizerProperty("tenant_id".into())),
            ),
            ("authorizer.", None),
            (
                "authorizer.claims.cognito:groups",
                Some(ContextVariable::AuthorizerClaim("cognito:groups".into())),
            ),
            (
                "authorizer.a-b",
                Some(ContextVariable::AuthorizerProperty("a-b".into())),
            ),
            ("authorizer.a b", None),
            ("authorizer.a..b", None),
            ("authorizer.a/b", None),
            ("request-id", None),
            ("authorizer", None),
            (
                "identity.clientCert.validity.notAfter",
                Some(ContextVariable::ClientCertNotAfter),
            ),
            ("identity.principalOrgId", Some(ContextVariable::Absent)),
            ("identity", None),
            ("", None),
            ("nope", None),
            ("resourcePath", None),
        ] {
            assert_eq!(ContextVariable::parse(name), expected, "{name}");
        }
    }

    #[test]
    fn variables_of_other_apis_are_none_of_this_one() {
        for name in OF_OTHER_APIS {
            assert!(
                is_of_other_apis(name) && ContextVariable::parse(name).is_none(),
                "{name}"
            );
        }
        assert!(is_of_other_apis("requestOverride.header.X-A"));
        assert!(!is_of_other_apis("resourcePath.x") && !is_of_other_apis("requestOverride.header."));
    }
}
