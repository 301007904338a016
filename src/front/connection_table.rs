//! Connections that wait, each with its deadline. One thread watches all of them.
//!
//! A connection is watched from the first time that it waits until it is closed, also while a worker has it: to begin and
//! to end the watching would cost two system calls for every request. Readiness is edge-triggered. What happens while a
//! connection is away is noted at its slot, and the thread that registers it again gets it back to look at it first. So a connection
//! that that is registered must have been read, or written, until the socket had no more, or be watched afresh.

use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use crate::front::slots::{Occupant, Readiness, Slots};

/// The token of the waker, which is no slot.
const WAKER: Token = Token(usize::MAX);

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
}

/// What the watching thread waits with.
pub(super) struct Poller {
    poll: Poll,
    events: Events,
}

/// A connection that has something to do.
pub(super) struct ReadyConnection<C> {
    pub(super) connection: Box<C>,
    /// Its deadline has passed.
    pub(super) is_expired: bool,
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
    /// if something has happened since it was ready.
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

    /// Makes the watching thread look up.
    pub(super) fn wake(&self) {
        let _ = self.0.waker.wake();
    }

    /// Waits until a connection has something to do, or a while; the connections are taken out.
    pub(super) fn wait(&self, watch: &mut Poller, at_most: Duration, ready: &mut Vec<ReadyConnection<C>>) {
        let now = Instant::now();
        let until = {
            let mut slots = self.0.slots();
            let until = (now + at_most.min(FAR)).min(slots.first_deadline().unwrap_or(now + FAR));
            slots.asleep_until = Some(until);
            until
        };
        // A signal or a failure means to look again; the events are then none.
        if watch
            .poll
            .poll(&mut watch.events, Some(until.saturating_duration_since(now)))
            .is_err()
        {
            watch.events.clear();
        }
        let mut slots = self.0.slots();
        slots.asleep_until = None;
        for event in &watch.events {
            let is_end = event.is_read_closed() || event.is_error();
            let readiness = if is_end { Readiness::End } else { Readiness::Something };
            if let Some(mut connection) = slots.take(event.token().0, readiness) {
                if is_end {
                    connection.note_end();
                }
                ready.push(ReadyConnection {
                    connection,
                    is_expired: false,
                });
            }
        }
        let now = Instant::now();
        while ready.len() < 2 * ROUND
            && let Some(connection) = slots.next_expired(now)
        {
            ready.push(ReadyConnection {
                connection,
                is_expired: true,
            });
        }
    }

