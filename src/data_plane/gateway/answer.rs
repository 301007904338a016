//! What came of an integration that was asked: its answer, or what the client is told instead.

use std::time::Duration;

use crate::data_plane::error::GatewayError;
use crate::data_plane::gateway::progress::Selected;
use crate::data_plane::integration::headers;
use crate::data_plane::request_record::IntegrationResult;
use crate::deployment::integration::Kind;
use crate::http1::message::{Headers, Method, Response};
use crate::outbound::upstream::{IntegrationResponse, UpstreamError};

/// What an integration answered: its fields as they came, where a mapping or the access log may want them, and what is made
/// of it.
pub(super) struct Answer {
    pub(super) fields: Headers,
    /// Status and fields of what stands before a function.
    pub(super) service: Option<(u16, Headers)>,
    pub(super) response: Response,
    /// How long it was waited for.
    pub(super) latency: Duration,
}

/// An integration that gave no answer to pass on.
pub(super) struct Unanswered {
    pub(super) error: GatewayError,
    /// What there is to tell of it all the same; nothing where it was not asked.
    pub(super) arrived: Option<Box<IntegrationResult>>,
}

impl Unanswered {
    /// It was not asked.
    pub(super) fn before(error: GatewayError) -> Unanswered {
        Unanswered { error, arrived: None }
    }

    pub(super) fn after(latency: Duration, service_status: Option<u16>, error: GatewayError) -> Unanswered {
        let arrived = IntegrationResult {
            status: None,
            service_status,
            latency,
            headers: Headers::new(),
        };
        let was_asked = !matches!(error, GatewayError::DestinationOverloaded(_));
        Unanswered {
            error,
            arrived: was_asked.then(|| Box::new(arrived)),
        }
    }
}

impl Answer {
    /// That of an HTTP integration; `keeps_fields` where the fields as they came are wanted.
    pub(super) fn of_endpoint(
        mut answer: IntegrationResponse,
        method: Method,
        latency: Duration,
        keeps_fields: bool,
    ) -> Answer {
        let fields = match keeps_fields {
            true => answer.headers.clone(),
            false => Headers::new(),
        };
        headers::narrow_to_client(&mut answer, method);
        Answer {
            response: Response {
                status: answer.status,
                headers: answer.headers,
                body: answer.body,
            },
            fields,
            service: None,
            latency,
        }
    }
}

/// What an exchange that failed means to the client (spec §3.5); `file` is the integration's.
pub(super) fn refusal(error: UpstreamError, file: &str, host: &str) -> GatewayError {
    let cause = match &error {
        UpstreamError::NotResolved { .. }
        | UpstreamError::NotConnected { .. }
        | UpstreamError::Tls { .. }
        | UpstreamError::Overloaded { .. }
        | UpstreamError::TooMany { .. } => format!("{file}: {error}"),
        _ => format!("{file}: {host}: {error}"),
    };
    match error {
        UpstreamError::BodyTooLarge => GatewayError::PayloadTooLarge,
        UpstreamError::BodyCut(_) => GatewayError::BadRequest(cause),
        UpstreamError::ClientGone => GatewayError::ClientGone,
        UpstreamError::Overloaded { .. } | UpstreamError::TooMany { .. } => GatewayError::DestinationOverloaded(cause),
        UpstreamError::NoWorker => GatewayError::Overloaded("it has waited too long for a worker"),
        UpstreamError::NoMemory => GatewayError::Overloaded("the memory for answers is spent"),
        UpstreamError::TimedOut(_)
        | UpstreamError::NotResolved { .. }
        | UpstreamError::NotConnected { .. }
        | UpstreamError::Broken(_) => GatewayError::ServiceUnavailable(cause),
        UpstreamError::Tls { .. } | UpstreamError::Malformed(_) | UpstreamError::Unsendable(_) => {
            GatewayError::InternalServerError(cause)
        }
    }
}

/// What an HTTP integration answered, or did not, after so much time; `is_logged` where the access log may want its fields.
pub(super) fn endpoint_answer(
    selected: &Selected,
    answer: Result<IntegrationResponse, UpstreamError>,
    latency: Duration,
    is_logged: bool,
) -> Result<Answer, Unanswered> {
    let integration = selected.route.route.integration.as_ref();
    match answer {
        Ok(answer) => {
            let mappings = integration.map(|integration| &integration.response_mappings);
            let is_mapped = mappings.is_some_and(|mappings| mappings.get(&answer.status).is_some());
            let keeps_fields = is_mapped || is_logged;
            Ok(Answer::of_endpoint(answer, selected.method, latency, keeps_fields))
        }
        Err(error) => {
            let file = integration.map_or("", |integration| &integration.file);
            let host = match integration.map(|integration| &integration.kind) {
                Some(Kind::HttpProxy(proxy)) => proxy.uri.authority(),
                _ => "",
            };
            Err(Unanswered::after(latency, None, refusal(error, file, host)))
        }
    }
}
