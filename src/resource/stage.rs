//! `stages/<name>.json`: which routes are served under which first path segment, and the stage's variables.
//!
//! <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename.html>

use std::collections::BTreeMap;

use crate::resource::fields::Fields;

/// The Stage object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// Where it was read from.
    pub file: String,
    /// `StageName`.
    pub stage_name: Option<String>,
    /// `Name`: the same, as the files of this project call it.
    pub name: Option<String>,
    /// `Routes`: `"routes/<id>"` each; absent, the stage serves every route.
    pub routes: Option<Vec<String>>,
    /// `StageVariables`.
    pub stage_variables: BTreeMap<String, String>,
}

impl Stage {
    /// Reads the fields, and notes what is wrong with them.
    pub fn read(file: String, mut fields: Fields<'_>) -> Stage {
        let stage = Stage {
            file,
            stage_name: fields.string("StageName"),
            name: fields.string("Name"),
            routes: fields.strings("Routes"),
            stage_variables: fields.string_map("StageVariables").unwrap_or_default(),
        };
        fields.not_supported_yet("DefaultRouteSettings", "throttling and detailed metrics");
        fields.not_supported_yet("RouteSettings", "throttling and detailed metrics");
        fields.not_supported_yet("AccessLogSettings", "access logs");
        // A file that changes is deployed at once; who wants to choose the moment swaps the directory.
        fields.boolean("AutoDeploy");
        fields.string("DeploymentId");
        fields.string("Description");
        fields.string_map("Tags");
        fields.without_effect(&[
            "ApiGatewayManaged",
            "CreatedDate",
            "LastDeploymentStatusMessage",
            "LastUpdatedDate",
        ]);
        fields.finish();
        stage
    }
}