    /// Takes out the connection that is idle for longest.
    pub(super) fn take_longest_idle(&self) -> Option<Box<C>> {
        self.0.slots().take_longest_idle()
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
mod tests {
    use super::*;
    use crate::front::connection::{Connection, State};
    use crate::front::quota::Open;
    use crate::front::socket::Socket;
    use std::io::Write;
    use std::net::{Shutdown, TcpListener, TcpStream};

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A connection whose client has sent nothing yet, and the client.
    fn connection() -> (Box<Connection>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        let open = Open::count(&Arc::default(), &Arc::default());
        let connection = Connection::new(Socket::of(stream), peer, listener.local_addr().unwrap(), open);
        (Box::new(connection), client)
    }

    fn wait(
        table: &ConnectionTable<Connection>,
        watch: &mut Poller,
        at_most: Duration,
    ) -> Vec<ReadyConnection<Connection>> {
        let mut ready = Vec::new();
        table.wait(watch, at_most, &mut ready);
        ready
    }

    /// The one connection that has something to do.
    fn one(table: &ConnectionTable<Connection>, watch: &mut Poller) -> ReadyConnection<Connection> {
        let [ready] = <[ReadyConnection<Connection>; 1]>::try_from(wait(table, watch, PATIENCE))
            .ok()
            .unwrap();
        ready
    }

    fn later() -> Instant {
        Instant::now() + FAR
    }

    #[test]
    fn what_happens_while_a_connection_is_away_is_not_lost() {
        let (table, mut watch) = ConnectionTable::<Connection>::new().unwrap();
        let (connection, mut client) = connection();
        assert!(table.register(connection, later(), false).unwrap().is_none());
        client.write_all(b"a").unwrap();
        let ReadyConnection { connection, is_expired } = one(&table, &mut watch);
        assert!(!is_expired && !connection.has_ended);
        // Nothing of it has been read, so without this the next byte would be the first that is noticed.
        client.write_all(b"b").unwrap();
        assert!(wait(&table, &mut watch, PATIENCE).is_empty());
        let connection = table
            .register(connection, later(), false)
            .unwrap()
            .expect("it is ready");
        assert!(table.register(connection, later(), false).unwrap().is_none());
        drop(client);
        assert!(one(&table, &mut watch).connection.has_ended);
    }

    #[test]
    fn an_end_that_comes_while_a_connection_is_away_is_not_lost() {
        let (table, mut watch) = ConnectionTable::<Connection>::new().unwrap();
        let (connection, mut client) = connection();
        assert!(table.register(connection, later(), false).unwrap().is_none());
        client.write_all(b"a").unwrap();
        let ReadyConnection { connection, .. } = one(&table, &mut watch);
        client.shutdown(Shutdown::Write).unwrap();
        assert!(wait(&table, &mut watch, PATIENCE).is_empty());
        // Who reads the byte sees no end, and is not told of it again.
        let back = table.register(connection, later(), false).unwrap();
        assert!(back.is_some_and(|connection| connection.has_ended));
    }

    #[test]
    fn what_is_left_unread_is_told_again_to_who_asks_for_it() {
        let (table, mut watch) = ConnectionTable::<Connection>::new().unwrap();
        let (connection, mut client) = connection();
        client.write_all(b"a").unwrap();
        assert!(table.register(connection, later(), false).unwrap().is_none());
        let ReadyConnection { connection, .. } = one(&table, &mut watch);
        assert!(table.register(connection, later(), true).unwrap().is_none());
        let ReadyConnection { mut connection, .. } = one(&table, &mut watch);
        // And to who comes anew.
        table.deregister(&mut connection);
        assert!(connection.token().is_none());
        assert!(table.register(connection, later(), false).unwrap().is_none());
        assert!(!one(&table, &mut watch).is_expired);
    }

    #[test]
    fn a_deadline_that_moves_away_is_kept() {
        let (table, mut watch) = ConnectionTable::<Connection>::new().unwrap();
        let (connection, mut client) = connection();
        let soon = Instant::now() + Duration::from_millis(1);
        assert!(table.register(connection, soon, false).unwrap().is_none());
        client.write_all(b"a").unwrap();
        let connection = wait(&table, &mut watch, Duration::ZERO)
            .pop()
            .map(|ready| ready.connection);
        let Some(connection) = connection else {
            // Too slow a machine to tell the one from the other.
            return;
        };
        let until = Instant::now() + Duration::from_millis(30);
        assert!(table.register(connection, until, false).unwrap().is_none());
        // Its entry of before comes first, and means nothing any more.
        let mut ready = Vec::new();
        while ready.is_empty() {
            table.wait(&mut watch, PATIENCE, &mut ready);
        }
        assert!(ready[0].is_expired && Instant::now() >= until);
    }

    #[test]
    fn the_longest_idle_is_taken_whatever_was_asked_meanwhile() {
        let (table, mut watch) = ConnectionTable::<Connection>::new().unwrap();
        let mut clients = Vec::new();
        let mut peers = Vec::new();
        for _ in 0..5 {
            let (connection, client) = connection();
            peers.push(connection.peer);
            clients.push(client);
            assert!(table.register(connection, later(), false).unwrap().is_none());
        }
        let take = || table.take_longest_idle().map(|connection| connection.peer);
        // Closed, it is no more among those that are listed.
        assert_eq!(take(), Some(peers[0]));
        let mut ask = |number: usize, state: fn() -> State| {
            clients[number].write_all(b"a").unwrap();
            let ReadyConnection { mut connection, .. } = one(&table, &mut watch);
            let listed = table.0.slots().idle.as_ref().unwrap().len();
            connection.enter(state());
            assert!(table.register(connection, later(), false).unwrap().is_none());
            // A request changes no entry.
            assert_eq!(table.0.slots().idle.as_ref().unwrap().len(), listed);
        };
        ask(2, || State::Idle);
        ask(1, || State::Idle);
        ask(3, || State::Lingering(1));
        assert_eq!(take(), Some(peers[4]));
        // It has lost its entry by now, and gets another.
        ask(1, || State::Idle);
        assert_eq!(take(), Some(peers[2]));
        assert_eq!(take(), Some(peers[1]));
        assert_eq!(take(), None);
        let (fresh, _client) = connection();
        let peer = fresh.peer;
        assert!(table.register(fresh, later(), false).unwrap().is_none());
        table.forget_idle();
        assert!(table.0.slots().idle.is_none());
        assert_eq!((take(), take()), (Some(peer), None));
        assert_eq!(table.count(|_| true), 1);
    }

    #[test]
    fn places_are_used_again() {
        let (table, mut watch) = ConnectionTable::<Connection>::new().unwrap();
        for _ in 0..3 {
            let (first, second) = (connection(), connection());
            assert!(table.register(first.0, Instant::now(), false).unwrap().is_none());
            assert!(table.register(second.0, later(), false).unwrap().is_none());
            assert!(one(&table, &mut watch).is_expired);
            table.expire_idle(Instant::now());
            assert!(one(&table, &mut watch).is_expired);
            let slots = table.0.slots();
            assert_eq!((slots.slots.len(), slots.free.len(), slots.schedule.len()), (2, 2, 0));
        }
    }
}
