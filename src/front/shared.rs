//! What all threads of a listener share. Nothing here acts on a connection.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::front::connection::Connection;
use crate::front::connection_log::ConnectionLog;
use crate::front::connection_table::Poller;
use crate::front::connection_tables::ConnectionTables;
use crate::front::handler::Handler;
use crate::front::listener_limits::{Limits, STOP_PATIENCE};
use crate::front::memory_budget::MemoryBudget;
use crate::front::quota::Quotas;
use crate::front::slots::Occupant;
use crate::front::socket::open_sockets::OpenSockets;
use crate::front::tls::handshake_queue::HandshakeQueue;
use crate::front::worker_pool::Workers;
use crate::platform::concurrency::ConcurrencyLimit;
use crate::platform::metrics::{ConnectionMetrics, Counter, FrontMetrics, HandshakeMetrics, Longest};

/// So many connections are few enough for a worker to wait on each: that takes threads, but no others to wake them.
pub(super) const FEW_CONNECTIONS: usize = 64;

/// What all threads of a listener share.
pub(super) struct Shared {
    pub(super) handler: Arc<dyn Handler>,
    pub(super) limits: Limits,
    pub(super) budget: Arc<MemoryBudget>,
    pub(super) workers: Workers,
    /// Loops answer what needs no wait. Else workers answer everything.
    pub(super) loops_answer: bool,
    /// Connections that wait.
    pub(super) tables: ConnectionTables<Connection>,
    /// Connections with a turn of their TLS handshake to do; none where the listener speaks plain text.
    pub(super) handshakes: Option<HandshakeQueue<Box<Connection>>>,
    /// The sockets of open connections.
    pub(super) sockets: OpenSockets,
    /// Open connections.
    pub(super) quotas: Arc<Quotas>,
    /// So many are few: never more than workers, so that none waits while another connection wants it.
    pub(super) few: usize,
    /// What is told of connections and answers that fail.
    pub(super) connection_log: ConnectionLog,
    /// What is counted for the metrics page.
    pub(super) metrics: Arc<FrontMetrics>,
    /// Answers that are being streamed, and how many may be.
    pub(super) streams: Arc<ConcurrencyLimit>,
    stopping: AtomicBool,
    /// What has not been accepted yet is not waited for.
    given_up: AtomicBool,
    /// The last connection has been accepted.
    accepted_all: AtomicBool,
}

impl Shared {
    /// A listener without connections, and what each of its loops watches them with.
    ///
    /// # Errors
    /// The system refuses what it needs.
    pub(super) fn new(
        name: &'static str,
        most_workers: NonZeroUsize,
        loops: usize,
        limits: Limits,
        handler: Arc<dyn Handler>,
    ) -> io::Result<(Shared, Vec<Poller>)> {
        let (tables, pollers) = ConnectionTables::new(loops)?;
        let metrics = Arc::new(FrontMetrics {
            connections: Some(ConnectionMetrics::default()),
            longest_batch: Some(Longest::default()),
            handshakes: handler.speaks_tls().then(HandshakeMetrics::default),
            ..FrontMetrics::default()
        });
        let half = NonZeroUsize::new(most_workers.get().div_ceil(2)).unwrap_or(NonZeroUsize::MIN);
        let shared = Shared {
            handshakes: handler.speaks_tls().then(HandshakeQueue::new),
            handler,
            limits,
            budget: MemoryBudget::of(limits.memory),
            workers: Workers::new(name, most_workers, Some(limits.queue_timeout))?,
            loops_answer: loops > 0,
            tables,
            sockets: OpenSockets::default(),
            quotas: Arc::default(),
            few: most_workers.get().min(FEW_CONNECTIONS),
            connection_log: ConnectionLog::new(&metrics),
            metrics,
            streams: ConcurrencyLimit::new(half),
            stopping: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            accepted_all: AtomicBool::new(false),
        };
        Ok((shared, pollers))
    }

    /// Counts a handshake that is over.
    pub(super) fn count_handshake(&self, of: impl FnOnce(&HandshakeMetrics) -> &Counter) {
        if let Some(handshakes) = &self.metrics.handshakes {
            of(handshakes).add_one();
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// From now on every answer is the last on its connection.
    pub(super) fn begin_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.tables.wake();
    }

    /// Whether the time in which connections are still accepted is over.
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::SeqCst)
    }

    /// From now on connections that cannot be accepted are not waited for.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
    }

    /// No connection will come any more.
    pub(super) fn end_accepting(&self) {
        self.accepted_all.store(true, Ordering::SeqCst);
    }

    /// Whether the last connection has been accepted.
    pub(super) fn has_accepted_all(&self) -> bool {
        self.accepted_all.load(Ordering::SeqCst)
    }

    /// Open connections.
    pub(super) fn open(&self) -> usize {
        self.quotas.open()
    }

    /// Connections with a request that has no whole answer yet, or that may still send one.
    pub(super) fn unfinished(&self) -> usize {
        let lingering = self.tables.count(Connection::is_lingering);
        self.open().saturating_sub(lingering)
    }

    /// As [`Shared::unfinished`], but without connections on which nothing was asked.
    pub(super) fn in_flight(&self) -> usize {
        self.unfinished().saturating_sub(self.tables.count(Occupant::is_idle))
    }

    /// When a connection has waited too long, or is to be looked at.
    pub(super) fn deadline(&self, connection: &Connection) -> Instant {
        let deadline = connection.deadline(&self.limits);
        if self.is_stopping() && connection.is_idle() {
            deadline.min(Instant::now() + STOP_PATIENCE)
        } else {
            deadline
        }
    }
}
