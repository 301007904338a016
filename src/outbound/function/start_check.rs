//! What keeps a function from being started, as far as the files tell.

use std::fmt;

use crate::outbound::function::definition::Definition;
use crate::outbound::function::process;
use crate::outbound::function::programs::{on_path, runnable};
use crate::outbound::function::variables;

/// Why a process of a function would not start now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Its working directory cannot be entered.
    WorkingDirectory(String),
    /// Its program cannot be run.
    Program(String),
    /// What its runtime needs is not there: a sentence that names the remedy.
    Runtime(String),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Obstacle::WorkingDirectory(text) | Obstacle::Program(text) | Obstacle::Runtime(text)) = self;
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
        let places = variables::search_places(definition);
        if let Some(managed) = &definition.managed {
            return managed.obstacle(&directory, &places).map(Obstacle::Runtime);
        }
        let program = definition.command.first().filter(|program| !program.is_empty())?;
        // As the system does it: a name with a slash is a path, any other is looked up.
        let found = if program.contains('/') {
            runnable(&directory.join(program))
        } else {
            // Without a variable, each system has directories of its own.
            on_path(program, places.path.as_ref()?, &directory)
        };
        found.err().map(Obstacle::Program)
    }
}
