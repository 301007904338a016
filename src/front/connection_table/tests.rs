//! What happens to a connection is not lost, wherever the connection is.

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
    let mut happened = Happened::default();
    table.wait(watch, Instant::now(), at_most, &mut happened);
    happened.ready
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
    // And to a new connection.
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
        ready = wait(&table, &mut watch, PATIENCE);
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
