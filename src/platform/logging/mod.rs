//! The operational log: one line a message on stderr, as text or as JSON, written by a thread of its own.
//!
//! Logging never blocks a request: a line goes into a `queue`, from which a thread writes to stderr.

mod queue;
#[cfg(test)]
pub(crate) mod sinks;
mod rate_limit;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::json;

pub use rate_limit::RateLimit;

use crate::platform::clock::iso_8601;
use crate::platform::logging::queue::Queue;
use crate::platform::terminal::{self, Colour};

/// How long the end of a process waits for its last lines to be taken.
pub const END_PATIENCE: Duration = Duration::from_secs(1);

/// As [`END_PATIENCE`], where something else waits: after a panic, which may be the end of the process, and at an end
/// that somebody is impatient for.
pub const SHORT_PATIENCE: Duration = Duration::from_millis(100);

/// Bytes that are written at once. A pipe that is said to be writable takes so many without waiting (`PIPE_BUF`).
const PART: usize = 4096;

/// How long it is not tried again after a write that could not be done without waiting, as was said that it could.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// The lines of this process.
static LINES: Queue = Queue::new();

/// What they look like.
static FORMAT: OnceLock<Look> = OnceLock::new();

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `info: serving pets from .`
    Text,
    /// `{"time":"2026-07-10T19:19:05.000Z","level":"info","message":"serving pets from ."}`
    Json,
}

/// A format, and whether levels have colours in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    format: Format,
    has_colours: bool,
}

impl Format {
    /// Text where a person reads, JSON where a program does.
    pub fn for_stderr() -> Format {
        if io::stderr().is_terminal() {
            Format::Text
        } else {
            Format::Json
        }
    }
}

/// Takes what the program logs from now on, down to that level, and its panics. Only the first call in a process has an
/// effect. Lines wait until [`begin`] or [`finish`].
pub fn install(level: LevelFilter, format: Format) {
    let look = Look {
        format,
        has_colours: terminal::has_colours(&io::stderr()),
    };
    if log::set_boxed_logger(Box::new(Lines(look))).is_ok() {
        log::set_max_level(level);
        let _ = FORMAT.set(look);
        std::panic::set_hook(Box::new(|info| {
            if IS_EXPECTING.get() {
                return;
            }
            log::error!("{}", panic_text(info));
            // It may be the end of the process.
            LINES.wait_until_written(SHORT_PATIENCE);
        }));
    }
}

thread_local! {
    /// A panic of this thread is how a package says that something is refused.
    static IS_EXPECTING: Cell<bool> = const { Cell::new(false) };
}

/// Calls what may panic without a defect, which is then told nowhere else; none if it does.
pub fn catch_quietly<T>(call: impl FnOnce() -> T) -> Option<T> {
    IS_EXPECTING.set(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    IS_EXPECTING.set(false);
    result.ok()
}

/// Starts the thread that writes. It has the blocked signals of its caller.
///
/// # Errors
/// The system refuses a thread.
pub fn begin() -> io::Result<()> {
    if LINES.take_writer() {
        return Ok(());
    }
    let writer = thread::Builder::new().name("log".to_owned());
    let spawned = writer.spawn(|| LINES.write_on(&mut Stderr { until: None }, losses));
    spawned.map(drop).inspect_err(|_| LINES.give_writer_back())
}

/// Lines that were not written.
pub fn lost() -> u64 {
    LINES.lost()
}

/// Says something as it is after all lines so far, also where lines are lost.
pub fn say_last(text: String) {
    LINES.push_last(text);
}

/// Writes the lines that there are; gives up after a while, since the reader may have stopped.
pub fn finish(patience: Duration) {
    if begin().is_ok() {
        LINES.wait_until_written(patience);
    } else {
        let until = Some(Instant::now() + patience);
        LINES.write_out(&mut Stderr { until }, losses);
    }
}

fn losses(more: u64, all: u64) -> String {
    let text = format!("operational log: {more} lines lost, {all} since the start");
    let plain = Look {
        format: Format::Text,
        has_colours: false,
    };
    line(
        FORMAT.get().copied().unwrap_or(plain),
        SystemTime::now(),
        Level::Warn,
        &text,
    )
}

/// A panic in a line, with the calls that led to it where `RUST_BACKTRACE` asks for them.
fn panic_text(info: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("without a name");
    let backtrace = Backtrace::capture();
    let calls = match backtrace.status() {
        BacktraceStatus::Captured => format!("; {backtrace}"),
        _ => String::new(),
    };
    format!("a panic, which is a defect of the gateway: thread {name} {info}{calls}")
}

/// Stderr, which is waited for until a moment, if there is one.
struct Stderr {
    until: Option<Instant>,
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = bytes.get(..PART).unwrap_or(bytes);
        loop {
            let stderr = io::stderr();
            let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let ready = poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], timeout.as_ref());
            if ready == Ok(0) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match stderr.lock().write(part) {
                // Somebody made it so that writes do not wait, or was faster.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY_PAUSE),
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Lines(Look);

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // What the packages below say at their info level is for their authors.
        // tiny_http calls the end of its listener an error, which it is not.
        metadata.target().starts_with("apigateway")
            || (metadata.level() <= Level::Warn && !metadata.target().starts_with("tiny_http"))
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            LINES.push(line(
                self.0,
                SystemTime::now(),
                record.level(),
                &record.args().to_string(),
            ));
        }
    }

    fn flush(&self) {}
}

