//! What has happened to the sockets of a loop.

use std::time::Instant;

/// What has happened to the sockets of a loop.
pub(crate) struct Happened<C> {
    /// Connections that have something to do; they are taken out.
    pub(crate) ready: Vec<ReadyConnection<C>>,
    /// What has happened to connections that are away.
    pub(crate) away: Vec<AwayEvent>,
    /// Sockets to integrations that are ready.
    pub(crate) outbound: Vec<ReadySocket>,
    /// When it was looked.
    pub(crate) at: Instant,
    /// That is all that had happened then.
    pub(crate) is_all: bool,
}

/// Something has happened to a connection that is away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AwayEvent {
    pub(crate) slot: usize,
    /// The client sends no more, or is gone.
    pub(crate) is_end: bool,
}

/// A socket to an integration that is ready for something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadySocket {
    pub(crate) seat: usize,
    pub(crate) is_readable: bool,
    /// Nothing comes behind what is here.
    pub(crate) has_ended: bool,
}

impl<C> Default for Happened<C> {
    fn default() -> Happened<C> {
        Happened {
            ready: Vec::new(),
            away: Vec::new(),
            outbound: Vec::new(),
            at: Instant::now(),
            is_all: false,
        }
    }
}

/// A connection that has something to do.
pub(crate) struct ReadyConnection<C> {
    pub(crate) connection: Box<C>,
    /// Its deadline has passed.
    pub(crate) is_expired: bool,
}
