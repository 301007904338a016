//! What a call is refused with: a status, the exception's name, and a sentence (`R20.5`).

use std::io;

use crate::definition::json::Json;
use crate::http1::message::{Body, Headers, Response};

/// Why a call is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The status of the answer.
    pub status: u16,
    /// The exception, as SDKs know it.
    pub exception: &'static str,
    /// What is wrong.
    pub message: String,
}

impl ApiError {
    fn new(status: u16, exception: &'static str, message: impl Into<String>) -> ApiError {
        ApiError {
            status,
            exception,
            message: message.into(),
        }
    }

    /// The call is wrong.
    pub fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(400, "BadRequestException", message)
    }

    /// What is asked for is not there.
    pub fn not_found(message: impl Into<String>) -> ApiError {
        ApiError::new(404, "NotFoundException", message)
    }

    /// The path names no operation.
    pub fn no_operation() -> ApiError {
        ApiError::not_found("Not Found")
    }

    /// It contradicts what is there.
    pub fn conflict(message: impl Into<String>) -> ApiError {
        ApiError::new(409, "ConflictException", message)
    }

    /// Others changed the files again and again, or held them too long (`R20.114`).
    pub fn concurrent_modification() -> ApiError {
        ApiError::conflict("Unable to complete operation due to concurrent modification. Please try again later.")
    }

    /// A client may not do that.
    pub fn forbidden(exception: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(403, exception, message)
    }

    /// The content has too many bytes.
    pub fn too_large() -> ApiError {
        ApiError::new(413, "RequestEntityTooLargeException", "Request Too Long")
    }

    /// The path is there, but not for that method.
    pub fn method_not_allowed(method: &str) -> ApiError {
        ApiError::new(
            405,
            "MethodNotAllowedException",
            format!("{method} is not allowed here"),
        )
    }

    /// As many as may be are under way.
    pub fn overloaded(message: impl Into<String>) -> ApiError {
        ApiError::new(503, "ServiceUnavailableException", message)
    }

    /// A request that the gateway sent itself has no answer.
    pub fn no_answer(message: impl Into<String>) -> ApiError {
        ApiError::new(502, "NoAnswerException", message)
    }

    /// The operation is none of this gateway's.
    pub fn not_supported(operation: impl std::fmt::Display) -> ApiError {
        ApiError::new(501, "NotImplementedException", format!("{operation} is not supported"))
    }

    /// The gateway has stopped, and does nothing more.
    pub fn stopped() -> ApiError {
        ApiError::new(503, "ServiceUnavailableException", "Service Unavailable")
    }

    /// A defect of ours; the log tells of it.
    pub fn internal() -> ApiError {
        ApiError::new(500, "InternalServerErrorException", "Internal Server Error")
    }

    /// A file below the root cannot be written.
    pub fn cannot_write(path: &str, error: &io::Error) -> ApiError {
        let message = format!("cannot write {path}: {error}");
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                ApiError::new(403, "AccessDeniedException", message)
            }
            _ => ApiError::new(503, "ServiceUnavailableException", message),
        }
    }

    /// The answer.
    pub fn response(&self) -> Response {
        let message = ("message".to_owned(), Json::String(self.message.clone()));
        let mut response = json_response(self.status, &Json::Object(vec![message]));
        response.headers.put("x-amzn-errortype", self.exception);
        response
    }
}

/// An answer with JSON as its content.
pub fn json_response(status: u16, json: &Json) -> Response {
    let mut headers = Headers::new();
    headers.put("content-type", "application/json");
    Response {
        status,
        headers,
        body: Body::Bytes(serde_json::to_vec(json).unwrap_or_default()),
    }
}

/// An answer without content.
pub fn empty_response(status: u16) -> Response {
    Response {
        status,
        headers: Headers::new(),
        body: Body::Empty,
    }
}
