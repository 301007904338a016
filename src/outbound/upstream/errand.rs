//! The gateway's own errands: documents of issuers. They are rare and no bytes of a request, so ureq runs them, used
//! plainly: each on a connection of its own, within one timeout.
//!
//! ureq trusts either the built-in authorities or others, and knows no server by its own certificate. So it runs the
//! errands only where nothing but the built-in authorities is trusted; else they are exchanges as any other.

use std::io::{self, Read};
use std::time::Duration;

use crate::http1::message::{Body, Headers, Stream};
use crate::http1::message_limits::MAX_RESPONSE_HEAD_LENGTH;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::response::IntegrationResponse;
use crate::outbound::upstream::url::Url;

/// Bytes read at once; a head must fit.
const INPUT_BUFFER_LENGTH: usize = MAX_RESPONSE_HEAD_LENGTH + 1024;

/// Runs errands.
#[derive(Debug)]
pub(super) struct Errands(ureq::Agent);

impl Errands {
    /// ureq as a transparent client: it adds no field, follows nothing, decodes nothing, heeds no environment, and keeps
    /// no connection that could be closed under the next errand.
    pub(super) fn new() -> Errands {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .max_response_header_size(MAX_RESPONSE_HEAD_LENGTH)
            .input_buffer_size(INPUT_BUFFER_LENGTH)
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .build();
        Errands(config.new_agent())
    }

    /// Asks for a document. The timeout bounds the whole, to the last byte of the content.
    ///
    /// # Errors
    /// There is no answer, or a malformed one.
    pub(super) fn get(
        &self,
        url: &Url,
        fields: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<IntegrationResponse, UpstreamError> {
        let Url {
            scheme,
            authority,
            path,
            query,
        } = url;
        let query = query.as_ref().map_or(String::new(), |query| format!("?{query}"));
        let request = self.0.get(format!("{}://{authority}{path}{query}", scheme.as_str()));
        let mut request = request.config().timeout_global(Some(timeout)).build();
        // As an exchange writes them.
        let own = [("host", authority.as_str()), ("content-length", "0")];
        for (name, value) in fields.iter().chain(&own) {
            request = request.header(*name, *value);
        }
        let failed = Failed {
            authority: authority.clone(),
            timeout,
        };
        let (head, body) = request.call().map_err(|error| failed.error(error))?.into_parts();
        let mut headers = Headers::with_capacity(256);
        for (name, value) in &head.headers {
            let invalid = |_| UpstreamError::Malformed(format!("the field {name} has a byte that it cannot have"));
            headers.append(name.as_str(), value.as_bytes()).map_err(invalid)?;
        }
        let length = body.content_length();
        let reader = Content {
            reader: body.into_reader(),
            failed,
        };
        Ok(IntegrationResponse {
            status: head.status.as_u16(),
            headers,
            body: Body::Stream(Stream::new(length, reader)),
        })
    }
}

/// What is told of an errand that fails.
struct Failed {
    authority: String,
    timeout: Duration,
}

impl Failed {
    fn error(&self, error: ureq::Error) -> UpstreamError {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, InvalidData, UnexpectedEof};
        let (host, reason) = (self.authority.clone(), error.to_string());
        match error {
            ureq::Error::Timeout(_) => UpstreamError::TimedOut(self.timeout),
            ureq::Error::HostNotFound => UpstreamError::NotResolved { host, reason },
            ureq::Error::ConnectionFailed => UpstreamError::NotConnected { host, reason },
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) => UpstreamError::Tls { host, reason },
            ureq::Error::Io(error) => match error.kind() {
                InvalidData => UpstreamError::Tls { host, reason },
                BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => {
                    UpstreamError::Broken(error.to_string())
                }
                // Refused, unreachable, or a name without an address.
                _ => UpstreamError::NotConnected {
                    host,
                    reason: error.to_string(),
                },
            },
            _ => UpstreamError::Malformed(reason),
        }
    }
}

/// The content of a document on its way.
struct Content {
    reader: ureq::BodyReader<'static>,
    failed: Failed,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer);
        read.map_err(|error| io::Error::other(self.failed.error(ureq::Error::from(error))))
    }
}
