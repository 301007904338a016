//! Stage: `stages/<name>.json`.

use crate::definition::model::member::{Member, Shape, Update, Value};

/// Most requests of a limit: AWS's integers have 32 bits.
const MOST: i64 = 2_147_483_647;

/// What holds for a route in a stage.
pub const ROUTE_SETTINGS: &[Member] = &[
    Member::of_web_sockets("DataTraceEnabled"),
    Member::boolean("DetailedMetricsEnabled"),
    Member::of_web_sockets("LoggingLevel").drops(Value::Text("OFF")),
    Member::new("ThrottlingBurstLimit", Shape::Integer { least: 0, most: MOST }),
    Member::new("ThrottlingRateLimit", Shape::Number),
];

/// The same for routes that have no settings of their own (`R20.61`).
pub const DEFAULT_ROUTE_SETTINGS: &[Member] = &[
    Member::of_web_sockets("DataTraceEnabled"),
    Member::boolean("DetailedMetricsEnabled").default(Value::Boolean(false)),
    Member::of_web_sockets("LoggingLevel").drops(Value::Text("OFF")),
    Member::new("ThrottlingBurstLimit", Shape::Integer { least: 0, most: MOST }),
    Member::new("ThrottlingRateLimit", Shape::Number),
];

/// What lines of the access log look like.
pub const ACCESS_LOG: &[Member] = &[Member::text("DestinationArn", 1, 2048), Member::text("Format", 1, 1024)];

/// The members of a Stage.
pub const MEMBERS: &[Member] = &[
    Member::of_files("ApiId", Shape::Other),
    Member::new("AccessLogSettings", Shape::Object(ACCESS_LOG)).update(Update::Merge),
    Member::set_here("ApiGatewayManaged", Shape::Boolean),
    Member::boolean("AutoDeploy"),
    Member::of_web_sockets("ClientCertificateId"),
    Member::set_here("CreatedDate", Shape::Other),
    Member::new("DefaultRouteSettings", Shape::Object(DEFAULT_ROUTE_SETTINGS))
        .default(Value::EmptyObject)
        .update(Update::Merge),
    Member::any_text("DeploymentId"),
    Member::description(),
    Member::answered("LastDeploymentStatusMessage"),
    Member::set_here("LastUpdatedDate", Shape::Other),
    Member::of_files("Name", Shape::Text { least: 1, most: 128 }),
    Member::new("RouteSettings", Shape::ObjectMap(ROUTE_SETTINGS))
        .default(Value::EmptyObject)
        .update(Update::Merge),
    Member::of_files("Routes", Shape::Texts { most: usize::MAX }),
    Member::text("StageName", 1, 128).required().create_only(),
    Member::new("StageVariables", Shape::TextMap { least: 0, most: 2048 })
        .default(Value::EmptyObject)
        .update(Update::MergeAndRemove),
    Member::tags(),
];
