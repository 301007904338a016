//! Each way in which a request ends without an integration's answer, with its status and AWS's body (spec §14).

use crate::http1::error::RequestError;
use crate::http1::message::{Headers, Replacement, Response};

/// What the client is told. The cause is for the operator only, in the log (`R3.18`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayError {
    /// The request cannot be understood, or only in two ways.
    BadRequest(String),
    /// The caller is not known: no token, or one that is not accepted.
    Unauthorized {
        /// `WWW-Authenticate`, where there is one.
        challenge: Option<String>,
        /// For the operator; never the token.
        cause: String,
    },
    /// The caller may not do this.
    Forbidden {
        /// `x-amzn-ErrorType`, where AWS names one.
        error_type: Option<&'static str>,
        /// For the operator.
        cause: String,
    },
    /// No stage, no route, or not for this method; there is no 405 (`R1.20`).
    NotFound,
    /// The client did not send its head, or its body, in time.
    RequestTimeout,
    /// The body is larger than 10 MB.
    PayloadTooLarge,
    /// The request line and the header fields are larger than 10,240 B, or those that an integration would get are too
    /// large.
    HeadersTooLarge,
    /// The integration's URI is too long with what the request puts into it.
    UriTooLong,
    /// The route has had as many requests as its throttle lets through.
    TooManyRequests,
    /// The integration cannot be used: TLS, or an answer that is none.
    InternalServerError(String),
    /// The integration did not answer, or not in time.
    ServiceUnavailable(String),
    /// The gateway has as much to do as it may; the client may come again.
    Overloaded(&'static str),
    /// The client speaks plain HTTP where the gateway speaks HTTPS.
    PlainHttp,
    /// The request is for a domain with mutual TLS, and its connection was made for another one.
    Misdirected,
    /// The client's certificate does not hold any more. The text is for the log.
    CertificateRefused(String),
    /// The client is gone and does not get this. The status is for the access log, and servers' own convention.
    ClientGone,
    /// As many workers wait for an integration, an authorizer or an issuer as may; the client may come again.
    DestinationOverloaded(String),
}

/// What the client is told of a request that got no further than the server.
impl From<RequestError> for GatewayError {
    fn from(error: RequestError) -> GatewayError {
        match error {
            RequestError::Malformed(cause) => GatewayError::BadRequest(cause),
            RequestError::HeadTooLarge => GatewayError::HeadersTooLarge,
            RequestError::BodyTooLarge => GatewayError::PayloadTooLarge,
            RequestError::Timeout => GatewayError::RequestTimeout,
            RequestError::ClientGone => GatewayError::ClientGone,
            RequestError::Overloaded(cause) => GatewayError::Overloaded(cause),
            RequestError::PlainHttp => GatewayError::PlainHttp,
            RequestError::Panicked => GatewayError::InternalServerError("a panic in the gateway".to_owned()),
        }
    }
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
            GatewayError::Unauthorized { .. } => (401, "Unauthorized"),
            GatewayError::PlainHttp => (400, "This port speaks HTTPS"),
            GatewayError::Misdirected => (421, "Misdirected Request"),
            GatewayError::Forbidden { .. } | GatewayError::CertificateRefused(_) => (403, "Forbidden"),
            GatewayError::NotFound => (404, "Not Found"),
            GatewayError::RequestTimeout => (408, "Request Timeout"),
            GatewayError::PayloadTooLarge => (413, "Request Entity Too Large"),
            GatewayError::UriTooLong => (414, "Request URI too long"),
            GatewayError::TooManyRequests => (429, "Too Many Requests"),
            GatewayError::HeadersTooLarge => (431, "Request Header Fields Too Large"),
            GatewayError::ClientGone => (499, "Client Closed Request"),
            GatewayError::InternalServerError(_) => (500, "Internal Server Error"),
            GatewayError::ServiceUnavailable(_) | GatewayError::Overloaded(_) => (503, "Service Unavailable"),
            GatewayError::DestinationOverloaded(_) => (503, "Service Unavailable"),
        }
    }

    /// The word for it that the client is told, `$context.error.message`.
    pub fn message(&self) -> &'static str {
        self.status_and_message().1
    }

    /// `$context.error.responseType`, in the words that AWS has for REST APIs; for HTTP APIs none are published.
    pub fn response_type(&self) -> &'static str {
        match self.status() {
            401 => "UNAUTHORIZED",
            403 => "ACCESS_DENIED",
            404 => "RESOURCE_NOT_FOUND",
            413 => "REQUEST_TOO_LARGE",
            429 => "THROTTLED",
            500.. => "DEFAULT_5XX",
            _ => "DEFAULT_4XX",
        }
    }

    /// What happened, for the log; none where the status says it all.
    pub fn cause(&self) -> Option<&str> {
        match self {
            GatewayError::BadRequest(cause)
            | GatewayError::Unauthorized { cause, .. }
            | GatewayError::Forbidden { cause, .. }
            | GatewayError::InternalServerError(cause)
            | GatewayError::ServiceUnavailable(cause)
            | GatewayError::CertificateRefused(cause)
            | GatewayError::DestinationOverloaded(cause) => Some(cause),
            GatewayError::Overloaded(cause) => Some(cause),
            GatewayError::NotFound
            | GatewayError::PlainHttp
            | GatewayError::Misdirected
            | GatewayError::RequestTimeout
            | GatewayError::PayloadTooLarge
            | GatewayError::UriTooLong
            | GatewayError::TooManyRequests
            | GatewayError::HeadersTooLarge
            | GatewayError::ClientGone => None,
        }
    }

    /// The answer: compact JSON, first letters upper case.
    pub fn response(&self) -> Response {
        self.replacement().into()
    }

    /// The same, in place of another answer.
    pub fn replacement(&self) -> Replacement {
        let (status, message) = self.status_and_message();
        let mut headers = Headers::new();
        headers.put("content-type", "application/json");
        match self {
            GatewayError::Unauthorized {
                challenge: Some(challenge),
                ..
            } => headers.put("www-authenticate", challenge),
            // Nothing else that comes on the connection could be answered.
            GatewayError::Misdirected | GatewayError::CertificateRefused(_) => headers.put("connection", "close"),
            GatewayError::Forbidden {
                error_type: Some(name), ..
            } => headers.put("x-amzn-errortype", name),
            GatewayError::Overloaded(_) | GatewayError::DestinationOverloaded(_) => headers.put("retry-after", "1"),
            _ => {}
        }
        let content = match self {
            // Nobody gets it.
            GatewayError::ClientGone => Vec::new(),
            _ => format!("{{\"message\":\"{message}\"}}").into_bytes(),
        };
        Replacement {
            status,
            headers,
            content,
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
            (GatewayError::TooManyRequests, 429, 31),
            (GatewayError::InternalServerError(cause()), 500, 35),
            (GatewayError::ServiceUnavailable(cause()), 503, 33),
        ] {
            assert_eq!(error.status(), status);
            assert_eq!(error.response().body.length(), Some(length), "{error:?}");
        }
    }
}
