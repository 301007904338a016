//! AWS_PROXY with a Lambda function: the event it gets, and the response that its answer is.

use crate::data_plane::context_variables::RequestContext;
use crate::data_plane::error::GatewayError;
use crate::data_plane::integration::headers;
use crate::data_plane::lambda::answer::InvalidAnswer;
use crate::data_plane::lambda::event::EventSource;
use crate::data_plane::lambda::{MAX_EVENT_LENGTH, payload_v1, payload_v2};
use crate::deployment::lambda_proxy::{LambdaProxy, PayloadFormat};
use crate::http1::message::{Request, RequestParts, Response};

/// The path, the query and the fields that a function sees, before any mapping.
pub fn parts(context: &RequestContext, request: &Request, body_length: usize) -> RequestParts {
    RequestParts {
        // R2.7: with the stage.
        path: request.path.clone(),
        query: request.query.clone(),
        headers: headers::to_function(context, &request.headers, body_length),
    }
}

/// The event.
///
/// # Errors
/// It is too large for Lambda (`R5.22`).
pub fn event(proxy: &LambdaProxy, source: &EventSource<'_>) -> Result<Vec<u8>, GatewayError> {
    let event = match proxy.payload_format {
        PayloadFormat::V1 => payload_v1::event(source),
        PayloadFormat::V2 => payload_v2::event(source),
    };
    let event = event.map_err(|error| GatewayError::InternalServerError(error.to_string()))?;
    if event.len() > MAX_EVENT_LENGTH {
        return Err(GatewayError::PayloadTooLarge);
    }
    Ok(event)
}

/// The response that a function's payload is.
///
/// # Errors
/// It is none.
pub fn response(proxy: &LambdaProxy, payload: Vec<u8>) -> Result<Response, InvalidAnswer> {
    match proxy.payload_format {
        PayloadFormat::V1 => payload_v1::answer(&payload),
        PayloadFormat::V2 => payload_v2::answer(payload),
    }
}
