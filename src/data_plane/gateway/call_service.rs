//! Calls a service of AWS's for a route: its parameters, its signature, one attempt, and what its answer means.

use std::time::{Duration, Instant};

use crate::data_plane::context_variables::RequestContext;
use crate::data_plane::error::GatewayError;
use crate::data_plane::gateway::Gateway;
use crate::data_plane::gateway::answer::{Answer, Unanswered, refusal};
use crate::data_plane::integration::headers;
use crate::data_plane::integration::service::failure::{LOOKED_AT, NO_PERMISSION, ServiceFailure};
use crate::data_plane::integration::service::parameters::{self, Parameters};
use crate::data_plane::integration::service::{self, ServiceRequest};
use crate::data_plane::parameter_mapping::RequestSources;
use crate::data_plane::request_record::IntegrationResult;
use crate::deployment::integration::Integration;
use crate::deployment::service::ServiceIntegration;
use crate::http1::message::{Request, Response};
use crate::identity::aws::{Destination, NoKey};
use crate::identity::sigv4::{Signer, sign};
use crate::outbound::upstream::{IntegrationResponse, MAX_REQUEST_PART_LENGTH, UpstreamError};

/// A call for a request.
pub(super) struct Call<'a> {
    /// What was known from the beginning.
    pub(super) context: &'a RequestContext,
    /// The integration, of that service.
    pub(super) integration: &'a Integration,
    /// What is called.
    pub(super) service: &'a ServiceIntegration,
    /// The request as it came.
    pub(super) request: &'a Request,
}

impl Call<'_> {
    /// What failed, with the file for the log.
    fn cause(&self, text: &str) -> String {
        format!("{}: {}: {text}", self.integration.file, self.service.subtype.as_str())
    }
}

impl Gateway {
    /// Calls the service; `error_message` gets what `$context.integrationErrorMessage` is to say.
    pub(super) fn ask_service(
        &self,
        call: &Call<'_>,
        sources: &RequestSources<'_>,
        body: &[u8],
        error_message: &mut Option<String>,
    ) -> Result<Answer, Unanswered> {
        let began = Instant::now();
        let read = parameters::read(call.service, |source| sources.value(source, body));
        let parameters = read.map_err(|error| {
            let error = GatewayError::from(error);
            *error_message = error.cause().map(str::to_owned);
            Unanswered::before(error)
        })?;
        let (request, destination) = self.signed(call, parameters, began).map_err(Unanswered::before)?;
        let trace_id = headers::trace_id(call.context, &call.request.headers);
        let host = destination.authority.clone();
        let timeout = call.integration.timeout.saturating_sub(began.elapsed());
        let client = call.request.client.clone();
        let request = request.into_integration_request(destination, trace_id, timeout, client);
        let sent = Instant::now();
        let answer = self.upstream.send(request);
        let latency = sent.elapsed();
        let unanswered = |error| Unanswered::after(latency, None, refusal(error, &call.integration.file, &host));
        let mut answer = answer.map_err(unanswered)?;
        let failure = failure_of(&mut answer).map_err(unanswered)?;
        if let Some(failure) = failure {
            if failure.refuses_the_gateway(answer.status) {
                *error_message = Some(NO_PERMISSION.to_owned());
                return Err(self.refused(call, &answer, &failure, latency));
            }
            *error_message = failure.message;
        }
        Ok(Answer {
            response: Response {
                status: answer.status,
                headers: headers::from_service(&answer),
                body: answer.body,
            },
            fields: answer.headers,
            service: None,
            latency,
        })
    }

    /// The request, signed for where it goes.
    fn signed(
        &self,
        call: &Call<'_>,
        mut parameters: Parameters,
        began: Instant,
    ) -> Result<(ServiceRequest, Destination), GatewayError> {
        let subtype = call.service.subtype;
        let internal = |text: &str| GatewayError::InternalServerError(call.cause(text));
        let region = parameters.region.take();
        let access = &self.settings.aws;
        let destination = access.destination(subtype, region.as_deref());
        let destination = destination.map_err(|text| internal(&text))?;
        let mut request = service::request(subtype, parameters);
        request.address_to(&destination);
        let query = request.parts.query.as_deref().unwrap_or_default();
        if request.parts.path.len() + query.len() > MAX_REQUEST_PART_LENGTH {
            return Err(GatewayError::UriTooLong);
        }
        let clock = &self.settings.clock;
        let key = access.key(&destination, &self.upstream, clock.now(), call.integration.timeout);
        let key = key.map_err(|error| match error {
            NoKey::TimedOut => GatewayError::ServiceUnavailable(call.cause(&error.to_string())),
            NoKey::Overloaded(_) => GatewayError::DestinationOverloaded(call.cause(&error.to_string())),
            _ => internal(&error.to_string()),
        })?;
        if began.elapsed() >= call.integration.timeout {
            return Err(GatewayError::ServiceUnavailable(
                call.cause(&NoKey::TimedOut.to_string()),
            ));
        }
        let signer = Signer {
            access_key_id: &key.access_key_id,
            secret_access_key: &key.secret_access_key,
            session_token: key.session_token.as_ref(),
            region: &destination.region,
            service: subtype.service().signing_name(),
            now: clock.now(),
        };
        let signed = sign(request.method, &mut request.parts, &request.body, &signer);
        signed.map_err(|_| internal("the access key cannot stand in a header"))?;
        Ok((request, destination))
    }

    /// S15: a service that refuses the gateway is no answer for the client.
    fn refused(
        &self,
        call: &Call<'_>,
        answer: &IntegrationResponse,
        failure: &ServiceFailure,
        latency: Duration,
    ) -> Unanswered {
        let (status, code) = (answer.status, failure.code.as_deref().unwrap_or("no code"));
        // Not its message, which may repeat the whole request that was signed, with the session's token.
        let text = format!("the service refuses the gateway's credentials: {status}, {code}");
        Unanswered {
            error: GatewayError::InternalServerError(call.cause(&text)),
            arrived: Some(Box::new(IntegrationResult {
                status: Some(status),
                service_status: Some(status),
                latency,
                headers: self.recorder.request_ids(&answer.headers),
            })),
        }
    }
}

/// What an answer says of an error; none where it is none.
fn failure_of(answer: &mut IntegrationResponse) -> Result<Option<ServiceFailure>, UpstreamError> {
    if answer.status < 400 {
        return Ok(None);
    }
    let body = answer.body.peek(LOOKED_AT).map_err(UpstreamError::of_io)?;
    Ok(Some(ServiceFailure::of(&answer.headers, &body)))
}
