//! ureq agents, one for each exchange that is going on.
//!
//! An agent keeps its connections behind one mutex, so a worker takes one for itself. The last one given back goes
//! out first: under little load few agents are in use, and their connections are warm.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use ureq::SendBody;

use crate::http1::message_limits::MAX_RESPONSE_HEAD_LENGTH;
use crate::http1::target::Scheme;
use crate::outbound::upstream::connector::GatewayConnector;
use crate::outbound::upstream::destinations::{Destination, Destinations};
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::exchange::Exchange;
use crate::outbound::upstream::outgoing::{Content, Outgoing};
use crate::outbound::upstream::request::{IntegrationRequest, MAX_REQUEST_PART_LENGTH};
use crate::outbound::upstream::resolver::{CachingResolver, LookUp};
use crate::outbound::upstream::settings::Settings;
use crate::platform::concurrency::ConcurrencyPermit;

/// How long a connection is kept without use: less than the 5 s after which Node's server closes one.
const MAX_IDLE_AGE: Duration = Duration::from_secs(4);

/// How long an agent that is not needed is kept. Its connection is too old by then, and its buffers take 0.1 MB.
const CLIENT_IDLE_AGE: Duration = Duration::from_secs(5);

/// Bytes read at once; a head must fit, and one byte more to see that it is too large.
const INPUT_BUFFER_LENGTH: usize = MAX_RESPONSE_HEAD_LENGTH + 1024;

/// Bytes written at once; the longest line of a head must fit: a target or a field of the length that a request may
/// have, with what stands around it.
const OUTPUT_BUFFER_LENGTH: usize = MAX_REQUEST_PART_LENGTH + 16 * 1024;

/// All agents that are not in use.
#[derive(Debug)]
pub(super) struct Clients {
    tls: Arc<rustls::ClientConfig>,
    resolver: Arc<CachingResolver>,
    /// Most agents, in use or not: each may have a connection, which is a descriptor.
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    idle: Vec<Idle>,
    /// How many are in use.
    leased: usize,
    destinations: Destinations,
}

/// What there is for a request.
struct Taken {
    agent: Agent,
    slot: Option<ConcurrencyPermit>,
}

enum Agent {
    Kept(Idle),
    /// A new one for that destination; the other must go for it, where there are too many.
    New(Arc<Destination>, Option<Idle>),
}

#[derive(Debug)]
struct Idle {
    since: Instant,
    client: Client,
}

#[derive(Debug)]
struct Client {
    agent: ureq::Agent,
    /// What the agent's transport sees of the exchange.
    exchange: Arc<Exchange>,
    /// The root of the server, by which the agent finds its connection. The target is in the head, see [`outgoing`].
    ///
    /// [`outgoing`]: crate::outbound::upstream::outgoing
    uri: http::Uri,
    /// What its connection leads to. An agent keeps its connections by host only, and few of them: so each has one, and
    /// one that was verified for a name is never found by a request that wants another.
    server: Server,
    destination: Arc<Destination>,
}

/// Whom an agent speaks to.
#[derive(Debug)]
struct Server {
    /// Over TLS or not.
    scheme: Scheme,
    /// Host and port.
    authority: String,
    /// What the certificate must be for, where that is not the host.
    server_name: Option<ServerName<'static>>,
}

/// An agent in use; it goes back when this is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    /// None once it went back.
    client: Option<Client>,
    pub(super) exchange: Arc<Exchange>,
    home: Arc<Clients>,
    /// What the worker that waits holds of its destination, until another one does. It is free after the agent, so
    /// that a worker that takes it finds the agent's connection.
    pub(super) slot: Option<ConcurrencyPermit>,
}

