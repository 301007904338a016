//! `deployments/<id>.json`: an API's resources as they were when it was deployed.
//!
//! <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-deployments-deploymentid.html>

use crate::definition::json::Json;
use crate::definition::model::deployment::{MEMBERS, SNAPSHOT};
use crate::definition::resource::fields::Fields;

/// The members of an object of a file.
type Members = Vec<(String, Json)>;

/// The Deployment object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deployment {
    /// Where it was read from.
    pub file: String,
    /// `Api`: what of `api.json` is deployed.
    pub api: Members,
    /// `Routes`, by id.
    pub routes: Vec<(String, Members)>,
    /// `Integrations`, by id.
    pub integrations: Vec<(String, Members)>,
    /// `Authorizers`, by id.
    pub authorizers: Vec<(String, Members)>,
}

impl Deployment {
    /// Reads the fields, and notes what is wrong with them. What the resources say is checked where they are served.
    pub fn read(file: String, mut fields: Fields<'_>) -> Deployment {
        let [api, routes, integrations, authorizers] = SNAPSHOT;
        let deployment = Deployment {
            file,
            api: fields.members_of(api).unwrap_or_default().to_vec(),
            routes: fields.raw_objects(routes),
            integrations: fields.raw_objects(integrations),
            authorizers: fields.raw_objects(authorizers),
        };
        fields.others(MEMBERS);
        fields.finish();
        deployment
    }
}
