//! Which Python this machine runs. A program's name need not tell: it may be one that looks for another.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long the answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether it is there.
const TICK: Duration = Duration::from_millis(5);

/// Bytes of an answer that are read. All of it has room in a pipe.
const MAX_ANSWER: u64 = 256;

/// The minor version that `python3 --version` tells; none where there is no Python 3, or none that answers.
pub fn python_version() -> Option<u32> {
    let mut command = Command::new("python3");
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null());
    let mut process = command.stdout(Stdio::piped()).spawn().ok()?;
    let until = Instant::now() + PATIENCE;
    let has_succeeded = loop {
        match process.try_wait() {
            Ok(Some(status)) => break status.success(),
            Ok(None) if Instant::now() < until => thread::sleep(TICK),
            Ok(None) | Err(_) => {
                let _ = process.kill();
                let _ = process.wait();
                break false;
            }
        }
    };
    let stdout = process.stdout.take().filter(|_| has_succeeded)?;
    let mut said = String::new();
    stdout.take(MAX_ANSWER).read_to_string(&mut said).ok()?;
    minor(&said)
}

/// `Python 3.11.2`.
fn minor(said: &str) -> Option<u32> {
    let version = said.strip_prefix("Python 3.")?;
    let end = version.find(|letter: char| !letter.is_ascii_digit());
    version.get(..end.unwrap_or(version.len()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (said, expected) in [
            ("Python 3.11.2\n", Some(11)),
            ("Python 3.14.0rc1\n", Some(14)),
            ("Python 3.13", Some(13)),
            ("Python 2.7.18\n", None),
            ("Python 3.\n", None),
            ("pyenv: python3: command not found\n", None),
            ("", None),
        ] {
            assert_eq!(minor(said), expected, "{said}");
        }
    }
}
