//! Each way in which a request ends without an integration's answer, with its status and AWS's body (spec §14).

use crate::message::{Body, Headers, Response};

/// What the client is told. The cause is for the operator only, in the log (`R3.18`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayError {
    /// The request cannot be understood, or only in two ways.
    BadRequest(String),
    /// No stage, no route, or not for this method; there is no 405 (`R1.20`).
    NotFound,
    /// The body is larger than 10 MB.
    PayloadTooLarge,
    /// The request line and the header fields are larger than 10,240 B.
    HeadersTooLarge,
    /// The integration cannot be used: TLS, or an answer that is none.
    InternalServerError(String),
    /// The integration did not answer, or not in time.
    ServiceUnavailable(String),
}

impl GatewayError {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.status_and_message().0
    }

    /// The one table from error to answer.
    fn status_and_message(&self) -> (u16, &'static str) {
        match self {
            GatewayError::BadRequest(_) => (400, "Bad Request"),
            GatewayError::NotFound => (404, "Not Found"),
            GatewayError::PayloadTooLarge => (413, "Request Entity Too Large"),
            GatewayError::HeadersTooLarge => (431, "Request Header Fields Too Large"),
            GatewayError::InternalServerError(_) => (500, "Internal Server Error"),
            GatewayError::ServiceUnavailable(_) => (503, "Service Unavailable"),
        }
    }

    /// What happened, for the log; none where the status says it all.
    pub fn cause(&self) -> Option<&str> {
        match self {
            GatewayError::BadRequest(cause)
            | GatewayError::InternalServerError(cause)
            | GatewayError::ServiceUnavailable(cause) => Some(cause),
            GatewayError::NotFound | GatewayError::PayloadTooLarge | GatewayError::HeadersTooLarge => None,
        }
    }

    /// The answer: compact JSON, first letters upper case.
    pub fn response(&self) -> Response {
        let (status, message) = self.status_and_message();
        let mut headers = Headers::new();
        headers.put("content-type", "application/json");
        Response {
            status,
            headers,
            body: Body::Bytes(format!("{{\"message\":\"{message}\"}}").into_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_lengths_that_aws_has() {
        let cause = String::new;
        for (error, status, length) in [
            (GatewayError::NotFound, 404, 23),
            (GatewayError::PayloadTooLarge, 413, 38),
            (GatewayError::InternalServerError(cause()), 500, 35),
            (GatewayError::ServiceUnavailable(cause()), 503, 33),
        ] {
            assert_eq!(error.status(), status);
            assert_eq!(error.response().body.length(), Some(length), "{error:?}");
        }
    }
}
