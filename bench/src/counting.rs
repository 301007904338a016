//! What one request costs, counted instead of timed: instructions under valgrind, system calls under strace.
//!
//! Each is counted for N and for 2N requests over one connection; the difference, divided by N, is free of what the
//! start costs, and hardly changes from run to run.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::Outcome;
use crate::api::Api;
use crate::http::{self, Connection};
use crate::peer::{Gateway, Kind, Setup, WITHOUT_LOOPS, gateway_command};
use crate::process::{Running, as_f64, descendants, signal};
use crate::programs::{Program, STRACE, VALGRIND};
use crate::upstream::{Upstream, wait_for};

/// N.
const REQUESTS: u64 = 5_000;

/// How long a program may take to answer, and to end, when it is watched that closely.
const PATIENCE: Duration = Duration::from_secs(60);

/// Fewer calls than this for a request are of the threads that look at files and clocks.
const LEAST_CALLS: f64 = 0.05;

/// What is counted, and how.
struct Counter {
    name: &'static str,
    program: Program,
    /// The arguments before the gateway's program, with the file for the result.
    arguments: fn(&Path) -> Vec<String>,
    /// Reads the result: counts by name.
    read: fn(&str) -> Option<BTreeMap<String, u64>>,
}

/// What a request costs a gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Instructions {
    /// What the gateway is called.
    pub label: String,
    /// Loops answer.
    pub with_loops: bool,
    /// Instructions of the program without the system.
    pub count: f64,
}

/// The instructions of a request for each gateway, with loops and without.
///
/// # Errors
/// They cannot be counted.
pub fn instructions(gateways: &[Gateway], upstream: &Upstream, directory: &Path) -> Outcome<Vec<Instructions>> {
    let counter = Counter {
        name: "instructions",
        program: VALGRIND,
        arguments: |file| {
            let out = format!("--callgrind-out-file={}", file.display());
            vec!["--tool=callgrind".to_owned(), out]
        },
        read: read_callgrind,
    };
    let mut all = Vec::new();
    for gateway in gateways {
        for kind in [Kind::Gateway(Api::Plain), Kind::Workers] {
            let counts = per_request(&counter, kind, gateway, upstream, directory)?;
            all.push(Instructions {
                label: kind.label(gateway),
                with_loops: kind != Kind::Workers,
                count: counts.values().sum(),
            });
        }
    }
    Ok(all)
}

/// A table of them.
pub fn table(all: &[Instructions]) -> String {
    let mut text = "### Instructions per request, of the program without the system\n\n| | |\n|---|--:|\n".to_owned();
    for Instructions { label, count, .. } in all {
        text.push_str(&format!("| {label} | {count:.0} |\n"));
    }
    text
}

/// A sentence for each gateway that takes more than so many with loops.
pub fn too_many(all: &[Instructions], at_most: u32) -> Vec<String> {
    let above = all.iter().filter(|one| one.with_loops && one.count > at_most.into());
    above
        .map(|Instructions { label, count, .. }| {
            format!("{label} takes {count:.0} instructions for a request, and {at_most} are allowed")
        })
        .collect()
}

/// A table of system calls for each gateway.
///
/// # Errors
/// They cannot be counted.
pub fn system_calls(gateways: &[Gateway], upstream: &Upstream, directory: &Path) -> Outcome<String> {
    let counter = Counter {
        name: "syscalls",
        program: STRACE,
        arguments: |file| {
            let mut arguments: Vec<String> = ["-f", "-c", "-o"].map(str::to_owned).into();
            arguments.extend([file.display().to_string(), "--".to_owned()]);
            arguments
        },
        read: read_strace,
    };
    let mut text = "### System calls per request\n\n| | all | of these |\n|---|--:|---|\n".to_owned();
    let kinds = [Kind::Gateway(Api::Plain), Kind::Workers];
    for (gateway, kind) in gateways.iter().flat_map(|gateway| kinds.map(|kind| (gateway, kind))) {
        let counts = per_request(&counter, kind, gateway, upstream, directory)?;
        let often: Vec<_> = counts.iter().filter(|(_, count)| **count >= LEAST_CALLS).collect();
        let total: f64 = often.iter().map(|(_, count)| **count).sum();
        let names: Vec<String> = often.iter().map(|(name, count)| format!("{count:.2} {name}")).collect();
        let label = kind.label(gateway);
        text.push_str(&format!("| {label} | {total:.2} | {} |\n", names.join(", ")));
    }
    Ok(text)
}

fn per_request(
    counter: &Counter,
    kind: Kind,
    gateway: &Gateway,
    upstream: &Upstream,
    directory: &Path,
) -> Outcome<BTreeMap<String, f64>> {
    let once = count(counter, kind, gateway, upstream, directory, REQUESTS)?;
    let twice = count(counter, kind, gateway, upstream, directory, 2 * REQUESTS)?;
    let of = |name: &String, count: &u64| {
        let more = as_f64(*count) - as_f64(once.get(name).copied().unwrap_or_default());
        (name.clone(), more / as_f64(REQUESTS))
    };
    Ok(twice.iter().map(|(name, count)| of(name, count)).collect())
}

