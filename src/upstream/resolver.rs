//! Host names to addresses, with a cache: ureq asks before each request, also for a connection that it keeps.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::upstream::UpstreamError;
use crate::upstream::exchange::{Exchange, LOOK};

/// How long addresses are used. The system's resolver does not tell a record's own time to live; this follows a
/// change of address as fast as container platforms make one.
const TIME_TO_LIVE: Duration = Duration::from_secs(5);

/// How long a failure is remembered, so that a dead name server is not asked by every request.
const FAILURE_TIME_TO_LIVE: Duration = Duration::from_secs(1);

/// Most names kept. Names come from files only; this bounds what many reloads could leave behind.
const MAX_NAMES: usize = 1024;

/// Most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

/// The cache that all agents share.
#[derive(Debug, Default)]
pub(super) struct CachingResolver {
    names: Mutex<HashMap<String, Entry>>,
    changed: Condvar,
}

#[derive(Clone, Debug)]
enum Entry {
    /// A thread is asking.
    Asked,
    /// The addresses, or what the resolver said, and until when.
    Known(Result<Vec<SocketAddr>, String>, Instant),
}

impl CachingResolver {
    /// The resolver of one agent: look-ups end with its exchange.
    pub(super) fn for_exchange(self: &Arc<CachingResolver>, exchange: Arc<Exchange>) -> ExchangeResolver {
        ExchangeResolver {
            cache: Arc::clone(self),
            exchange,
        }
    }

    fn names(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses of `host:port`, from the cache or after one look-up, however many ask for it at once.
    fn look_up(self: &Arc<CachingResolver>, name: &str, exchange: &Exchange) -> Result<Vec<SocketAddr>, UpstreamError> {
        let mut names = self.names();
        loop {
            match names.get(name) {
                Some(Entry::Known(result, until)) if Instant::now() < *until => {
                    return result.clone().map_err(|reason| UpstreamError::NotResolved {
                        host: name.to_owned(),
                        reason,
                    });
                }
                Some(Entry::Asked) => {}
                _ => {
                    make_room(&mut names);
                    names.insert(name.to_owned(), Entry::Asked);
                    self.ask(name.to_owned(), &mut names);
                    continue;
                }
            }
            let part = exchange.next_wait()?.min(LOOK);
            let (woken, timeout) = self
                .changed
                .wait_timeout(names, part)
                .unwrap_or_else(PoisonError::into_inner);
            names = woken;
            if timeout.timed_out() {
                exchange.wait_on(part, Duration::ZERO)?;
            }
        }
    }

    /// Asks the system in a thread of its own, since `getaddrinfo` takes as long as it likes.
    fn ask(self: &Arc<CachingResolver>, name: String, names: &mut HashMap<String, Entry>) {
        let cache = Arc::clone(self);
        let asked = name.clone();
        let thread = thread::Builder::new().name("resolver".to_owned()).spawn(move || {
            let answer = asked
                .to_socket_addrs()
                .map(|addresses| addresses.take(MAX_ADDRESSES).collect());
            cache.names().insert(asked, known(answer));
            cache.changed.notify_all();
        });
        if let Err(error) = thread {
            names.insert(name, known(Err(error)));
        }
    }
}

fn known(answer: std::io::Result<Vec<SocketAddr>>) -> Entry {
    let (result, time_to_live) = match answer {
        Ok(addresses) if !addresses.is_empty() => (Ok(addresses), TIME_TO_LIVE),
        Ok(_) => (Err("it has no address".to_owned()), FAILURE_TIME_TO_LIVE),
        Err(error) => (Err(error.to_string()), FAILURE_TIME_TO_LIVE),
    };
    Entry::Known(result, Instant::now() + time_to_live)
}

fn make_room(names: &mut HashMap<String, Entry>) {
    if names.len() >= MAX_NAMES {
        let now = Instant::now();
        names.retain(|_, entry| !matches!(entry, Entry::Known(_, until) if *until < now));
    }
}

/// What ureq asks.
pub(super) struct ExchangeResolver {
    cache: Arc<CachingResolver>,
    exchange: Arc<Exchange>,
}

impl Resolver for ExchangeResolver {
    fn resolve(
        &self,
        uri: &http::Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let default_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default_port);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = match bare.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => self
                .cache
                .look_up(&format!("{host}:{port}"), &self.exchange)
                .map_err(|failure| {
                    self.exchange.note_failure(failure);
                    ureq::Error::HostNotFound
                })?,
        };
        let mut resolved = self.empty();
        for address in addresses {
            resolved.push(address);
        }
        Ok(resolved)
    }
}

impl fmt::Debug for ExchangeResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExchangeResolver")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(timeout: Duration) -> Exchange {
        let exchange = Exchange::new();
        exchange.begin(timeout, None, false);
        exchange
    }

    #[test]
    fn answers_are_remembered() {
        let cache = Arc::new(CachingResolver::default());
        let patient = exchange(Duration::from_secs(20));
        let addresses = cache.look_up("localhost:80", &patient).unwrap();
        assert!(
            addresses
                .iter()
                .all(|address| address.ip().is_loopback() && address.port() == 80)
        );
        // No time is left, so only what is known already can answer.
        let hurried = exchange(Duration::ZERO);
        assert_eq!(cache.look_up("localhost:80", &hurried), Ok(addresses));
        assert_eq!(
            cache.look_up("other.invalid:80", &hurried),
            Err(UpstreamError::TimedOut(Duration::ZERO))
        );
    }

    #[test]
    fn many_ask_and_one_look_up_answers_them_all() {
        let cache = Arc::new(CachingResolver::default());
        cache.names().insert("h:80".to_owned(), Entry::Asked);
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let cache = Arc::clone(&cache);
                thread::spawn(move || cache.look_up("h:80", &exchange(Duration::from_secs(20))))
            })
            .collect();
        let address = SocketAddr::from(([192, 0, 2, 1], 80));
        cache.names().insert("h:80".to_owned(), known(Ok(vec![address])));
        cache.changed.notify_all();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Ok(vec![address]));
        }
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut names = HashMap::new();
        let past = Instant::now();
        for number in 0..MAX_NAMES {
            names.insert(number.to_string(), Entry::Known(Err(String::new()), past));
        }
        make_room(&mut names);
        assert!(names.is_empty());
    }
}
