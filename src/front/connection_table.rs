//! Connections that wait, each with its deadline. One thread watches all of them.
//!
//! A connection is watched from the first time that it waits until it is closed, also while a worker has it: to begin and
//! to end the watching would cost two system calls for every request. Readiness is edge-triggered. What happens while a
//! connection is away is noted at its seat, and whoever parks it again gets it back to look at it first. So a connection
//! that is parked must have been read, or written, until the socket had no more, or be watched afresh.

use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use crate::front::lot::{Happened, Lot, Occupant};

/// The token of the waker, which is no place.
const WAKER: Token = Token(usize::MAX);

/// Connections that are looked at in one round.
const ROUND: usize = 1024;

/// Longer than anything that is waited for.
const FAR: Duration = Duration::from_secs(3600);

/// The place where connections wait. Any thread may put one in; the watching thread takes out what has something to do,
/// and who wants room takes out what is idle.
pub(super) struct Parking<C>(Arc<Shared<C>>);

struct Shared<C> {
    registry: Registry,
    waker: Waker,
    lot: Mutex<Lot<C>>,
}

/// Where a connection is watched. It is given back when the connection is closed, which also ends the watching.
pub(super) struct Seat<C: Occupant> {
    place: usize,
    interest: Interest,
    parking: Weak<Shared<C>>,
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
    fn seat(&mut self) -> &mut Option<Seat<Self>>;
}

/// What the watching thread waits with.
pub(super) struct Watch {
    poll: Poll,
    events: Events,
}

/// A connection that has something to do.
pub(super) struct Woken<C> {
    pub(super) connection: Box<C>,
    /// Its deadline has passed.
    pub(super) is_expired: bool,
}

impl<C: Watched> Parking<C> {
    /// An empty one, and what to watch it with.
    ///
    /// # Errors
    /// The system refuses what it needs.
    pub(super) fn new() -> io::Result<(Parking<C>, Watch)> {
        let poll = Poll::new()?;
        let parking = Parking(Arc::new(Shared {
            registry: poll.registry().try_clone()?,
            waker: Waker::new(poll.registry(), WAKER)?,
            lot: Mutex::default(),
        }));
        let events = Events::with_capacity(ROUND);
        Ok((parking, Watch { poll, events }))
    }

    /// Parks a connection until the deadline; `is_afresh` where it was not read to the end of what is here. It comes back
    /// if something has happened since it was woken.
    ///
    /// # Errors
    /// The system does not watch another descriptor; the connection is closed then.
    pub(super) fn put(&self, mut connection: Box<C>, deadline: Instant, is_afresh: bool) -> io::Result<Option<Box<C>>> {
        let descriptor = connection.descriptor();
        let interest = interest(&*connection);
        let registry = &self.0.registry;
        // Watched under the lock, so that the connection is in its place when it wakes.
        let mut lot = self.0.lot();
        let place = match connection.seat() {
            Some(seat) => {
                if let Some(happened) = lot.take_note(seat.place) {
                    if happened == Happened::End {
                        connection.note_end();
                    }
                    return Ok(Some(connection));
                }
                if is_afresh || seat.interest != interest {
                    registry.reregister(&mut SourceFd(&descriptor), Token(seat.place), interest)?;
                    seat.interest = interest;
                }
                seat.place
            }
            None => self.0.register(&mut lot, &mut connection)?,
        };
        lot.fill(place, connection, deadline);
        if lot.asleep_until.is_some_and(|until| deadline < until) {
            let _ = self.0.waker.wake();
        }
        Ok(None)
    }

    /// Watches a connection that does not wait here, so that its end is noted.
    ///
    /// # Errors
    /// The system does not watch another descriptor.
    pub(super) fn watch(&self, connection: &mut C) -> io::Result<()> {
        if connection.seat().is_none() {
            let mut lot = self.0.lot();
            self.0.register(&mut lot, connection)?;
        }
        Ok(())
    }

    /// When the end of a connection that is away was noted; none where it was not.
    pub(super) fn end_noted_at(&self, connection: &mut C) -> Option<Instant> {
        let place = connection.seat().as_ref()?.place;
        self.0.lot().end_noted_at(place)
    }

    /// Ends the watching of a connection that goes on to be used; only then is its place another's.
    pub(super) fn leave(&self, connection: &mut C) {
        let seat = connection.seat().take();
        if seat.is_some() {
            let descriptor = connection.descriptor();
            let _ = self.0.registry.deregister(&mut SourceFd(&descriptor));
        }
    }

