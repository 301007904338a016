//! What one listener allows its clients. What no option changes is a constant here, with its reason.

use std::num::NonZeroUsize;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Requests on one connection; the last is answered with `connection: close`. So no connection is for ever, and load
/// spreads again after a scale-out; it is far more than any client would notice.
const MAX_REQUESTS: u32 = 100_000;

/// Bytes read at first of a head. Most are shorter, and a connection that waits keeps this much.
pub const FIRST_READ_LENGTH: usize = 1000;

/// Bytes read at once while the rest of a head is awaited. Pipelined requests are read ahead this far and no further, since nothing
/// is read while a request is answered.
pub const HEAD_READ_LENGTH: usize = 4 * 1024;

/// Bytes read at once while a body is awaited.
pub const BODY_READ_LENGTH: usize = 64 * 1024;

/// Bytes that one connection may have taken in or discarded before the others have their turn.
pub const TURN_LENGTH: usize = 256 * 1024;

/// Bytes of content a second that a body must have come at once [`Limits::body_timeout`] has passed since its head. The
/// largest takes 21 minutes at most. A poor mobile connection is twice as fast.
pub const LEAST_BODY_RATE: u32 = 8 * 1024;

/// While memory or workers are scarce, a client sends a body, or takes an answer, at this pace at least: so many bytes in
/// [`RATE_TIME`], 16 KiB/s. A poor mobile connection is as fast; who holds back on purpose gives way to others.
pub const RATE_LENGTH: usize = 64 * 1024;

/// See [`RATE_LENGTH`]. Connections that pause when they change cells or networks are back in this time.
pub const RATE_TIME: Duration = Duration::from_secs(4);

/// Who holds less memory than this is never asked to hurry: all connections together hold less than there is.
pub const RATED_FROM: usize = 16 * 1024;

/// Most bytes of an answer that are kept for a client that takes it slowly; what is longer, it is waited for. As much as
/// a request may have.
pub const MAX_KEPT_ANSWER: usize = 10 * 1024 * 1024;

/// Bytes of content that an answer may have without waiting for its turn. More take longer than all else that is done
/// for a request, and few are longer.
pub const LONG_ANSWER: usize = 64 * 1024;

/// Long answers whose bytes are moved at the same time, at least; otherwise twice as many as there are processors. So
/// many keep the processors busy, and leave them to an ordinary request soon.
pub const LEAST_MOVING: usize = 4;

/// Long answers that wait for their turn, at least.
const LEAST_WAITING: usize = 64;

/// How many long answers wait for their turn: as many as there may be workers. Each holds a connection to its
/// integration; one more is moved by its worker at once.
pub fn most_waiting_answers(workers: usize) -> usize {
    workers.max(LEAST_WAITING)
}

/// A long answer of which nothing was moved for this time does not count as one that is: it waits for its integration
/// or its client.
pub const STEP_TIME: Duration = Duration::from_millis(20);

/// How long a worker waits, in all, for a client to take its answer, before the rest is kept for it. A client near by
/// takes 10 MB in this time.
pub const TAKING_PATIENCE: Duration = Duration::from_millis(100);

/// As [`TAKING_PATIENCE`], while other requests wait for a worker.
pub const TAKING_PATIENCE_WHILE_OTHERS_WAIT: Duration = Duration::from_millis(5);

/// How long a worker waits for the next request on a connection before it gives the connection away. Clients that
/// send one request after the other take less, and a worker that is needed elsewhere does not wait.
pub const NEXT_REQUEST_PATIENCE: Duration = Duration::from_millis(2);

/// A request that has waited so long for a worker is carried out only if its client is still there, which takes a
/// system call. Who waits less has hardly gone.
pub const WORTH_A_LOOK: Duration = Duration::from_millis(10);

/// A client that ends its side so soon after its request only tells that no other follows, and waits for the answer. One
/// that does so later, while the request waits for a worker, has gone: the two cannot be told apart in another way.
pub const HALF_CLOSE_TIME: Duration = Duration::from_millis(50);

/// How often it is looked whether the client of a long answer is there, also while that waits for its turn.
pub const LOOK_AT_CLIENT: Duration = Duration::from_millis(500);

/// How long a client is listened to after the last answer on its connection, so that it can read it. Closed at once,
/// the connection would be reset by what the client still sends, and the answer lost.
pub const LINGER_TIME: Duration = Duration::from_secs(5);

/// Bytes that are discarded in that time; who sends more is reset.
pub const LINGER_LENGTH: usize = 64 * 1024 * 1024;

/// With loops, this part of the descriptors at least is for exchanges, where there are fewer than clients and exchanges want.
const LOOPS_SHARE: usize = 3;

/// Connections over the limit that are listened to in that way, where the descriptors allow so many; all others over it
/// are closed at once.
const LINGERING_OVER_LIMIT: usize = 16;

