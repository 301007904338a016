//! The content of an answer on a loop: read as it comes, and never waited for.
//!
//! Who passes it on has it as a reader, the loop as a value that knows the socket. Both are of one thread, so that
//! nobody ever waits for the lock between them.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::http1::message::{Body, Deadline, Stream};
use crate::outbound::upstream::error::UpstreamError;
use crate::outbound::upstream::exchange::{Exchange, Progress};
use crate::outbound::upstream::loop_pool::LoopPool;
use crate::outbound::upstream::server::Server;
use crate::outbound::upstream::waits::Waits;
use crate::outbound::upstream::watched::Watched;
use crate::outbound::upstream::watcher::Watcher;
use crate::platform::concurrency::ConcurrencyPermit;

/// Content that is on its way, for the loop that watches its socket.
#[derive(Debug)]
pub struct LoopContent(Arc<Mutex<Coming>>);

/// An exchange whose head has been passed on.
#[derive(Debug)]
pub(super) struct Coming {
    pub(super) server: Arc<Server>,
    /// What it holds of its destination.
    pub(super) slot: ConcurrencyPermit,
    pub(super) waits: Waits,
    pub(super) exchange: Exchange,
    /// None once the connection is kept for another exchange, or closed.
    pub(super) watched: Option<Watched>,
    /// Content that was read with the head, and how much of it was passed on.
    pub(super) before: Vec<u8>,
    pub(super) passed: usize,
    /// When something came last, or was asked for again.
    pub(super) since: Instant,
    /// The first error is final.
    pub(super) is_broken: bool,
}

/// The same for who passes it on. Reading fails with [`io::ErrorKind::WouldBlock`] where nothing is here.
struct Reader(Arc<Mutex<Coming>>);

/// Why nothing is read.
enum Nothing {
    /// It has not come.
    Yet,
    Broken(UpstreamError),
}

impl From<UpstreamError> for Nothing {
    fn from(error: UpstreamError) -> Nothing {
        Nothing::Broken(error)
    }
}

impl LoopContent {
    /// The content of an answer, as its reader and as its loop have it. An event stream has all the time that it wants, as
    /// long as there is no long wait in it.
    pub(super) fn of(mut coming: Coming, is_event_stream: bool) -> (Body, LoopContent) {
        let length = coming.exchange.length();
        let deadline = match is_event_stream {
            true => {
                coming.waits.bound_each_wait();
                None
            }
            false => {
                let extension: Arc<dyn Deadline> = coming.waits.extension();
                Some(extension)
            }
        };
        let coming = Arc::new(Mutex::new(coming));
        let stream = Stream::new(length, Reader(Arc::clone(&coming)));
        (Body::Stream(Stream { deadline, ..stream }), LoopContent(coming))
    }

    fn coming(&self) -> MutexGuard<'_, Coming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what its socket is ready for.
    pub fn note_ready(&self, is_readable: bool, has_ended: bool) {
        if let Some(watched) = &mut self.coming().watched {
            watched.note_ready(is_readable, has_ended);
        }
    }

    /// It is asked for again, after a while in which its reader did not want it.
    pub fn resume(&self) {
        self.coming().since = Instant::now();
    }

    /// When it is late, unless something comes.
    pub fn until(&self) -> Instant {
        let coming = self.coming();
        coming.waits.until_after(coming.since)
    }

    /// Whether reading gives something, be it the end or an error.
    pub fn is_ready(&self) -> bool {
        let mut coming = self.coming();
        let is_readable = match &mut coming.watched {
            Some(watched) => {
                watched.flush();
                watched.is_readable()
            }
            None => true,
        };
        is_readable
            || coming.is_broken
            || !coming.before.is_empty()
            || coming.exchange.has_input()
            || Instant::now() >= coming.waits.until_after(coming.since)
    }

    /// Bytes of memory that hold what has come and was not read. What is not needed is given back.
    pub fn held(&self) -> usize {
        let mut coming = self.coming();
        coming.exchange.shrink();
        coming.exchange.held() + coming.before.capacity()
    }

    /// Gives its connection back where it is complete; whether it is.
    pub fn settle(&self, pool: &mut LoopPool, watcher: &mut dyn Watcher) -> bool {
        let mut coming = self.coming();
        let is_over = coming.exchange.is_over();
        if is_over && let Some(watched) = coming.watched.take() {
            coming.slot.give_back();
            pool.take_back(&coming.server, &coming.exchange, watched, watcher, Instant::now());
        }
        is_over
    }

    /// Closes its connection, unless it was given back: nobody reads what is still to come.
    pub fn close(&self, watcher: &mut dyn Watcher) {
        let mut coming = self.coming();
        coming.slot.give_back();
        if let Some(watched) = coming.watched.take() {
            LoopPool::end_watched(watched, watcher);
        }
    }
}

impl Coming {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Nothing> {
        let before = self.before.get(self.passed..).unwrap_or_default();
        if !before.is_empty() {
            let count = before.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..count), before.get(..count)) {
                to.copy_from_slice(from);
            }
            self.passed += count;
            if self.passed == self.before.len() {
                (self.before, self.passed) = (Vec::new(), 0);
            }
            return Ok(count);
        }
        loop {
            match self.exchange.read_content(buffer)? {
                Progress::Bytes(count) => return Ok(count),
                Progress::End => return Ok(0),
                Progress::Wait => {}
            }
            let Some(watched) = self.watched.as_mut() else {
                return Err(UpstreamError::Broken("it broke off before".to_owned()).into());
            };
            watched.flush();
            // One deadline bounds the whole, also where it is never waited.
            self.waits.next_wait()?;
            if !watched.is_readable() {
                return match Instant::now() < self.waits.until_after(self.since) {
                    true => Err(Nothing::Yet),
                    false => Err(self.waits.timed_out().into()),
                };
            }
            let ahead = self.exchange.content_ahead().min(buffer.len());
            match buffer.get_mut(..ahead).filter(|part| !part.is_empty()) {
                // What is content is not copied.
                Some(part) => {
                    let count = watched.receive_to(&mut self.exchange, part)?;
                    if count > 0 {
                        self.since = Instant::now();
                        return Ok(count);
                    }
                }
                None => {
                    if watched.receive(&mut self.exchange)? > 0 {
                        self.since = Instant::now();
                    }
                }
            }
        }
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut coming = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if coming.is_broken {
            return Err(io::Error::other("the answer broke off before"));
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        coming.read(buffer).map_err(|nothing| match nothing {
            Nothing::Yet => io::ErrorKind::WouldBlock.into(),
            Nothing::Broken(error) => {
                coming.is_broken = true;
                io::Error::other(error)
            }
        })
    }
}
