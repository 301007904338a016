//! AWS_PROXY with another service than Lambda: the request that the service gets (contract §3), and what its answer
//! says of an error (contract S15).
//!
//! [`parameters`] reads the values of a request, each service's file puts them into the form in which that service takes
//! them, and [`failure`] reads its errors. JSON is built by a serialiser and forms by percent-encoding: no value can add
//! a field.

pub mod failure;
pub mod parameters;

mod appconfig;
mod eventbridge;
mod kinesis;
mod request;
mod sqs;
mod step_functions;

#[cfg(test)]
mod tests;

use crate::data_plane::integration::service::parameters::Parameters;
use crate::definition::notation::integration_subtype::{IntegrationSubtype, Service};

pub use crate::data_plane::integration::service::request::ServiceRequest;

/// The request that a call is.
pub fn request(subtype: IntegrationSubtype, parameters: Parameters) -> ServiceRequest {
    match subtype.service() {
        Service::AppConfig => appconfig::request(&parameters),
        Service::EventBridge => eventbridge::request(parameters),
        Service::Kinesis => kinesis::request(parameters),
        Service::Sqs => sqs::request(subtype, &parameters),
        Service::StepFunctions => step_functions::request(subtype, parameters),
    }
}
