//! SQS by the query protocol, whose answers are XML as those that clients of AWS's HTTP APIs get.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests.html>

use std::fmt::{Display, Write};

use crate::data_plane::integration::service::parameters::Parameters;
use crate::data_plane::integration::service::request::ServiceRequest;
use crate::definition::notation::integration_subtype::IntegrationSubtype;
use crate::definition::notation::query;
use crate::definition::notation::service_parameter::{AttributeValue, MessageAttribute, ParameterValue, path_of_queue};
use crate::http1::message::{Headers, Method, RequestParts};

/// The version of the protocol.
const VERSION: &str = "2012-11-05";

/// The request. Of the queue's URL its path alone says where the request goes (contract S11).
pub(super) fn request(subtype: IntegrationSubtype, parameters: &Parameters) -> ServiceRequest {
    let mut headers = Headers::new();
    headers.put("content-type", "application/x-www-form-urlencoded");
    let mut form = Form(String::new());
    form.add("Action", subtype.action());
    form.add("Version", VERSION);
    for (name, value) in parameters.iter() {
        form.add_value(name, value);
    }
    ServiceRequest {
        method: Method::Post,
        parts: RequestParts {
            path: path_of_queue(parameters.text("QueueUrl")).to_owned(),
            query: None,
            headers,
        },
        body: form.0.into_bytes(),
    }
}

/// A form in which everything but RFC 3986's unreserved characters is encoded.
struct Form(String);

impl Form {
    fn add(&mut self, name: impl Display, value: &str) {
        let separator = if self.0.is_empty() { "" } else { "&" };
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{separator}{name}={}", query::encoded(value.as_bytes()));
    }

    /// Lists and maps are flattened, each under the singular of its name.
    fn add_value(&mut self, name: &str, value: &ParameterValue) {
        let singular = name.strip_suffix('s').unwrap_or(name);
        match value {
            ParameterValue::Text(text) => self.add(name, text),
            ParameterValue::Integer(number) => self.add(name, &number.to_string()),
            ParameterValue::Strings(items) => {
                for (place, item) in (1..).zip(items) {
                    self.add(format_args!("{singular}.{place}"), item);
                }
            }
            ParameterValue::Attributes(attributes) => {
                for (place, attribute) in (1..).zip(attributes) {
                    self.add_attribute(&format!("{singular}.{place}"), attribute);
                }
            }
            // No call of SQS has them.
            ParameterValue::Time(_) | ParameterValue::Bytes(_) => {}
        }
    }

    fn add_attribute(&mut self, prefix: &str, attribute: &MessageAttribute) {
        self.add(format_args!("{prefix}.Name"), &attribute.name);
        self.add(format_args!("{prefix}.Value.DataType"), &attribute.data_type);
        match &attribute.value {
            AttributeValue::String(text) => self.add(format_args!("{prefix}.Value.StringValue"), text),
            AttributeValue::Binary(text) => self.add(format_args!("{prefix}.Value.BinaryValue"), text),
        }
    }
}
