//! Takes up edits of the files while requests go on.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::control_plane::configuration::{Read, Source, report_messages};
use crate::data_plane::gateway::Gateway;
use crate::definition::problem::{Problems, Severity};
use crate::definition::store::{Listing, Store};
use crate::deployment::Deployment;
use crate::platform::reload_gate::ReloadGate;
use crate::template::message::Message;
use crate::template::source::TemplateSource;

/// How often the files are looked at. An edit takes effect within a second: this, and the time to compile.
const INTERVAL: Duration = Duration::from_millis(400);

/// Most files of a kind that a line of the log names.
const MAX_NAMED: usize = 10;

/// How long a stop waits for the thread to end.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// The thread that looks at the files; it ends when this is dropped.
#[derive(Debug)]
pub struct Watcher {
    gate: Arc<ReloadGate>,
    stopping: Arc<AtomicBool>,
    /// Breaks off when the thread ends.
    ended: Receiver<Infallible>,
}

/// What was seen of the files, and read.
#[derive(Debug)]
pub struct FileSnapshot {
    source: Source,
    read: Read,
    listing: Arc<Listing>,
    /// The files of the API that is served: those of before where the last ones are broken.
    served: Arc<Listing>,
}

impl FileSnapshot {
    /// Reads the files for the first time.
    pub fn first(store: Store) -> FileSnapshot {
        // Looked at before it is read, so that a write in between is seen the next time.
        let mut source = Source::of_files(store.clone());
        let read = source.read().unwrap_or_else(|_| Read {
            listing: store.load(),
            loaded: None,
        });
        FileSnapshot::of(source, read)
    }

    /// Reads a template for the first time.
    ///
    /// # Errors
    /// All that is to be told of it, errors among that.
    pub fn of_template(template: TemplateSource) -> Result<FileSnapshot, Vec<Message>> {
        let mut source = Source::Template(Box::new(template));
        let read = source.read()?;
        Ok(FileSnapshot::of(source, read))
    }

    fn of(source: Source, read: Read) -> FileSnapshot {
        let listing = Arc::new(read.listing.clone());
        FileSnapshot {
            source,
            read,
            served: Arc::clone(&listing),
            listing,
        }
    }

    /// The files.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// What is to be told of a template with the problems of its files; none where files are served.
    pub fn messages(&self, problems: &Problems) -> Option<Vec<Message>> {
        self.read.messages(problems)
    }

    /// Logs the problems of the files, each at its place in the template where one is served.
    fn report(&self, problems: &Problems) {
        match self.read.messages(problems) {
            Some(messages) => report_messages(&messages),
            None => report(problems),
        }
    }

    /// Whether the files are others than before, or may be.
    fn look(&mut self) -> bool {
        self.source.look()
    }

    /// Reads the files again; tells whether they differ from those that were read last.
    fn read(&mut self) -> bool {
        let Ok(read) = self.source.read() else { return false };
        let differs = !Changes::between(&self.listing, &read.listing).is_empty()
            || self.read.own_messages() != read.own_messages();
        self.listing = Arc::new(read.listing.clone());
        self.read = read;
        differs
    }
}

/// What differs between two readings of the files.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
    /// Something else than a resource: a directory, or a file that is none.
    others: bool,
}

impl Changes {
    fn between(before: &Listing, after: &Listing) -> Changes {
        let (mut before_by_path, mut changes) = (by_path(before), Changes::default());
        for (path, text) in by_path(after) {
            match before_by_path.remove(path) {
                None => changes.added.push(path.to_owned()),
                Some(known) if known != text => changes.changed.push(path.to_owned()),
                Some(_) => {}
            }
        }
        changes.removed = before_by_path.into_keys().map(str::to_owned).collect();
        changes.others = before.problems != after.problems;
        changes
    }

    fn is_empty(&self) -> bool {
        *self == Changes::default()
    }
}

fn by_path(listing: &Listing) -> BTreeMap<&str, &Result<String, String>> {
    let files = listing.files.iter();
    files.map(|file| (file.path.as_str(), &file.text)).collect()
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (what, paths) in [
            ("added", &self.added),
            ("removed", &self.removed),
            ("changed", &self.changed),
        ] {
            if paths.is_empty() {
                continue;
            }
            let named = paths.get(..MAX_NAMED).unwrap_or(paths);
            let more = paths.len() - named.len();
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            parts.push(format!("{what} {}{more}", named.join(", ")));
        }
        match parts.is_empty() {
            true if self.others => f.write_str("files that hold no resource"),
            true => f.write_str("no file has changed"),
            false => f.write_str(&parts.join("; ")),
        }
    }
}

impl Watcher {
    /// Deploys every change of the files from now on.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(mut seen: FileSnapshot, gateway: Arc<Gateway>, gate: Arc<ReloadGate>) -> io::Result<Watcher> {
        let stopping = Arc::new(AtomicBool::new(false));
        let (watched_gate, watched_stopping) = (Arc::clone(&gate), Arc::clone(&stopping));
        let (running, ended) = channel();
        let run = move || {
            let _running: Sender<Infallible> = running;
            while !watched_stopping.load(Ordering::SeqCst) {
                let requested = watched_gate.wait_for_request(INTERVAL);
                // A panic is a defect of ours; the last good API goes on, and so does the watching.
                let outcome = catch_unwind(AssertUnwindSafe(|| reload_if_changed(&mut seen, &gateway, requested)));
                if outcome.is_err() {
                    log::error!("not reloaded: a panic in the gateway");
                }
                if requested {
                    watched_gate.finish_reload();
                }
            }
            // Before the end is told, since a template's private directory goes with it.
            drop(seen);
        };
        thread::Builder::new().name("watcher".to_owned()).spawn(run)?;
        Ok(Watcher { gate, stopping, ended })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.gate.wake();
        // A file system that hangs must not hold up the end of the program.
        let _ = self.ended.recv_timeout(STOP_PATIENCE);
    }
}

fn reload_if_changed(seen: &mut FileSnapshot, gateway: &Gateway, requested: bool) {
    let may_differ = seen.look();
    if requested || may_differ {
        let differs = seen.read();
        if requested || differs {
            deploy(seen, gateway);
        }
    }
    gateway.run_maintenance();
    gateway.recorder().access_log.report_losses();
}

fn deploy(seen: &mut FileSnapshot, gateway: &Gateway) {
    // What an attempt that failed has told already takes effect with this one.
    let changes = Changes::between(&seen.served, &seen.listing);
    if seen.read.is_broken() {
        gateway.metrics().failed_reloads.add_one();
        seen.report(&Problems::new());
        log::error!(
            "not reloaded, the API goes on as it was: {} has errors",
            seen.source.shown()
        );
        return gateway.restrict(&seen.listing);
    }
    let (deployment, problems) = Deployment::of(&seen.listing);
    seen.report(&problems);
    match deployment {
        Some(deployment) => {
            let settings = gateway.settings();
            report(&deployment.review_options(&settings.region, &settings.account_id));
            gateway.deploy(deployment);
            seen.served = Arc::clone(&seen.listing);
            gateway.metrics().reloads.add_one();
            log::info!("reloaded {}: {changes}", seen.source.shown());
        }
        None => {
            gateway.metrics().failed_reloads.add_one();
            log::error!("not reloaded, the API goes on as it was: {changes}");
            gateway.restrict(&seen.listing);
        }
    }
}

/// Logs what is wrong with the files.
pub fn report(problems: &Problems) {
    for problem in problems {
        match problem.severity {
            Severity::Error => log::error!("{problem}"),
            Severity::Warning => log::warn!("{problem}"),
        }
    }
}
