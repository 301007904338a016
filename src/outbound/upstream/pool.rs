//! Connections that are kept for another request, and how many connections there are.
//!
//! The last one given back goes out first: under little load few are in use, and those are warm.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http1::target::Scheme;
use crate::outbound::upstream::connection::Connection;
use crate::outbound::upstream::destinations::{Destination, Destinations};
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::request::IntegrationRequest;
use crate::outbound::upstream::resolver::{CachingResolver, LookUp};
use crate::outbound::upstream::server::Server;
use crate::outbound::upstream::settings::Settings;
use crate::platform::concurrency::ConcurrencyPermit;

/// How long a connection is kept without use: less than the 5 s after which Node's server closes one.
pub(super) const MAX_IDLE_AGE: Duration = Duration::from_secs(4);

/// All connections that are not in use, and what all exchanges share.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) resolver: Arc<CachingResolver>,
    /// Most connections, in use or not: each is a descriptor.
    most: usize,
    /// Those of loops: how many there may be, and how many there are, in use or not.
    pub(super) most_on_loops: usize,
    pub(super) on_loops: AtomicUsize,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// The one that has been idle longest first.
    idle: Vec<Idle>,
    /// How many exchanges go on.
    leased: usize,
    destinations: Destinations,
}

#[derive(Debug)]
struct Idle {
    since: Instant,
    server: Arc<Server>,
    connection: Connection,
}

/// The place of an exchange among the connections. It is free when this is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    home: Arc<Pool>,
    pub(super) server: Arc<Server>,
    /// A connection that was kept, until it is taken.
    first: Option<Connection>,
    /// It counts.
    is_counted: bool,
    /// What the worker that waits holds of its destination, until another one does. It is free after the connection is
    /// kept, so that a worker that takes it finds that.
    pub(super) slot: Option<ConcurrencyPermit>,
}

