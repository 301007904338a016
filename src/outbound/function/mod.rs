//! Lambda functions that run on this machine: child processes, whose Lambda runtime API we are.
//!
//! A process is started when an invocation finds none that is free, works on one invocation at a time, and is kept for
//! the next. Functions outlive deployments: what a new one still has goes on as it was.

mod activity;
mod alarm;
mod edits;
mod http;
mod invocation;
pub mod launcher;
mod lifecycle;
pub mod obstacle;
mod output;
mod pool;
mod process;
mod runtime;
mod runtime_api;
mod source_files;
mod source_names;
mod state;
mod variables;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::http1::message::Client;
use crate::outbound::function::alarm::Alarm;
use crate::outbound::function::edits::Circumstances;
use crate::outbound::function::pool::FunctionPool;
use crate::outbound::function::source_files::Looks;
use crate::platform::clock::Clock;
use crate::platform::files::FileId;
use crate::platform::slots::ConcurrencyLimit;

/// Most bytes of an event: Lambda's limit for a synchronous invocation.
///
/// See [Lambda quotas](https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
pub const MAX_PAYLOAD_LENGTH: usize = 6 * 1024 * 1024;

/// How long a stop waits until every process has ended; they are killed, so it is a matter of milliseconds.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// Looking at source files may take one part in so many of the time.
const LOOKS_SHARE: u32 = 20;

/// What `functions/<name>.json` says of a function that runs on this machine. Equal definitions are the same function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name, which is that of its file.
    pub name: String,
    /// `AWS_REGION`, which is that of the ARN that names it.
    pub region: String,
    /// Program and arguments; not empty. A program with a `/` is a path below the working directory.
    pub command: Vec<String>,
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

/// What functions are told of the gateway, and need of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A program whose `main` calls [`launcher::launch`], see [`launcher::own_executable`]. Without one, functions
    /// inherit the signals that the gateway blocks, and outlive one that is killed.
    pub launcher: Option<PathBuf>,
    /// Most workers that wait for one function, see [`share`](crate::platform::slots::share); one more invocation is refused.
    pub share: NonZeroUsize,
}

/// One event for a function.
#[derive(Clone, Debug)]
pub struct Invocation<'a> {
    /// The event, as JSON.
    pub event: &'a [u8],
    /// How long the answer is waited for: what is left of `TimeoutInMillis`.
    pub timeout: Duration,
    /// The value of `X-Amzn-Trace-Id`; left out where it is empty or cannot be a field's.
    pub trace_id: &'a str,
    /// The ARN that was invoked.
    pub function_arn: &'a str,
    /// Who waits for the answer. When nobody does any more, an event that waits for a process is not given to one; a
    /// function that has begun goes on.
    pub client: Option<Client>,
}

/// What a function answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What its handler returned, whatever that is.
    Payload(Vec<u8>),
    /// It failed: reported an error, ended, took longer than its timeout, or answered more than is allowed.
    Failed {
        /// For the operator; names the function and the cause.
        message: String,
        /// What it reported itself, as its runtime sends it; empty where it did not.
        report: Vec<u8>,
    },
}

/// Why there is no answer of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionError {
    /// The invocation's timeout was reached. The function goes on until its own.
    TimedOut,
    /// The invocation's timeout was reached, and all processes were busy when the event came.
    Busy {
        /// How many that are: as many as there may be.
        processes: NonZeroUsize,
        /// After how long one took the event; none did where this is absent.
        begun_after: Option<Duration>,
    },
    /// The invocation's timeout was reached before a process that was starting asked for an event.
    NotReady,
    /// The event is larger than [`MAX_PAYLOAD_LENGTH`].
    TooLarge,
    /// All processes are busy, and too many invocations wait already.
    Throttled {
        /// How many processes there may be.
        processes: NonZeroUsize,
        /// How many invocations wait.
        waiting: usize,
    },
    /// So many workers wait for the function, and no more may.
    Overloaded(NonZeroUsize),
    /// No process came so far as to ask for an event; the text names the function and the cause.
    NotStarted(String),
    /// The gateway is stopping.
    Stopped,
    /// Nobody waits for the answer any more.
    ClientGone,
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FunctionError::TimedOut => f.write_str("the function has not answered in time"),
            FunctionError::Busy { processes, .. } => write!(f, "the function was busy with {processes} events"),
            FunctionError::NotReady => f.write_str("none of its processes has asked for the event"),
            FunctionError::TooLarge => write!(f, "the event is larger than {MAX_PAYLOAD_LENGTH} bytes"),
            FunctionError::Throttled { waiting, .. } => {
                write!(f, "{waiting} invocations wait for the function already")
            }
            FunctionError::Overloaded(most) => {
                write!(f, "the function holds {most} workers, as many as one may")
            }
            FunctionError::NotStarted(reason) => f.write_str(reason),
            FunctionError::Stopped => f.write_str("the functions are stopped"),
            FunctionError::ClientGone => f.write_str("the client is gone"),
        }
    }
}

impl std::error::Error for FunctionError {}

/// All functions of a gateway.
pub struct Functions {
    shared: Arc<Shared>,
}

