//! What the front logs of connections and answers that fail: now and then, since clients can make it happen at will.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::front::handler::TlsIdentity;
use crate::http1::response_writer::SendError;
use crate::platform::logging::RateLimit;
use crate::platform::metrics::FrontMetrics;

/// What was told of late.
#[derive(Debug)]
pub struct ConnectionLog {
    /// Requests and connections that were refused for want of room.
    overloads: AtomicUsize,
    cut_by_clients: RateLimit,
    cut_by_integrations: RateLimit,
    unwatched: RateLimit,
    certificates: RateLimit,
    metrics: Arc<FrontMetrics>,
}

impl ConnectionLog {
    /// Nothing was told yet.
    pub fn new(metrics: &Arc<FrontMetrics>) -> ConnectionLog {
        ConnectionLog {
            overloads: AtomicUsize::new(0),
            cut_by_clients: RateLimit::default(),
            cut_by_integrations: RateLimit::default(),
            unwatched: RateLimit::default(),
            certificates: RateLimit::default(),
            metrics: Arc::clone(metrics),
        }
    }

    /// Logs that an answer is cut. What clients do and what integrations do is told apart, so that neither hides the
    /// other.
    ///
    /// A client that leaves is no fault: a browser ends an event stream so. It is counted, and 499 in the access log.
    pub fn cut(&self, peer: SocketAddr, incomplete: &SendError) {
        if incomplete.is_abandonment() {
            log::debug!("the answer to {peer} is cut: {incomplete}");
            return;
        }
        let lines = match incomplete {
            SendError::Client(_) => &self.cut_by_clients,
            SendError::Integration(_) => &self.cut_by_integrations,
        };
        if let Some(left_out) = lines.suppressed_since() {
            let others = match left_out {
                0 => String::new(),
                count => format!(" ({count} more such answers are left out)"),
            };
            log::warn!("the answer to {peer} is cut: {incomplete}{others}");
        }
    }

    /// Counts a refusal for want of room. Few are logged, since the log must not add to the load.
    pub fn overload(&self, reason: &str) {
        self.metrics.requests_refused.add_one();
        let count = self.overloads.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            log::warn!("{reason}: 503; refused so far for want of room: {count}");
        }
    }

    /// Logs that a handshake failed. A client whose certificate does not hold for a domain is told of.
    pub fn handshake(&self, peer: SocketAddr, reason: &str, identity: Option<&dyn TlsIdentity>) {
        match identity {
            None => log::debug!("the TLS handshake with {peer} failed: {reason}"),
            Some(identity) => {
                if let Some(left_out) = self.certificates.suppressed_since() {
                    let others = match left_out {
                        0 => String::new(),
                        count => format!(" ({count} more such clients are left out)"),
                    };
                    let domain = identity.name();
                    log::info!(
                        "the client {peer} is refused by {domain}, which asks for a certificate: {reason}{others}"
                    );
                }
            }
        }
    }

    /// Logs that a connection is closed, since the system does not watch it.
    pub fn unwatched(&self, error: &io::Error) {
        if self.unwatched.suppressed_since().is_some() {
            log::error!("a connection is closed, since the system does not watch it: {error}");
        }
    }
}
