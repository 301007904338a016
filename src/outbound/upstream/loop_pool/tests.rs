//! When a connection that was kept needs no peek.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;

use super::*;
use crate::http1::message::{Body, Headers, Method};
use crate::outbound::upstream::url::Url;
use crate::outbound::upstream::{Settings, Upstream, tls};

/// A loop that watches nothing.
struct NoLoop;

impl Watcher for NoLoop {
    fn watch(&mut self, _: BorrowedFd<'_>) -> io::Result<Seat> {
        Ok(0)
    }

    fn take(&mut self, _: Seat) {}

    fn keep(&mut self, _: Seat) {}

    fn vacate(&mut self, _: Seat) {}

    fn give_away(&mut self, _: Seat, _: BorrowedFd<'_>) {}

    fn reserve(&mut self, _: usize) -> bool {
        true
    }
}

fn pool() -> LoopPool {
    let upstream = Upstream::new(Settings {
        tls: tls::client_config(None).unwrap(),
        most_connections: 16,
        most_on_loops: 16,
        share_on_loops: NonZeroUsize::MAX,
        share: NonZeroUsize::MAX,
        dns_ttl: Duration::from_secs(1),
    });
    upstream.of_loop()
}

fn request(address: SocketAddr) -> IntegrationRequest {
    let uri = Url::parse(&format!("http://{address}/")).unwrap();
    uri.request(Method::Get, Headers::new(), Body::Empty, Duration::from_secs(1))
}

#[test]
fn a_look_holds_for_what_was_kept_before_it_and_for_a_short_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut pool = pool();
    let server = pool.server(&request(address)).unwrap();
    let now = Instant::now();
    let keep = |pool: &mut LoopPool| {
        let socket = TcpStream::connect(address).unwrap();
        let place = pool.place(&mut NoLoop);
        let watched = Watched::new(Connection::plain(socket.into(), address), 0, place);
        pool.keep(&server, watched, &mut NoLoop, now);
    };
    let take = |pool: &mut LoopPool, now| pool.take(&server, now).map(|(_, holds)| holds);
    keep(&mut pool);
    assert_eq!(take(&mut pool, now), Some(false), "there was no look");
    keep(&mut pool);
    pool.note_look(now, true);
    keep(&mut pool);
    assert_eq!(
        take(&mut pool, now),
        Some(true),
        "the one that was looked at goes first"
    );
    assert_eq!(take(&mut pool, now), Some(false), "it was kept since the look");
    let nanosecond = Duration::from_nanos(1);
    for (what, later, holds) in [
        ("in time", LOOK_HOLDS, Some(true)),
        ("the look is old", LOOK_HOLDS + nanosecond, Some(false)),
        ("the connection is old", MAX_IDLE_AGE + nanosecond, None),
    ] {
        keep(&mut pool);
        pool.note_look(now, true);
        assert_eq!(take(&mut pool, now + later), holds, "{what}");
    }
    keep(&mut pool);
    pool.note_look(now, true);
    pool.note_look(now, false);
    assert_eq!(take(&mut pool, now), Some(false), "the last look saw a part");
}
