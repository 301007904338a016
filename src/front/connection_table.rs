//! The connections of one loop that wait, each with its deadline. The loop's thread polls all of them.
//!
//! A connection is registered with the poller from the first time that it waits until it is closed, also while a worker
//! owns it: registering and deregistering would cost two system calls for every request. Readiness is edge-triggered. If
//! an event arrives while a worker owns the connection, the poller notes it in the connection's slot. `register` returns
//! such a connection at once, so that the caller handles the event first. A connection that is registered must therefore
//! have been read or written until the socket had no more, or be registered afresh.

mod happened;

use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};

pub(super) use crate::front::connection_table::happened::{AwayEvent, Happened, ReadyConnection, ReadySocket};
use crate::front::home::Home;
use crate::front::slots::{Occupant, Readiness, Slots};

/// mio's token of the waker, which is no slot.
const WAKER: Token = Token(usize::MAX);

/// What is added to the seat of a socket to an integration, which is no slot either.
const OUTBOUND: usize = usize::MAX / 2;

/// Connections that are looked at in one round.
const ROUND: usize = 1024;

/// Longer than anything that is waited for.
const FAR: Duration = Duration::from_secs(3600);

/// The connections that wait. Any thread may register one; the watching thread takes out what has something to do,
/// and who wants room takes out what is idle.
pub(super) struct ConnectionTable<C>(Arc<Shared<C>>);

struct Shared<C> {
    registry: Registry,
    waker: Waker,
    slots: Mutex<Slots<C>>,
}

/// Where a connection is watched. It is given back when the connection is closed, which also ends the watching.
pub(super) struct SlotToken<C: Occupant> {
    slot: usize,
    interest: Interest,
    table: Weak<Shared<C>>,
}

/// What the table asks of a connection.
pub(super) trait Watched: Occupant + Sized {
    /// The socket.
    fn descriptor(&self) -> RawFd;

    /// Whether it waits for room to write, and not for bytes to read.
    fn waits_to_write(&self) -> bool;

    /// Notes that no more comes behind what is here.
    fn note_end(&mut self);

    /// Where it is watched; none before it first waits.
    fn token(&mut self) -> &mut Option<SlotToken<Self>>;

    /// Whose it is.
    fn home(&self) -> &Home;
}

/// What the watching thread waits with.
pub(super) struct Poller {
    poll: Poll,
    events: Events,
}

impl<C: Watched> ConnectionTable<C> {
    /// An empty one, and what to watch it with.
    ///
    /// # Errors
    /// The system refuses what it needs.
    pub(super) fn new() -> io::Result<(ConnectionTable<C>, Poller)> {
        let poll = Poll::new()?;
        let table = ConnectionTable(Arc::new(Shared {
            registry: poll.registry().try_clone()?,
            waker: Waker::new(poll.registry(), WAKER)?,
            slots: Mutex::default(),
        }));
        let events = Events::with_capacity(ROUND);
        Ok((table, Poller { poll, events }))
    }

    /// Parks a connection until the deadline; `is_afresh` where it was not read to the end of what is here. It comes back
    /// if something has happened since it was taken out.
    ///
    /// # Errors
    /// The system does not watch another descriptor; the connection is closed then.
    pub(super) fn register(
        &self,
        mut connection: Box<C>,
        deadline: Instant,
        is_afresh: bool,
    ) -> io::Result<Option<Box<C>>> {
        let descriptor = connection.descriptor();
        let interest = interest(&*connection);
        let registry = &self.0.registry;
        // Watched under the lock, so that the connection is in its slot when it wakes.
        let mut slots = self.0.slots();
        let slot = match connection.token() {
            Some(token) => {
                if let Some(readiness) = slots.take_readiness(token.slot) {
                    if readiness == Readiness::End {
                        connection.note_end();
                    }
                    return Ok(Some(connection));
                }
                if is_afresh || token.interest != interest {
                    registry.reregister(&mut SourceFd(&descriptor), Token(token.slot), interest)?;
                    token.interest = interest;
                }
                token.slot
            }
            None => self.0.begin(&mut slots, &mut connection)?,
        };
        slots.fill(slot, connection, deadline);
        if slots.asleep_until.is_some_and(|until| deadline < until) {
            let _ = self.0.waker.wake();
        }
        Ok(None)
    }