impl Pool {
    pub(super) fn new(settings: Settings, look_up: LookUp) -> Arc<Pool> {
        Arc::new(Pool {
            tls: settings.tls.config,
            resolver: CachingResolver::new(settings.dns_ttl, look_up),
            most: settings.most_connections,
            most_on_loops: settings.most_on_loops,
            on_loops: AtomicUsize::new(0),
            kept: Mutex::new(Kept {
                idle: Vec::new(),
                leased: 0,
                destinations: Destinations::new(settings.share, settings.share_on_loops),
            }),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for an exchange, with the connection that was kept last for its server, if there is one. `slot` is
    /// asked for what the worker that waits is to hold of the destination.
    ///
    /// # Errors
    /// As many workers wait for the destination as may, or the request's authority is none.
    pub(super) fn lease(
        pool: &Arc<Pool>,
        request: &IntegrationRequest,
        slot: impl FnOnce(&Destination) -> Result<Option<ConcurrencyPermit>, UpstreamError>,
    ) -> Result<Lease, UpstreamError> {
        let (server, first, slot, in_the_way) = {
            let mut kept = pool.kept();
            match kept.newest(|server| server.is_of(request)) {
                Some(at) => {
                    let destination = kept.idle.get(at).map(|idle| Arc::clone(&idle.server.destination));
                    let slot = destination.map_or(Ok(None), |destination| slot(&destination))?;
                    let idle = kept.idle.remove(at);
                    kept.leased += 1;
                    (idle.server, Some(idle.connection), slot, None)
                }
                None => {
                    let destination = kept.destinations.find(request.scheme, &request.authority);
                    let slot = slot(&destination)?;
                    let server = Arc::new(Server::of(request, destination)?);
                    let in_the_way = kept.make_room(pool.most);
                    (server, None, slot, in_the_way)
                }
            }
        };
        // It is closed without the lock.
        drop(in_the_way);
        Ok(Lease {
            home: Arc::clone(pool),
            server,
            first,
            is_counted: true,
            slot,
        })
    }

    /// The destination of a URL with that scheme and authority.
    pub(super) fn destination(&self, scheme: Scheme, authority: &str) -> Arc<Destination> {
        self.kept().destinations.find(scheme, authority)
    }

    /// Takes the connection that was kept last for a server.
    pub(super) fn take_kept(&self, server: &Server) -> Option<Connection> {
        let mut kept = self.kept();
        let at = kept.newest(|other| other.is_same(server))?;
        Some(kept.idle.remove(at).connection)
    }

    /// Whether no connection for a server is kept for whoever asks first, loop or worker, and one more may be.
    pub(super) fn wants_spare(&self, server: &Server) -> bool {
        let kept = self.kept();
        kept.leased + kept.idle.len() < self.most && kept.newest(|other| other.is_same(server)).is_none()
    }

    /// Keeps a connection for whoever asks first, loop or worker.
    pub(super) fn keep_spare(&self, server: &Arc<Server>, connection: Connection) {
        let idle = Idle {
            since: Instant::now(),
            server: Arc::clone(server),
            connection,
        };
        self.kept().idle.push(idle);
    }

    /// Closes connections that are too old to be used.
    pub(super) fn close_idle(&self) {
        // They are closed without the lock.
        let old: Vec<Idle> = self.kept().idle.extract_if(.., |idle| idle.is_old()).collect();
        drop(old);
    }
}

impl Idle {
    fn is_old(&self) -> bool {
        self.since.elapsed() > MAX_IDLE_AGE
    }
}

impl Kept {
    /// Counts one more exchange; where there are as many connections as may be, the one that has been idle longest is in
    /// its way.
    fn make_room(&mut self, most: usize) -> Option<Idle> {
        let is_full = self.leased + self.idle.len() >= most && !self.idle.is_empty();
        self.leased += 1;
        is_full.then(|| self.idle.remove(0))
    }

    /// Where the connection is that was kept last for a server. Those before it are older.
    fn newest(&self, is_of: impl Fn(&Server) -> bool) -> Option<usize> {
        let at = self.idle.iter().rposition(|idle| is_of(&idle.server))?;
        let is_old = self.idle.get(at).is_none_or(Idle::is_old);
        (!is_old).then_some(at)
    }
}

impl Lease {
    /// The place of an exchange that a loop has begun, without a connection.
    pub(super) fn begun(home: &Arc<Pool>, server: Arc<Server>, slot: ConcurrencyPermit) -> Lease {
        let in_the_way = home.kept().make_room(home.most);
        // It is closed without the lock.
        drop(in_the_way);
        Lease {
            home: Arc::clone(home),
            server,
            first: None,
            is_counted: true,
            slot: Some(slot),
        }
    }

    /// What all exchanges share.
    pub(super) fn pool(&self) -> &Pool {
        &self.home
    }

    /// The next connection that was kept for the server. It may have ended since.
    pub(super) fn next_kept(&mut self) -> Option<Connection> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let mut kept = self.home.kept();
        let at = kept.newest(|server| std::ptr::eq(server, &*self.server) || server.is_same(&self.server))?;
        Some(kept.idle.remove(at).connection)
    }

    /// Keeps a connection for another request, and gives up the place.
    pub(super) fn keep(&mut self, connection: Connection) {
        let idle = Idle {
            since: Instant::now(),
            server: Arc::clone(&self.server),
            connection,
        };
        let was_counted = std::mem::take(&mut self.is_counted);
        let mut kept = self.home.kept();
        kept.idle.push(idle);
        kept.leased -= usize::from(was_counted);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.is_counted {
            self.is_counted = false;
            self.home.kept().leased -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::num::NonZeroUsize;

    use super::*;
    use crate::http1::message::{Body, Headers, Method};
    use crate::outbound::upstream::resolver;
    use crate::outbound::upstream::settings::DNS_TTL;
    use crate::outbound::upstream::tls;
    use crate::outbound::upstream::url::Url;

    struct Scene {
        pool: Arc<Pool>,
        listener: TcpListener,
        accepted: Vec<TcpStream>,
    }

    impl Scene {
        fn with(most_connections: usize) -> Scene {
            let settings = Settings {
                tls: tls::client_config(None).unwrap(),
                most_connections,
                share: NonZeroUsize::MAX,
                share_on_loops: NonZeroUsize::MAX,
                most_on_loops: usize::MAX,
                dns_ttl: DNS_TTL,
            };
            Scene {
                pool: Pool::new(settings, Box::new(resolver::of_the_system)),
                listener: TcpListener::bind("127.0.0.1:0").unwrap(),
                accepted: Vec::new(),
            }
        }

        fn lease(&self, url: &str) -> Lease {
            let url = Url::parse(url).unwrap();
            let request = url.request(Method::Get, Headers::new(), Body::Empty, DNS_TTL);
            Pool::lease(&self.pool, &request, |_| Ok(None)).unwrap()
        }

        /// A connection that is known by its own address.
        fn connection(&mut self) -> (Connection, SocketAddr) {
            let stream = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
            self.accepted.push(self.listener.accept().unwrap().0);
            let own = stream.local_addr().unwrap();
            (Connection::plain(stream.into(), own), own)
        }
    }

    #[test]
    fn the_connection_that_was_kept_last_goes_out_first() {
        let mut scene = Scene::with(16);
        let mut leases = [
            scene.lease("http://a"),
            scene.lease("http://a"),
            scene.lease("http://a:80"),
        ];
        let peers: Vec<SocketAddr> = leases
            .iter_mut()
            .map(|lease| {
                let (connection, peer) = scene.connection();
                lease.keep(connection);
                peer
            })
            .collect();
        drop(leases);
        let mut other = scene.lease("http://b");
        assert!(other.next_kept().is_none());
        let mut lease = scene.lease("http://a");
        let found: Vec<SocketAddr> = std::iter::from_fn(|| lease.next_kept().map(|kept| *kept.peer())).collect();
        assert_eq!(found, [peers[1], peers[0]]);
        assert!(scene.lease("https://a").next_kept().is_none());
        // None is old yet.
        scene.pool.close_idle();
        assert_eq!(scene.pool.kept().idle.len(), 1);
        drop((lease, other));
        assert_eq!(scene.pool.kept().leased, 0);
    }

    #[test]
    fn the_oldest_connection_goes_where_there_are_too_many() {
        let mut scene = Scene::with(2);
        let mut leases = [scene.lease("http://a"), scene.lease("http://b")];
        for lease in &mut leases {
            let (connection, _) = scene.connection();
            lease.keep(connection);
        }
        drop(leases);
        let third = scene.lease("http://c");
        assert!(scene.lease("http://a").next_kept().is_none());
        drop(third);
        let mut kept = scene.lease("http://b");
        assert!(
            kept.next_kept().is_none(),
            "the second of two exchanges needed its place"
        );
        assert_eq!(scene.pool.kept().idle.len(), 0);
    }
}
