//! AWS_PROXY integrations with other services than Lambda: which call is made, and where its parameters come from.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services.html>
//!
//! `definition/notation` knows the calls and what the values of their parameters are; `draft` checks a file;
//! [`json_template`] takes JSON with sources in it apart, so that a request's value stays in the string that the file
//! gives it. What a request makes of it all is `data_plane/integration/service`.

pub mod json_template;
pub(super) mod draft;

use crate::definition::notation::integration_subtype::{IntegrationSubtype, Parameter};
use crate::definition::notation::mapping_value::{Piece, Source};
use crate::definition::notation::service_parameter::ParameterValue;
use crate::deployment::service::json_template::JsonTemplate;

/// What a service integration calls.
#[derive(Debug)]
pub struct ServiceIntegration {
    /// The call.
    pub subtype: IntegrationSubtype,
    /// Its parameters, in the order of [`IntegrationSubtype::parameters`].
    pub parameters: Vec<ServiceParameter>,
}

/// A parameter of a call, with a stage's variables in it.
#[derive(Debug, PartialEq, Eq)]
pub struct ServiceParameter {
    /// Which one it is.
    pub parameter: &'static Parameter,
    /// Its value as it is written in the file, for messages.
    pub written: String,
    /// Where its value comes from.
    pub value: ValueSource,
}

/// Where the value of a parameter comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// The files.
    Static(ParameterValue),
    /// The files, which with this stage's variables give none of its kind.
    Invalid,
    /// A stage variable alone that the stage does not have.
    Missing,
    /// A source alone.
    Source(Source),
    /// Text with sources in it.
    Pieces(Vec<Piece>),
    /// JSON with sources in it.
    Json(JsonTemplate),
}