/// How long a new connection over a small limit waits for one that becomes idle, before it is refused. A client that has
/// its answer may connect anew before the worker has parked the connection on which it was given, or while it waits there
/// itself for [`NEXT_REQUEST_PATIENCE`]. The rest is for a machine that has much else to do.
pub const ROOM_PATIENCE: Duration = Duration::from_millis(200);

/// Connections of the management listener, where the descriptors allow so many: a few probes and a person.
const MANAGEMENT_CONNECTIONS: usize = 256;

/// Of these, so many are kept for vital requests where all others are taken, and a quarter where there are less: a probe
/// is admitted and has asked before sixteen others have come.
const MANAGEMENT_RESERVE: usize = 16;

/// How long connections without a request stay open once a stop has begun. What was sent before reaches us in this
/// time.
pub const STOP_PATIENCE: Duration = Duration::from_millis(250);

/// How long the end waits for requests that were cut when their time was up, so that each is accounted for. A wait for an
/// integration looks twice a second whether its client is there.
pub(super) const CUT_PATIENCE: Duration = Duration::from_secs(1);

/// Least descriptors that are neither clients' nor their requests': 20 of them are listeners, pipes and logs, the others
/// for what a reload reads.
const LEAST_OWN_DESCRIPTORS: usize = 32;

/// Most of them, where there are many: functions have some each.
const MOST_OWN_DESCRIPTORS: usize = 256;

/// The limits that differ between listeners.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections. For one more, the one that is idle for longest is closed; where none is idle, it is answered 503
    /// and closed. Defaults to 10,000.
    pub max_connections: NonZeroUsize,
    /// Connections besides these for vital requests (see [`Handler::is_vital`]), which are taken where none is idle. Where
    /// these are taken as well, the one that has waited longest without a whole request is closed. Defaults to none, and
    /// is so for the API.
    ///
    /// [`Handler::is_vital`]: crate::front::handler::Handler::is_vital
    pub reserve: usize,
    /// A head is whole this long after its first byte, or the answer is 408. Defaults to 10 s.
    pub head_timeout: Duration,
    /// How long a body may be silent, or the answer is 408. Once so much time has passed since its head, it must also have
    /// come at [`LEAST_BODY_RATE`] on average. Defaults to 30 s.
    pub body_timeout: Duration,
    /// How long a connection stays open between requests. Defaults to 75 s.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of an answer before its connection is cut. Defaults to 30 s. It takes
    /// something when its system acknowledges it, which does so in pieces of up to half of its buffer: a client that
    /// reads so slowly that this takes longer cannot be told from one that does not read.
    pub write_timeout: Duration,
    /// How long a request waits for a worker at most; then it is answered 503, whether there is a worker or not. Defaults
    /// to 2 s: a burst is over in that time. Where workers are short for longer, a queue makes each answer late and helps
    /// nobody, and who is told so soon can go elsewhere.
    pub queue_timeout: Duration,
    /// Requests on one connection; the last is answered with `connection: close`. Defaults to 100,000.
    pub max_requests: u32,
    /// Bytes of requests' bodies and of answers that slow clients have not taken, over all connections; beyond it the
    /// answer is 503. Defaults to 256 MiB: 25 of the largest bodies at once, and half of a small container.
    pub memory: usize,
    /// Connections over the limit that are listened to until they have read their 503, or the answer before they were
    /// closed for a new one. Defaults to 16.
    pub lingering_over_limit: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_connections: NonZeroUsize::MIN.saturating_add(9_999),
            reserve: 0,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            queue_timeout: Duration::from_secs(2),
            max_requests: MAX_REQUESTS,
            memory: 256 * 1024 * 1024,
            lingering_over_limit: LINGERING_OVER_LIMIT,
        }
    }
}

impl Limits {
    /// The same for clients, and those for the management pages, but so many connections that there are descriptors
    /// for all of them, for an exchange of each request, which workers, long answers that wait and loops may have, and
    /// for ourselves. The process's own limit is raised as far as it may be.
    #[must_use]
    pub fn within_descriptors(self, workers: NonZeroUsize, has_loops: bool) -> Allowed {
        let descriptors = raise_descriptor_limit();
        let of_workers = workers.get().saturating_add(most_waiting_answers(workers.get()));
        let available = descriptors.unwrap_or(usize::MAX);
        let exchanges = match has_loops {
            true => of_workers.saturating_add(available / LOOPS_SHARE),
            false => of_workers,
        };
        let shares = Shares::of(available, exchanges);
        let most_clients = shares.clients.min(self.max_connections);
        let on_loops = shares.on_loops(most_clients, of_workers);
        let limits = Limits {
            max_connections: most_clients,
            reserve: 0,
            lingering_over_limit: shares.lingering.min(self.lingering_over_limit),
            ..self
        };
        let for_management = Limits {
            max_connections: shares.management,
            reserve: shares.reserve,
            memory: 32 * 1024 * 1024,
            ..limits
        };
        if let Some(descriptors) = descriptors
            && limits.max_connections < self.max_connections
        {
            log::warn!(
                "{} connections at most, not {}, and {} on the management listener: the system allows {descriptors} \
                 descriptors, and {workers} workers may need two each",
                limits.max_connections,
                self.max_connections,
                for_management.max_connections.saturating_add(for_management.reserve)
            );
        }
        Allowed {
            clients: limits,
            management: for_management,
            on_loops,
        }
    }
}

