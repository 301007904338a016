//! DomainName with its ApiMappings: `domains/<name>.json`.

use crate::definition::model::member::{Member, Shape, Update, Value};

/// The endpoint of a domain name.
pub const CONFIGURATION: &[Member] = &[
    Member::any_text("ApiGatewayDomainName"),
    Member::any_text("CertificateArn"),
    Member::text("CertificateName", 1, 128),
    Member::of_files("CertificateFile", Shape::Text { least: 1, most: 4096 }),
    Member::any_text("CertificateUploadDate"),
    Member::any_text("DomainNameStatus"),
    Member::any_text("DomainNameStatusMessage"),
    Member::new("EndpointType", Shape::OneOf(&["REGIONAL"])).default(Value::Text("REGIONAL")),
    Member::any_text("HostedZoneId"),
    Member::new("IpAddressType", Shape::OneOf(&["ipv4", "dualstack"])).default(Value::Text("ipv4")),
    Member::of_files("KeyFile", Shape::Text { least: 1, most: 4096 }),
    Member::any_text("OwnershipVerificationCertificateArn"),
    Member::new("SecurityPolicy", Shape::OneOf(&["TLS_1_2", "TLS_1_0"])).default(Value::Text("TLS_1_2")),
];

/// What a client's certificate is verified with.
pub const MUTUAL_TLS: &[Member] = &[
    Member::of_files("TruststoreFile", Shape::Text { least: 1, most: 4096 }),
    Member::text("TruststoreUri", 1, 2048).cleared_by_empty(),
    Member::text("TruststoreVersion", 1, 64).cleared_by_empty(),
    Member::of_files("TruststoreWarnings", Shape::Other),
];

/// The members of a DomainName.
pub const MEMBERS: &[Member] = &[
    Member::answered("ApiMappingSelectionExpression"),
    Member::text("DomainName", 1, 512).required().create_only(),
    Member::answered("DomainNameArn"),
    Member::new("DomainNameConfigurations", Shape::Objects(CONFIGURATION)),
    Member::new("MutualTlsAuthentication", Shape::Object(MUTUAL_TLS)).update(Update::Merge),
    Member::new("RoutingMode", Shape::OneOf(&["API_MAPPING_ONLY"])).default(Value::Text("API_MAPPING_ONLY")),
    Member::tags(),
    Member::of_files("ApiMappings", Shape::Objects(MAPPING)),
];

/// The members of an ApiMapping.
pub const MAPPING: &[Member] = &[
    Member::text("ApiId", 1, 128).required(),
    Member::set_here("ApiMappingId", Shape::Text { least: 1, most: 255 }),
    Member::text("ApiMappingKey", 0, 300).default(Value::Text("")),
    Member::text("Stage", 1, 128).required(),
];
