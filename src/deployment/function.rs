//! Lambda functions: where the gateway finds those that an integration names.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::definition::notation::arn::{self, FunctionArn};
use crate::definition::notation::stage_variable;
use crate::definition::problem::{Problems, member};
use crate::definition::resource::SharedResources;
use crate::definition::resource::function::Function as Resource;
use crate::definition::suggestion::did_you_mean;
use crate::definition::unit::ROOT_NAMES;
use crate::deployment::reserved_variables::RESERVED_VARIABLES;
use crate::outbound::function::Definition;
use crate::outbound::function::managed::ManagedRuntime;
use crate::outbound::function::start_check::Obstacle;
use crate::outbound::upstream::url::Url;

/// What `Timeout` may be, in seconds, and what it is for Lambda where it is not given.
const TIMEOUT: RangeInclusive<u32> = 1..=900;
const DEFAULT_TIMEOUT: u32 = 3;

/// What `Concurrency` may be, in events at once, and what it is for a local function where it is not given: Lambda
/// gives each event an environment of its own.
const CONCURRENCY: RangeInclusive<u32> = 1..=1_000;
const DEFAULT_CONCURRENCY: u32 = 10;

/// How the path ends at which a Runtime Interface Emulator is invoked. It takes one event at a time (`R5.42`, `R5.45`).
const EMULATOR: &str = "/functions/function/invocations";

/// What `MemorySize` may be, in MB, and what it is for Lambda where it is not given.
const MEMORY_SIZE: RangeInclusive<u32> = 128..=10_240;
const DEFAULT_MEMORY_SIZE: u32 = 128;

/// Where events for a function go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Function {
    /// To a URL.
    At(Endpoint),
    /// To a process that the gateway runs.
    Local(Arc<Definition>),
    /// To `--lambda-endpoint`, since no file says anything else.
    AtEndpoint,
}

/// The ARN that a URI has in a stage with these variables.
///
/// # Errors
/// A variable is missing, or the text is no ARN.
pub(super) fn arn_in_stage(uri: &str, variables: &BTreeMap<String, String>) -> Result<FunctionArn, String> {
    let text = stage_variable::put_in(uri, |name| variables.get(name).cloned()).map_err(|error| error.to_string())?;
    FunctionArn::parse(&text).map_err(|error| error.to_string())
}

/// Where a remote function runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What events are posted to.
    pub uri: Url,
    /// Most events at once; none where there may be any number.
    pub concurrency: Option<NonZeroUsize>,
}

/// Most events at once for a URL of which no file says it: one for a Runtime Interface Emulator, else any number.
pub fn default_concurrency(url: &Url) -> Option<NonZeroUsize> {
    url.path.ends_with(EMULATOR).then_some(NonZeroUsize::MIN)
}

/// The functions of all files, by name; none where a file is wrong.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FunctionFiles {
    by_name: BTreeMap<String, Option<Function>>,
}

/// The functions that an API's files can name.
#[derive(Debug, Default)]
pub(super) struct Functions {
    files: Arc<FunctionFiles>,
    /// Those that the gateway runs, by name and region. A function is told its region, which is that of the ARN that
    /// names it: two regions are two functions, as in AWS.
    local: RefCell<BTreeMap<(String, String), Arc<Definition>>>,
    /// Every ARN by which a function is named.
    arns: RefCell<Vec<NamedArn>>,
}

/// An ARN of the files, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NamedArn {
    pub(super) file: String,
    /// Which of the file's fields it is.
    pub(super) pointer: &'static str,
    pub(super) region: String,
    pub(super) account_id: String,
}

impl FunctionFiles {
    /// Checks every file.
    pub(super) fn check(resources: &SharedResources, problems: &mut Problems) -> FunctionFiles {
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
        FunctionFiles {
            by_name: files.iter().map(check).collect(),
        }
    }

    /// Their names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

impl Functions {
    /// Those of these files.
    pub(super) fn of(files: Arc<FunctionFiles>) -> Functions {
        Functions {
            files,
            ..Functions::default()
        }
    }