/// What functions share with one another.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    clock: Clock,
    alarm: Alarm,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    functions: Vec<Arc<FunctionPool>>,
    /// What the last deployment has; before there is one, everything.
    kept: Option<Vec<Arc<Definition>>>,
    is_stopped: bool,
    next_look: Option<Instant>,
    /// When the files were looked at last, and what the gateway wrote to then.
    last_look: Option<SystemTime>,
    outputs: Vec<FileId>,
}

impl Functions {
    /// None yet: a function is started when it is invoked.
    pub fn new(settings: Settings) -> Arc<Functions> {
        Arc::new(Functions {
            shared: Arc::new(Shared {
                settings,
                clock: Clock::system(),
                alarm: Alarm::default(),
                list: Mutex::default(),
            }),
        })
    }

    /// Runs one invocation and waits for its answer.
    ///
    /// # Errors
    /// See [`FunctionError`].
    pub fn invoke(&self, definition: &Arc<Definition>, invocation: Invocation<'_>) -> Result<Answer, FunctionError> {
        if invocation.event.len() > MAX_PAYLOAD_LENGTH {
            return Err(FunctionError::TooLarge);
        }
        self.function(definition)?.invoke(invocation)
    }

    /// The function that a definition means; a new one where there is none.
    fn function(&self, definition: &Arc<Definition>) -> Result<Arc<FunctionPool>, FunctionError> {
        let mut list = self.shared.list();
        if list.is_stopped {
            return Err(FunctionError::Stopped);
        }
        let is_meant = |other: &Arc<Definition>| Arc::ptr_eq(other, definition) || other == definition;
        if let Some(function) = list.functions.iter().find(|function| is_meant(&function.definition)) {
            return Ok(Arc::clone(function));
        }
        let refused = |error| FunctionError::NotStarted(format!("the system refuses a thread: {error}"));
        let ringing = Arc::clone(&self.shared);
        self.shared.alarm.start(move || run_timers(&ringing)).map_err(refused)?;
        // Who still waits for it as it was counts too.
        let as_it_was = list.functions.iter().find(|other| other.name() == definition.name);
        let slots = match as_it_was {
            Some(function) => Arc::clone(&function.slots),
            None => ConcurrencyLimit::new(self.shared.settings.share),
        };
        let function = FunctionPool::new(Arc::clone(definition), Arc::clone(&self.shared), slots);
        // A request that began before a deployment may still want what that has no more.
        if list.kept.as_ref().is_some_and(|kept| !kept.iter().any(is_meant)) {
            function.retire();
        }
        list.functions.push(Arc::clone(&function));
        Ok(function)
    }

    /// Ends all functions but these, each when it has answered what it was asked already.
    pub fn keep_only(&self, definitions: &[Arc<Definition>]) {
        let mut list = self.shared.list();
        list.kept = Some(definitions.to_vec());
        for function in &list.functions {
            if definitions.contains(&function.definition) {
                function.keep();
            } else {
                function.retire();
            }
        }
    }

    /// Restarts the functions whose source files have changed, and ends processes that nobody has needed for long.
    /// `access_log` is a file that the gateway writes itself.
    ///
    /// To be called now and then, a few times a second: the files are looked at in here.
    pub fn look_for_changes(&self, access_log: Option<FileId>) {
        let (functions, last_look, mut outputs) = {
            let mut list = self.shared.list();
            if list.next_look.is_some_and(|next| Instant::now() < next) {
                return;
            }
            (
                list.functions.clone(),
                list.last_look,
                std::mem::take(&mut list.outputs),
            )
        };
        let (began, began_at) = (Instant::now(), SystemTime::now());
        let mut own_outputs = source_files::own_outputs();
        own_outputs.extend(access_log);
        // What was written to before a log was opened anew has been moved away.
        outputs.extend(&own_outputs);
        let mut looks = Looks::default();
        let seen: Vec<_> = functions.iter().map(|function| function.look(&mut looks)).collect();
        // After the look, so that it covers all that was seen.
        let work: Vec<_> = functions
            .iter()
            .map(|function| function.work_since(last_look))
            .collect();
        let circumstances = Circumstances {
            outputs: &outputs,
            work: &work,
        };
        for (function, seen) in functions.iter().zip(seen) {
            if let Some(seen) = seen {
                function.take_up(seen, &circumstances);
            }
            function.end_idle();
        }
        drop(functions);
        let mut list = self.shared.list();
        // Who invokes a function has it from this list, and so has the thread of each of its processes.
        list.functions
            .retain(|function| Arc::strong_count(function) > 1 || !function.is_retired());
        list.next_look = Instant::now().checked_add(began.elapsed() * LOOKS_SHARE);
        list.last_look = Some(began_at);
        list.outputs = own_outputs;
    }

    /// Kills every process, and takes no more invocations. Those in flight end with [`FunctionError::Stopped`].
    pub fn stop(&self) {
        let functions = {
            let mut list = self.shared.list();
            list.is_stopped = true;
            std::mem::take(&mut list.functions)
        };
        for function in &functions {
            function.stop();
        }
        let until = Instant::now() + STOP_PATIENCE;
        for function in &functions {
            function.wait_for_end(until);
        }
        self.shared.alarm.end();
    }
}

impl Drop for Functions {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Functions({})", self.shared.list().functions.len())
    }
}

impl Shared {
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that ends what takes too long.
fn run_timers(shared: &Shared) {
    while shared.alarm.wait() {
        let functions = shared.list().functions.clone();
        for function in functions {
            function.end_overdue(Instant::now());
        }
    }
}
