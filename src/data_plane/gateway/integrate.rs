//! From the chosen route to its integration and back.

use std::time::Instant;

use crate::data_plane::capture::in_flight::Step;
use crate::data_plane::context_variables::{ContextVariables, IntegrationOutcome, RequestContext};
use crate::data_plane::error::GatewayError;
use crate::data_plane::gateway::Gateway;
use crate::data_plane::gateway::answer::{Answer, Unanswered, refusal};
use crate::data_plane::gateway::call_service::Call;
use crate::data_plane::gateway::progress::{Asked, Selected};
use crate::data_plane::integration::{http_proxy, lambda_proxy};
use crate::data_plane::lambda::event::EventSource;
use crate::data_plane::lambda::invocation::InvocationError;
use crate::data_plane::parameter_mapping::{self, MappedRequest, RequestSources, ResponseMappingError};
use crate::data_plane::request_record::{IntegrationResult, RequestInfo};
use crate::deployment::integration::{Integration, Kind};
use crate::deployment::lambda_proxy::LambdaProxy;
use crate::http1::message::{Body, BodyError, Client, Request, RequestParts, Response};
use crate::http1::message_limits::MAX_BODY_LENGTH;
use crate::identity::caller::Caller;
use crate::outbound::upstream::{MAX_REQUEST_PART_LENGTH, UpstreamError};

impl Gateway {
    /// The steps that an integration takes until it is asked, in their order. All but HTTP integrations are asked here.
    pub(super) fn integrate(
        &self,
        context: &RequestContext,
        request: &mut Request,
        selected: &Selected,
        found: &mut RequestInfo,
    ) -> Result<Asked, GatewayError> {
        let Selected {
            method, path, route, ..
        } = selected;
        let Some(integration) = &route.route.integration else {
            let cause = format!("{}: the route has no Target", route.route.file);
            return Err(GatewayError::InternalServerError(cause));
        };
        let mut body = std::mem::replace(&mut request.body, Body::Empty);
        let caller = found.caller.clone();
        let values = self.values(context, request, selected, &caller);
        let sources = RequestSources {
            context: &values,
            path,
            route,
        };
        let mapped = match &integration.request_mapping {
            mapping if mapping.is_empty() => None,
            mapping => Some(MappedRequest::read(mapping, &sources, &mut body)?),
        };
        let asked = match &integration.kind {
            Kind::HttpProxy(proxy) => {
                let mut parts = http_proxy::parts(context, proxy, route, path, request)?;
                map(mapped, &mut parts)?;
                let client = request.client.clone();
                let mut asked = http_proxy::request(proxy, *method, parts, body, integration.timeout, client);
                if !integration.response_mappings.is_empty() {
                    asked.looks_at = parameter_mapping::looked_at(integration.response_mappings.values());
                }
                found.capture.note_request(&asked);
                return Ok(Asked::Endpoint(Box::new(asked)));
            }
            Kind::LambdaProxy(proxy) => {
                let body = whole(body)?;
                let mut parts = lambda_proxy::parts(context, request, body.len());
                map(mapped, &mut parts)?;
                let event = lambda_proxy::event(proxy, &selected.event_source(&values, &parts, &body))?;
                found.capture.note_call("Invoke", || proxy.arn.to_string());
                self.ask_function(proxy, integration, event, &parts, request.client.clone())
            }
            Kind::Service(service) => {
                let body = whole(body)?;
                let call = Call {
                    context,
                    integration,
                    service,
                    request,
                };
                found.capture.note_call("Call", || service.subtype.as_str().to_owned());
                self.ask_service(&call, &sources, &body, &mut found.integration_error)
            }
        };
        let response = self.read_back(context, request, selected, found, asked)?;
        Ok(Asked::Answered(response))
    }

    /// The steps from an integration back, in their order.
    pub(super) fn read_back(
        &self,
        context: &RequestContext,
        request: &Request,
        selected: &Selected,
        found: &mut RequestInfo,
        answer: Result<Answer, Unanswered>,
    ) -> Result<Response, GatewayError> {
        let Some(integration) = &selected.route.route.integration else {
            return Err(GatewayError::NotFound);
        };
        let Answer {
            fields,
            service,
            mut response,
            latency,
        } = answer.map_err(|unanswered| {
            found.capture.note(Step::IntegrationFailed);
            found.integration = unanswered.arrived.map(|arrived| *arrived);
            unanswered.error
        })?;
        found.capture.note(Step::IntegrationHead);
        let service_status = service.as_ref().map_or(response.status, |(status, _)| *status);
        let service_headers = service.as_ref().map_or(&fields, |(_, headers)| headers);
        found.integration = Some(IntegrationResult {
            status: Some(response.status),
            service_status: Some(service_status),
            latency,
            headers: self.recorder.request_ids(service_headers),
        });
        if let Some(mapping) = integration.response_mappings.get(&response.status) {
            let mut values = self.values(context, request, selected, &found.caller);
            values.integration_error = found.integration_error.as_deref();
            values.integration = Some(IntegrationOutcome {
                status: Some(response.status),
                service_status: Some(service_status),
                service_headers,
                latency,
                length: response.body.length(),
            });
            parameter_mapping::map_response(mapping, &values, &fields, selected.method, &mut response)
                .map_err(|error| mapping_refusal(error, &integration.file))?;
        }
        Ok(response)
    }
}

