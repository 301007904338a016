//! Programs that are started here, ended here, and asked for what they cost.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};

use crate::Outcome;

/// How long a program may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(3);

/// A program that runs until this is dropped, with all that it starts.
#[derive(Debug)]
pub struct Running {
    child: Child,
    log: PathBuf,
}

/// What a tree of processes has used, and uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Time on a processor in seconds, of the program and of the system for it.
    pub cpu: f64,
    /// Memory that is resident, in bytes.
    pub resident: u64,
}

/// What `/proc/PID/stat` says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: i32,
    /// Of the program and of the system, in ticks.
    ticks: u64,
    resident_pages: u64,
    is_zombie: bool,
}

impl Running {
    /// Starts a program; what it says goes into a file of that name in the directory.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command, directory: &Path, name: &str) -> Outcome<Running> {
        let log = directory.join(format!("{name}.log"));
        let cannot = |error: std::io::Error| format!("{name} cannot be started: {error}");
        let output = File::create(&log).map_err(cannot)?;
        let errors = output.try_clone().map_err(cannot)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(cannot)?;
        Ok(Running { child, log })
    }

    /// The id of the process that was started.
    pub fn id(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or_default()
    }

    /// What the program and all that it started have used.
    ///
    /// # Errors
    /// It has ended.
    pub fn usage(&self) -> Outcome<Usage> {
        let mut ticks = 0;
        let mut pages = 0;
        let tree = tree_of(self.id());
        for (_, stat) in &tree {
            ticks += stat.ticks;
            pages += stat.resident_pages;
        }
        if tree.is_empty() {
            return Err(format!("it has ended: {}", self.last_words()));
        }
        Ok(Usage {
            cpu: as_f64(ticks) / as_f64(system_value(SysconfVar::CLK_TCK, 100)),
            resident: pages * system_value(SysconfVar::PAGE_SIZE, 4096),
        })
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The end of what it said.
    pub fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines = text.lines().rev().take(2).map(|line| line.chars().take(300).collect());
        let lines: Vec<String> = lines.collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }

    /// Asks it to end, waits for that, and ends it otherwise.
    pub fn end(&mut self, at_most: Duration) {
        let tree = tree_of(self.id());
        if self.has_ended() {
            return;
        }
        signal(self.id(), Signal::SIGTERM);
        if self.waits_in_vain(at_most) {
            for (id, _) in tree {
                signal(id, Signal::SIGKILL);
            }
            let _ = self.child.wait();
        }
    }

    /// Waits for it to end by itself, and ends it otherwise.
    pub fn wait(&mut self, at_most: Duration) {
        if self.waits_in_vain(at_most) {
            self.end(Duration::ZERO);
        }
    }

    fn waits_in_vain(&mut self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        while !self.has_ended() {
            if Instant::now() > deadline {
                return true;
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(GRACE);
    }
}

/// Sends a signal to a process that was started here.
pub fn signal(id: i32, signal: Signal) {
    if id > 1 {
        let _ = kill(Pid::from_raw(id), signal);
    }
}

/// All processes that descend from one, without it and without those that have ended.
pub fn descendants(ancestor: i32) -> Vec<i32> {
    let tree = tree_of(ancestor);
    tree.into_iter()
        .map(|(id, _)| id)
        .filter(|id| *id != ancestor)
        .collect()
}

/// A process and all that descend from it.
fn tree_of(root: i32) -> Vec<(i32, Stat)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let all: Vec<(i32, Stat)> = ids.filter_map(|id| Some((id, stat_of(id)?))).collect();
    let mut tree: Vec<(i32, Stat)> = all.iter().filter(|(id, _)| *id == root).copied().collect();
    let mut at = 0;
    while let Some((parent, _)) = tree.get(at).copied() {
        tree.extend(all.iter().filter(|(_, stat)| stat.parent == parent));
        at += 1;
    }
    tree.retain(|(_, stat)| !stat.is_zombie);
    tree
}

fn stat_of(id: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// Reads `/proc/PID/stat` (proc_pid_stat(5)), in which the second field may hold anything but is in brackets.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The manual counts from 1; the first here is the third there.
    let field = |number: usize| fields.get(number - 3).copied();
    let number = |at: usize| field(at)?.parse::<u64>().ok();
    Some(Stat {
        parent: field(4)?.parse().ok()?,
        ticks: number(14)? + number(15)?,
        resident_pages: number(24)?,
        is_zombie: field(3)? == "Z",
    })
}

fn system_value(name: SysconfVar, otherwise: u64) -> u64 {
    let value = sysconf(name).ok().flatten();
    value.and_then(|value| u64::try_from(value).ok()).unwrap_or(otherwise)
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_read() {
        let line = "4242 (a (bad) name) S 17 4242 4242 0 -1 4194560 2215 0 1 0 321 123 0 0 20 0 9 0 88046 \
            5767168000 901 18446744073709551615 1 1 0 0 0 0 0 4096 81923 0 0 0 17 1 0 0 0 0 0";
        let expected = Stat {
            parent: 17,
            ticks: 444,
            resident_pages: 901,
            is_zombie: false,
        };
        assert_eq!(parse_stat(line), Some(expected));
        for bad in ["", "1 (a) S", "1 (a) S x 1 1"] {
            assert_eq!(parse_stat(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_program_ends_when_it_is_dropped() {
        let directory = std::env::temp_dir();
        let name = format!("apigateway-bench-test-{}", std::process::id());
        let running = Running::start(Command::new("sleep").arg("100"), &directory, &name).unwrap();
        let id = running.id();
        // What little a process has that has just begun may not have been counted yet.
        assert!(running.usage().is_ok());
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(descendants(own).contains(&id));
        drop(running);
        assert!(!descendants(own).contains(&id));
        fs::remove_file(directory.join(format!("{name}.log"))).unwrap();
    }
}
