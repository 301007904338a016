//! What one request and its answer share with the transport below ureq: the deadline, and what happened.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http1::message::{Client, Deadline, Headers};
use crate::outbound::upstream::addresses::Addresses;
use crate::outbound::upstream::error::UpstreamError;

/// The exchange that is going on; one at a time for each client.
#[derive(Debug)]
pub(super) struct Exchange {
    state: Mutex<State>,
    /// The connection was closed with bytes of the upstream's that were not read.
    left_over: AtomicBool,
}

#[derive(Debug)]
struct State {
    timeout: Duration,
    limit: Limit,
    connected: bool,
    answered: bool,
    failure: Option<UpstreamError>,
    head: Head,
    /// Who waits for the answer, and whether that counts once the request is sent.
    client: Option<Client>,
    runs_on: bool,
    /// The fields of the answer, where the transport has read them.
    fields: Option<Headers>,
    /// The addresses that the host's name has, where it is one.
    addresses: Option<Addresses>,
}

/// The head of the request, on its way through the transport.
#[derive(Debug, Default)]
struct Head {
    bytes: Vec<u8>,
    is_sent: bool,
    has_content: bool,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    /// The exchange ends at a moment.
    Until(Instant),
    /// Each wait may take the timeout: the exchange is an event stream, which has no end.
    EachWait,
}

impl Exchange {
    pub(super) fn new() -> Exchange {
        Exchange {
            state: Mutex::new(State {
                timeout: Duration::ZERO,
                limit: Limit::EachWait,
                connected: false,
                answered: false,
                failure: None,
                head: Head::default(),
                client: None,
                runs_on: false,
                fields: None,
                addresses: None,
            }),
            left_over: AtomicBool::new(false),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the clock of a new exchange, for a client or for the gateway itself.
    pub(super) fn begin(&self, timeout: Duration, client: Option<Client>, runs_on: bool) {
        self.left_over.store(false, Ordering::Relaxed);
        *self.state() = State {
            timeout,
            limit: Limit::Until(Instant::now() + timeout),
            connected: false,
            answered: false,
            failure: None,
            head: Head::default(),
            client,
            runs_on,
            fields: None,
            addresses: None,
        };
    }

    /// The exchange is over.
    pub(super) fn end(&self) {
        self.state().client = None;
    }

    /// Gives the transport the head of the request, and tells it whether content follows.
    pub(super) fn set_head(&self, bytes: Vec<u8>, has_content: bool) {
        self.state().head = Head {
            bytes,
            is_sent: false,
            has_content,
        };
    }

    /// The head, unless it has been sent, and whether content follows. It is to be given back.
    pub(super) fn take_head(&self) -> Option<(Vec<u8>, bool)> {
        let mut state = self.state();
        let head = &mut state.head;
        (!head.is_sent).then(|| {
            head.is_sent = true;
            (std::mem::take(&mut head.bytes), head.has_content)
        })
    }

    /// Takes the head back, for a second attempt.
    pub(super) fn return_head(&self, bytes: Vec<u8>) {
        self.state().head.bytes = bytes;
    }

    /// Forgets a first attempt, but not its deadline.
    pub(super) fn begin_again(&self) {
        let mut state = self.state();
        state.connected = false;
        state.failure = None;
        state.head.is_sent = false;
    }

    /// From now on the timeout bounds each wait instead of the whole.
    pub(super) fn bound_each_wait(&self) {
        self.state().limit = Limit::EachWait;
    }

    /// How long the next wait may take.
    ///
    /// # Errors
    /// No time is left.
    pub(super) fn next_wait(&self) -> Result<Duration, UpstreamError> {
        let state = self.state();
        let wait = match state.limit {
            Limit::Until(end) => end.saturating_duration_since(Instant::now()),
            Limit::EachWait => state.timeout,
        };
        if wait.is_zero() {
            return Err(UpstreamError::TimedOut(state.timeout));
        }
        Ok(wait)
    }

    /// What is left of a wait of which so much has passed in vain.
    ///
    /// # Errors
    /// Nothing is left, or no client waits for the answer any more.
    pub(super) fn wait_on(&self, wait: Duration, passed: Duration) -> Result<Duration, UpstreamError> {
        let (left, client) = {
            let state = self.state();
            let left = match state.limit {
                Limit::Until(end) => end.saturating_duration_since(Instant::now()),
                Limit::EachWait => wait.saturating_sub(passed),
            };
            if left.is_zero() {
                return Err(UpstreamError::TimedOut(state.timeout));
            }
            let counts = !(state.runs_on && state.head.is_sent);
            (left, state.client.clone().filter(|_| counts))
        };
        match client {
            Some(client) if client.is_gone() => Err(UpstreamError::ClientGone),
            _ => Ok(left),
        }
    }

    /// The error of a wait that took as long as it might.
    pub(super) fn timed_out(&self) -> UpstreamError {
        UpstreamError::TimedOut(self.state().timeout)
    }

    /// A connection was made for this exchange, so none was reused.
    pub(super) fn note_connected(&self) {
        self.state().connected = true;
    }

    /// Whether a connection was made for this exchange.
    pub(super) fn has_connected(&self) -> bool {
        self.state().connected
    }

    /// The upstream has sent something.
    pub(super) fn note_answered(&self) {
        self.state().answered = true;
    }

    /// Keeps the fields of the answer.
    pub(super) fn set_fields(&self, fields: Headers) {
        self.state().fields = Some(fields);
    }

    /// The fields of the answer, if they have been read.
    pub(super) fn take_fields(&self) -> Option<Headers> {
        self.state().fields.take()
    }

    /// The connection is closed with bytes that were not read. Where the answer was complete, they are none of it.
    pub(super) fn note_left_over(&self) {
        self.left_over.store(true, Ordering::Relaxed);
    }

    /// Whether the connection was closed with bytes that were not read; tells it once.
    pub(super) fn take_left_over(&self) -> bool {
        self.left_over.load(Ordering::Relaxed) && self.left_over.swap(false, Ordering::Relaxed)
    }

    /// Keeps the addresses that the host's name has.
    pub(super) fn note_addresses(&self, addresses: Addresses) {
        self.state().addresses = Some(addresses);
    }

    /// The addresses that the host's name has, if it was looked up.
    pub(super) fn addresses(&self) -> Option<Addresses> {
        self.state().addresses.clone()
    }

    /// Whether that is one of them.
    pub(super) fn has_address(&self, address: &SocketAddr) -> bool {
        let state = self.state();
        state
            .addresses
            .as_ref()
            .is_some_and(|addresses| addresses.contains(address))
    }

    /// Keeps what failed, since ureq's own errors say less. The first failure is the cause of all others.
    pub(super) fn note_failure(&self, failure: UpstreamError) {
        self.state().failure.get_or_insert(failure);
    }

    pub(super) fn take_failure(&self) -> Option<UpstreamError> {
        self.state().failure.take()
    }

    /// Whether the request went out on a kept connection that never answered.
    pub(super) fn reused_connection_in_vain(&self) -> bool {
        let state = self.state();
        !state.connected && !state.answered
    }
}

impl Deadline for Exchange {
    fn put_off(&self, time: Duration) {
        if let Limit::Until(end) = &mut self.state().limit {
            *end += time;
        }
    }
}
