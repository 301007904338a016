//! The service that samples lead to, which listens from the first request for it on.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use crate::front::acceptor;
use crate::front::listener_limits::Limits;
use crate::management::sample_service::SampleService;
use crate::server::either_front::{Front, FrontKind};

/// Most requests that it answers at once.
const WORKERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);

/// The service, once it listens.
pub(super) struct OwnHost {
    kind: FrontKind,
    limits: Limits,
    front: Mutex<Option<Front>>,
}

impl OwnHost {
    pub(super) fn new(kind: FrontKind, limits: Limits) -> OwnHost {
        let front = Mutex::default();
        OwnHost { kind, limits, front }
    }

    /// Where it listens: on a free port of the loopback interface.
    ///
    /// # Errors
    /// The system refuses the port or a thread.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        let mut front = self.front.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(front) = &*front {
            return Ok(front.local_addr());
        }
        let listener = acceptor::bind("127.0.0.1:0")?;
        let started = Front::start(
            self.kind,
            "sample",
            listener,
            WORKERS,
            0,
            self.limits,
            Arc::new(SampleService),
        )?;
        Ok(front.insert(started).local_addr())
    }
}
