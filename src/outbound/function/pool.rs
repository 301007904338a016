//! One function: hands events to its processes, and starts and ends these.
//!
//! AWS calls a process with what it has around it an [execution environment][1].
//!
//! [1]: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::outbound::function::connection::Connection;
use crate::outbound::function::definition::Definition;
use crate::outbound::function::error::FunctionError;
use crate::outbound::function::invocation::{Answer, Invocation, Outcome, PendingInvocation};
use crate::outbound::function::limits::STACK_SIZE;
use crate::outbound::function::process;
use crate::outbound::function::shared::Shared;
use crate::outbound::function::source_files::Sources;
use crate::outbound::function::state::{Phase, Shutdown, State};
use crate::platform::concurrency::ConcurrencyLimit;

/// Most invocations of one function that wait for a process, and most bytes of their events. Each holds a worker that
/// another route could have.
const MAX_QUEUED: usize = 128;
const MAX_QUEUED_BYTES: usize = 64 * 1024 * 1024;

/// Longer is waited for nothing: Lambda's limit.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(900);

/// An event that may be too large to be written without waiting for the reader.
const LARGE_EVENT: usize = 64 * 1024;

/// A function with its processes.
#[derive(Debug)]
pub(super) struct FunctionPool {
    pub(super) definition: Arc<Definition>,
    pub(super) shared: Arc<Shared>,
    pub(super) working_directory: PathBuf,
    pub(super) sources: Sources,
    /// The workers that wait for it.
    pub(super) slots: Arc<ConcurrencyLimit>,
    state: Mutex<State>,
    /// A process is no more.
    pub(super) gone: Condvar,
}

/// What becomes of an event at first.
enum Submitted {
    /// That process takes it.
    Taken(u64, Arc<Connection>),
    /// It waits for a process that is expected.
    Waiting,
    /// It waits until a process is free again: there are as many as there may be.
    AllBusy,
}

