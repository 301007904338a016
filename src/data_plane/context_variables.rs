//! What is known of one request: the answers to `$context.*` (spec §10).
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html>

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::data_plane::error::GatewayError;
use crate::data_plane::trusted_proxies::{Client, TrustedProxies};
use crate::definition::notation::context_variable::ContextVariable;
use crate::definition::notation::forwarded;
use crate::deployment::address::{Address, Target};
use crate::deployment::host;
use crate::http1::message::{Headers, Request};
use crate::http1::target::Scheme;
use crate::identity::caller::Caller;
use crate::identity::tls::client::ClientCertificate;
use crate::platform::clock::{self, Clock, Moment};

/// What the gateway knows of a request from its first moment on.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// `$context.requestId`, which the client gets as `apigw-requestid` (`R3.13`).
    pub request_id: String,
    /// Who asks: the peer of the connection, or whom a trusted proxy names. Its address is `$context.identity.sourceIp`
    /// (`R5.9`).
    pub client: Client,
    /// The other end of the connection, be it a proxy.
    pub peer_ip: IpAddr,
    /// The listener's address; unspecified where it takes any.
    pub gateway_ip: IpAddr,
    /// The `X-Amzn-Trace-Id` of a request that brought none.
    pub trace_id: String,
    /// `$context.requestTime`.
    pub time: SystemTime,
    /// When it came, for durations.
    pub began: Instant,
    /// The path as it was sent, where [`Request::path`] is another one: that of the API's own endpoint.
    pub sent_path: Option<String>,
    /// The key of the mapping by which a custom domain leads to the API.
    pub mapping_key: Option<String>,
    /// Whether the path ends with that key.
    pub ends_with_key: bool,
    /// The client's certificate, on a domain whose clients must show one.
    pub client_certificate: Option<Arc<ClientCertificate>>,
}

impl RequestContext {
    /// The context of a request that has come at that moment.
    pub fn begin(clock: &Clock, trusted: &TrustedProxies, request: &Request, moment: Moment) -> RequestContext {
        let peer_ip = request.peer.ip().to_canonical();
        let scheme = match request.tls {
            Some(_) => Scheme::Https,
            None => Scheme::Http,
        };
        let time = clock.time_at(moment);
        RequestContext {
            request_id: clock.request_id(),
            client: trusted.client(peer_ip, scheme, &request.headers),
            peer_ip,
            gateway_ip: request.local.ip().to_canonical(),
            trace_id: clock.trace_id(time),
            time,
            began: moment.instant,
            sent_path: None,
            mapping_key: None,
            ends_with_key: false,
            client_certificate: None,
        }
    }

    /// Turns the request into one at its API's own endpoint (`R11.4`), and keeps what the client sees of it.
    pub fn note_address(&mut self, address: &Address<'_>, request: &mut Request) {
        self.mapping_key = address.mapping_key().map(str::to_owned);
        self.ends_with_key = matches!(address.target, Ok(Target::Stage(_, start)) if start == request.path.len());
        if let Some(path) = address.endpoint_path(&request.path) {
            self.sent_path = Some(std::mem::replace(&mut request.path, path));
        }
    }

    /// The path as it was sent, which a signature covers.
    pub fn sent_path<'a>(&'a self, request: &'a Request) -> &'a str {
        self.sent_path.as_deref().unwrap_or(&request.path)
    }

    /// The path as the client means it: with a mapping's key, and without a stage that the mapping names.
    pub fn client_path<'a>(&'a self, request: &'a Request) -> &'a str {
        match self.mapping_key {
            Some(_) => self.sent_path(request),
            None => &request.path,
        }
    }

    /// The host that the client named, perhaps with a port: `Host`, or what a trusted proxy says; empty where there is
    /// none.
    pub fn host<'a>(&'a self, request: &'a Headers) -> &'a [u8] {
        match &self.client.host {
            Some(host) => host.as_bytes(),
            None => request.get("host").unwrap_or_default(),
        }
    }
}

