//! What runs between the start of a function's process and its command.
//!
//! Some of what a child needs can only be arranged by the child itself, between `fork` and `exec`, and code there would
//! be unsafe. So the gateway starts itself anew, a program of one thread that arranges it and then becomes the command:
//!
//! * signals that the gateway blocks are no longer blocked, or SIGTERM could not end what the function starts;
//! * on Linux, the process ends when the gateway does, even if that is killed.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::platform::signals;

/// The first argument of a launch; the second is the process id of the gateway, the others are the command.
pub const ARGUMENT: &str = "launch-function";

/// The exit status of a launch whose command cannot be run, as a shell's.
const CANNOT_RUN: u8 = 127;

/// This program, however its file is called by now.
pub fn own_executable() -> Option<PathBuf> {
    if cfg!(target_os = "linux") {
        // In the child it leads to the same file, even where that was replaced by a new version.
        Some(PathBuf::from("/proc/self/exe"))
    } else {
        std::env::current_exe().ok()
    }
}

/// Becomes the command that the arguments after [`ARGUMENT`] name.
///
/// # Errors
/// A sentence, and the exit status: the arguments are none of ours, or the command cannot be run.
pub fn launch(mut arguments: impl Iterator<Item = OsString>) -> Result<Infallible, (String, u8)> {
    let gateway = arguments.next();
    let program = arguments.next();
    let (Some(gateway), Some(program)) = (gateway, program) else {
        return Err((format!("{ARGUMENT} is for the gateway itself"), 1));
    };
    signals::unblock().map_err(|error| (format!("signals cannot be unblocked: {error}"), 1))?;
    end_with_parent(&gateway)?;
    let error = Command::new(&program).args(arguments).exec();
    Err((format!("{} cannot be run: {error}", program.display()), CANNOT_RUN))
}

#[cfg(target_os = "linux")]
fn end_with_parent(gateway: &OsString) -> Result<(), (String, u8)> {
    use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
    // Where a sandbox forbids it, the function runs all the same.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    // It may have ended before this was arranged.
    let parent = getppid().map(Pid::as_raw_pid).unwrap_or_default();
    if gateway.to_str() == Some(parent.to_string().as_str()) {
        Ok(())
    } else {
        Err(("the gateway has ended".to_owned(), 1))
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with_parent(_: &OsString) -> Result<(), (String, u8)> {
    Ok(())
}