impl FunctionPool {
    pub(super) fn new(
        definition: Arc<Definition>,
        shared: Arc<Shared>,
        slots: Arc<ConcurrencyLimit>,
    ) -> Arc<FunctionPool> {
        let working_directory = process::working_directory(&definition.working_directory);
        let sources = Sources::of(&definition, &working_directory);
        Arc::new(FunctionPool {
            definition,
            shared,
            working_directory,
            sources,
            slots,
            state: Mutex::default(),
            gone: Condvar::new(),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn name(&self) -> &str {
        &self.definition.name
    }

    /// How long one invocation may take.
    pub(super) fn timeout(&self) -> Duration {
        self.definition.timeout.min(LONGEST_TIMEOUT)
    }

    /// The outcome of an invocation that the function has failed.
    pub(super) fn failed(&self, cause: &str) -> Outcome {
        let message = format!("function {}: {cause}", self.name());
        Ok(Answer::Failed {
            message,
            report: Vec::new(),
        })
    }

    pub(super) fn invoke(self: &Arc<Self>, invocation: Invocation<'_>) -> Outcome {
        let slot = self.slots.take();
        let _slot = slot.ok_or_else(|| FunctionError::Overloaded(self.slots.most()))?;
        let now = Instant::now();
        let until = now + invocation.timeout.min(LONGEST_TIMEOUT);
        let job = Arc::new(PendingInvocation::new(
            self.shared.clock.uuid(),
            invocation.event,
            invocation.trace_id.to_owned(),
            invocation.function_arn.to_owned(),
        ));
        let submitted = self.submit(&job, now)?;
        if let Submitted::Taken(number, connection) = &submitted {
            if job.event.len() <= LARGE_EVENT {
                self.deliver(*number, connection, &job);
            } else {
                self.deliver_apart(*number, Arc::clone(connection), &job);
            }
        }
        job.wait(until, invocation.client.as_ref()).unwrap_or_else(|error| {
            let was_waiting = self.take_back(&job);
            Err(match (error, submitted) {
                (FunctionError::TimedOut, Submitted::AllBusy) => FunctionError::Busy {
                    processes: self.definition.concurrency,
                    begun_after: job.begun().map(|begun| begun.saturating_duration_since(now)),
                },
                (FunctionError::TimedOut, _) if was_waiting => FunctionError::NotReady,
                (error, _) => error,
            })
        })
    }

    /// Takes an event out of the queue; whether it was there.
    fn take_back(&self, job: &Arc<PendingInvocation>) -> bool {
        let queue = &mut self.state().queue;
        let before = queue.len();
        queue.retain(|waiting| !Arc::ptr_eq(waiting, job));
        queue.len() < before
    }

    /// Finds a process for an event, or a place in the queue.
    fn submit(self: &Arc<Self>, job: &Arc<PendingInvocation>, now: Instant) -> Result<Submitted, FunctionError> {
        let mut state = self.state();
        if state.end == Shutdown::Immediate {
            return Err(FunctionError::Stopped);
        }
        let until = now + self.timeout();
        if let Some((number, connection)) = state.occupy(job, until) {
            drop(state);
            self.shared.alarm.set(until);
            return Ok(Submitted::Taken(number, connection));
        }
        if state.queue.len() >= MAX_QUEUED || state.queued_bytes() + job.event.len() > MAX_QUEUED_BYTES {
            return Err(FunctionError::Throttled {
                processes: self.definition.concurrency,
                waiting: state.queue.len(),
            });
        }
        state.queue.push_back(Arc::clone(job));
        self.start_what_is_needed(&mut state, now);
        let (expected, _) = state.expected(now);
        let all_there_may_be = state.live() >= self.definition.concurrency.get();
        Ok(match all_there_may_be && state.queue.len() > expected {
            true => Submitted::AllBusy,
            false => Submitted::Waiting,
        })
    }

    /// Writes an event to a runtime that has asked for it.
    pub(super) fn deliver(self: &Arc<Self>, number: u64, connection: &Connection, job: &Arc<PendingInvocation>) {
        let deadline = SystemTime::now() + self.timeout();
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
        if connection.send_event(job, deadline.as_millis()).is_ok() {
            return;
        }
        // It has not been read whole, so another process may have it.
        let mut state = self.state();
        let has_it = state
            .processes
            .get(&number)
            .is_some_and(|process| match &process.phase {
                Phase::Busy { job: busy_with, .. } => Arc::ptr_eq(busy_with, job),
                _ => false,
            });
        if has_it {
            state.kill(number);
            if job.may_return() {
                state.queue.push_front(Arc::clone(job));
            } else {
                job.end(self.failed("its runtime does not read the event that it asked for"));
            }
            self.start_what_is_needed(&mut state, Instant::now());
        }
    }

    /// As [`FunctionPool::deliver`], in a thread of its own: a runtime that reads slowly delays no other.
    fn deliver_apart(self: &Arc<Self>, number: u64, connection: Arc<Connection>, job: &Arc<PendingInvocation>) {
        let (function, delivered) = (Arc::clone(self), Arc::clone(job));
        let builder = thread::Builder::new().name("function-event".to_owned());
        let spawned = builder
            .stack_size(STACK_SIZE)
            .spawn(move || function.deliver(number, &connection, &delivered));
        if let Err(error) = spawned {
            self.state().kill(number);
            job.end(self.failed(&format!("the system refuses a thread: {error}")));
        }
    }

    /// No more invocations are expected: each process ends when it has nothing to do.
    pub(super) fn retire(self: &Arc<Self>) {
        let mut state = self.state();
        state.end = state.end.max(Shutdown::WhenIdle);
        for number in std::mem::take(&mut state.idle) {
            state.kill(number);
        }
    }

    /// Invocations are expected, perhaps again.
    pub(super) fn keep(&self) {
        let mut state = self.state();
        if state.end == Shutdown::WhenIdle {
            state.end = Shutdown::None;
        }
    }

    /// Ends everything at once.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.end = Shutdown::Immediate;
        state.fail_queue(&FunctionError::Stopped);
        state.idle.clear();
        for process in state.processes.values_mut() {
            if let Phase::Busy { job, .. } = process.kill() {
                job.end(Err(FunctionError::Stopped));
            }
        }
    }

    /// Waits until its processes are no more, until a moment.
    pub(super) fn wait_for_end(&self, until: Instant) {
        let mut state = self.state();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if state.processes.is_empty() || left.is_zero() {
                return;
            }
            let waited = self.gone.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether no more invocations are expected.
    pub(super) fn is_retired(&self) -> bool {
        self.state().end != Shutdown::None
    }
}
