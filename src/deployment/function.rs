//! Lambda functions: where the gateway finds those that an integration names.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::definition::notation::arn;
use crate::definition::problem::{Problems, member};
use crate::definition::resource::Resources;
use crate::definition::resource::function::Function as Resource;
use crate::definition::suggestion::did_you_mean;
use crate::outbound::function::Definition;
use crate::outbound::upstream::url::Url;

/// What `Timeout` may be, in seconds, and what it is for Lambda where nobody says.
const TIMEOUT: RangeInclusive<u32> = 1..=900;
const DEFAULT_TIMEOUT: u32 = 3;

/// What `Concurrency` may be, in processes.
const CONCURRENCY: RangeInclusive<u32> = 1..=1_000;

/// What `MemorySize` may be, in MB, and what it is for Lambda where nobody says.
const MEMORY_SIZE: RangeInclusive<u32> = 128..=10_240;
const DEFAULT_MEMORY_SIZE: u32 = 128;

/// Where events for a function go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Function {
    /// To this URL.
    At(Url),
    /// To a process that the gateway runs.
    Local(Arc<Definition>),
    /// To `--lambda-endpoint`, since no file says anything else.
    AtEndpoint,
}

/// The functions of all files, by name.
#[derive(Debug, Default)]
pub(super) struct Functions {
    by_name: HashMap<String, Option<Function>>,
}

impl Functions {
    /// Checks every file.
    pub(super) fn check(resources: &Resources, problems: &mut Problems) -> Functions {
        let check = |(name, resource): (&String, &Resource)| {
            if !arn::is_function_name(name) {
                let text = format!("the file name {name:?} is not a function's name: letters, digits, - and _");
                problems.error(&resource.file, "", text);
            }
            let checker = Checker {
                name,
                root: &resources.root,
                resource,
                problems,
            };
            (name.clone(), checker.function())
        };
        let files: &BTreeMap<String, Resource> = &resources.functions;
        Functions {
            by_name: files.iter().map(check).collect(),
        }
    }

    /// The function of that name; none where its file is wrong, which has a problem of its own.
    pub(super) fn get(&self, name: &str) -> Option<Function> {
        match self.by_name.get(name) {
            Some(function) => function.clone(),
            None => Some(Function::AtEndpoint),
        }
    }

    /// Those that the gateway runs.
    pub(super) fn local(&self) -> Vec<Arc<Definition>> {
        let local = |function: &Option<Function>| match function {
            Some(Function::Local(definition)) => Some(Arc::clone(definition)),
            _ => None,
        };
        self.by_name.values().filter_map(local).collect()
    }

    /// Warns of a function without a file, at the field that names it: whether it can be reached is for an option of
    /// the command to say.
    pub(super) fn warn_of_endpoint(&self, name: &str, file: &str, pointer: &str, problems: &mut Problems) {
        if self.by_name.contains_key(name) {
            return;
        }
        // In the order of the names, so that of two that are alike it is always the same.
        let known: BTreeSet<&str> = self.by_name.keys().map(String::as_str).collect();
        let hint = did_you_mean(name, known);
        let text =
            format!("there is no file functions/{name}.json: the function is invoked at --lambda-endpoint{hint}");
        problems.warning(file, pointer, text);
    }
}

struct Checker<'a> {
    name: &'a str,
    root: &'a Path,
    resource: &'a Resource,
    problems: &'a mut Problems,
}

impl Checker<'_> {
    fn error(&mut self, pointer: &str, text: impl Into<String>) {
        self.problems.error(&self.resource.file, pointer, text);
    }

    fn function(mut self) -> Option<Function> {
        let resource = self.resource;
        match (&resource.invoke_uri, &resource.command) {
            (Some(uri), None) => {
                self.refuse_what_is_for_commands();
                let uri = Url::parse(uri);
                uri.map_err(|text| self.error("/Url", text)).ok().map(Function::At)
            }
            (None, Some(command)) => self.local(command),
            (Some(_), Some(_)) => {
                self.error("/Command", "a function has either Url or Command, not both");
                None
            }
            (None, None) => {
                let text = "the function needs an Url or a Command";
                let file = &resource.file;
                if !self.problems.has_error(file, "/Url") && !self.problems.has_error(file, "/Command") {
                    self.error("", text);
                }
                None
            }
        }
    }

    fn refuse_what_is_for_commands(&mut self) {
        let resource = self.resource;
        for (pointer, is_there) in [
            ("/Environment", resource.environment.is_some()),
            ("/WorkingDirectory", resource.working_directory.is_some()),
            ("/Timeout", resource.timeout.is_some()),
            ("/Concurrency", resource.concurrency.is_some()),
            ("/MemorySize", resource.memory_size.is_some()),
            ("/Watch", resource.watch.is_some()),
        ] {
            if is_there {
                self.error(pointer, "it is for a function with a Command; this one runs elsewhere");
            }
        }
    }

    /// A function that the gateway runs.
    fn local(&mut self, command: &[String]) -> Option<Function> {
        let resource = self.resource;
        let is_known = ["/Command", "/Command/0"]
            .iter()
            .any(|pointer| self.problems.has_error(&resource.file, pointer));
        if command.iter().any(String::is_empty) || (command.is_empty() && !is_known) {
            self.error(
                "/Command",
                "a command is a program and its arguments, none of them empty",
            );
        }
        self.refuse_nul("/Command", command.iter());
        let environment = resource.environment.clone().unwrap_or_default();
        for (name, value) in &environment {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                let text = format!("{name:?} cannot be a variable: it has a name without '=', and no NUL");
                self.error(&member("/Environment", name), text);
            }
        }
        let directory = resource.working_directory.as_deref().unwrap_or(".");
        self.refuse_nul("/WorkingDirectory", [directory]);
        let watch = resource.watch.as_deref().unwrap_or_default();
        self.refuse_nul("/Watch", watch);
        let timeout = self.number("/Timeout", "s", resource.timeout, TIMEOUT, DEFAULT_TIMEOUT);
        let concurrency = self.number("/Concurrency", "processes", resource.concurrency, CONCURRENCY, 1);
        let memory_size = self.number(
            "/MemorySize",
            "MB",
            resource.memory_size,
            MEMORY_SIZE,
            DEFAULT_MEMORY_SIZE,
        );
        Some(Function::Local(Arc::new(Definition {
            name: self.name.to_owned(),
            command: command.to_vec(),
            environment,
            working_directory: self.root.join(directory),
            timeout: Duration::from_secs(u64::from(timeout)),
            concurrency: usize::try_from(concurrency)
                .ok()
                .and_then(NonZeroUsize::new)
                .unwrap_or(NonZeroUsize::MIN),
            memory_size,
            watch: watch.iter().map(|path| self.root.join(path)).collect(),
        })))
    }

    fn refuse_nul(&mut self, pointer: &str, texts: impl IntoIterator<Item = impl AsRef<str>>) {
        if texts.into_iter().any(|text| text.as_ref().contains('\0')) {
            self.error(pointer, "a NUL cannot stand here");
        }
    }

    /// A number in its range, or what it is where the file has none.
    fn number(
        &mut self,
        pointer: &str,
        unit: &str,
        value: Option<i64>,
        range: RangeInclusive<u32>,
        default: u32,
    ) -> u32 {
        let Some(value) = value else { return default };
        match u32::try_from(value).ok().filter(|value| range.contains(value)) {
            Some(value) => value,
            None => {
                let text = format!("{value} is not between {} and {} {unit}", range.start(), range.end());
                self.error(pointer, text);
                default
            }
        }
    }
}
