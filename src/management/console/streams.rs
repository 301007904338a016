//! The pages that watch: one thread tells all of them what happens, and waits for none.
//!
//! The front gives the connection of such a page away. The thread is there while a page is.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::control_plane::api::error::ApiError;
use crate::data_plane::capture::{Capture, MAX_STREAMS};
use crate::http1::message::{Body, Headers, LongClient, Response, Stream};
use crate::management::console::event_stream::EventStream;

/// Bytes that are kept for a page that does not take them. It loses events beyond.
const MAX_PENDING: usize = 64 * 1024;

/// How often it is tried again whether a slow page takes more.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// How long what happens is gathered before it is told: a page shows no more than that, and each time costs a change of
/// threads and a packet for each page.
const GATHERING: Duration = Duration::from_millis(20);

/// How often it is looked whether pages are still there.
const LOOK_AT_CLIENTS: Duration = Duration::from_secs(1);

/// A page that takes nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The pages that watch.
pub(super) struct Streams {
    capture: Arc<Capture>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Pages that the thread has not seen.
    new: Vec<Watcher>,
    has_thread: bool,
    is_stopping: bool,
}

/// One page.
struct Watcher {
    client: Box<dyn LongClient>,
    stream: EventStream,
    pending: VecDeque<u8>,
    /// When it took something last.
    taken_at: Instant,
}

impl Streams {
    /// None so far.
    pub(super) fn new(capture: Arc<Capture>) -> Streams {
        Streams {
            capture,
            state: Mutex::new(State::default()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all of them.
    pub(super) fn stop(&self) {
        self.state().is_stopping = true;
        self.capture.wake();
    }

    /// Takes over the client of a page.
    fn take(self: &Arc<Streams>, client: Box<dyn LongClient>, head: Vec<u8>, stream: EventStream) {
        let mut watcher = Watcher {
            client,
            stream,
            pending: head.into(),
            taken_at: Instant::now(),
        };
        // The head is sent at once, whatever the thread does.
        let is_there = watcher.go_on();
        let mut state = self.state();
        if state.is_stopping || !is_there {
            return;
        }
        state.new.push(watcher);
        if !state.has_thread {
            let streams = Arc::clone(self);
            let thread = thread::Builder::new().name("console".to_owned());
            match thread.spawn(move || streams.run()) {
                Ok(_) => state.has_thread = true,
                Err(error) => {
                    log::error!("no page of the console is told what happens: {error}");
                    state.new.clear();
                }
            }
        }
        drop(state);
        self.capture.wake();
    }

    fn run(&self) {
        let mut watchers: Vec<Watcher> = Vec::new();
        let mut told_at = None;
        loop {
            {
                let mut state = self.state();
                watchers.append(&mut state.new);
                if watchers.is_empty() || state.is_stopping {
                    state.has_thread = false;
                    return;
                }
            }
            thread::sleep(told_at.map_or(Duration::ZERO, |at: Instant| GATHERING.saturating_sub(at.elapsed())));
            watchers.retain_mut(Watcher::go_on);
            let now = Instant::now();
            told_at = Some(now);
            let wait = match watchers.iter().any(|watcher| !watcher.pending.is_empty()) {
                true => TRY_AGAIN,
                false => LOOK_AT_CLIENTS,
            };
            let due = watchers.iter().map(|watcher| watcher.stream.due());
            let until = due.fold(now + wait, Instant::min);
            let told = watchers.iter().map(|watcher| watcher.stream.last()).max();
            if let Some(told) = told.filter(|_| self.state().new.is_empty()) {
                self.capture
                    .wait_for_events(told, until.max(now + Duration::from_millis(1)));
            }
        }
    }
}

impl Watcher {
    /// Says what there is to say; whether the page is there still.
    fn go_on(&mut self) -> bool {
        let text = self.stream.next(MAX_PENDING.saturating_sub(self.pending.len()));
        if !text.is_empty() {
            self.pending.extend(self.client.framed(text.as_bytes()));
        }
        while !self.pending.is_empty() {
            let (first, _) = self.pending.as_slices();
            match self.client.send_now(first) {
                Ok(0) => break,
                Ok(count) => {
                    self.pending.drain(..count);
                    self.taken_at = Instant::now();
                }
                Err(_) => return false,
            }
        }
        let is_stuck = !self.pending.is_empty() && self.taken_at.elapsed() >= WRITE_TIMEOUT;
        !is_stuck && !self.client.is_gone()
    }
}

/// Opens a stream of events.
///
/// # Errors
/// Too many are open.
pub(super) fn open(streams: &Arc<Streams>, headers: &Headers) -> Result<Response, ApiError> {
    let known = headers
        .get("last-event-id")
        .and_then(|id| str::from_utf8(id).ok()?.parse().ok());
    let stream = EventStream::open(&streams.capture, known);
    let too_many = || ApiError::overloaded(format!("{MAX_STREAMS} streams of events are open"));
    let stream = stream.ok_or_else(too_many)?;
    let mut headers = Headers::new();
    headers.put("content-type", "text/event-stream");
    headers.put("cache-control", "no-store");
    // Either the thread has it, or whoever reads the content.
    let shared = Arc::new(Mutex::new(Some(stream)));
    let (reader, streams) = (Arc::clone(&shared), Arc::clone(streams));
    let mut body = Stream::new(
        None,
        BlockingReader {
            shared: reader,
            stream: None,
            pending: VecDeque::new(),
        },
    );
    body.handover = Some(Box::new(move |client, head| {
        let stream = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stream) = stream {
            streams.take(client, head, stream);
        }
    }));
    Ok(Response {
        status: 200,
        headers,
        body: Body::Stream(body),
    })
}

/// For a front that cannot give its clients away: whoever reads waits.
struct BlockingReader {
    shared: Arc<Mutex<Option<EventStream>>>,
    stream: Option<EventStream>,
    pending: VecDeque<u8>,
}

impl Read for BlockingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stream.is_none() {
            self.stream = self.shared.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        let Some(stream) = &mut self.stream else { return Ok(0) };
        while self.pending.is_empty() {
            self.pending.extend(stream.next(MAX_PENDING).into_bytes());
            if self.pending.is_empty() {
                stream.wait();
            }
        }
        self.pending.read(buffer)
    }
}
