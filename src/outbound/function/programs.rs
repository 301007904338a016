//! Programs: whether a path may be run, and where a name is found.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::platform::files;

/// Whether a path is that of a program that may be run.
pub(super) fn runnable(path: &Path) -> Result<(), String> {
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

pub(super) fn on_path(program: &str, path: &OsString, directory: &Path) -> Result<(), String> {
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

/// Where what a function starts and loads is looked for: the values of the variables that say so.
#[derive(Clone, Debug, Default)]
pub(super) struct SearchPlaces {
    /// `PATH`.
    pub(super) path: Option<OsString>,
    /// `PYTHONPATH`.
    pub(super) python: Option<OsString>,
    /// `NODE_PATH`.
    pub(super) node: Option<OsString>,
}

/// The program of a name on a `PATH` that is no script. Version managers put scripts there for versions that they lack.
pub(super) fn binary_on_path(program: &str, path: Option<&OsString>) -> Option<PathBuf> {
    let place = std::env::split_paths(path?)
        .map(|place| place.join(program))
        .find(|place| runnable(place).is_ok())?;
    let begin = files::read_at_most(&place, 2).ok()?;
    (!begin.starts_with(b"#!")).then_some(place)
}
