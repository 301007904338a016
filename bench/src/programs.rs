//! The other programs that are needed or useful, and the machine that all is measured on.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::Outcome;
use crate::process::as_f64;

/// A program that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name on the path.
    pub name: &'static str,
    /// The argument upon which it tells its version.
    version: &'static str,
    /// What is left out without it; nothing where nothing goes without it.
    left_out: Option<&'static str>,
}

/// The load.
pub const WRK: Program = Program {
    name: "wrk",
    version: "-v",
    left_out: None,
};
/// The upstream, and the peer that others are compared with.
pub const NGINX: Program = Program {
    name: "nginx",
    version: "-v",
    left_out: None,
};
/// A peer.
pub const HAPROXY: Program = Program {
    name: "haproxy",
    version: "-v",
    left_out: Some("its rows"),
};
/// A peer.
pub const CADDY: Program = Program {
    name: "caddy",
    version: "version",
    left_out: Some("its rows"),
};
/// Counts instructions.
pub const VALGRIND: Program = Program {
    name: "valgrind",
    version: "--version",
    left_out: Some("--instructions"),
};
/// Counts system calls.
pub const STRACE: Program = Program {
    name: "strace",
    version: "--version",
    left_out: Some("--syscalls"),
};

const ALL: [Program; 6] = [WRK, NGINX, HAPROXY, CADDY, VALGRIND, STRACE];

impl Program {
    /// Where it is, if it is here.
    pub fn find(&self) -> Option<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        // Where Debian has nginx and HAProxy, which is not on everybody's path.
        let directories = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
        directories
            .map(|directory| directory.join(self.name))
            .find(|program| program.is_file())
    }

    /// A command for it.
    ///
    /// # Errors
    /// It is not here.
    pub fn command(&self) -> Outcome<Command> {
        let program = self.find();
        Ok(Command::new(
            program.ok_or_else(|| format!("{} is not here", self.name))?,
        ))
    }

    fn said_version(&self) -> Option<String> {
        let mut command = self.command().ok()?;
        let output = command.arg(self.version).stdin(Stdio::null()).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        let line = String::from_utf8_lossy(&text).lines().next()?.trim().to_owned();
        Some(match line.starts_with(self.name) {
            true => line,
            false => format!("{} {line}", self.name),
        })
    }
}

/// Says a line for each program that is not here, where something is left out for it.
///
/// # Errors
/// Nothing can be done without one of those that are needed.
pub fn check(needed: &[Program]) -> Outcome<()> {
    let missing = ALL.into_iter().filter(|program| program.find().is_none());
    let (lacking, others): (Vec<Program>, Vec<Program>) = missing.partition(|program| needed.contains(program));
    for program in others {
        if let Some(what) = program.left_out {
            eprintln!("{} is not here: {what} will be left out", program.name);
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = lacking.iter().map(|program| program.name).collect();
    Err(format!(
        "needed, and not here: {}; e.g. apt-get install wrk nginx-light valgrind strace",
        names.join(", ")
    ))
}

/// Builds the gateway of this repository in release mode and gives its program.
///
/// # Errors
/// It does not build.
pub fn build_gateway() -> Outcome<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "--locked", "--bin", "apigateway"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !output.status.success() {
        return Err("the gateway does not build".to_owned());
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    messages
        .lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .ok_or_else(|| "cargo does not say where the gateway is".to_owned())
}

/// Number of processors.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// What the numbers were measured on, as a list in Markdown.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let after_colon = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':')
            .map_or("unknown", |(_, value)| value)
            .trim()
            .to_owned()
    };
    let model = after_colon(&read("/proc/cpuinfo"), "model name");
    let memory = after_colon(&read("/proc/meminfo"), "MemTotal");
    let kilobytes: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    let versions: Vec<String> = ALL.iter().filter_map(Program::said_version).collect();
    format!(
        "* {} cores, {model}, {:.1} GiB of memory, Linux {}\n* {}\n* {}",
        cores(),
        as_f64(kilobytes) / 1024.0 / 1024.0,
        read("/proc/sys/kernel/osrelease").trim(),
        versions.join("; "),
        first_line("rustc", &["-V"]).unwrap_or_else(|| "rustc unknown".to_owned()),
    )
}

/// The commit of this repository.
pub fn commit() -> String {
    let arguments = [
        "-C",
        env!("CARGO_MANIFEST_DIR"),
        "describe",
        "--always",
        "--dirty",
        "--exclude=*",
    ];
    first_line("git", &arguments).unwrap_or_else(|| "unknown".to_owned())
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned();
    output.status.success().then_some(text)
}