/// What an integration's answer, or its failure, adds to the context.
#[derive(Clone, Copy, Debug)]
pub struct IntegrationOutcome<'a> {
    /// `$context.integration.status`, before any mapping.
    pub status: Option<u16>,
    /// `$context.integrationStatus`: for a function, that of its invocation.
    pub service_status: Option<u16>,
    /// All fields of that answer.
    pub service_headers: &'a Headers,
    /// `$context.integration.latency`.
    pub latency: Duration,
    /// `$context.responseLength`, where it is known before the answer is sent.
    pub length: Option<u64>,
}

/// What is known of an answer that is on its way to the client, for the access log.
#[derive(Clone, Copy, Debug)]
pub struct ResponseInfo<'a> {
    /// `$context.status`.
    pub status: u16,
    /// Why the gateway answered itself, if it did.
    pub error: Option<&'a GatewayError>,
    /// Bytes of the request's content.
    pub received: u64,
    /// Bytes of the answer's content, once they are known.
    pub length: Option<u64>,
}

/// Everything that `$context` can be asked at one moment of a request.
#[derive(Clone, Copy, Debug)]
pub struct ContextVariables<'a> {
    /// What was known from the beginning.
    pub context: &'a RequestContext,
    /// The request as it came.
    pub request: &'a Request,
    /// `$context.accountId`.
    pub account_id: &'a str,
    /// `$context.apiId`.
    pub api_id: &'a str,
    /// `$context.stage`.
    pub stage: &'a str,
    /// `$context.routeKey`.
    pub route_key: &'a str,
    /// `$context.authorizer` and what `$context.identity` has of it.
    pub caller: &'a Caller,
    /// Nothing while the request is on its way to the integration (`R10.8`).
    pub integration: Option<IntegrationOutcome<'a>>,
    /// `$context.integrationErrorMessage`, where a service of AWS's or a call of it says more than the gateway's own
    /// error.
    pub integration_error: Option<&'a str>,
    /// Nothing before there is an answer.
    pub answer: Option<ResponseInfo<'a>>,
}

