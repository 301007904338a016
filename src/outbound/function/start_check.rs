//! What keeps a function from being started, as far as the files tell.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::outbound::function::{Definition, process};
use crate::platform::files;

/// Why a process of a function would not start now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Its working directory cannot be entered.
    WorkingDirectory(String),
    /// Its program cannot be run.
    Program(String),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Obstacle::WorkingDirectory(text) | Obstacle::Program(text)) = self;
        f.write_str(text)
    }
}

impl Obstacle {
    /// The first that is found. What the program itself needs is not looked into.
    pub fn of(definition: &Definition) -> Option<Obstacle> {
        let directory = process::working_directory(&definition.working_directory);
        if !directory.is_dir() {
            let what = match directory.exists() {
                true => "is no directory",
                false => "is not there",
            };
            let text = format!("its working directory {} {what}", directory.display());
            return Some(Obstacle::WorkingDirectory(text));
        }
        let program = definition.command.first().filter(|program| !program.is_empty())?;
        // As the system does it: a name with a slash is a path, any other is looked up.
        let found = if program.contains('/') {
            runnable(&directory.join(program))
        } else {
            let given = definition.environment.get("PATH").map(OsString::from);
            // Without a variable, each system has directories of its own.
            on_path(program, &given.or_else(|| std::env::var_os("PATH"))?, &directory)
        };
        found.err().map(Obstacle::Program)
    }
}

/// Whether a path is that of a program that may be run.
fn runnable(path: &Path) -> Result<(), String> {
    let shown = path.display();
    if !path.exists() {
        return Err(format!("the program {shown} is not there"));
    }
    if !path.is_file() {
        return Err(format!("the program {shown} is no file"));
    }
    match files::is_executable(path) {
        true => Ok(()),
        false => Err(format!("the program {shown} is not executable")),
    }
}

fn on_path(program: &str, path: &OsString, directory: &Path) -> Result<(), String> {
    // An empty entry is the working directory, and a relative one is below it.
    let places: Vec<PathBuf> = std::env::split_paths(path)
        .map(|place| directory.join(place).join(program))
        .collect();
    if places.iter().any(|place| runnable(place).is_ok()) {
        return Ok(());
    }
    match places.iter().find(|place| place.is_file()) {
        Some(place) => runnable(place),
        None => Err(format!("there is no program {program:?} in the directories of PATH")),
    }
}
