//! The front of this crate, or the one on the package tiny_http.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use crate::front::Handler;
use crate::front::listener_limits::Limits;
use crate::platform::metrics::FrontMetrics;

/// What listens to clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FrontKind {
    /// The front of this crate.
    #[default]
    Own,
    /// The one on the package tiny_http, for trusted networks and for comparison.
    #[cfg(feature = "tiny_http")]
    TinyHttp,
}

/// A listener that is being served, by either front.
pub(super) enum Front {
    Own(crate::front::Front),
    #[cfg(feature = "tiny_http")]
    TinyHttp(crate::front::tiny_http::Front),
}

impl Front {
    pub(super) fn start(
        kind: FrontKind,
        name: &'static str,
        listener: TcpListener,
        most_workers: NonZeroUsize,
        loops: usize,
        limits: Limits,
        handler: Arc<dyn Handler>,
    ) -> io::Result<Front> {
        match kind {
            FrontKind::Own => {
                crate::front::Front::start(name, listener, most_workers, loops, limits, handler).map(Front::Own)
            }
            #[cfg(feature = "tiny_http")]
            FrontKind::TinyHttp => {
                crate::front::tiny_http::Front::start(name, listener, most_workers, handler).map(Front::TinyHttp)
            }
        }
    }

    pub(super) fn metrics(&self) -> Arc<FrontMetrics> {
        match self {
            Front::Own(front) => front.metrics(),
            #[cfg(feature = "tiny_http")]
            Front::TinyHttp(front) => front.metrics(),
        }
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        match self {
            Front::Own(front) => front.local_addr(),
            #[cfg(feature = "tiny_http")]
            Front::TinyHttp(front) => front.local_addr(),
        }
    }

    pub(super) fn stop(&self) {
        match self {
            Front::Own(front) => front.stop(),
            #[cfg(feature = "tiny_http")]
            Front::TinyHttp(front) => front.stop(),
        }
    }

    pub(super) fn drain(&self, until: Instant) -> usize {
        match self {
            Front::Own(front) => front.drain(until),
            #[cfg(feature = "tiny_http")]
            Front::TinyHttp(front) => front.drain(until),
        }
    }
}