fn count(
    counter: &Counter,
    kind: Kind,
    gateway: &Gateway,
    upstream: &Upstream,
    directory: &Path,
    requests: u64,
) -> Outcome<BTreeMap<String, u64>> {
    eprintln!("{}: {requests} requests, {}", counter.name, kind.label(gateway));
    let directory = directory.join(format!("{}-{requests}", counter.name));
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let setup = Setup {
        directory: &directory,
        upstream,
        over_tls: false,
        https: false,
        path: "/small",
    };
    let port = http::free_port()?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let file: PathBuf = directory.join(format!("{port}.out"));
    let mut gateway_itself = gateway_command(&gateway.program, Api::Plain, &setup, port)?;
    if kind == Kind::Workers {
        gateway_itself.args(WITHOUT_LOOPS);
    }
    let mut command: Command = counter.program.command()?;
    command.args((counter.arguments)(&file));
    command
        .arg(gateway_itself.get_program())
        .args(gateway_itself.get_args());
    let mut running = Running::start(&mut command, &directory, &format!("{}-{port}", counter.name))?;
    wait_for(&mut running, address, "/small", "", PATIENCE)?;
    ask(address, requests)?;
    // strace's own end would not be the gateway's.
    for id in descendants(running.id()) {
        signal(id, Signal::SIGTERM);
    }
    match counter.program == STRACE {
        true => running.wait(PATIENCE),
        false => running.end(PATIENCE),
    }
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    (counter.read)(&text).ok_or_else(|| format!("{} says nothing: {}", counter.program.name, running.last_words()))
}

fn ask(address: SocketAddr, requests: u64) -> Outcome<()> {
    let mut connection = Connection::open(address, "/small", "Accept: */*\r\n", PATIENCE)?;
    let deadline = Instant::now() + 2 * PATIENCE;
    for _ in 0..requests {
        match connection.ask()? {
            200 if Instant::now() < deadline => {}
            200 => return Err("it takes too long".to_owned()),
            status => return Err(format!("it answers {status}")),
        }
    }
    Ok(())
}

/// Reads callgrind's file for the number of all instructions.
fn read_callgrind(text: &str) -> Option<BTreeMap<String, u64>> {
    let total = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")))?;
    let total = total.split_ascii_whitespace().next()?.parse().ok()?;
    Some([("instructions".to_owned(), total)].into())
}

/// Reads strace's table: the fourth column is the number of calls, the last the name.
fn read_strace(text: &str) -> Option<BTreeMap<String, u64>> {
    let counts = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let name = fields.last().filter(|name| **name != "total")?;
        Some(((*name).to_owned(), fields.get(3)?.parse().ok()?))
    });
    let counts: BTreeMap<String, u64> = counts.collect();
    (!counts.is_empty()).then_some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callgrind_says_is_read() {
        let text = "# callgrind format\nversion: 1\nevents: Ir\nsummary: 12\nfn=(1) main\n1 12\n\ntotals: 34\n";
        assert_eq!(read_callgrind(text), Some([("instructions".to_owned(), 34)].into()));
        assert_eq!(
            read_callgrind("summary: 12\n"),
            Some([("instructions".to_owned(), 12)].into())
        );
        assert_eq!(read_callgrind("events: Ir\n"), None);
    }

    #[test]
    fn a_bound_holds_for_what_loops_answer() {
        let one = |label: &str, with_loops, count| Instructions {
            label: label.to_owned(),
            with_loops,
            count,
        };
        let all = [
            one("a", true, 20_000.4),
            one("a, --loops 0", false, 31_000.0),
            one("b", true, 30_000.0),
        ];
        let rows = "| a | 20000 |\n| a, --loops 0 | 31000 |\n| b | 30000 |\n";
        assert!(table(&all).ends_with(rows), "{}", table(&all));
        assert_eq!(too_many(&all, 30_000), [] as [String; 0]);
        let told = too_many(&all, 29_999);
        assert_eq!(
            told,
            ["b takes 30000 instructions for a request, and 29999 are allowed"]
        );
    }

    #[test]
    fn what_strace_says_is_read() {
        let text = "% time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n \
            60.00    0.100000          20      5000           sendto\n \
            40.00    0.080000          16      5001        12 recvfrom\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            100.00    0.180000          18     10001        12 total\n";
        let expected = [("recvfrom".to_owned(), 5001), ("sendto".to_owned(), 5000)];
        assert_eq!(read_strace(text), Some(expected.into()));
        assert_eq!(read_strace(""), None);
    }
}
