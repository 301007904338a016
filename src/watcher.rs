//! Takes up edits of the files while requests go on.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::deployment::Deployment;
use crate::gateway::Gateway;
use crate::problem::{Problems, Severity};
use crate::reload::ReloadGate;
use crate::store::{Fingerprint, Listing, Store};

/// How often the files are looked at. An edit takes effect within a second: this, and the time to compile.
const INTERVAL: Duration = Duration::from_millis(400);

/// The thread that looks at the files; it ends when this is dropped.
#[derive(Debug)]
pub struct Watcher {
    gate: Arc<ReloadGate>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What was seen of the files, and read.
#[derive(Debug)]
pub struct Seen {
    store: Store,
    fingerprint: Fingerprint,
    listing: Listing,
}

impl Seen {
    /// Reads the files for the first time.
    pub fn first(store: Store) -> Seen {
        // Looked at before it is read, so that a write in between is seen the next time.
        let fingerprint = store.fingerprint();
        let listing = store.load();
        Seen {
            store,
            fingerprint,
            listing,
        }
    }

    /// The files.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// Whether the files are others than before, or may be.
    fn look(&mut self) -> bool {
        let fingerprint = self.store.fingerprint();
        let may_differ = self.fingerprint.may_differ(&fingerprint);
        self.fingerprint = fingerprint;
        may_differ
    }

    /// Reads the files again; whether they are others than before.
    fn read(&mut self) -> bool {
        let listing = self.store.load();
        let differs = listing != self.listing;
        self.listing = listing;
        differs
    }
}

impl Watcher {
    /// Deploys every change of the files from now on.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(mut seen: Seen, gateway: Arc<Gateway>, gate: Arc<ReloadGate>) -> io::Result<Watcher> {
        let stopping = Arc::new(AtomicBool::new(false));
        let (watched_gate, watched_stopping) = (Arc::clone(&gate), Arc::clone(&stopping));
        let run = move || {
            while !watched_stopping.load(Ordering::SeqCst) {
                let requested = watched_gate.wait_for_request(INTERVAL);
                // A panic is a defect of ours; the last good API goes on, and so does the watching.
                let outcome = catch_unwind(AssertUnwindSafe(|| look_again(&mut seen, &gateway, requested)));
                if outcome.is_err() {
                    log::error!("not reloaded: a panic in the gateway");
                }
                if requested {
                    watched_gate.open();
                }
            }
        };
        let thread = thread::Builder::new().name("watcher".to_owned()).spawn(run)?;
        Ok(Watcher {
            gate,
            stopping,
            thread: Some(thread),
        })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.gate.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look_again(seen: &mut Seen, gateway: &Gateway, requested: bool) {
    let may_differ = seen.look();
    if requested || may_differ {
        let differs = seen.read();
        if requested || differs {
            deploy(seen, gateway);
        }
    }
    gateway.close_idle_connections();
}

fn deploy(seen: &Seen, gateway: &Gateway) {
    let (deployment, problems) = Deployment::of(&seen.listing);
    report(&problems);
    match deployment {
        Some(deployment) => {
            gateway.deploy(deployment);
            log::info!("reloaded {}", seen.store.root().display());
        }
        None => log::error!("not reloaded: the API goes on as it was"),
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
