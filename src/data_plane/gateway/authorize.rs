//! Whether a request may pass. Everything that is not a yes is a no.

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::data_plane::authorizer::cache::Key;
use crate::data_plane::authorizer::lambda::{self, Answer};
use crate::data_plane::context_variables::{ContextVariables, RequestContext};
use crate::data_plane::error::GatewayError;
use crate::data_plane::gateway::Gateway;
use crate::data_plane::gateway::integrate::whole;
use crate::data_plane::gateway::progress::{Patience, Selected};
use crate::data_plane::integration::lambda_proxy;
use crate::data_plane::lambda::event::EventSource;
use crate::data_plane::lambda::invocation::InvocationError;
use crate::data_plane::lambda::{MAX_EVENT_LENGTH, payload_v1, payload_v2};
use crate::definition::notation::arn::RouteArn;
use crate::definition::notation::mapping_value::Source;
use crate::definition::notation::path::{RequestPath, decode_again};
use crate::definition::notation::query;
use crate::deployment::authorizer::{Authorization, IdentitySource, JwtAuthorizer, LambdaAuthorizer};
use crate::deployment::lambda_proxy::PayloadFormat;
use crate::http1::message::{Body, Headers, Request};
use crate::identity::caller::{Caller, IamIdentity};
use crate::identity::jwt::{self, Description, Expectations};
use crate::identity::sigv4::{self, SignedRequest};

/// Most bytes of a route's ARN, where callers are authorized (`R8.42`).
const MAX_ROUTE_ARN_LENGTH: usize = 1_600;

/// How long a Lambda authorizer may take (`R8.29`).
const AUTHORIZER_TIMEOUT: Duration = Duration::from_secs(10);

impl Gateway {
    /// Who asks, if the route lets them pass; none where that must be waited for and may not be.
    ///
    /// # Errors
    /// It does not, or it cannot be told.
    pub(super) fn authorize(
        &self,
        context: &RequestContext,
        request: &mut Request,
        selected: &Selected,
        patience: Patience,
    ) -> Result<Option<Caller>, GatewayError> {
        let authorization = &selected.route.route.authorization;
        if matches!(authorization, Authorization::None) {
            return Ok(Some(Caller::Anybody));
        }
        // Some servers would take these for what is verified here, see `Headers::remove_twins`.
        for name in authorization.fields() {
            request.headers.remove_twins(name);
        }
        if matches!(authorization, Authorization::Iam) {
            // A signature covers the whole body.
            let body = std::mem::replace(&mut request.body, Body::Empty);
            request.body = Body::Bytes(whole(body)?);
        }
        let (nobody, request) = (Caller::Anybody, &*request);
        let values = self.values(context, request, selected, &nobody);
        // ASSUMED: with the path of the request, not of the route key (`R8.25`). It is decoded as for the choice of the
        // route, or another spelling would pass by a policy.
        let route_arn = self.route_arn(&values, selected.path.decoded());
        let caller = match authorization {
            Authorization::None => Some(Caller::Anybody),
            Authorization::Lambda(authorizer) => {
                self.ask_authorizer(authorizer, &values, &route_arn, selected, patience)?
            }
            Authorization::Iam => Some(self.verify_signature(&values, selected)?),
            Authorization::Jwt { authorizer, scopes } => {
                self.verify_token(authorizer, scopes, &values, selected, patience)?
            }
        };
        // R8.42. Who may not call learns nothing of it.
        if caller.is_some() && route_arn.len() > MAX_ROUTE_ARN_LENGTH {
            return Err(GatewayError::UriTooLong);
        }
        Ok(caller)
    }

    /// The ARN of what is asked for, with that path.
    fn route_arn(&self, values: &ContextVariables<'_>, path: &str) -> String {
        let arn = RouteArn {
            region: &self.settings.region,
            account_id: values.account_id,
            api_id: values.api_id,
            stage: values.stage,
            method: &values.request.method,
            path,
        };
        arn.to_string()
    }