    /// Gives a connection to the watching thread, which looks at it in its next round.
    pub(super) fn give(&self, connection: Box<C>) {
        let mut slots = self.0.slots();
        slots.given.push(connection);
        if slots.asleep_until.take().is_some() {
            let _ = self.0.waker.wake();
        }
    }

    /// Watches a connection that does not wait here, so that its end is noted.
    ///
    /// # Errors
    /// The system does not watch another descriptor.
    pub(super) fn watch(&self, connection: &mut C) -> io::Result<()> {
        if connection.token().is_none() {
            let mut slots = self.0.slots();
            self.0.begin(&mut slots, connection)?;
        }
        Ok(())
    }

    /// Watches a connection that does not wait here for room to write too.
    ///
    /// # Errors
    /// The system does not watch another descriptor.
    pub(super) fn watch_for_room(&self, connection: &mut C) -> io::Result<()> {
        self.watch(connection)?;
        let descriptor = connection.descriptor();
        if let Some(token) = connection
            .token()
            .as_mut()
            .filter(|token| !token.interest.is_writable())
        {
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registry = &self.0.registry;
            registry.reregister(&mut SourceFd(&descriptor), Token(token.slot), interest)?;
            token.interest = interest;
        }
        Ok(())
    }

    /// When the end of a connection that is away was noted; none where it was not.
    pub(super) fn end_noted_at(&self, connection: &mut C) -> Option<Instant> {
        let slot = connection.token().as_ref()?.slot;
        self.0.slots().end_noted_at(slot)
    }

    /// Ends the watching of a connection that goes on to be used; only then is its slot another's.
    pub(super) fn deregister(&self, connection: &mut C) {
        let token = connection.token().take();
        if token.is_some() {
            let descriptor = connection.descriptor();
            let _ = self.0.registry.deregister(&mut SourceFd(&descriptor));
        }
    }

    /// The slot of a connection that is watched.
    pub(super) fn slot(&self, connection: &mut C) -> Option<usize> {
        connection.token().as_ref().map(|token| token.slot)
    }

