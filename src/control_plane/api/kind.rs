//! The kinds of resources that an API has many of: where their files are, and how AWS names them.

use crate::control_plane::api::error::ApiError;
use crate::definition::model::member::Member;
use crate::definition::model::{authorizer, deployment, integration, route, stage};

/// A kind of resources.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The directory of their files.
    pub directory: &'static str,
    /// Their members.
    pub table: &'static [Member],
    /// The member that is the id.
    pub id: &'static str,
    /// Characters of a new id.
    pub id_length: usize,
    /// The kind, as AWS's errors say it.
    pub noun: &'static str,
}

/// Routes.
pub const ROUTE: Kind = Kind {
    directory: "routes",
    table: route::MEMBERS,
    id: "RouteId",
    id_length: 7,
    noun: "Route",
};

/// Integrations.
pub const INTEGRATION: Kind = Kind {
    directory: "integrations",
    table: integration::MEMBERS,
    id: "IntegrationId",
    id_length: 7,
    noun: "Integration",
};

/// Authorizers.
pub const AUTHORIZER: Kind = Kind {
    directory: "authorizers",
    table: authorizer::MEMBERS,
    id: "AuthorizerId",
    id_length: 6,
    noun: "Authorizer",
};

/// Stages, whose names are their ids.
pub const STAGE: Kind = Kind {
    directory: "stages",
    table: stage::MEMBERS,
    id: "StageName",
    id_length: 0,
    noun: "stage",
};

/// Deployments.
pub const DEPLOYMENT: Kind = Kind {
    directory: "deployments",
    table: deployment::MEMBERS,
    id: "DeploymentId",
    id_length: 6,
    noun: "Deployment",
};

impl Kind {
    /// That there is none with that id (`R20.100`).
    pub fn not_found(&self, id: &str) -> ApiError {
        match self.noun {
            "stage" => ApiError::not_found("Invalid stage identifier specified"),
            noun => ApiError::not_found(format!("Invalid {noun} identifier specified {id}")),
        }
    }
}
