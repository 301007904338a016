//! A request to a service: what all of them have in common.

use std::time::Duration;

use crate::definition::json::Json;
use crate::http1::message::{Body, Client, Headers, Method, RequestParts};
use crate::identity::aws::Destination;
use crate::outbound::upstream::IntegrationRequest;

/// What the gateway calls itself.
const USER_AGENT: &str = concat!("apigateway/", env!("CARGO_PKG_VERSION"));

/// A request to a service, without its signature.
#[derive(Debug)]
pub struct ServiceRequest {
    /// The method.
    pub method: Method,
    /// Path, query and fields; `host` is not among them yet.
    pub parts: RequestParts,
    /// The content.
    pub body: Vec<u8>,
}

impl ServiceRequest {
    /// A request of the JSON protocols, which says in a field what is asked for.
    pub(super) fn of_json(content_type: &'static str, target: &str, members: Vec<(String, Json)>) -> ServiceRequest {
        let mut headers = Headers::new();
        headers.put("content-type", content_type);
        headers.put("x-amz-target", target);
        ServiceRequest {
            method: Method::Post,
            parts: RequestParts {
                path: "/".to_owned(),
                query: None,
                headers,
            },
            // Writing to a Vec cannot fail.
            body: serde_json::to_vec(&Json::Object(members)).unwrap_or_default(),
        }
    }

    /// Says where it goes (contract S10).
    pub fn address_to(&mut self, destination: &Destination) {
        self.parts.path.insert_str(0, &destination.path_prefix);
        self.parts.headers.put("host", &destination.authority);
    }

    /// The request as it is sent, after it was signed: these fields are not, since others may change them on the way.
    /// It is sent once only (contract S13).
    pub fn into_integration_request(
        mut self,
        destination: Destination,
        trace_id: &[u8],
        timeout: Duration,
        client: Option<Client>,
    ) -> IntegrationRequest {
        // A client's own, which was a field before.
        let _ = self.parts.headers.append("x-amzn-trace-id", trace_id);
        self.parts.headers.put("user-agent", USER_AGENT);
        IntegrationRequest {
            scheme: destination.scheme,
            authority: destination.authority,
            server_name: None,
            parts: self.parts,
            method: self.method,
            body: Body::Bytes(self.body),
            is_repeatable: false,
            is_single_attempt: true,
            may_stream: false,
            looks_at: 0,
            timeout,
            client,
            // What the service does, it does; a second attempt is the client's.
            runs_on: false,
        }
    }
}