impl Gateway {
    fn ask_function(
        &self,
        proxy: &LambdaProxy,
        integration: &Integration,
        event: Vec<u8>,
        parts: &RequestParts,
        client: Option<Client>,
    ) -> Result<Answer, Unanswered> {
        let failure = |cause: &str| format!("{}: {}: {cause}", integration.file, proxy.arn);
        let trace_id = parts.headers.get("x-amzn-trace-id").unwrap_or_default();
        let sent = Instant::now();
        let timeout = integration.timeout;
        let invoked = self.invoke(&proxy.function, &proxy.arn, event, trace_id, timeout, client);
        let latency = sent.elapsed();
        let invoked = invoked.map_err(|error| {
            let cause = failure(&error.to_string());
            match error {
                InvocationError::TimedOut(_) | InvocationError::Throttled(_) => {
                    Unanswered::after(latency, None, GatewayError::ServiceUnavailable(cause))
                }
                InvocationError::Overloaded(_) => {
                    Unanswered::after(latency, None, GatewayError::DestinationOverloaded(cause))
                }
                // The function is at fault, its invocation is not.
                InvocationError::Function(..) => {
                    Unanswered::after(latency, Some(200), GatewayError::InternalServerError(cause))
                }
                InvocationError::Failed(_) => {
                    Unanswered::after(latency, None, GatewayError::InternalServerError(cause))
                }
                InvocationError::ClientGone => Unanswered::after(latency, None, GatewayError::ClientGone),
            }
        })?;
        let response = lambda_proxy::response(proxy, invoked.payload).map_err(|error| {
            let error = GatewayError::InternalServerError(failure(&error.0));
            Unanswered::after(latency, Some(invoked.status), error)
        })?;
        Ok(Answer {
            fields: response.headers.clone(),
            response,
            service: Some((invoked.status, invoked.headers)),
            latency,
        })
    }

    /// What `$context` can be asked once a route is selected.
    pub(super) fn values<'a>(
        &'a self,
        context: &'a RequestContext,
        request: &'a Request,
        selected: &'a Selected,
        caller: &'a Caller,
    ) -> ContextVariables<'a> {
        ContextVariables {
            context,
            request,
            account_id: &self.settings.account_id,
            api_id: selected.deployment.api_id(),
            stage: &selected.stage.name,
            route_key: &selected.route.route.key_text,
            caller,
            integration: None,
            integration_error: None,
            answer: None,
        }
    }
}

impl Selected {
    /// What an event is made of.
    pub(super) fn event_source<'a>(
        &'a self,
        values: &'a ContextVariables<'a>,
        parts: &'a RequestParts,
        body: &'a [u8],
    ) -> EventSource<'a> {
        EventSource {
            values,
            parts,
            resource: self.route.route.resource(),
            path_parameters: &self.route.path_parameters,
            stage_variables: &self.stage.variables,
            body,
        }
    }
}

/// Carries out a mapping, and holds the request to its limits.
fn map(mapped: Option<MappedRequest<'_>>, parts: &mut RequestParts) -> Result<(), GatewayError> {
    if let Some(mapped) = mapped {
        mapped.apply(parts)?;
    }
    if parts.headers.length() > MAX_REQUEST_PART_LENGTH {
        return Err(GatewayError::HeadersTooLarge);
    }
    let query = parts.query.as_deref().unwrap_or_default();
    if parts.path.len() + query.len() > MAX_REQUEST_PART_LENGTH {
        return Err(GatewayError::UriTooLong);
    }
    Ok(())
}

/// A client's body that an event will hold.
pub(super) fn whole(body: Body) -> Result<Vec<u8>, GatewayError> {
    let limit = usize::try_from(MAX_BODY_LENGTH).unwrap_or(usize::MAX);
    body.into_bytes(limit).map_err(|error| match error {
        BodyError::TooLarge => GatewayError::PayloadTooLarge,
        BodyError::Io(error) => GatewayError::BadRequest(format!("the request's body ended early: {error}")),
    })
}

/// What a mapping that cannot be made means to the client.
fn mapping_refusal(error: ResponseMappingError, file: &str) -> GatewayError {
    match error {
        ResponseMappingError::Value(cause) => GatewayError::InternalServerError(format!("{file}: {cause}")),
        ResponseMappingError::Body(error) => refusal(UpstreamError::of_io(error), file, "its answer"),
    }
}