    /// Makes the watching thread look up.
    pub(super) fn wake(&self) {
        let _ = self.0.waker.wake();
    }

    /// Waits until a connection has something to do, or a while; the connections are taken out.
    pub(super) fn wait(&self, watch: &mut Watch, at_most: Duration, woken: &mut Vec<Woken<C>>) {
        let now = Instant::now();
        let until = {
            let mut lot = self.0.lot();
            let until = (now + at_most.min(FAR)).min(lot.first_deadline().unwrap_or(now + FAR));
            lot.asleep_until = Some(until);
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
        let mut lot = self.0.lot();
        lot.asleep_until = None;
        for event in &watch.events {
            let is_end = event.is_read_closed() || event.is_error();
            let happened = if is_end { Happened::End } else { Happened::Something };
            if let Some(mut connection) = lot.take(event.token().0, happened) {
                if is_end {
                    connection.note_end();
                }
                woken.push(Woken {
                    connection,
                    is_expired: false,
                });
            }
        }
        let now = Instant::now();
        while woken.len() < 2 * ROUND
            && let Some(connection) = lot.next_expired(now)
        {
            woken.push(Woken {
                connection,
                is_expired: true,
            });
        }
    }

    /// Takes out the connection that is idle for longest.
    pub(super) fn take_longest_idle(&self) -> Option<Box<C>> {
        self.0.lot().take_longest_idle()
    }

    /// Takes out the connection with the least key of those that have one, of which there must be few.
    pub(super) fn take_least<Key: Ord>(&self, key: impl Fn(&C) -> Option<Key>) -> Option<Box<C>> {
        self.0.lot().take_least(key)
    }

    /// Keeps no account of idle connections any more, until one is taken out again.
    pub(super) fn forget_idle(&self) {
        self.0.lot().forget_idle();
    }

    /// Lets idle connections wait no longer than that.
    pub(super) fn hasten_idle(&self, latest: Instant) {
        self.0.lot().hasten_idle(latest);
    }

    /// How many connections here satisfy that.
    pub(super) fn count(&self, is_counted: impl Fn(&C) -> bool) -> usize {
        self.0.lot().count(is_counted)
    }
}

impl<C: Watched> Shared<C> {
    /// Begins to watch a connection, and gives it a place.
    fn register(self: &Arc<Shared<C>>, lot: &mut Lot<C>, connection: &mut C) -> io::Result<usize> {
        let descriptor = connection.descriptor();
        let interest = interest(connection);
        let place = lot.claim();
        if let Err(error) = self
            .registry
            .register(&mut SourceFd(&descriptor), Token(place), interest)
        {
            lot.vacate(place);
            return Err(error);
        }
        *connection.seat() = Some(Seat {
            place,
            interest,
            parking: Arc::downgrade(self),
        });
        Ok(place)
    }
}

impl<C> Shared<C> {
    fn lot(&self) -> MutexGuard<'_, Lot<C>> {
        self.lot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Occupant> fmt::Debug for Seat<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seat({})", self.place)
    }
}