    /// The function that an ARN names; none where its file is wrong, which has a problem of its own.
    pub(super) fn get(&self, arn: &FunctionArn) -> Option<Function> {
        let function = match self.files.by_name.get(arn.name()) {
            Some(function) => function.clone()?,
            None => Function::AtEndpoint,
        };
        let Function::Local(definition) = function else {
            return Some(function);
        };
        let key = (arn.name().to_owned(), arn.region().to_owned());
        let mut local = self.local.borrow_mut();
        let definition = local.entry(key).or_insert_with(|| {
            let region = arn.region().to_owned();
            Arc::new(Definition {
                region,
                ..(*definition).clone()
            })
        });
        Some(Function::Local(Arc::clone(definition)))
    }

    /// Those that the gateway runs and an ARN names.
    pub(super) fn local(&self) -> Vec<Arc<Definition>> {
        self.local.borrow().values().cloned().collect()
    }

    /// All ARNs that were noted, in the order of their files.
    pub(super) fn arns(self) -> Vec<NamedArn> {
        let mut arns = self.arns.into_inner();
        arns.sort();
        arns.dedup();
        arns
    }

    /// Notes where an ARN stands, and warns of a function without a file: whether it can be reached is for an option of
    /// the command to say.
    pub(super) fn note(&self, arn: &FunctionArn, file: &str, pointer: &'static str, problems: &mut Problems) {
        self.arns.borrow_mut().push(NamedArn {
            file: file.to_owned(),
            pointer,
            region: arn.region().to_owned(),
            account_id: arn.account_id().to_owned(),
        });
        let name = arn.name();
        if self.files.by_name.contains_key(name) {
            return;
        }
        // In the order of the names, so that of two that are alike it is always the same.
        let known: BTreeSet<&str> = self.files.names().collect();
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
        if resource.runtime.is_none() {
            for (pointer, is_there) in [
                ("/Handler", resource.handler.is_some()),
                ("/Layers", resource.layers.is_some()),
            ] {
                if is_there {
                    self.error(pointer, "it is for a function with a Runtime");
                }
            }
        }
        match (&resource.invoke_uri, &resource.command, &resource.runtime) {
            (Some(uri), None, None) => {
                self.refuse_what_is_for_commands();
                let concurrency = resource.concurrency.map(|_| self.concurrency());
                let uri = Url::parse(uri).map_err(|text| self.error("/InvokeUri", text));
                uri.ok().map(|uri| {
                    let concurrency = concurrency.or_else(|| default_concurrency(&uri));
                    Function::At(Endpoint { uri, concurrency })
                })
            }
            (None, Some(command), None) => self.local(command, None),
            (None, None, Some(runtime)) => self.managed(runtime),
            (None, None, None) => {
                let text = "the function needs an InvokeUri, a Command or a Runtime";
                let file = &resource.file;
                let is_known = |pointer| self.problems.has_error(file, pointer);
                if !["/InvokeUri", "/Command", "/Runtime"].into_iter().any(is_known) {
                    self.error("", text);
                }
                None
            }
            (_, command, _) => {
                let pointer = if command.is_some() { "/Command" } else { "/Runtime" };
                self.error(
                    pointer,
                    "a function has either InvokeUri or Command or Runtime, not several of them",
                );
                None
            }
        }
    }

    /// A function with a runtime of AWS's, which the gateway runs.
    fn managed(&mut self, runtime: &str) -> Option<Function> {
        let handler = self.resource.handler.clone().unwrap_or_default();
        let managed = ManagedRuntime {
            runtime: runtime.to_owned(),
            handler,
        };
        if let Some(why) = managed.refusal() {
            self.error("/Runtime", format!("it cannot be run here: {why}"));
            return None;
        }
        if managed.handler.is_empty() && !runtime.starts_with("provided") {
            let text = format!("a function of {runtime} needs a Handler, such as app.handler");
            self.problems.error_unless_known(&self.resource.file, "/Handler", text);
            return None;
        }
        self.refuse_nul("/Handler", [&managed.handler]);
        self.refuse_nul("/Layers", self.resource.layers.as_deref().unwrap_or_default());
        self.local(&[], Some(managed))
    }

