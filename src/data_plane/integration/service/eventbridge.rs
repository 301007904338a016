//! EventBridge: one event for a bus.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>

use crate::data_plane::integration::service::parameters::Parameters;
use crate::data_plane::integration::service::request::ServiceRequest;
use crate::definition::json::Json;

pub(super) fn request(parameters: Parameters) -> ServiceRequest {
    let entry = Json::Object(parameters.into_members(str::to_owned));
    let members = vec![("Entries".to_owned(), Json::Array(vec![entry]))];
    ServiceRequest::of_json("application/x-amz-json-1.1", "AWSEvents.PutEvents", members)
}