impl<C: Occupant> Drop for Seat<C> {
    fn drop(&mut self) {
        if let Some(parking) = self.parking.upgrade() {
            parking.lot().vacate(self.place);
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

    fn wait(parking: &Parking<Connection>, watch: &mut Watch, at_most: Duration) -> Vec<Woken<Connection>> {
        let mut woken = Vec::new();
        parking.wait(watch, at_most, &mut woken);
        woken
    }

    /// The one connection that has something to do.
    fn one(parking: &Parking<Connection>, watch: &mut Watch) -> Woken<Connection> {
        let [woken] = <[Woken<Connection>; 1]>::try_from(wait(parking, watch, PATIENCE))
            .ok()
            .unwrap();
        woken
    }

    fn later() -> Instant {
        Instant::now() + FAR
    }

    #[test]
    fn what_happens_while_a_connection_is_away_is_not_lost() {
        let (parking, mut watch) = Parking::<Connection>::new().unwrap();
        let (connection, mut client) = connection();
        assert!(parking.put(connection, later(), false).unwrap().is_none());
        client.write_all(b"a").unwrap();
        let Woken { connection, is_expired } = one(&parking, &mut watch);
        assert!(!is_expired && !connection.has_ended);
        // Nothing of it has been read, so without this the next byte would be the first that is noticed.
        client.write_all(b"b").unwrap();
        assert!(wait(&parking, &mut watch, PATIENCE).is_empty());
        let connection = parking.put(connection, later(), false).unwrap().expect("it is ready");
        assert!(parking.put(connection, later(), false).unwrap().is_none());
        drop(client);
        assert!(one(&parking, &mut watch).connection.has_ended);
    }

    #[test]
    fn an_end_that_comes_while_a_connection_is_away_is_not_lost() {
        let (parking, mut watch) = Parking::<Connection>::new().unwrap();
        let (connection, mut client) = connection();
        assert!(parking.put(connection, later(), false).unwrap().is_none());
        client.write_all(b"a").unwrap();
        let Woken { connection, .. } = one(&parking, &mut watch);
        client.shutdown(Shutdown::Write).unwrap();
        assert!(wait(&parking, &mut watch, PATIENCE).is_empty());
        // Who reads the byte sees no end, and is not told of it again.
        let back = parking.put(connection, later(), false).unwrap();
        assert!(back.is_some_and(|connection| connection.has_ended));
    }

    #[test]
    fn what_is_left_unread_is_told_again_to_who_asks_for_it() {
        let (parking, mut watch) = Parking::<Connection>::new().unwrap();
        let (connection, mut client) = connection();
        client.write_all(b"a").unwrap();
        assert!(parking.put(connection, later(), false).unwrap().is_none());
        let Woken { connection, .. } = one(&parking, &mut watch);
        assert!(parking.put(connection, later(), true).unwrap().is_none());
        let Woken { mut connection, .. } = one(&parking, &mut watch);
        // And to who comes anew.
        parking.leave(&mut connection);
        assert!(connection.seat().is_none());
        assert!(parking.put(connection, later(), false).unwrap().is_none());
        assert!(!one(&parking, &mut watch).is_expired);
    }

    #[test]
    fn a_deadline_that_moves_away_is_kept() {
        let (parking, mut watch) = Parking::<Connection>::new().unwrap();
        let (connection, mut client) = connection();
        let soon = Instant::now() + Duration::from_millis(1);
        assert!(parking.put(connection, soon, false).unwrap().is_none());
        client.write_all(b"a").unwrap();
        let connection = wait(&parking, &mut watch, Duration::ZERO)
            .pop()
            .map(|woken| woken.connection);
        let Some(connection) = connection else {
            // Too slow a machine to tell the one from the other.
            return;
        };
        let until = Instant::now() + Duration::from_millis(30);
        assert!(parking.put(connection, until, false).unwrap().is_none());
        // Its entry of before comes first, and means nothing any more.
        let mut woken = Vec::new();
        while woken.is_empty() {
            parking.wait(&mut watch, PATIENCE, &mut woken);
        }
        assert!(woken[0].is_expired && Instant::now() >= until);
    }

    #[test]
    fn the_longest_idle_is_taken_whatever_was_asked_meanwhile() {
        let (parking, mut watch) = Parking::<Connection>::new().unwrap();
        let mut clients = Vec::new();
        let mut peers = Vec::new();
        for _ in 0..5 {
            let (connection, client) = connection();
            peers.push(connection.peer);
            clients.push(client);
            assert!(parking.put(connection, later(), false).unwrap().is_none());
        }
        let take = || parking.take_longest_idle().map(|connection| connection.peer);
        // Closed, it is no more among those that are listed.
        assert_eq!(take(), Some(peers[0]));
        let mut ask = |number: usize, state: fn() -> State| {
            clients[number].write_all(b"a").unwrap();
            let Woken { mut connection, .. } = one(&parking, &mut watch);
            let listed = parking.0.lot().idle.as_ref().unwrap().len();
            connection.enter(state());
            assert!(parking.put(connection, later(), false).unwrap().is_none());
            // A request changes no entry.
            assert_eq!(parking.0.lot().idle.as_ref().unwrap().len(), listed);
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
        assert!(parking.put(fresh, later(), false).unwrap().is_none());
        parking.forget_idle();
        assert!(parking.0.lot().idle.is_none());
        assert_eq!((take(), take()), (Some(peer), None));
        assert_eq!(parking.count(|_| true), 1);
    }

    #[test]
    fn places_are_used_again() {
        let (parking, mut watch) = Parking::<Connection>::new().unwrap();
        for _ in 0..3 {
            let (first, second) = (connection(), connection());
            assert!(parking.put(first.0, Instant::now(), false).unwrap().is_none());
            assert!(parking.put(second.0, later(), false).unwrap().is_none());
            assert!(one(&parking, &mut watch).is_expired);
            parking.hasten_idle(Instant::now());
            assert!(one(&parking, &mut watch).is_expired);
            let lot = parking.0.lot();
            assert_eq!((lot.places.len(), lot.free.len(), lot.schedule.len()), (2, 2, 0));
        }
    }
}
