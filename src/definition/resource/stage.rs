//! `stages/<name>.json`: which routes are served under which first path segment, and the stage's variables.
//!
//! <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename.html>

use std::collections::BTreeMap;

use crate::definition::model::stage::{ACCESS_LOG, MEMBERS, ROUTE_SETTINGS};
use crate::definition::resource::fields::Fields;

/// The Stage object.
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// `DefaultRouteSettings`: what holds for each route that `RouteSettings` says nothing else of.
    pub default_route_settings: RouteSettings,
    /// `RouteSettings`, by route key.
    pub route_settings: BTreeMap<String, RouteSettings>,
    /// `AccessLogSettings`.
    pub access_log_settings: Option<AccessLogSettings>,
    /// `AutoDeploy`: whether the stage serves the live files.
    pub auto_deploy: Option<bool>,
    /// `DeploymentId`: which deployment it serves else.
    pub deployment_id: Option<String>,
}

/// The RouteSettings object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteSettings {
    /// `ThrottlingBurstLimit`: requests at once.
    pub throttling_burst_limit: Option<i64>,
    /// `ThrottlingRateLimit`: requests a second.
    pub throttling_rate_limit: Option<f64>,
}

/// The AccessLogSettings object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLogSettings {
    /// `Format`.
    pub format: Option<String>,
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
            default_route_settings: fields
                .object("DefaultRouteSettings", RouteSettings::read)
                .unwrap_or_default(),
            route_settings: fields
                .object_map("RouteSettings", RouteSettings::read)
                .unwrap_or_default(),
            access_log_settings: fields.object("AccessLogSettings", AccessLogSettings::read),
            auto_deploy: fields.boolean("AutoDeploy"),
            deployment_id: fields.string("DeploymentId"),
        };
        fields.others(MEMBERS);
        fields.finish();
        stage
    }

    /// The deployment that the stage serves, if it is there; none where the stage serves the live files.
    pub fn served_deployment(&self) -> Option<&str> {
        let is_automatic = self.auto_deploy.unwrap_or_default();
        self.deployment_id.as_deref().filter(|_| !is_automatic)
    }

    /// Whether the stage serves nothing: it is said not to deploy by itself, and no deployment is said.
    pub fn is_undeployed(&self) -> bool {
        self.auto_deploy == Some(false) && self.deployment_id.is_none()
    }
}

impl RouteSettings {
    fn read(fields: &mut Fields<'_>) -> RouteSettings {
        // Fields of WebSocket APIs, which the AWS CLI prints for all; but a user who switches them on expects
        // something.
        let level = fields.one_of("LoggingLevel", &["ERROR", "INFO", "OFF"]);
        let is_traced = fields.boolean("DataTraceEnabled").unwrap_or_default();
        for (name, is_on) in [
            ("LoggingLevel", level.is_some_and(|level| level != "OFF")),
            ("DataTraceEnabled", is_traced),
        ] {
            if is_on {
                fields.warning(name, "it has no effect: AWS has it for WebSocket APIs only");
            }
        }
        let settings = RouteSettings {
            throttling_burst_limit: fields.integer("ThrottlingBurstLimit"),
            throttling_rate_limit: fields.number("ThrottlingRateLimit"),
        };
        // Every route has its own counters here, as AWS has them for money.
        fields.others(ROUTE_SETTINGS);
        settings
    }
}

impl AccessLogSettings {
    fn read(fields: &mut Fields<'_>) -> AccessLogSettings {
        let settings = AccessLogSettings {
            format: fields.string("Format"),
        };
        // Where AWS would send the lines is among them; here --access-log says that.
        fields.others(ACCESS_LOG);
        settings
    }
}
