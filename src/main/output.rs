//! What the command says on stdout and stderr.

use std::io::Write;
use std::process::ExitCode;

/// Writes to stdout; a closed pipe there is no reason to stop.
pub(crate) fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Writes to stdout what a file is made of, which must be whole.
///
/// # Errors
/// A sentence: stdout is closed, or has no room.
pub(crate) fn print(text: &str) -> Result<ExitCode, String> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| format!("stdout cannot be written: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes lines to stderr, and waits for its reader.
pub(crate) fn complain(text: &str) {
    if text.is_empty() {
        return;
    }
    let _ = std::io::stderr().lock().write_all(printable(text).as_bytes());
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