    /// Watches a socket to an integration at a seat, for all that may happen to it.
    ///
    /// # Errors
    /// The system does not watch another descriptor.
    pub(super) fn watch_outbound(&self, socket: RawFd, seat: usize) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = &self.0.registry;
        registry.register(&mut SourceFd(&socket), Token(OUTBOUND + seat), interest)
    }

    /// Ends the watching of a socket that goes on to be used.
    pub(super) fn forget_outbound(&self, socket: RawFd) {
        let _ = self.0.registry.deregister(&mut SourceFd(&socket));
    }

    /// What makes the watching thread look up.
    pub(super) fn waker(&self) -> impl Fn() + Send + Sync + use<C>
    where
        C: Send + 'static,
    {
        let shared = Arc::downgrade(&self.0);
        move || {
            if let Some(shared) = shared.upgrade() {
                let _ = shared.waker.wake();
            }
        }
    }

    /// Makes the watching thread look up.
    pub(super) fn wake(&self) {
        let _ = self.0.waker.wake();
    }

    /// Waits until a connection has something to do, or a while from now on; the connections are taken out.
    pub(super) fn wait(&self, watch: &mut Poller, now: Instant, at_most: Duration, happened: &mut Happened<C>) {
        let until = {
            let mut slots = self.0.slots();
            if slots.given.is_empty() {
                let until = (now + at_most.min(FAR)).min(slots.first_deadline().unwrap_or(now + FAR));
                slots.asleep_until = Some(until);
                until
            } else {
                now
            }
        };
        // A signal or a failure means to look again; the events are then none.
        let looked = watch
            .poll
            .poll(&mut watch.events, Some(until.saturating_duration_since(now)));
        (happened.at, happened.is_all) = (Instant::now(), looked.is_ok());
        if !happened.is_all {
            watch.events.clear();
        }
        let mut slots = self.0.slots();
        slots.asleep_until = None;
        let given = slots.given.drain(..);
        happened.ready.extend(given.map(|connection| ReadyConnection {
            connection,
            is_expired: false,
        }));
        for (number, event) in watch.events.iter().enumerate() {
            happened.is_all &= number + 1 < ROUND;
            let is_end = event.is_read_closed() || event.is_error();
            let token = event.token();
            if token == WAKER {
                continue;
            }
            if let Some(seat) = token.0.checked_sub(OUTBOUND) {
                happened.outbound.push(ReadySocket {
                    seat,
                    is_readable: event.is_readable(),
                    has_ended: is_end,
                });
                continue;
            }
            let readiness = if is_end { Readiness::End } else { Readiness::Something };
            if let Some(mut connection) = slots.take(event.token().0, readiness) {
                if is_end {
                    connection.note_end();
                }
                happened.ready.push(ReadyConnection {
                    connection,
                    is_expired: false,
                });
            } else {
                happened.away.push(AwayEvent { slot: token.0, is_end });
            }
        }
        while happened.ready.len() < 2 * ROUND
            && let Some(connection) = slots.next_expired(happened.at)
        {
            happened.ready.push(ReadyConnection {
                connection,
                is_expired: true,
            });
        }
    }

    /// Since when the connection is idle that is so for longest.
    pub(super) fn longest_idle(&self) -> Option<Instant> {
        self.0.slots().longest_idle()
    }

    /// Takes out the connection that is idle for longest.
    pub(super) fn take_longest_idle(&self) -> Option<Box<C>> {
        self.0.slots().take_longest_idle()
    }

    /// The least key of those that connections have.
    pub(super) fn least<Key: Ord>(&self, key: impl Fn(&C) -> Option<Key>) -> Option<Key> {
        self.0.slots().least(key)
    }

    /// Takes out the connection with the least key of those that have one, of which there must be few.
    pub(super) fn take_least<Key: Ord>(&self, key: impl Fn(&C) -> Option<Key>) -> Option<Box<C>> {
        self.0.slots().take_least(key)
    }

    /// Keeps no account of idle connections any more, until one is taken out again.
    pub(super) fn forget_idle(&self) {
        self.0.slots().forget_idle();
    }

    /// Lets idle connections wait no longer than that.
    pub(super) fn expire_idle(&self, latest: Instant) {
        self.0.slots().expire_idle(latest);
    }

    /// How many connections here satisfy that.
    pub(super) fn count(&self, is_counted: impl Fn(&C) -> bool) -> usize {
        self.0.slots().count(is_counted)
    }
}

impl<C: Watched> Shared<C> {
    /// Begins to watch a connection, and gives it a slot.
    fn begin(self: &Arc<Shared<C>>, slots: &mut Slots<C>, connection: &mut C) -> io::Result<usize> {
        let descriptor = connection.descriptor();
        let interest = interest(connection);
        let slot = slots.take_free();
        if let Err(error) = self
            .registry
            .register(&mut SourceFd(&descriptor), Token(slot), interest)
        {
            slots.free_slot(slot);
            return Err(error);
        }
        *connection.token() = Some(SlotToken {
            slot,
            interest,
            table: Arc::downgrade(self),
        });
        Ok(slot)
    }
}

impl<C> Shared<C> {
    fn slots(&self) -> MutexGuard<'_, Slots<C>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Occupant> fmt::Debug for SlotToken<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotToken({})", self.slot)
    }
}

impl<C: Occupant> Drop for SlotToken<C> {
    fn drop(&mut self) {
        if let Some(table) = self.table.upgrade() {
            table.slots().free_slot(self.slot);
        }
    }
}

fn interest<C: Watched>(connection: &C) -> Interest {
    match connection.waits_to_write() {
        true => Interest::WRITABLE,
        false => Interest::READABLE,
    }
}

#[cfg(test)]
mod tests;