impl<'a> ContextVariables<'a> {
    /// The value of a variable; none where it has none now.
    pub fn get(&self, variable: &ContextVariable) -> Option<Cow<'a, [u8]>> {
        use ContextVariable as Variable;
        let (request, context) = (self.request, self.context);
        match variable {
            Variable::AccountId => Some(text(self.account_id)),
            Variable::ApiId => Some(text(self.api_id)),
            Variable::Stage => Some(text(self.stage)),
            Variable::RouteKey => Some(text(self.route_key)),
            Variable::RequestId => Some(text(&context.request_id)),
            Variable::HttpMethod => Some(text(&request.method)),
            Variable::Path => Some(text(context.client_path(request))),
            Variable::BasePathMatched => context.mapping_key.as_deref().filter(|key| !key.is_empty()).map(text),
            // R15.1: whatever the client speaks.
            Variable::Protocol => Some(text("HTTP/1.1")),
            Variable::DomainName => self.domain_name().map(bytes),
            Variable::DomainPrefix => self.domain_prefix().map(bytes),
            Variable::UserAgent => self.user_agent().map(Cow::Borrowed),
            Variable::SourceIp => {
                let mut address = Vec::with_capacity(16);
                forwarded::push_address(&mut address, context.client.address);
                Some(Cow::Owned(address))
            }
            Variable::RequestTime => Some(owned(self.request_time())),
            Variable::RequestTimeEpoch => Some(owned(self.request_time_epoch())),
            Variable::ResponseLatency if self.answer.is_some() => Some(owned(millis(context.began.elapsed()))),
            Variable::ResponseLatency => {
                let integration = self.integration.as_ref()?;
                Some(owned(millis(context.began.elapsed().max(integration.latency))))
            }
            Variable::Status if self.answer.is_some() => self.answer.map(|answer| owned(answer.status)),
            Variable::Status | Variable::IntegrationStatus => self.integration?.status.map(owned),
            Variable::IntegrationServiceStatus => self.integration?.service_status.map(owned),
            Variable::IntegrationLatency => Some(owned(millis(self.integration?.latency))),
            Variable::ResponseLength if self.answer.is_some() => self.answer?.length.map(owned),
            Variable::ResponseLength => self.integration?.length.map(owned),
            Variable::DataProcessed => {
                let answer = self.answer?;
                answer.length.map(|length| owned(length + answer.received))
            }
            Variable::ErrorMessage => Some(text(self.answer?.error?.message())),
            Variable::ErrorMessageString => Some(owned(format!("\"{}\"", self.answer?.error?.message()))),
            Variable::ErrorResponseType => Some(text(self.answer?.error?.response_type())),
            Variable::IntegrationErrorMessage if self.integration_error.is_some() => self.integration_error.map(text),
            Variable::IntegrationErrorMessage => {
                let error = self.answer?.error.filter(|error| error.status() >= 500);
                error?.cause().map(text)
            }
            Variable::IntegrationRequestId => {
                let headers = self.integration?.service_headers;
                let id = headers
                    .get("x-amzn-requestid")
                    .or_else(|| headers.get("x-amzn-request-id"))
                    .or_else(|| headers.get("x-amz-request-id"));
                id.map(Cow::Borrowed)
            }
            Variable::IntegrationRequestId2 => {
                let id = self.integration?.service_headers.get("x-amz-id-2");
                id.map(Cow::Borrowed)
            }
            Variable::AuthorizerClaim(name) => self.caller.claim(name),
            Variable::AuthorizerProperty(name) => self.caller.property(name),
            Variable::AuthorizerError => match self.answer?.error? {
                GatewayError::Unauthorized { cause, .. } | GatewayError::Forbidden { cause, .. } => Some(text(cause)),
                _ => None,
            },
            Variable::PrincipalId => self.caller.principal_id().map(text),
            Variable::IdentityAccountId => self.caller.iam().map(|identity| text(&identity.account_id)),
            Variable::IdentityCaller | Variable::IdentityUser => {
                self.caller.iam().map(|identity| text(&identity.user_id))
            }
            Variable::IdentityUserArn => self.caller.iam().map(|identity| text(&identity.user_arn)),
            Variable::ClientCertPem => self.of_certificate(|certificate| &certificate.pem),
            Variable::ClientCertSubject => self.of_certificate(|certificate| &certificate.subject),
            Variable::ClientCertIssuer => self.of_certificate(|certificate| &certificate.issuer),
            Variable::ClientCertSerialNumber => self.of_certificate(|certificate| &certificate.serial_number),
            Variable::ClientCertNotBefore => self.of_certificate(|certificate| &certificate.not_before),
            Variable::ClientCertNotAfter => self.of_certificate(|certificate| &certificate.not_after),
            Variable::Absent => None,
        }
    }

    fn of_certificate(&self, part: fn(&ClientCertificate) -> &String) -> Option<Cow<'a, [u8]>> {
        let certificate = self.context.client_certificate.as_deref();
        certificate.map(|certificate| text(part(certificate)))
    }

    /// When the request came, as the Common Log Format has it, in UTC: `10/Jul/2026:19:19:05 +0000`.
    pub fn request_time(&self) -> String {
        clock::common_log_time(self.context.time)
    }

    /// When the request came, in milliseconds since 1970.
    pub fn request_time_epoch(&self) -> u64 {
        millis(self.context.time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// What the client calls itself.
    pub fn user_agent(&self) -> Option<&'a [u8]> {
        self.request.headers.get("user-agent")
    }

    /// The first label of the host.
    pub fn domain_prefix(&self) -> Option<Cow<'a, str>> {
        self.domain_name().map(|domain| match domain {
            Cow::Borrowed(domain) => Cow::Borrowed(first_label(domain)),
            Cow::Owned(domain) => Cow::Owned(first_label(&domain).to_owned()),
        })
    }

    /// The host that the client named, without its port and one trailing dot, in lower case.
    pub fn domain_name(&self) -> Option<Cow<'a, str>> {
        let host = host::normalized(self.context.host(&self.request.headers));
        Some(host).filter(|host| !host.is_empty())
    }
}

/// What stands before the first dot; an address has no labels.
fn first_label(domain: &str) -> &str {
    if domain.parse::<IpAddr>().is_ok() {
        return domain;
    }
    domain.split('.').next().unwrap_or(domain)
}

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn text(value: &str) -> Cow<'_, [u8]> {
    Cow::Borrowed(value.as_bytes())
}

fn owned<'a>(value: impl ToString) -> Cow<'a, [u8]> {
    Cow::Owned(value.to_string().into_bytes())
}

/// Whole milliseconds.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
