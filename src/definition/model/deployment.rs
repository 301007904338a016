//! Deployment: `deployments/<id>.json`, with the resources as they were.

use crate::definition::model::member::{Member, Shape, Value};

/// The members of a Deployment.
pub const MEMBERS: &[Member] = &[
    Member::set_here("AutoDeployed", Shape::Boolean).default(Value::Boolean(false)),
    Member::set_here("CreatedDate", Shape::Other),
    Member::of_files("DeploymentId", Shape::Text { least: 1, most: 255 }),
    Member::description(),
    Member::of_files("Api", Shape::Other),
    Member::of_files("Routes", Shape::Other),
    Member::of_files("Integrations", Shape::Other),
    Member::of_files("Authorizers", Shape::Other),
    // Which stage gets it.
    Member::of_calls("StageName", Shape::Text { least: 1, most: 128 }).create_only(),
];
