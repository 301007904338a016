//! Lambda functions that run on this machine: child processes, whose Lambda runtime API we are.
//!
//! A process is started when an invocation finds none that is free, works on one invocation at a time, and is kept for
//! the next. Functions outlive deployments: what a new one still has goes on as it was.
//!
//! # How it works
//!
//! `function` runs Lambda functions as child processes and is their [runtime API][runtime-api]: a process asks for an
//! event (`…/invocation/next`), and posts its answer. `Functions::invoke` is the whole interface for an invocation.
//!
//! [runtime-api]: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
//!
//! `state` says where each process stands, under one lock for each function: starting, idle, busy, away (it has
//! answered and not asked again yet), ending. Each phase but idle has a deadline, which `alarm` keeps in one thread
//! for all; a deadline later than the next one wakes no thread, so that an invocation costs it nothing.
//!
//! * **One hand-over.** A runtime that asks when nothing waits gets no thread of ours that waits with it: its
//!   connection is noted, and the worker that invokes the function writes the event to it. The thread of the connection
//!   goes on reading, so it also sees when the runtime goes away. A warm invocation costs two changes of threads, 25 µs
//!   over a bare loop.
//! * **A listener for each process**, on a port of its own: a process can answer nothing but what it was asked.
//! * **The same HTTP.** `http` reads requests by `http1`, as strictly as the front does, with limits of its own.
//! * **A launcher.** Between `fork` and `exec` only unsafe code could give a child its signals back, which the
//!   gateway blocks, and have it end with a gateway that is killed. So the gateway starts itself (`launch-function`),
//!   arranges both as a program of one thread, and becomes the command. The second holds on Linux for the process
//!   itself; elsewhere, a runtime ends when its connection breaks.
//! * **One thread waits for each process**, and starts it, since Linux ties a child to the thread that has started
//!   it. It waits without reaping, kills what is left of the process's group while the number is certainly its own,
//!   and reaps then.
//! * **Output** goes through one pipe to our log. It is always read; lines beyond 500 or 256 KiB in a second are left
//!   out.
//! * **Sources** are looked at as the watcher looks at the API's files; looking takes a twentieth of the time at
//!   most. A look keeps a stamp of each file, so that the log can name the one that has changed; one that was written
//!   just before is read, since another write might have the same stamp. `activity` has when a function was at work,
//!   by the clock that stamps files: a change in such a span is its own doing, or that of a neighbour in a directory
//!   around the file. A span begins 10 ms early, because stamps may be that old. Code that was there before is
//!   excepted, or a busy function could not be edited.
//!
//! A process is started only for an invocation, so a crash loop cannot spin. After one that never asked for an event
//! none is started for 100 ms, twice as long after the next, up to 10 s; invocations fail at once meanwhile, unless a
//! process is left that will take them. A change of the sources ends the pause.
//!
//! Events for a URL with a `Concurrency` wait in `data_plane/lambda/concurrency`, by the URL: two functions in one
//! emulator are one process there. A waiting event holds a slot of the destination.
//!
//! `MemorySize` is told to the function and not enforced: limits of address space break Node and Go, which reserve
//! far more than they use, and the limit that Lambda sets, a control group, is not ours to set.

mod limits;
mod programs;
pub mod interpreters;
pub mod managed;
mod definition;
mod error;
mod timer;
pub mod launcher;
mod output;
mod variables;
mod activity;
mod source_names;
mod source_files;
mod shared;
mod invocation;
mod connection;
mod restarts;
mod state;
mod http;
mod runtime_api;
mod process;
pub mod start_check;
mod pool;
mod runtime;
mod lifecycle;
mod edits;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::outbound::function::edits::Circumstances;
use crate::outbound::function::pool::FunctionPool;
use crate::outbound::function::shared::Shared;
use crate::outbound::function::source_files::Looks;
use crate::platform::concurrency::ConcurrencyLimit;
use crate::platform::files::FileId;
use crate::platform::loops;

pub use crate::outbound::function::definition::Definition;
pub use crate::outbound::function::error::FunctionError;
pub use crate::outbound::function::invocation::{Answer, Invocation};
pub use crate::outbound::function::limits::MAX_PAYLOAD_LENGTH;
pub use crate::outbound::function::shared::Settings;

/// How long a stop waits until every process has ended; they are killed, so it is a matter of milliseconds.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// Looking at source files may take one part in so many of the time.
const LOOKS_SHARE: u32 = 20;

/// All functions of a gateway.
pub struct Functions {
    shared: Arc<Shared>,
    list: Arc<Mutex<List>>,
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
            shared: Arc::new(Shared::new(settings)),
            list: Arc::default(),
        })
    }

    fn list(&self) -> MutexGuard<'_, List> {
        locked(&self.list)
    }

    /// Runs one invocation and waits for its answer.
    ///
    /// # Errors
    /// See [`FunctionError`].
    pub fn invoke(&self, definition: &Arc<Definition>, invocation: Invocation<'_>) -> Result<Answer, FunctionError> {
        loops::may_wait("for a function");
        if invocation.event.len() > MAX_PAYLOAD_LENGTH {
            return Err(FunctionError::TooLarge);
        }
        self.function(definition)?.invoke(invocation)
    }

    /// The function that a definition means; a new one where there is none.
    fn function(&self, definition: &Arc<Definition>) -> Result<Arc<FunctionPool>, FunctionError> {
        let mut list = self.list();
        if list.is_stopped {
            return Err(FunctionError::Stopped);
        }
        let is_meant = |other: &Arc<Definition>| Arc::ptr_eq(other, definition) || other == definition;
        if let Some(function) = list.functions.iter().find(|function| is_meant(&function.definition)) {
            return Ok(Arc::clone(function));
        }
        let refused = |error| FunctionError::NotStarted(format!("the system refuses a thread: {error}"));
        let (shared, all) = (Arc::clone(&self.shared), Arc::clone(&self.list));
        let ringing = move || run_timers(&shared, &all);
        self.shared.alarm.start(ringing).map_err(refused)?;
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
        let mut list = self.list();
        list.kept = Some(definitions.to_vec());
        for function in &list.functions {
            if definitions.contains(&function.definition) {
                function.keep();
            } else {
                function.retire();
            }
        }
    }

    /// Restarts the functions whose source files have changed, and ends processes that have not been needed for long.
    /// `access_log` is a file that the gateway writes itself.
    ///
    /// To be called now and then, a few times a second: the files are looked at in here.
    pub fn look_for_changes(&self, access_log: Option<FileId>) {
        let (functions, last_look, mut outputs) = {
            let mut list = self.list();
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
        let mut list = self.list();
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
            let mut list = self.list();
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
        write!(f, "Functions({})", self.list().functions.len())
    }
}

fn locked(list: &Mutex<List>) -> MutexGuard<'_, List> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread that ends what takes too long.
fn run_timers(shared: &Shared, list: &Mutex<List>) {
    while shared.alarm.wait() {
        let functions = locked(list).functions.clone();
        for function in functions {
            function.end_overdue(Instant::now());
        }
    }
}