impl Clients {
    pub(super) fn new(settings: Settings, look_up: LookUp) -> Arc<Clients> {
        Arc::new(Clients {
            tls: settings.tls,
            resolver: CachingResolver::new(settings.dns_ttl, look_up),
            most: settings.most_connections,
            kept: Mutex::new(Kept {
                idle: Vec::new(),
                leased: 0,
                destinations: Destinations::new(settings.share),
            }),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an agent for one exchange: the last one that was given back, whose connection is warmest. `slot` is asked
    /// for what the worker that waits is to hold of the destination.
    ///
    /// # Errors
    /// As many workers wait for the destination as may, or the request's authority is none.
    pub(super) fn lease(
        clients: &Arc<Clients>,
        request: &IntegrationRequest,
        slot: impl FnOnce(&Destination) -> Result<Option<ConcurrencyPermit>, UpstreamError>,
    ) -> Result<Lease, UpstreamError> {
        let Taken { agent, slot } = clients.kept().take(request, clients.most, slot)?;
        let client = match agent {
            Agent::Kept(idle) => Ok(idle.client),
            Agent::New(destination, in_the_way) => {
                drop(in_the_way);
                clients.client(request, destination)
            }
        };
        let client = client.inspect_err(|_| clients.kept().leased -= 1)?;
        Ok(Lease {
            exchange: Arc::clone(&client.exchange),
            client: Some(client),
            home: Arc::clone(clients),
            slot,
        })
    }

    /// The destination of a URL with that scheme and authority.
    pub(super) fn destination(&self, scheme: Scheme, authority: &str) -> Arc<Destination> {
        self.kept().destinations.find(scheme, authority)
    }

    fn client(&self, request: &IntegrationRequest, destination: Arc<Destination>) -> Result<Client, UpstreamError> {
        let uri = http::Uri::builder()
            .scheme(request.scheme.as_str())
            .authority(request.authority.as_str())
            .path_and_query("/")
            .build()
            .map_err(|error| UpstreamError::Unsendable(error.to_string()))?;
        let exchange = Arc::new(Exchange::new());
        let server_name = request.server_name.clone();
        let resolver = self.resolver.for_exchange(Arc::clone(&exchange), &uri);
        let connector = GatewayConnector::new(
            Arc::clone(&exchange),
            resolver.clone(),
            Arc::clone(&destination),
            Arc::clone(&self.tls),
            server_name.clone(),
        );
        Ok(Client {
            agent: ureq::Agent::with_parts(config(), connector, resolver),
            exchange,
            uri,
            server: Server {
                scheme: request.scheme,
                authority: request.authority.clone(),
                server_name,
            },
            destination,
        })
    }

    pub(super) fn close_idle(&self) {
        // Dropping an agent closes its connections, which need not happen under the lock.
        let old: Vec<Idle> = self
            .kept()
            .idle
            .extract_if(.., |idle| idle.since.elapsed() > CLIENT_IDLE_AGE)
            .collect();
        drop(old);
    }
}

impl Kept {
    /// The agent for a request, if there is one, and else the one that must go for a new one, if there are so many:
    /// the one that has been idle longest.
    fn take(
        &mut self,
        request: &IntegrationRequest,
        most: usize,
        slot: impl FnOnce(&Destination) -> Result<Option<ConcurrencyPermit>, UpstreamError>,
    ) -> Result<Taken, UpstreamError> {
        if let Some(at) = self.idle.iter().rposition(|idle| idle.client.server.is_of(request))
            && let Some(idle) = self.idle.get(at)
        {
            let slot = slot(&idle.client.destination)?;
            self.leased += 1;
            let agent = Agent::Kept(self.idle.remove(at));
            return Ok(Taken { agent, slot });
        }
        let destination = self.destinations.find(request.scheme, &request.authority);
        let slot = slot(&destination)?;
        let is_full = self.leased + self.idle.len() >= most && !self.idle.is_empty();
        let agent = Agent::New(destination, is_full.then(|| self.idle.remove(0)));
        self.leased += 1;
        Ok(Taken { agent, slot })
    }
}

impl Lease {
    /// Sends a request, whose head the exchange has, and waits for the head of the answer.
    pub(super) fn run(&self, outgoing: &mut Outgoing) -> Result<http::Response<ureq::Body>, UpstreamError> {
        let Some(client) = &self.client else {
            return Err(UpstreamError::Broken("it is not leased".to_owned()));
        };
        let mut request = http::Request::new(());
        *request.uri_mut() = client.uri.clone();
        *request.method_mut() = outgoing.method_for_ureq();
        if let Some((name, value)) = outgoing.framing_for_ureq() {
            request.headers_mut().insert(name, value);
        }
        let answer = match outgoing.content() {
            Content::Whole(bytes) if bytes.is_empty() => client.agent.run(request),
            Content::Whole(bytes) => client.agent.run(request.map(|()| bytes.as_slice())),
            Content::Stream(reader) => client.agent.run(request.map(|()| SendBody::from_reader(reader))),
        };
        answer.map_err(|error| self.cause(error))
    }

    /// What an error of ureq's means, by what the transport saw.
    fn cause(&self, error: ureq::Error) -> UpstreamError {
        if let Some(failure) = self.exchange.take_failure() {
            return failure;
        }
        match error {
            ureq::Error::Io(error) => UpstreamError::of_io(error),
            ureq::Error::BodyStalled => UpstreamError::Broken("it ended inside the size of a chunk".to_owned()),
            other => UpstreamError::Malformed(other.to_string()),
        }
    }

    /// The answer has been read to its end: what came behind it is none of it.
    pub(super) fn note_end(&self) {
        if let Some(client) = &self.client
            && self.exchange.take_left_over()
        {
            client.destination.note_surplus();
        }
    }

    /// As [`Lease::cause`], for an error while the body is read.
    pub(super) fn cause_of(&self, error: std::io::Error) -> UpstreamError {
        self.cause(ureq::Error::from(error))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            client.exchange.end();
            let since = Instant::now();
            let mut kept = self.home.kept();
            kept.leased -= 1;
            kept.idle.push(Idle { since, client });
        }
    }
}

impl Server {
    fn is_of(&self, request: &IntegrationRequest) -> bool {
        self.authority == request.authority && self.scheme == request.scheme && self.server_name == request.server_name
    }
}

/// ureq as a transparent client: it adds no field, follows nothing, decodes nothing, heeds no environment.
fn config() -> ureq::config::Config {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent("")
        .accept("")
        .accept_encoding("")
        .allow_non_standard_methods(true)
        .max_response_header_size(MAX_RESPONSE_HEAD_LENGTH)
        .input_buffer_size(INPUT_BUFFER_LENGTH)
        .output_buffer_size(OUTPUT_BUFFER_LENGTH)
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        .max_idle_age(MAX_IDLE_AGE)
        .build()
}
