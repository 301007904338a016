//! What all APIs share, checked and compiled: functions, credentials, VPC links.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::definition::credentials::Credentials;
use crate::definition::problem::Problems;
use crate::definition::resource::SharedResources;
use crate::definition::unit::{CREDENTIALS_FILE, Unit};
use crate::deployment::function::FunctionFiles;

/// What all APIs share.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    functions: Arc<FunctionFiles>,
    vpc_links: BTreeSet<String>,
    credentials: Arc<Credentials>,
    has_credentials: bool,
}

impl Shared {
    /// Checks and compiles everything that was read. What has an error is there, but not to be used: an API that names
    /// it is told nothing else of it.
    pub fn compile(resources: &SharedResources) -> (Shared, Problems) {
        let mut problems = resources.problems.clone();
        let functions = FunctionFiles::check(resources, &mut problems);
        let problems = problems.sorted();
        let shared = Shared {
            functions: Arc::new(functions),
            vpc_links: resources.vpc_links.keys().cloned().collect(),
            credentials: resources.credentials.clone().unwrap_or_default(),
            has_credentials: resources.has_credentials(),
        };
        (shared, problems)
    }

    /// The same, but only those may sign requests whom the files still name.
    ///
    /// An access key is taken out that a list does not name, or names with an error: it may have been changed because
    /// it has leaked. A file that is no list says nothing.
    #[must_use]
    pub(super) fn narrowed(&self, unit: &Unit, resources: &SharedResources) -> Shared {
        let credentials = match &resources.credentials {
            _ if !resources.has_credentials() || unit.dangling.contains(CREDENTIALS_FILE) => Arc::default(),
            Some(credentials) => Arc::clone(credentials),
            None => Arc::clone(&self.credentials),
        };
        Shared {
            credentials,
            ..self.clone()
        }
    }

    /// Who may sign requests.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Whether there is a `credentials.json`.
    pub(super) fn has_credentials(&self) -> bool {
        self.has_credentials
    }

    pub(super) fn functions(&self) -> Arc<FunctionFiles> {
        Arc::clone(&self.functions)
    }

    /// Whether an API becomes the same with either.
    pub(super) fn is_same_for_apis(&self, other: &Shared) -> bool {
        self.functions == other.functions && self.has_credentials == other.has_credentials
    }

    /// The names of functions that have a file.
    pub(super) fn function_names(&self) -> impl Iterator<Item = &str> {
        self.functions.names()
    }

    /// The ids of VPC links that have a file.
    pub(super) fn vpc_links(&self) -> impl Iterator<Item = &str> {
        self.vpc_links.iter().map(String::as_str)
    }
}