    fn refuse_what_is_for_commands(&mut self) {
        let resource = self.resource;
        for (pointer, is_there) in [
            ("/Environment", resource.environment.is_some()),
            ("/WorkingDirectory", resource.working_directory.is_some()),
            ("/Timeout", resource.timeout.is_some()),
            ("/MemorySize", resource.memory_size.is_some()),
            ("/Watch", resource.watch.is_some()),
        ] {
            if is_there {
                self.error(
                    pointer,
                    "it is for a function with a Command or a Runtime; this one runs elsewhere",
                );
            }
        }
    }

    /// A function that the gateway runs.
    fn local(&mut self, command: &[String], managed: Option<ManagedRuntime>) -> Option<Function> {
        let resource = self.resource;
        let is_known = ["/Command", "/Command/0"]
            .iter()
            .any(|pointer| self.problems.has_error(&resource.file, pointer));
        if command.iter().any(String::is_empty) || (command.is_empty() && managed.is_none() && !is_known) {
            self.error(
                "/Command",
                "a command is a program and its arguments, none of them empty",
            );
        }
        self.refuse_nul("/Command", command.iter());
        let environment = resource.environment.clone().unwrap_or_default();
        for (name, value) in &environment.variables {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                let text = format!("{name:?} cannot be a variable: it has a name without '=', and no NUL");
                self.error(&member(environment.pointer, name), text);
            } else if RESERVED_VARIABLES.contains(&name.as_str()) {
                let text = format!("{name} is a variable that Lambda reserves and sets itself");
                self.error(&member(environment.pointer, name), text);
            }
        }
        let directory = resource.working_directory.as_deref().unwrap_or(".");
        self.refuse_nul("/WorkingDirectory", [directory]);
        let watch = resource.watch.as_deref().unwrap_or_default();
        self.refuse_nul("/Watch", watch);
        let timeout = self.number("/Timeout", "s", resource.timeout, TIMEOUT, DEFAULT_TIMEOUT);
        let concurrency = self.concurrency();
        let memory_size = self.number(
            "/MemorySize",
            "MB",
            resource.memory_size,
            MEMORY_SIZE,
            DEFAULT_MEMORY_SIZE,
        );
        let definition = Definition {
            name: self.name.to_owned(),
            region: String::new(),
            command: command.to_vec(),
            managed,
            layers: resource
                .layers
                .iter()
                .flatten()
                .map(|path| self.root.join(path))
                .collect(),
            environment: environment.variables,
            working_directory: self.root.join(directory),
            root: self.root.to_owned(),
            root_names: &ROOT_NAMES,
            timeout: Duration::from_secs(u64::from(timeout)),
            concurrency,
            memory_size,
            watch: watch.iter().map(|path| self.root.join(path)).collect(),
        };
        // What is to be built or mounted yet is no error, and others than this function can be served without it.
        if let Some(obstacle) = Obstacle::of(&definition) {
            let pointer = match obstacle {
                Obstacle::WorkingDirectory(_) => "/WorkingDirectory",
                Obstacle::Program(_) => "/Command/0",
                Obstacle::Runtime(_) => "/Runtime",
            };
            let text = match obstacle {
                Obstacle::Runtime(_) => format!("{}: {obstacle}", self.name),
                _ => format!("the function cannot start: {obstacle}"),
            };
            self.problems.warning(&resource.file, pointer, text);
        }
        Some(Function::Local(Arc::new(definition)))
    }

    fn concurrency(&mut self) -> NonZeroUsize {
        let given = self.resource.concurrency;
        let number = self.number(
            "/Concurrency",
            "events at once",
            given,
            CONCURRENCY,
            DEFAULT_CONCURRENCY,
        );
        let number = usize::try_from(number).ok().and_then(NonZeroUsize::new);
        number.unwrap_or(NonZeroUsize::MIN)
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
