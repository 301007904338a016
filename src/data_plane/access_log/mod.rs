//! The access log: a line for each request, in its stage's format, written by a thread of its own.
//!
//! A request never waits for a disk or a pipe: its line goes into a queue, and where that is full it is lost and
//! counted.

pub mod line;

use std::convert::Infallible;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::platform::files::{self, FileId};
use crate::platform::metrics::Counter;
use crate::platform::terminal;

/// Most lines that wait to be written.
const MAX_QUEUED_LINES: usize = 16 * 1024;

/// Most bytes of lines that wait to be written.
const MAX_QUEUED_BYTES: usize = 16 * 1024 * 1024;

/// Bytes that are written at once, and a line.
const BATCH_LENGTH: usize = 256 * 1024;

/// How long the writer lets lines gather after the first: it is woken a hundred times a second at most.
const GATHERING: Duration = Duration::from_millis(10);

/// How often losses are reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Where the lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// Nowhere: nothing is done for them.
    #[default]
    Off,
    /// To stdout, once [`AccessLog::begin`] is called.
    Stdout,
    /// To the end of a file, which [`AccessLog::reopen`] opens anew.
    File(PathBuf),
}

/// What lines are handed to. Copies lead to the same writer.
#[derive(Clone, Default)]
pub struct AccessLog(Option<Arc<Shared>>);

struct Shared {
    /// The writer ends when it is dropped.
    queue: SyncSender<Message>,
    /// Whether lines go to a terminal that shows colours.
    has_colours: bool,
    state: Arc<State>,
    reported: Mutex<Reported>,
    begin: Mutex<Option<Sender<Infallible>>>,
    /// Breaks off when the writer has ended.
    ended: Mutex<Receiver<Infallible>>,
}

/// What both sides of the queue see.
#[derive(Default)]
struct State {
    queued_bytes: AtomicUsize,
    lost: Counter,
    reopening: AtomicBool,
    closing: AtomicBool,
    file: Mutex<Option<FileId>>,
}

#[derive(Default)]
struct Reported {
    lost: u64,
    at: Option<Instant>,
}

enum Message {
    Line(Vec<u8>),
    /// Look at the flags.
    Wake,
}

impl AccessLog {
    /// Starts the writer.
    ///
    /// # Errors
    /// The file cannot be opened, or the system refuses a thread.
    pub fn start(destination: Destination) -> Result<AccessLog, String> {
        let (sink, file): (Box<dyn Write + Send>, _) = match &destination {
            Destination::Off => return Ok(AccessLog(None)),
            Destination::Stdout => (Box::new(io::stdout()), None),
            Destination::File(path) => {
                let (sink, file) = open_file(path)?;
                (sink, Some(file))
            }
        };
        let log = AccessLog::with(sink, destination)?;
        if let Some(shared) = &log.0 {
            *lock(&shared.state.file) = file;
        }
        Ok(log)
    }

    /// Which file is written now, where it is one.
    pub fn file(&self) -> Option<FileId> {
        self.0.as_ref().and_then(|shared| *lock(&shared.state.file))
    }

    fn with(sink: Box<dyn Write + Send>, destination: Destination) -> Result<AccessLog, String> {
        let (queue, messages) = sync_channel(MAX_QUEUED_LINES);
        let (begin, begun) = channel();
        let (running, ended) = channel();
        let state = Arc::new(State::default());
        let shared = Arc::new(Shared {
            queue,
            has_colours: destination == Destination::Stdout && terminal::has_colours(&io::stdout()),
            state: Arc::clone(&state),
            reported: Mutex::default(),
            begin: Mutex::new((destination == Destination::Stdout).then_some(begin)),
            ended: Mutex::new(ended),
        });
        let mut writer = Writer {
            sink,
            destination,
            state,
            failing: false,
        };
        let run = move || {
            let _running: Sender<Infallible> = running;
            // Nothing is ever sent: it breaks off when the beginning is let go.
            let _ = begun.recv();
            writer.run(&messages);
        };
        let thread = thread::Builder::new().name("access-log".to_owned()).spawn(run);
        thread.map_err(|error| format!("the system refuses a thread: {error}"))?;
        Ok(AccessLog(Some(shared)))
    }

