//! `domains/<domain name>.json`: a custom domain, and which of its paths belong to which API.
//!
//! <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/domainnames-domainname.html>

use crate::definition::model::domain_name::{CONFIGURATION, MEMBERS, MUTUAL_TLS};
use crate::definition::resource::fields::Fields;

/// The DomainName object, with its ApiMapping objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domain {
    /// Where it was read from.
    pub file: String,
    /// `DomainName`.
    pub domain_name: Option<String>,
    /// `DomainNameConfigurations`.
    pub configurations: Vec<DomainConfiguration>,
    /// `MutualTlsAuthentication`.
    pub mutual_tls: Option<MutualTls>,
    /// `ApiMappings`.
    pub api_mappings: Vec<ApiMapping>,
}

/// The DomainNameConfiguration object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainConfiguration {
    /// `CertificateFile`: PEM, relative to the root or absolute.
    pub certificate_file: Option<String>,
    /// `KeyFile`: PEM.
    pub key_file: Option<String>,
    /// `SecurityPolicy`.
    pub security_policy: Option<String>,
}

/// The MutualTlsAuthentication object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MutualTls {
    /// `TruststoreFile`: PEM.
    pub truststore_file: Option<String>,
    /// `TruststoreUri`.
    pub truststore_uri: Option<String>,
}

/// The ApiMapping object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiMapping {
    /// `ApiMappingId`.
    pub api_mapping_id: Option<String>,
    /// `ApiId`.
    pub api_id: Option<String>,
    /// `Stage`.
    pub stage: Option<String>,
    /// `ApiMappingKey`; absent for the catch-all, as the empty one is.
    pub api_mapping_key: Option<String>,
}

impl Domain {
    /// Reads the fields, and notes what is wrong with them.
    pub fn read(file: String, mut fields: Fields<'_>) -> Domain {
        let domain = Domain {
            file,
            domain_name: fields.string("DomainName"),
            configurations: fields
                .objects("DomainNameConfigurations", DomainConfiguration::read)
                .unwrap_or_default(),
            mutual_tls: fields.object("MutualTlsAuthentication", MutualTls::read),
            api_mappings: fields.objects("ApiMappings", ApiMapping::read).unwrap_or_default(),
        };
        fields.others(MEMBERS);
        fields.finish();
        domain
    }
}

impl Domain {
    /// The files that it names: certificate, key, truststore.
    pub fn named_files(&self) -> Vec<&str> {
        let configuration = self.configurations.first();
        let certificate = configuration.and_then(|configuration| configuration.certificate_file.as_deref());
        let key = configuration.and_then(|configuration| configuration.key_file.as_deref());
        let truststore = self.mutual_tls.as_ref().and_then(MutualTls::truststore);
        [certificate, key, truststore].into_iter().flatten().collect()
    }
}

impl DomainConfiguration {
    fn read(fields: &mut Fields<'_>) -> DomainConfiguration {
        let configuration = DomainConfiguration {
            certificate_file: fields.string("CertificateFile"),
            key_file: fields.string("KeyFile"),
            security_policy: fields.string("SecurityPolicy"),
        };
        fields.others_of_any_shape(CONFIGURATION);
        configuration
    }
}

impl MutualTls {
    /// The path of the truststore: of its file, or of a URI that names one.
    pub fn truststore(&self) -> Option<&str> {
        let uri = self.truststore_uri.as_deref().filter(|uri| !uri.starts_with("s3://"));
        let by_uri = uri.map(|uri| uri.strip_prefix("file://").or(uri.strip_prefix("file:")).unwrap_or(uri));
        self.truststore_file.as_deref().or(by_uri)
    }

    fn read(fields: &mut Fields<'_>) -> MutualTls {
        let mutual_tls = MutualTls {
            truststore_file: fields.string("TruststoreFile"),
            truststore_uri: fields.string("TruststoreUri"),
        };
        fields.others_of_any_shape(MUTUAL_TLS);
        mutual_tls
    }
}

impl ApiMapping {
    fn read(fields: &mut Fields<'_>) -> ApiMapping {
        ApiMapping {
            api_mapping_id: fields.string("ApiMappingId"),
            api_id: required(fields, "ApiId"),
            stage: required(fields, "Stage"),
            api_mapping_key: fields.string("ApiMappingKey"),
        }
    }
}

/// A text that must be there.
fn required(fields: &mut Fields<'_>, name: &'static str) -> Option<String> {
    let text = fields.string(name);
    fields.required(name, text)
}
