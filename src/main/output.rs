//! What the command says on stdout and stderr.

use std::io::{self, Write};
use std::process::ExitCode;

/// Writes to stdout. A reader that has seen enough is no reason to stop.
///
/// # Errors
/// A sentence: stdout has no room.
pub(crate) fn say(text: &str) -> Result<(), String> {
    match write(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(unwritten),
    }
}

/// Writes to stdout what a file is made of, which must be whole.
///
/// # Errors
/// A sentence: stdout is closed, or has no room.
pub(crate) fn print(text: &str) -> Result<ExitCode, String> {
    write(text).map_err(unwritten)?;
    Ok(ExitCode::SUCCESS)
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn unwritten(error: io::Error) -> String {
    format!("stdout cannot be written: {error}")
}

/// Writes lines to stderr, and waits for its reader.
pub(crate) fn complain(text: &str) {
    if text.is_empty() {
        return;
    }
    let _ = io::stderr().lock().write_all(printable(text).as_bytes());
}

/// Lines. What else could begin a line is taken out: it may come from a file or from the network.
pub(crate) fn printable(text: &str) -> String {
    let printable = |character: char| {
        if character.is_control() && character != '\n' {
            ' '
        } else {
            character
        }
    };
    text.chars().map(printable).chain(['\n']).collect()
}
