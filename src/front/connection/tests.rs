//! The times that a connection has.

use super::*;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

#[test]
fn a_request_that_begins_when_the_connection_was_to_end_has_its_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(local).unwrap();
    let (stream, peer) = listener.accept().unwrap();
    let open = Open::count(&Arc::default(), &Arc::default());
    let mut connection = Connection::new(Socket::of(stream), peer, local, open);
    let budget = MemoryBudget::of(1_000);
    let mut limits = Limits {
        idle_timeout: Duration::ZERO,
        ..Limits::default()
    };
    assert!(connection.is_late(&limits, &budget));
    client.write_all(b"GET").unwrap();
    assert!(matches!(connection.read_request(&budget, Wait::Briefly), Next::Wait));
    assert!(matches!(connection.state, State::Head(_)));
    assert!(!connection.is_late(&limits, &budget));
    limits.head_timeout = Duration::ZERO;
    assert!(connection.is_late(&limits, &budget));
}
