//! AppConfig: a configuration, by a GET whose path names it.
//!
//! <https://docs.aws.amazon.com/appconfig/2019-10-09/APIReference/API_GetConfiguration.html>

use crate::data_plane::integration::service::parameters::Parameters;
use crate::data_plane::integration::service::request::ServiceRequest;
use crate::definition::notation::query;
use crate::http1::message::{Headers, Method, RequestParts};

pub(super) fn request(parameters: &Parameters) -> ServiceRequest {
    let encoded = |name: &str| query::encoded(parameters.text(name).as_bytes()).to_string();
    // Each value is one segment, whatever is in it.
    let path = format!(
        "/applications/{}/environments/{}/configurations/{}",
        encoded("Application"),
        encoded("Environment"),
        encoded("Configuration")
    );
    let mut query = format!("client_id={}", encoded("ClientId"));
    if parameters.get("ClientConfigurationVersion").is_some() {
        query += "&client_configuration_version=";
        query += &encoded("ClientConfigurationVersion");
    }
    ServiceRequest {
        method: Method::Get,
        parts: RequestParts {
            path,
            query: Some(query),
            headers: Headers::new(),
        },
        body: Vec::new(),
    }
}
