//! How an exchange on a loop gets its connection: one that was kept, or one that is made, to each address in its turn.

use std::io;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::http1::target::Scheme;
use crate::outbound::upstream::connection::{Connection, Quiet};
use crate::outbound::upstream::connector;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::loop_exchange::{Connecting, LoopExchange, Stage, Step};
use crate::outbound::upstream::loop_pool::LoopPool;
use crate::outbound::upstream::resolver::Resolved;
use crate::outbound::upstream::unconnected::Unconnected;
use crate::outbound::upstream::watched::{Place, Watched};
use crate::outbound::upstream::watcher::Watcher;

impl LoopExchange {
    /// Takes a connection that was kept, or begins to make one.
    pub(super) fn open(
        &mut self,
        addresses: Resolved,
        pool: &mut LoopPool,
        watcher: &mut dyn Watcher,
        now: Instant,
    ) -> Result<Step, UpstreamError> {
        while !self.is_new {
            let own = pool.take(&self.server, now);
            let kept = own.or_else(|| Some((pool.take_of_workers(&self.server, watcher)?, false)));
            let Some((mut watched, is_known_quiet)) = kept else {
                break;
            };
            let destination = &self.server.destination;
            if destination.keeps_connections() && addresses.has(watched.connection.peer()) {
                // The look at all connections has told that nothing has come. A connection that has ended since then costs a
                // request that may be repeated nothing; one that may not is sent only where it has not.
                let quiet = match is_known_quiet && self.may_repeat && watched.connection.is_plain() {
                    true => Quiet::Yes,
                    false => watched.connection.quiet(),
                };
                match quiet {
                    Quiet::Yes => {
                        watcher.take(watched.seat);
                        self.stage = Stage::Open(watched);
                        self.waits.set_sent(true);
                        return Ok(Step::Again);
                    }
                    Quiet::Ended => {}
                    Quiet::Surplus => destination.note_surplus(),
                }
            }
            LoopPool::end_watched(watched, watcher);
        }
        if self.server.scheme == Scheme::Https {
            return Ok(Step::Connect);
        }
        self.is_new = true;
        let place = pool.place(watcher);
        let none = self.not_connected("it has no address".to_owned());
        self.connect(addresses, 0, place, none, pool, watcher)?;
        Ok(Step::Again)
    }

    /// What a worker goes on with.
    pub(super) fn hand_on(&mut self, pool: &LoopPool) -> Unconnected {
        self.stage = Stage::Over;
        let (waits, exchange) = self.take_out();
        Unconnected {
            pool: Arc::clone(&pool.pool),
            connections: Arc::clone(&pool.connections),
            server: Arc::clone(&self.server),
            slot: self.slot.handed_on(),
            waits,
            exchange,
            is_again: self.is_new,
            may_repeat: self.may_repeat,
            is_to_head: self.is_to_head,
            may_stream: self.may_stream,
        }
    }

    fn not_connected(&self, reason: String) -> UpstreamError {
        UpstreamError::NotConnected {
            host: self.server.authority.clone(),
            reason,
        }
    }

    /// Begins to connect to the first of the addresses, but for so many, that does not refuse at once.
    fn connect(
        &mut self,
        addresses: Resolved,
        mut tried: usize,
        place: Place,
        mut failure: UpstreamError,
        pool: &LoopPool,
        watcher: &mut dyn Watcher,
    ) -> Result<(), UpstreamError> {
        while let Some(address) = addresses.tried().get(tried).copied() {
            // An address that is silent must leave time for those after it.
            let left = u32::try_from(addresses.tried().len() - tried).unwrap_or(1);
            tried += 1;
            let until = Instant::now() + self.waits.next_wait()? / left;
            let begun = connector::begin(address).map_err(io::Error::from);
            match begun.and_then(|(socket, _)| Ok((watcher.watch(socket.as_fd())?, socket))) {
                Ok((seat, socket)) => {
                    self.stage = Stage::Connecting(Connecting {
                        addresses,
                        tried,
                        socket,
                        address,
                        seat,
                        place,
                        until,
                        told: (false, false),
                    });
                    return Ok(());
                }
                Err(error) => failure = self.not_connected(format!("{address}: {error}")),
            }
        }
        // The host may have moved.
        pool.pool.resolver.forget(&self.server.host, &addresses);
        Err(failure)
    }

    pub(super) fn go_on_connecting(
        &mut self,
        pool: &LoopPool,
        watcher: &mut dyn Watcher,
    ) -> Result<Step, UpstreamError> {
        let Stage::Connecting(connecting) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Ok(Step::Again);
        };
        let mut polled = [PollFd::new(&connecting.socket, PollFlags::OUT)];
        let count = poll(&mut polled, Some(&Timespec::default()));
        let failure = if count.is_ok_and(|count| count > 0) {
            match connector::end(&connecting.socket) {
                Ok(()) => {
                    let Connecting {
                        socket,
                        address,
                        seat,
                        place,
                        told,
                        ..
                    } = connecting;
                    let connection = Connection::plain(socket, address);
                    let mut watched = Watched::new(connection, seat, place);
                    watched.note_ready(told.0, told.1);
                    self.stage = Stage::Open(watched);
                    self.waits.set_sent(true);
                    return Ok(Step::Again);
                }
                Err(error) => io::Error::from(error).to_string(),
            }
        } else if Instant::now() < connecting.until {
            self.stage = Stage::Connecting(connecting);
            return Ok(Step::Wait);
        } else {
            "timed out".to_owned()
        };
        let Connecting {
            addresses,
            tried,
            socket,
            address,
            seat,
            place,
            ..
        } = connecting;
        drop(socket);
        watcher.vacate(seat);
        let failure = self.not_connected(format!("{address}: {failure}"));
        self.connect(addresses, tried, place, failure, pool, watcher)?;
        Ok(Step::Again)
    }
}
