//! Host names to addresses, with a cache: it is asked before each request, also for one on a kept connection, so that a
//! connection to an address that the name no longer has is not used.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::http1::message::CLIENT_CHECK_INTERVAL;
use crate::outbound::upstream::addresses::Addresses;
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::waits::Waits;
use crate::platform::loops;

/// How long a failure is remembered, so that a dead name server is not asked by every request.
const FAILURE_TIME_TO_LIVE: Duration = Duration::from_secs(1);

/// Most names kept. Names come from files only; this bounds what many reloads could leave behind.
const MAX_NAMES: usize = 1024;

/// Most addresses of one name that are known: a kept connection to any of them is good.
const MAX_ADDRESSES: usize = 1024;

/// Most of them that are tried for one connection.
const MAX_TRIED: usize = 16;

/// What finds the addresses of `host:port`; it may take as long as it likes.
pub(super) type LookUp = Box<dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// The cache that all exchanges share.
pub(super) struct CachingResolver {
    /// How long addresses are used. The system's resolver does not tell a record's own time to live.
    time_to_live: Duration,
    look_up: LookUp,
    names: Mutex<HashMap<String, Entry>>,
    changed: Condvar,
    /// How many look-ups have ended.
    ended: AtomicU64,
    /// What wakes those that wait without a thread.
    wakers: Mutex<Vec<Waker>>,
}

/// Wakes a loop. It must not wait.
pub(super) type Waker = Arc<dyn Fn() + Send + Sync>;

#[derive(Clone, Debug)]
enum Entry {
    /// A thread is asking.
    Asked,
    /// The addresses, or what the resolver said, and until when.
    Known(Result<Addresses, String>, Instant),
}

/// Asks the system.
pub(super) fn of_the_system(name: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(name.to_socket_addrs()?.collect())
}

impl CachingResolver {
    pub(super) fn new(time_to_live: Duration, look_up: LookUp) -> Arc<CachingResolver> {
        Arc::new(CachingResolver {
            time_to_live,
            look_up,
            names: Mutex::default(),
            changed: Condvar::new(),
            ended: AtomicU64::new(0),
            wakers: Mutex::default(),
        })
    }

    /// The addresses of a host now.
    ///
    /// # Errors
    /// It has none, or they are not there in time.
    pub(super) fn resolve(self: &Arc<CachingResolver>, host: &Host, waits: &Waits) -> Result<Resolved, UpstreamError> {
        Ok(match host {
            Host::Address(address) => Resolved::Itself(*address),
            Host::Name(name) => Resolved::Of(self.look_up(name, waits)?),
        })
    }

    /// As [`CachingResolver::resolve`], without a wait; none where the name is being looked up. Who has
    /// [asked to be woken](CachingResolver::wake_with) is, when a look-up has ended.
    pub(super) fn resolve_now(self: &Arc<CachingResolver>, host: &Host) -> Option<Result<Resolved, UpstreamError>> {
        let name = match host {
            Host::Address(address) => return Some(Ok(Resolved::Itself(*address))),
            Host::Name(name) => name,
        };
        let mut names = self.names();
        let known = |names: &HashMap<String, Entry>| match names.get(&**name) {
            Some(Entry::Known(result, until)) if Instant::now() < *until => Some(result.clone()),
            _ => None,
        };
        let mut found = known(&names);
        if found.is_none() && !matches!(names.get(&**name), Some(Entry::Asked)) {
            make_room(&mut names);
            names.insert(name.to_string(), Entry::Asked);
            self.ask(name.to_string(), &mut names);
            // Where no thread could be started, that is known now.
            found = known(&names);
        }
        let result = found?.map(Resolved::Of);
        Some(result.map_err(|reason| UpstreamError::NotResolved {
            host: name.to_string(),
            reason,
        }))
    }

    /// Calls that each time when a look-up has ended.
    pub(super) fn wake_with(&self, waker: Waker) {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
    }

    /// How many look-ups have ended.
    pub(super) fn ended(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }

    /// Forgets addresses of a host, since there was no connection to any of them: the next exchange asks anew.
    pub(super) fn forget(&self, host: &Host, of_no_use: &Resolved) {
        if let (Host::Name(name), Resolved::Of(addresses)) = (host, of_no_use) {
            self.forget_addresses(name, addresses);
        }
    }

    fn names(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses of `host:port`, from the cache or after one look-up, however many ask for it at once.
    fn look_up(self: &Arc<CachingResolver>, name: &str, waits: &Waits) -> Result<Addresses, UpstreamError> {
        loops::may_wait("for a name");
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
            let part = waits.next_wait()?.min(CLIENT_CHECK_INTERVAL);
            let (woken, timeout) = self
                .changed
                .wait_timeout(names, part)
                .unwrap_or_else(PoisonError::into_inner);
            names = woken;
            if timeout.timed_out() {
                waits.wait_on(part, Duration::ZERO)?;
            }
        }
    }

    /// Asks in a thread of its own, since `getaddrinfo` takes as long as it likes.
    fn ask(self: &Arc<CachingResolver>, name: String, names: &mut HashMap<String, Entry>) {
        let cache = Arc::clone(self);
        let asked = name.clone();
        let thread = thread::Builder::new().name("resolver".to_owned()).spawn(move || {
            let answer = (cache.look_up)(&asked);
            let known = cache.known(answer);
            cache.names().insert(asked, known);
            cache.changed.notify_all();
            cache.ended.fetch_add(1, Ordering::SeqCst);
            for waker in &*cache.wakers.lock().unwrap_or_else(PoisonError::into_inner) {
                waker();
            }
        });
        if let Err(error) = thread {
            names.insert(name, self.known(Err(error)));
        }
    }

