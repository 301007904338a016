//! Takes up edits of the files while requests go on.

use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::control_plane::reloader::{self, Reloader};
use crate::platform::reload_gate::ReloadGate;

/// How often the files are looked at. An edit takes effect within a second: this, and the time to compile.
const INTERVAL: Duration = Duration::from_millis(400);

/// How often certificates that end soon are told of.
const REMINDER_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

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

impl Watcher {
    /// Deploys every change of the files from now on.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(reloader: Arc<Reloader>, gate: Arc<ReloadGate>) -> io::Result<Watcher> {
        let stopping = Arc::new(AtomicBool::new(false));
        let (watched_gate, watched_stopping) = (Arc::clone(&gate), Arc::clone(&stopping));
        let (running, ended) = channel();
        let run = move || {
            let _running: Sender<Infallible> = running;
            let mut reminded = Instant::now();
            while !watched_stopping.load(Ordering::SeqCst) {
                let requested = watched_gate.wait_for_request(INTERVAL);
                // A panic is a defect of ours; what is served goes on, and so does the watching.
                let outcome = catch_unwind(AssertUnwindSafe(|| look(&reloader, requested)));
                if outcome.is_err() {
                    log::error!("not reloaded: a panic in the gateway");
                }
                if reminded.elapsed() >= REMINDER_INTERVAL {
                    reminded = Instant::now();
                    reloader::remind(&reloader.gateway().configuration_now());
                }
                if requested {
                    watched_gate.finish_reload();
                }
            }
            // Before the end is told, since a template's private directory goes with it.
            drop(reloader);
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

fn look(reloader: &Reloader, requested: bool) {
    reloader.reload_if_changed(requested);
    let gateway = reloader.gateway();
    gateway.run_maintenance();
    gateway.recorder().access_log.report_losses();
}
