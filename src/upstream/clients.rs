//! ureq agents, one for each exchange that is going on.
//!
//! An agent keeps its connections behind one mutex, so a worker takes one for itself. The last one given back goes
//! out first: under little load few agents are in use, and their connections are warm.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::SendBody;

use crate::upstream::exchange::Exchange;
use crate::upstream::outgoing::{Content, Outgoing};
use crate::upstream::resolver::CachingResolver;
use crate::upstream::transport::GatewayConnector;
use crate::upstream::{MAX_HEAD_LENGTH, UpstreamError};

/// How long a connection is kept without use: less than the 5 s after which Node's server closes one.
const MAX_IDLE_AGE: Duration = Duration::from_secs(4);

/// Most connections that one agent keeps, one for each upstream host.
const MAX_IDLE_CONNECTIONS: usize = 4;

/// How long an agent that nobody needs is kept.
const CLIENT_IDLE_AGE: Duration = Duration::from_secs(10);

/// Bytes read at once; a head must fit, and one byte more to see that it is too large.
const INPUT_BUFFER_LENGTH: usize = MAX_HEAD_LENGTH + 1024;

/// Bytes written at once; the longest line of a head must fit. A target of 10,240 B that is all percent-encoded
/// grows to three times that.
const OUTPUT_BUFFER_LENGTH: usize = 48 * 1024;

/// All agents that are not in use.
#[derive(Debug)]
pub(super) struct Clients {
    tls: Arc<rustls::ClientConfig>,
    resolver: Arc<CachingResolver>,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    since: Instant,
    client: Client,
}

#[derive(Debug)]
struct Client {
    agent: ureq::Agent,
    exchange: Arc<Exchange>,
}

/// An agent in use; it goes back when this is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    agent: ureq::Agent,
    /// What the agent's transport sees of the exchange.
    pub(super) exchange: Arc<Exchange>,
    home: Arc<Clients>,
}

impl Clients {
    pub(super) fn new(tls: Arc<rustls::ClientConfig>) -> Arc<Clients> {
        Arc::new(Clients {
            tls,
            resolver: Arc::default(),
            idle: Mutex::default(),
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an agent for one exchange.
    pub(super) fn lease(clients: &Arc<Clients>) -> Lease {
        let idle = clients.idle().pop();
        let client = idle.map_or_else(|| clients.client(), |idle| idle.client);
        Lease {
            agent: client.agent,
            exchange: client.exchange,
            home: Arc::clone(clients),
        }
    }

    fn client(&self) -> Client {
        let exchange = Arc::new(Exchange::new());
        let connector = GatewayConnector::new(Arc::clone(&exchange), Arc::clone(&self.tls));
        let resolver = self.resolver.for_exchange(Arc::clone(&exchange));
        Client {
            agent: ureq::Agent::with_parts(config(), connector, resolver),
            exchange,
        }
    }

    pub(super) fn close_idle(&self) {
        // Dropping an agent closes its connections, which need not happen under the lock.
        let old: Vec<Idle> = self
            .idle()
            .extract_if(.., |idle| idle.since.elapsed() > CLIENT_IDLE_AGE)
            .collect();
        drop(old);
    }
}

impl Lease {
    /// Sends a request and waits for the head of the answer.
    pub(super) fn run(
        &self,
        head: http::Request<()>,
        body: &mut Outgoing,
    ) -> Result<http::Response<ureq::Body>, UpstreamError> {
        let answer = match body.content() {
            Content::Whole(bytes) => self.agent.run(head.map(|()| bytes.as_slice())),
            Content::Stream(reader) => self.agent.run(head.map(|()| SendBody::from_reader(reader))),
        };
        answer.map_err(|error| self.cause(error))
    }

    /// What an error of ureq's means, by what the transport saw.
    fn cause(&self, error: ureq::Error) -> UpstreamError {
        if let Some(failure) = self.exchange.take_failure() {
            return failure;
        }
        match error {
            ureq::Error::Io(error) => match error.downcast::<UpstreamError>() {
                Ok(failure) => failure,
                Err(error) => UpstreamError::Broken(error.to_string()),
            },
            ureq::Error::BodyStalled => UpstreamError::Broken("it ended inside the size of a chunk".to_owned()),
            other => UpstreamError::Malformed(other.to_string()),
        }
    }

    /// As [`Lease::cause`], for an error while the body is read.
    pub(super) fn cause_of(&self, error: std::io::Error) -> UpstreamError {
        self.cause(ureq::Error::from(error))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let client = Client {
            agent: self.agent.clone(),
            exchange: Arc::clone(&self.exchange),
        };
        let since = Instant::now();
        self.home.idle().push(Idle { since, client });
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
        .max_response_header_size(MAX_HEAD_LENGTH)
        .input_buffer_size(INPUT_BUFFER_LENGTH)
        .output_buffer_size(OUTPUT_BUFFER_LENGTH)
        .max_idle_connections(MAX_IDLE_CONNECTIONS)
        .max_idle_connections_per_host(1)
        .max_idle_age(MAX_IDLE_AGE)
        .build()
}