    /// Verifies the token of a request (`R8.1`–`R8.19`).
    fn verify_token(
        &self,
        authorizer: &JwtAuthorizer,
        scopes: &[String],
        values: &ContextVariables<'_>,
        selected: &Selected,
        patience: Patience,
    ) -> Result<Option<Caller>, GatewayError> {
        if let Some(reason) = selected.deployment.withdrawn().get(&authorizer.id) {
            return Err(GatewayError::Unauthorized {
                challenge: jwt::Refusal::from(Description::Issuer).challenge(scopes),
                cause: reason.clone(),
            });
        }
        let fields = &values.request.headers;
        let identity = identity(&authorizer.identity_source, fields, values, selected);
        let value = match identity.as_ref().map(|identity| str::from_utf8(&identity.text)) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(_)) => Err(jwt::Refusal::Invalid(Description::HeaderEncoding)),
        };
        let expectations = Expectations {
            issuer: &authorizer.issuer,
            audience: &authorizer.audience,
            scopes,
        };
        let context = values.context;
        let time = context.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let verified = match (value, patience) {
            (Err(refusal), _) => Err(refusal),
            (Ok(value), Patience::None) => {
                match self.tokens.remembered_for(value, &expectations, time, context.began) {
                    Some(verified) => verified,
                    None => return Ok(None),
                }
            }
            (Ok(value), Patience::Waits) => {
                self.tokens
                    .authorize(value, &expectations, &self.upstream, time, context.began)
            }
        };
        let verified = verified.map_err(|refusal| {
            // R8.13: to the letter, since it is `$context.authorizer.error`.
            let cause = refusal.log_text();
            match refusal {
                jwt::Refusal::Scopes => GatewayError::Forbidden {
                    error_type: None,
                    cause,
                },
                jwt::Refusal::Missing | jwt::Refusal::Invalid(_) => GatewayError::Unauthorized {
                    challenge: refusal.challenge(scopes),
                    cause,
                },
                jwt::Refusal::Overloaded(_) => {
                    GatewayError::DestinationOverloaded(format!("{}: {cause}", authorizer.issuer))
                }
            }
        })?;
        Ok(Some(Caller::Jwt(verified)))
    }

    /// Verifies the signature of a request (`R8.38`–`R8.40`).
    fn verify_signature(&self, values: &ContextVariables<'_>, selected: &Selected) -> Result<Caller, GatewayError> {
        let request = values.request;
        let body = match &request.body {
            Body::Bytes(body) => body.as_slice(),
            Body::Empty | Body::Stream(_) => &[],
        };
        let signed = SignedRequest {
            method: &request.method,
            path: values.context.sent_path(request),
            query: request.query.as_deref(),
            headers: &request.headers,
            body,
        };
        let verified = sigv4::verify(
            &signed,
            selected.configuration.credentials(),
            sigv4::Scope::execute_api(&self.settings.region),
            values.context.time,
        );
        let refused = |refusal: sigv4::Refusal| GatewayError::Forbidden {
            error_type: refusal.error_type(),
            cause: refusal.to_string(),
        };
        let caller = verified.map_err(refused)?;
        if !selected.is_what_was_signed(request.host(), values.context.sent_path(request)) {
            return Err(refused(sigv4::Refusal::OtherPath));
        }
        Ok(Caller::Iam(Box::new(IamIdentity {
            access_key: caller.credential.access_key_id.clone(),
            account_id: caller.account_id.to_owned(),
            user_id: caller.credential.user_id.clone(),
            user_arn: caller.credential.user_arn.as_str().to_owned(),
        })))
    }

    /// Asks a Lambda authorizer, or remembers what it said (`R8.20`–`R8.35`).
    fn ask_authorizer(
        &self,
        authorizer: &LambdaAuthorizer,
        values: &ContextVariables<'_>,
        route_arn: &str,
        selected: &Selected,
        patience: Patience,
    ) -> Result<Option<Caller>, GatewayError> {
        if let Some(reason) = selected.deployment.withdrawn().get(&authorizer.id) {
            // R8.29: it cannot be asked.
            return Err(GatewayError::InternalServerError(reason.clone()));
        }
        let unauthorized = |cause: String| GatewayError::Unauthorized {
            // R8.37.
            challenge: None,
            cause: format!("{}: {cause}", authorizer.file),
        };
        let length = values.request.body.length().unwrap_or_default();
        let length = usize::try_from(length).unwrap_or_default();
        // Its sources are read from what it sees, so that its answer is remembered for nothing else.
        let parts = lambda_proxy::parts(values.context, values.request, length);
        let (mut identities, mut texts) = (Vec::new(), Vec::new());
        for source in &authorizer.identity_sources {
            let identity = identity(source, &parts.headers, values, selected);
            let identity = identity.ok_or_else(|| unauthorized("an identity source is missing".to_owned()))?;
            identities.push(identity.key);
            texts.push(identity.text);
        }
        let key = Key {
            generation: selected.deployment.generation(),
            stage: values.stage.to_owned(),
            authorizer: authorizer.id.clone(),
            identities,
        };
        let now = Instant::now();
        // R8.22: without a source there is nothing to tell two callers apart by.
        let may_remember = !authorizer.result_ttl.is_zero() && !key.identities.is_empty();
        let remembered = match patience {
            _ if !may_remember => None,
            Patience::Waits => self.answers.get(&key, now),
            Patience::None => self.answers.get_or_ask_again(&key, now),
        };
        let answer = match remembered {
            Some(answer) => answer,
            None if patience == Patience::None => return Ok(None),
            None => {
                let source = selected.event_source(values, &parts, &[]);
                let (answer, length) = self.answer_of(authorizer, &source, route_arn, &texts)?;
                let answer = Arc::new(answer);
                if may_remember {
                    let until = now + authorizer.result_ttl;
                    self.answers.put(key, Arc::clone(&answer), length, until);
                }
                answer
            }
        };
        // A function reads what a route captures decoded once more (R1.32), so a policy must allow both.
        let path = selected.path.decoded();
        let again = decode_again(path).unwrap_or_default();
        let is_allowed_again = again == path || answer.caller(&self.route_arn(values, &again)).is_some();
        let caller = answer.caller(route_arn).filter(|_| is_allowed_again);
        caller.map(Some).ok_or_else(|| GatewayError::Forbidden {
            error_type: None,
            cause: format!("{}: {} says no", authorizer.file, authorizer.arn),
        })
    }

    /// Invokes the authorizer's function; its answer, and how long it is.
    fn answer_of(
        &self,
        authorizer: &LambdaAuthorizer,
        source: &EventSource<'_>,
        route_arn: &str,
        identities: &[Vec<u8>],
    ) -> Result<(Answer, usize), GatewayError> {
        let failed = |cause: String| {
            GatewayError::InternalServerError(format!("{}: {}: {cause}", authorizer.file, authorizer.arn))
        };
        let unauthorized = || GatewayError::Unauthorized {
            challenge: None,
            cause: format!("{}: {} says Unauthorized", authorizer.file, authorizer.arn),
        };
        let event = match authorizer.payload_format {
            PayloadFormat::V1 => payload_v1::authorizer_event(source, route_arn, identities),
            PayloadFormat::V2 => payload_v2::authorizer_event(source, route_arn, identities),
        };
        let event = event.map_err(|error| failed(error.to_string()))?;
        if event.len() > MAX_EVENT_LENGTH {
            return Err(GatewayError::PayloadTooLarge);
        }
        let trace_id = source.parts.headers.get("x-amzn-trace-id").unwrap_or_default();
        let client = source.values.request.client.clone();
        let invoked = self.invoke(
            &authorizer.function,
            &authorizer.arn,
            event,
            trace_id,
            AUTHORIZER_TIMEOUT,
            client,
        );
        let payload = invoked.map(|invoked| invoked.payload).map_err(|error| match &error {
            // R8.30: the function's way to say that the caller is unknown.
            InvocationError::Function(failure, _) if lambda::is_unauthorized(failure) => unauthorized(),
            InvocationError::ClientGone => GatewayError::ClientGone,
            InvocationError::Overloaded(cause) => {
                GatewayError::DestinationOverloaded(format!("{}: {}: {cause}", authorizer.file, authorizer.arn))
            }
            _ => failed(error.to_string()),
        })?;
        if lambda::is_unauthorized(&payload) {
            return Err(unauthorized());
        }
        let answer = Answer::read(&payload, authorizer.simple_responses).map_err(|error| failed(error.0))?;
        Ok((answer, payload.len()))
    }
}

