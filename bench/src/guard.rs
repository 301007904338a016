//! Ends what was started, however the benchmark ends.
//!
//! The benchmark runs in a child of this program. Whatever that leaves behind when it ends, by an interrupt, by an
//! error or by being killed, becomes a child of the guard (prctl(2), `PR_SET_CHILD_SUBREAPER`), which ends it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use crate::Outcome;
use crate::process::{descendants, signal};

/// Tells the child where its files go, and that it is the child.
const DIRECTORY: &str = "APIGATEWAY_BENCH_DIRECTORY";

/// How long the end of all may take.
const GRACE: Duration = Duration::from_secs(10);

/// The directory for files, in the child; nothing in the guard.
pub fn directory() -> Option<PathBuf> {
    let directory = env::var_os(DIRECTORY)?;
    // The guard waits for these, and what is started inherits what is blocked.
    let _ = guarded().thread_unblock();
    Some(directory.into())
}

fn guarded() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD]
        .into_iter()
        .collect()
}

/// Runs this program again, with the same arguments, and tells whether all was well with it.
///
/// # Errors
/// It cannot be run, or was interrupted.
pub fn run() -> Outcome<bool> {
    let signals = guarded();
    signals.thread_block().map_err(|error| error.to_string())?;
    prctl::set_child_subreaper(true).map_err(|error| format!("orphans cannot be adopted: {error}"))?;
    let directory = make_directory()?;
    let ended = run_in(&directory, signals);
    end_descendants();
    let _ = fs::remove_dir_all(&directory);
    Ok(ended?.success())
}

fn make_directory() -> Outcome<PathBuf> {
    let directory = env::temp_dir().join(format!("apigateway-bench-{}", std::process::id()));
    fs::create_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(directory)
}

fn run_in(directory: &Path, signals: SigSet) -> Outcome<ExitStatus> {
    let own = env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(own)
        .args(env::args_os().skip(1))
        .env(DIRECTORY, directory)
        .spawn()
        .map_err(|error| error.to_string())?;
    wait(&mut child, signals)
}

fn wait(child: &mut Child, signals: SigSet) -> Outcome<ExitStatus> {
    loop {
        match signals.wait().map_err(|error| error.to_string())? {
            Signal::SIGCHLD => {
                if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                    return Ok(status);
                }
            }
            other => return Err(format!("interrupted by {other}")),
        }
    }
}

/// Ends all that is left of what was started, and what that has started meanwhile.
fn end_descendants() {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let deadline = Instant::now() + GRACE;
    loop {
        let left = descendants(own);
        for id in &left {
            signal(*id, Signal::SIGKILL);
        }
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            if status == WaitStatus::StillAlive {
                break;
            }
        }
        if left.is_empty() || Instant::now() > deadline {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
}