/// The colour of a level's name on a terminal.
fn colour(level: Level) -> Colour {
    match level {
        Level::Error => Colour::Red,
        Level::Warn => Colour::Yellow,
        Level::Info => Colour::Green,
        Level::Debug | Level::Trace => Colour::Dim,
    }
}

fn line(look: Look, time: SystemTime, level: Level, message: &str) -> String {
    let colour = colour(level);
    let level = level.as_str().to_ascii_lowercase();
    match look.format {
        Format::Text if look.has_colours => {
            let message = message.replace(char::is_control, " ");
            format!("{}{level}:{} {message}\n", colour.start(), Colour::END)
        }
        // What else could begin a line is taken out: it may come from a file or from the network.
        Format::Text => format!("{level}: {}\n", message.replace(char::is_control, " ")),
        Format::Json => {
            let message = message.replace(['\u{7f}', '\u{2028}', '\u{2029}'], " ");
            let (time, message) = (rfc3339(time), json!(message));
            format!("{{\"time\":\"{time}\",\"level\":\"{level}\",\"message\":{message}}}\n")
        }
    }
}

/// A time in UTC with milliseconds: `2026-07-10T19:19:05.000Z`.
fn rfc3339(time: SystemTime) -> String {
    let seconds = iso_8601(time);
    let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().subsec_millis();
    format!("{}.{millis:03}Z", seconds.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_panic_is_told_with_its_thread_and_place() {
        let (sender, told) = channel();
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match thread::current().name() {
            Some("unlucky") => drop(sender.send(panic_text(info))),
            _ => previous(info),
        }));
        let unlucky = thread::Builder::new().name("unlucky".to_owned());
        assert!(unlucky.spawn(|| panic!("on purpose")).unwrap().join().is_err());
        let text = told.try_recv().unwrap();
        assert!(
            text.contains("thread unlucky panicked at src/platform/logging/mod.rs:"),
            "{text}"
        );
        assert!(text.contains("on purpose"), "{text}");
    }

    #[test]
    fn a_message_is_one_line_in_either_format() {
        let time = UNIX_EPOCH + Duration::from_millis(1_783_711_145_042);
        let message = "a\nb \"c\" \u{1b}[2J\u{9b}";
        let look = |format, has_colours| Look { format, has_colours };
        let text = line(look(Format::Text, false), time, Level::Warn, message);
        assert_eq!(text, "warn: a b \"c\"  [2J \n");
        let text = line(look(Format::Text, true), time, Level::Warn, message);
        assert_eq!(text, "\u{1b}[33mwarn:\u{1b}[0m a b \"c\"  [2J \n");
        let json = line(look(Format::Json, true), time, Level::Info, message);
        assert_eq!(json.matches('\n').count(), 1);
        assert!(
            json.starts_with("{\"time\":\"2026-07-10T19:19:05.042Z\",\"level\":\"info\","),
            "{json}"
        );
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            json,
            json!({"time": "2026-07-10T19:19:05.042Z", "level": "info", "message": message})
        );
    }
}
