//! The load: wrk, and what it says.

use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::process::as_f64;
use crate::programs::{WRK, cores};

/// What is asked for, by how many.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// Whether it is asked for by HTTPS.
    pub https: bool,
    /// The path.
    pub path: &'a str,
    /// Connections that ask, each for one thing at a time.
    pub connections: usize,
    /// Length of the body of a POST; without one it is a GET.
    pub body: Option<usize>,
    /// A field for each request, or none.
    pub field: Option<&'a str>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Answers.
    pub requests: u64,
    /// Time that it took, in seconds.
    pub seconds: f64,
    /// Half of the answers took no longer, in milliseconds.
    pub p50: f64,
    /// 99 of 100 took no longer, in milliseconds.
    pub p99: f64,
    /// Connections that failed, answers that did not come in time, statuses of 400 and more.
    pub failures: u64,
}

impl Measured {
    /// Answers in a second.
    pub fn rate(&self) -> f64 {
        as_f64(self.requests) / self.seconds
    }
}

/// Writes the script by which wrk tells exact numbers, and with a body sends it; to be called once for each body.
///
/// # Errors
/// It cannot be written.
pub fn write_script(directory: &Path, body: Option<usize>) -> Outcome<PathBuf> {
    let mut script = String::new();
    if let Some(length) = body {
        script.push_str(&format!(
            "wrk.method = 'POST'\nwrk.body = string.rep('x', {length})\nwrk.headers['Content-Type'] = 'text/plain'\n"
        ));
    }
    script.push_str(
        "done = function(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('RESULT %.0f %.0f %.0f %.0f %.0f\\n', summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
",
    );
    let path = directory.join(format!("wrk-{}.lua", body.unwrap_or_default()));
    fs::write(&path, script).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// Drives a server for some seconds.
///
/// # Errors
/// wrk fails, or does not end.
pub fn drive(address: SocketAddr, load: &Load<'_>, seconds: u64, script: &Path) -> Outcome<Measured> {
    let threads = (cores() / 2).clamp(1, load.connections.max(1));
    let mut command = WRK.command()?;
    command.arg("-t").arg(threads.to_string());
    command.arg("-c").arg(load.connections.to_string());
    command.arg("-d").arg(format!("{seconds}s"));
    command.args(["--timeout", "5s", "-s"]).arg(script);
    if let Some(field) = load.field {
        command.arg("-H").arg(field.trim_end());
    }
    let scheme = if load.https { "https" } else { "http" };
    command.arg(format!("{scheme}://{address}{}", load.path));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("wrk cannot be started: {error}"))?;
    let deadline = Instant::now() + Duration::from_secs(seconds + 20);
    // It says far less than a pipe holds.
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err("wrk does not end".to_owned());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let mut text = String::new();
    if let Some(mut output) = child.stdout.take() {
        output.read_to_string(&mut text).map_err(|error| error.to_string())?;
    }
    parse(&text)
}

fn parse(text: &str) -> Outcome<Measured> {
    let result = text.lines().find_map(|line| line.strip_prefix("RESULT "));
    let numbers: Option<Vec<u64>> = result.and_then(|line| line.split(' ').map(|number| number.parse().ok()).collect());
    match numbers.as_deref() {
        Some([0, ..]) => Err("not one answer came".to_owned()),
        Some([requests, microseconds, p50, p99, failures]) => Ok(Measured {
            requests: *requests,
            seconds: as_f64(*microseconds) / 1e6,
            p50: as_f64(*p50) / 1e3,
            p99: as_f64(*p99) / 1e3,
            failures: *failures,
        }),
        _ => Err(format!("wrk says: {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_says_is_read() {
        let text = "Running 3s test @ http://127.0.0.1:1/small\n  1 threads and 8 connections\n\
            Requests/sec:  20000.00\nRESULT 60000 3000000 390 1250 2\n";
        let expected = Measured {
            requests: 60_000,
            seconds: 3.0,
            p50: 0.39,
            p99: 1.25,
            failures: 2,
        };
        assert_eq!(parse(text), Ok(expected));
        assert_eq!(parse("RESULT 0 3000000 0 0 32"), Err("not one answer came".to_owned()));
        for bad in ["", "unable to connect", "RESULT 1 2 3", "RESULT 1 2 3 4 x"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
