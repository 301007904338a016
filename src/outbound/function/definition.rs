//! What the gateway knows of a function that runs on this machine.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::outbound::function::managed::ManagedRuntime;
use crate::outbound::function::programs::SearchPlaces;

/// What `functions/<name>.json` says of a function that runs on this machine. Equal definitions are the same function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name, which is that of its file.
    pub name: String,
    /// `AWS_REGION`, which is that of the ARN that names it.
    pub region: String,
    /// Program and arguments, of which there are none where a runtime is named: see `Definition::command`. A program with
    /// a `/` is a path below the working directory.
    pub command: Vec<String>,
    /// The runtime that the command stands for, where the file names one.
    pub managed: Option<ManagedRuntime>,
    /// Directories of layers, in the order of the file; absolute, or relative to where the gateway runs.
    pub layers: Vec<PathBuf>,
    /// Variables over those that Lambda sets, except `AWS_LAMBDA_RUNTIME_API`.
    pub environment: BTreeMap<String, String>,
    /// Where it runs; absolute, or relative to where the gateway does.
    pub working_directory: PathBuf,
    /// The directory that holds the API, and what in it are resources, which are no sources.
    pub root: PathBuf,
    /// See [`Definition::root`].
    pub root_names: &'static [&'static str],
    /// How long an invocation may take. Defaults to Lambda's 3 s.
    pub timeout: Duration,
    /// Most processes; each works on one invocation at a time.
    pub concurrency: NonZeroUsize,
    /// What the function is told that it has, in MB. It is not enforced.
    pub memory_size: u32,
    /// What it is restarted for when it changes, instead of the working directory; relative to that. Empty: that.
    pub watch: Vec<PathBuf>,
}

impl Definition {
    /// What is started: the command of the file, or that which a runtime stands for.
    pub(super) fn command(&self, places: &SearchPlaces) -> Vec<String> {
        match &self.managed {
            Some(managed) => managed.command(places),
            None => self.command.clone(),
        }
    }
}
