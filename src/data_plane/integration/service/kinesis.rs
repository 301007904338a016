//! Kinesis: one record for a stream, its data in base64.
//!
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html>

use crate::data_plane::integration::service::parameters::Parameters;
use crate::data_plane::integration::service::request::ServiceRequest;

pub(super) fn request(parameters: Parameters) -> ServiceRequest {
    let members = parameters.into_members(str::to_owned);
    ServiceRequest::of_json("application/x-amz-json-1.1", "Kinesis_20131202.PutRecord", members)
}
