//! Deployment: `deployments/<id>.json`, with the resources as they were.

use crate::definition::model::member::{Member, Shape, Value};

/// What a deployment holds of the API's files: of `api.json`, and the resources by id.
pub const SNAPSHOT: [&str; 4] = ["Api", "Routes", "Integrations", "Authorizers"];

/// What of `api.json` is in it.
pub const OF_API: [&str; 2] = ["CorsConfiguration", "DisableExecuteApiEndpoint"];

/// The members of a Deployment.
pub const MEMBERS: &[Member] = &[
    Member::set_here("AutoDeployed", Shape::Boolean).default(Value::Boolean(false)),
    Member::set_here("CreatedDate", Shape::Other),
    Member::of_files("DeploymentId", Shape::Text { least: 1, most: 255 }),
    Member::answered("DeploymentStatus"),
    Member::answered("DeploymentStatusMessage"),
    Member::description(),
    Member::of_files(SNAPSHOT[0], Shape::Other),
    Member::of_files(SNAPSHOT[1], Shape::Other),
    Member::of_files(SNAPSHOT[2], Shape::Other),
    Member::of_files(SNAPSHOT[3], Shape::Other),
    // Which stage gets it.
    Member::of_calls("StageName", Shape::Text { least: 1, most: 128 }).create_only(),
];