impl Selected {
    /// Whether the path that a signature covers leads to the same route. It may have fewer slashes than the path that
    /// was sent, and a client that was given a signature must not choose another route or stage by adding some.
    fn is_what_was_signed(&self, host: &[u8], path: &str) -> bool {
        let Some(signed) = sigv4::merged_slashes(path) else {
            return true;
        };
        let address = self.configuration.address(host, &signed);
        let Ok(target) = &address.target else {
            return false;
        };
        let Ok(below) = RequestPath::parse(target.below(&signed)) else {
            return false;
        };
        let Some((stage, below)) = address.stage(&below) else {
            return false;
        };
        let route = stage.routes.select(self.method, &below).ok().flatten();
        Arc::ptr_eq(stage, &self.stage) && route.is_some_and(|found| Arc::ptr_eq(&found.route, &self.route.route))
    }
}

/// What stands in an identity source.
struct Identity {
    /// As the authorizer gets it.
    text: Vec<u8>,
    /// What its answer is remembered by. It keeps apart what the text joins and an event may tell apart: several fields
    /// or parameters, and a single one with commas.
    key: Vec<u8>,
}

impl Identity {
    /// Of several values with that name; none where all are empty (`R8.21`), be it several that commas join.
    fn of(values: &[&[u8]]) -> Option<Identity> {
        let is_blank = |value: &&[u8]| value.iter().all(|byte| matches!(byte, b',' | b' ' | b'\t'));
        if values.iter().all(is_blank) {
            return None;
        }
        let mut key = Vec::new();
        for value in values {
            // Lengths go before values, so that no two lists are the same bytes.
            key.extend_from_slice(&value.len().to_le_bytes());
            key.extend_from_slice(value);
        }
        let text = values.join(&b","[..]);
        Some(Identity { text, key })
    }
}

/// The value of an identity source; an empty one is none (`R8.21`). `fields` are those that a function sees.
fn identity(
    source: &IdentitySource,
    fields: &Headers,
    values: &ContextVariables<'_>,
    selected: &Selected,
) -> Option<Identity> {
    let IdentitySource(source) = source;
    match source {
        Source::Header(name) => {
            let all: Vec<&[u8]> = fields.get_all(name).collect();
            Identity::of(&all)
        }
        Source::Querystring(name) => {
            let all = query::values(values.request.query.as_deref()?, name);
            let all: Vec<&[u8]> = all.iter().map(AsRef::as_ref).collect();
            Identity::of(&all)
        }
        Source::Context(variable) => Identity::of(&[&values.get(variable)?]),
        Source::StageVariable(name) => Identity::of(&[selected.stage.variables.get(name)?.as_bytes()]),
        Source::Body | Source::BodyValue(_) | Source::Path | Source::PathParameter(_) => None,
    }
}
