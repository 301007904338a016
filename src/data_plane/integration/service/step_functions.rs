//! Step Functions: an execution is started, run to its end, or stopped.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/apireference/Welcome.html>

use crate::data_plane::integration::service::parameters::Parameters;
use crate::data_plane::integration::service::request::ServiceRequest;
use crate::definition::notation::integration_subtype::IntegrationSubtype;

pub(super) fn request(subtype: IntegrationSubtype, parameters: Parameters) -> ServiceRequest {
    let members = parameters.into_members(member_name);
    let target = format!("AWSStepFunctions.{}", subtype.action());
    ServiceRequest::of_json("application/x-amz-json-1.0", &target, members)
}

/// As the service spells a parameter: with a small first letter.
fn member_name(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(characters).collect()
}