    /// Whether lines go anywhere.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a status is to have a colour.
    pub fn has_colours(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.has_colours)
    }

    /// Lets the first lines go to stdout. Until then they wait, since other lines come first there.
    pub fn begin(&self) {
        if let Some(shared) = &self.0 {
            drop(lock(&shared.begin).take());
        }
    }

    /// Queues a line, or counts it as lost.
    pub fn write(&self, line: Vec<u8>) {
        let Some(shared) = &self.0 else { return };
        let length = line.len();
        let queued = shared.state.queued_bytes.fetch_add(length, Ordering::Relaxed);
        if queued + length > MAX_QUEUED_BYTES || shared.queue.try_send(Message::Line(line)).is_err() {
            shared.state.queued_bytes.fetch_sub(length, Ordering::Relaxed);
            shared.state.lost.add_one();
        }
    }

    /// Opens the file anew after the lines that are queued, for programs that have moved it away.
    pub fn reopen(&self) {
        if let Some(shared) = &self.0 {
            shared.state.reopening.store(true, Ordering::SeqCst);
            // A full queue wakes the writer as well.
            let _ = shared.queue.try_send(Message::Wake);
        }
    }

    /// Writes what is queued and ends; gives up after a while, since the reader may have stopped.
    pub fn close(&self, patience: Duration) {
        let Some(shared) = &self.0 else { return };
        self.begin();
        shared.state.closing.store(true, Ordering::SeqCst);
        let _ = shared.queue.try_send(Message::Wake);
        let _ = lock(&shared.ended).recv_timeout(patience);
    }

    /// Lines that were not written.
    pub fn lost(&self) -> u64 {
        self.0.as_ref().map_or(0, |shared| shared.state.lost.value())
    }

    /// Tells the operator of lines that were lost since the last time. To be called now and then.
    pub fn report_losses(&self) {
        let Some(shared) = &self.0 else { return };
        let lost = shared.state.lost.value();
        let mut reported = lock(&shared.reported);
        let is_time = reported.at.is_none_or(|at| at.elapsed() >= REPORT_INTERVAL);
        if lost > reported.lost && is_time {
            log::warn!(
                "access log: {} lines lost, {lost} since the start",
                lost - reported.lost
            );
            *reported = Reported {
                lost,
                at: Some(Instant::now()),
            };
        }
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessLog({})", if self.is_on() { "on" } else { "off" })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread that writes.
struct Writer {
    sink: Box<dyn Write + Send>,
    destination: Destination,
    state: Arc<State>,
    /// The last write failed, perhaps inside a line.
    failing: bool,
}

impl Writer {
    fn run(&mut self, messages: &Receiver<Message>) {
        let mut batch = Vec::new();
        while let Some(first) = self.next(messages) {
            let mut lines = 0;
            for message in std::iter::once(first).chain(messages.try_iter()) {
                if let Message::Line(line) = message {
                    self.state.queued_bytes.fetch_sub(line.len(), Ordering::Relaxed);
                    batch.extend_from_slice(&line);
                    lines += 1;
                }
                if batch.len() >= BATCH_LENGTH {
                    self.write(&mut batch, &mut lines);
                }
            }
            self.write(&mut batch, &mut lines);
        }
    }

    /// Waits for a message, and then for others to gather; none when nothing more is to be written.
    fn next(&self, messages: &Receiver<Message>) -> Option<Message> {
        if self.state.closing.load(Ordering::SeqCst) {
            return messages.try_recv().ok();
        }
        let first = messages.recv().ok()?;
        if !self.state.closing.load(Ordering::SeqCst) {
            thread::sleep(GATHERING);
        }
        Some(first)
    }

    fn write(&mut self, batch: &mut Vec<u8>, lines: &mut u64) {
        if !batch.is_empty() {
            self.write_lines(batch, *lines);
            batch.clear();
            *lines = 0;
        }
        // Looked at after what was queued before: a flush that is asked for while the queue is full cannot wake this
        // thread.
        if self.state.reopening.swap(false, Ordering::SeqCst) {
            self.reopen();
        }
    }

    fn write_lines(&mut self, batch: &[u8], lines: u64) {
        // What could not be written may have ended inside a line.
        let separator: &[u8] = if self.failing { b"\n" } else { b"" };
        let written = self.sink.write_all(separator).and_then(|()| self.sink.write_all(batch));
        match written.and_then(|()| self.sink.flush()) {
            Ok(()) if self.failing => {
                self.failing = false;
                log::info!("access log: it can be written again");
            }
            Ok(()) => {}
            Err(error) => {
                self.state.lost.add(lines);
                if !self.failing {
                    log::error!("access log: it cannot be written: {error}");
                }
                self.failing = true;
            }
        }
    }

    fn reopen(&mut self) {
        let Destination::File(path) = &self.destination else {
            return;
        };
        match open_file(path) {
            Ok((sink, file)) => {
                self.sink = sink;
                *lock(&self.state.file) = Some(file);
                self.failing = false;
                log::info!("access log: {} opened anew", path.display());
            }
            Err(error) => log::error!("access log: {}: {error}; the old file is written on", path.display()),
        }
    }
}

/// Opens the file of the log; tells which file it is.
fn open_file(path: &Path) -> Result<(Box<dyn Write + Send>, FileId), String> {
    files::append_to(path).map_err(|error| format!("cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::logging::sinks::{Failing, Stalled};
    use std::sync::mpsc::RecvTimeoutError;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn a_stalled_sink_costs_lines_and_no_time() {
        let (release, released) = channel();
        let (sender, written) = channel();
        let log = AccessLog::with(Box::new(Stalled::new(released, sender)), Destination::Off).unwrap();
        // So long that what the writer takes before it stalls is less than the queue holds.
        const LENGTH: usize = 64;
        const { assert!(BATCH_LENGTH / LENGTH < MAX_QUEUED_LINES) };
        let count = 3 * MAX_QUEUED_LINES as u64;
        for _ in 0..count {
            log.write(vec![b'x'; LENGTH]);
        }
        assert!(log.lost() >= MAX_QUEUED_LINES as u64, "{}", log.lost());
        let lost = log.lost();
        let closing = Instant::now();
        log.close(Duration::from_millis(1));
        assert!(closing.elapsed() < PATIENCE);
        drop(release);
        let mut bytes = 0;
        loop {
            match written.recv_timeout(PATIENCE) {
                Ok(part) => bytes += part.len() as u64,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the writer does not end"),
            }
        }
        assert_eq!(bytes, (count - lost) * LENGTH as u64);
    }

    #[test]
    fn large_lines_are_bounded_together() {
        let (release, released) = channel();
        let (sender, written) = channel();
        let log = AccessLog::with(Box::new(Stalled::new(released, sender)), Destination::Off).unwrap();
        for _ in 0..100 {
            log.write(vec![b'x'; line::MAX_LENGTH]);
        }
        assert!((60..=95).contains(&log.lost()), "{}", log.lost());
        drop(release);
        drop(written);
    }

    #[test]
    fn after_a_failure_a_line_begins_anew() {
        let (sender, written) = channel();
        let log = AccessLog::with(Box::new(Failing::once(sender)), Destination::Off).unwrap();
        log.write(b"one\n".to_vec());
        let until = Instant::now() + PATIENCE;
        while log.lost() == 0 {
            assert!(Instant::now() < until);
            thread::yield_now();
        }
        log.write(b"two\n".to_vec());
        log.close(PATIENCE);
        assert_eq!(written.try_iter().collect::<Vec<_>>().concat(), b"\ntwo\n");
        assert_eq!(log.lost(), 1);
    }
}
