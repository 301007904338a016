//! What the library logs in this process: lines that a test waits for, and what must never stand in one.

use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

use log::{LevelFilter, Log, Metadata, Record};

/// What is said of functions.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// What is looked for, and the lines in which it was found.
static SECRETS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static FOUND: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Keeper;

impl Log for Keeper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = record.args().to_string();
        if SECRETS.lock().unwrap().iter().any(|secret| line.contains(secret)) {
            FOUND.lock().unwrap().push(line.clone());
        }
        if record.level() <= LevelFilter::Info && record.target().starts_with("apigateway::outbound::function") {
            LINES.lock().unwrap().push(line);
        }
    }

    fn flush(&self) {}
}

/// Keeps what is logged of functions from now on.
pub fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Keeper).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
}

/// The lines about functions so far that hold this text.
pub fn lines_with(text: &str) -> Vec<String> {
    let lines = LINES.lock().unwrap();
    lines.iter().filter(|line| line.contains(text)).cloned().collect()
}

/// Waits for a line about a function that holds all these texts.
pub fn wait_for(texts: &[&str]) -> String {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let lines = lines_with(texts[0]);
        if let Some(line) = lines.iter().find(|line| texts.iter().all(|text| line.contains(text))) {
            return line.clone();
        }
        assert!(Instant::now() < until, "no line with {texts:?} among {lines:#?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Looks for a secret from now on, at every level.
pub fn watch_for(secret: impl Into<String>) {
    keep();
    SECRETS.lock().unwrap().push(secret.into());
}

/// Forgets the lines so far that hold this text. A port that another test had before may be in them.
pub fn forget(text: &str) {
    FOUND.lock().unwrap().retain(|line| !line.contains(text));
}

/// The lines so far that hold this secret.
pub fn leaks_of(secret: &str) -> Vec<String> {
    let found = FOUND.lock().unwrap();
    found.iter().filter(|line| line.contains(secret)).cloned().collect()
}

/// A watch that sees nothing would make every test of secrets pass.
#[test]
fn the_watch_sees_what_is_logged() {
    const MARK: &str = "a-mark-that-is-logged";
    watch_for(MARK);
    log::trace!("here is {MARK}");
    assert_eq!(leaks_of(MARK), [format!("here is {MARK}")]);
}