/// What the descriptors allow.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// For clients.
    pub clients: Limits,
    /// For the management pages.
    pub management: Limits,
    /// Most exchanges on loops.
    pub on_loops: NonZeroUsize,
}

/// How descriptors are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shares {
    clients: NonZeroUsize,
    management: NonZeroUsize,
    /// Of the management listener, too.
    reserve: usize,
    /// Over the limit of either listener.
    lingering: usize,
    /// What is left for exchanges.
    exchanges: usize,
}

impl Shares {
    fn of(descriptors: usize, exchanges: usize) -> Shares {
        let own = (descriptors / 16).clamp(LEAST_OWN_DESCRIPTORS, MOST_OWN_DESCRIPTORS);
        let spare = descriptors.saturating_sub(own);
        let management = (spare / 16).clamp(4, MANAGEMENT_CONNECTIONS);
        let reserve = (management / 4).min(MANAGEMENT_RESERVE);
        let lingering = (spare / 32).clamp(1, LINGERING_OVER_LIMIT);
        // Either listener may have accepted one more, to close it.
        let left = spare.saturating_sub(management + 2 * (lingering + 1));
        // No more requests than clients have an exchange.
        let clients = left.saturating_sub(exchanges).max(left / 2);
        Shares {
            clients: NonZeroUsize::new(clients).unwrap_or(NonZeroUsize::MIN),
            management: NonZeroUsize::new(management - reserve).unwrap_or(NonZeroUsize::MIN),
            reserve,
            lingering,
            exchanges: left - clients.min(left),
        }
    }

    /// How many exchanges loops may have, with so many clients and so many exchanges of workers: one for each client,
    /// where there are descriptors. A client has one exchange at most, be it a loop's or a worker's.
    fn on_loops(&self, clients: NonZeroUsize, of_workers: usize) -> NonZeroUsize {
        let spare = self.exchanges + self.clients.get().saturating_sub(clients.get());
        let most = match clients.get() <= spare {
            true => clients.get(),
            false => spare.saturating_sub(of_workers),
        };
        NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN)
    }
}

/// How many descriptors this process may have, after asking for as many as it may ask for; none where that is no
/// number.
fn raise_descriptor_limit() -> Option<usize> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            ..limit
        };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit = raised;
        }
    }
    usize::try_from(limit.current?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_descriptors_for_all_that_is_allowed() {
        for workers in [1, 16, 512, 100_000] {
            for descriptors in (48..5_000).chain([65_536, 1_048_576]) {
                let shares = Shares::of(descriptors, workers);
                let clients = shares.clients.get();
                let management = shares.management.get() + shares.reserve;
                let taken = clients + workers.min(clients) + management + 2 * (shares.lingering + 1);
                let own = LEAST_OWN_DESCRIPTORS.max(descriptors.min(4096) / 16);
                assert!(taken + own <= descriptors, "{descriptors}, {workers}: {shares:?}");
                // No descriptor is left but for the rounding.
                assert!(taken + own + 1 >= descriptors, "{descriptors}, {workers}: {shares:?}");
            }
        }
        let shares = |clients, management, reserve, lingering, exchanges| Shares {
            clients: NonZeroUsize::new(clients).unwrap(),
            management: NonZeroUsize::new(management).unwrap(),
            reserve,
            lingering,
            exchanges,
        };
        assert_eq!(Shares::of(64, 512), shares(12, 3, 1, 1, 12));
        assert_eq!(Shares::of(1_024, 512), shares(433, 45, 15, 16, 433));
        let many = Shares::of(1_048_576, 512);
        assert_eq!((many.management.get(), many.reserve), (240, 16));
    }

    #[test]
    fn exchanges_on_loops_and_clients_have_descriptors() {
        for of_workers in [2, 65, 1_024, 100_000] {
            for descriptors in (48..5_000).chain([20_000, 65_536, 1_048_576]) {
                for most_clients in [1, 100, 10_000, 1_000_000] {
                    let shares = Shares::of(descriptors, of_workers + descriptors / LOOPS_SHARE);
                    let clients = shares.clients.min(NonZeroUsize::new(most_clients).unwrap());
                    let on_loops = shares.on_loops(clients, of_workers).get();
                    let exchanges = clients.get().min(on_loops + of_workers);
                    let all = shares.clients.get() + shares.exchanges;
                    let what = format!("{descriptors}, {of_workers}, {most_clients}: {shares:?}, {on_loops}");
                    assert!(clients.get() + exchanges <= all, "{what}");
                    assert!(on_loops <= clients.get(), "{what}");
                    assert!(on_loops == clients.get() || on_loops >= descriptors / 4, "{what}");
                }
            }
        }
    }
}