    fn known(&self, answer: io::Result<Vec<SocketAddr>>) -> Entry {
        let (result, time_to_live) = match answer {
            Ok(mut addresses) if !addresses.is_empty() => {
                addresses.truncate(MAX_ADDRESSES);
                (Ok(addresses.into()), self.time_to_live)
            }
            Ok(_) => (Err("it has no address".to_owned()), FAILURE_TIME_TO_LIVE),
            Err(error) => (Err(error.to_string()), FAILURE_TIME_TO_LIVE),
        };
        Entry::Known(result, Instant::now() + time_to_live)
    }

    /// Forgets these addresses of a name. Those of a later look-up stay.
    fn forget_addresses(&self, name: &str, of_no_use: &Addresses) {
        let mut names = self.names();
        if let Some(Entry::Known(Ok(known), _)) = names.get(name)
            && Arc::ptr_eq(known, of_no_use)
        {
            names.remove(name);
        }
    }
}

impl fmt::Debug for CachingResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CachingResolver({:?})", self.names())
    }
}

fn make_room(names: &mut HashMap<String, Entry>) {
    if names.len() >= MAX_NAMES {
        let now = Instant::now();
        names.retain(|_, entry| !matches!(entry, Entry::Known(_, until) if *until < now));
    }
}

/// What a connection is made to.
#[derive(Clone, Debug)]
pub(super) enum Host {
    /// It is an address itself.
    Address(SocketAddr),
    /// A name and a port.
    Name(Box<str>),
}

impl Host {
    /// A name, an IPv4 address, or an IPv6 address in brackets, with a port.
    pub(super) fn of(host: &str, port: u16) -> Host {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) => Host::Address(SocketAddr::new(address, port)),
            Err(_) => Host::Name(format!("{host}:{port}").into()),
        }
    }
}

/// The addresses of a host, for one exchange.
#[derive(Debug)]
pub(super) enum Resolved {
    Itself(SocketAddr),
    Of(Addresses),
}

impl Resolved {
    /// Those that are tried for a connection, in this order.
    pub(super) fn tried(&self) -> &[SocketAddr] {
        match self {
            Resolved::Itself(address) => std::slice::from_ref(address),
            Resolved::Of(addresses) => addresses.get(..MAX_TRIED).unwrap_or(addresses),
        }
    }

    /// Whether that is one of them.
    pub(super) fn has(&self, address: &SocketAddr) -> bool {
        match self {
            Resolved::Itself(own) => own == address,
            Resolved::Of(addresses) => addresses.contains(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(timeout: Duration) -> Waits {
        Waits::begin(timeout, None, false)
    }

    fn cache() -> Arc<CachingResolver> {
        CachingResolver::new(Duration::from_secs(3600), Box::new(of_the_system))
    }

    #[test]
    fn answers_are_remembered() {
        let cache = cache();
        let patient = waits(Duration::from_secs(20));
        let addresses = cache.look_up("localhost:80", &patient).unwrap();
        assert!(
            addresses
                .iter()
                .all(|address| address.ip().is_loopback() && address.port() == 80)
        );
        // No time is left, so only what is known already can answer.
        let hurried = waits(Duration::ZERO);
        assert_eq!(cache.look_up("localhost:80", &hurried), Ok(addresses));
        assert_eq!(
            cache.look_up("other.invalid:80", &hurried),
            Err(UpstreamError::TimedOut(Duration::ZERO))
        );
    }

    #[test]
    fn many_ask_and_one_look_up_answers_them_all() {
        let cache = cache();
        cache.names().insert("h:80".to_owned(), Entry::Asked);
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let cache = Arc::clone(&cache);
                thread::spawn(move || cache.look_up("h:80", &waits(Duration::from_secs(20))))
            })
            .collect();
        let address = SocketAddr::from(([192, 0, 2, 1], 80));
        let known = cache.known(Ok(vec![address]));
        cache.names().insert("h:80".to_owned(), known);
        cache.changed.notify_all();
        for thread in threads {
            assert_eq!(thread.join().unwrap().as_deref(), Ok(&[address][..]));
        }
    }

    #[test]
    fn what_is_of_no_use_is_forgotten_and_not_what_came_since() {
        let cache = cache();
        let known = |port| {
            let known = cache.known(Ok(vec![SocketAddr::from(([192, 0, 2, 1], port))]));
            cache.names().insert("h:80".to_owned(), known);
            let addresses = cache.look_up("h:80", &waits(Duration::ZERO));
            addresses.unwrap()
        };
        let (first, second) = (known(1), known(1));
        cache.forget_addresses("h:80", &first);
        assert_eq!(cache.look_up("h:80", &waits(Duration::ZERO)), Ok(Arc::clone(&second)));
        cache.forget_addresses("h:80", &second);
        assert!(cache.names().is_empty());
        cache.forget_addresses("h:80", &second);
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
        let many = (1..=3 * MAX_ADDRESSES).map(|port| SocketAddr::from(([192, 0, 2, 1], port as u16)));
        let Entry::Known(Ok(addresses), until) = cache().known(Ok(many.collect())) else {
            panic!("there are some");
        };
        assert_eq!(addresses.len(), MAX_ADDRESSES);
        let hour = past + Duration::from_secs(3600);
        assert!((hour..hour + Duration::from_secs(60)).contains(&until));
    }
}
