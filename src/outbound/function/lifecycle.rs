//! How the processes of a function begin and end.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::outbound::function::error::FunctionError;
use crate::outbound::function::limits::{STACK_SIZE, START_TIMEOUT};
use crate::outbound::function::pool::FunctionPool;
use crate::outbound::function::process::{self, Start};
use crate::outbound::function::runtime_api;
use crate::outbound::function::state::{Freshness, Phase, Shutdown, State, kill_with_group};

/// After so long without an event a process ends, unless it is the last of its function.
const IDLE_AGE: Duration = Duration::from_secs(300);

/// What a program lacks that ends by itself without a complaint.
const NO_CLIENT: &str = "; the Command must start a runtime client, which asks for events until it is ended, as \
                         python3 -m awslambdaric app.handler does";

impl FunctionPool {
    /// Starts as many processes as there are invocations that will not be served by others soon.
    pub(super) fn start_what_is_needed(self: &Arc<Self>, state: &mut State, now: Instant) {
        let (mut expected, too_late) = state.expected(now);
        let mut live = state.live();
        while state.queue.len() > expected
            && live < self.definition.concurrency.get()
            && state.end != Shutdown::Immediate
        {
            if let Some(until) = state.failures.pause(now) {
                if live == 0 {
                    let reason = state.failures.reason.clone();
                    state.fail_queue(&FunctionError::NotStarted(reason));
                }
                return self.shared.alarm.set(until);
            }
            let until = now + START_TIMEOUT;
            let number = state.add(until);
            let function = Arc::clone(self);
            let builder = thread::Builder::new().name("function-process".to_owned());
            let run = move || function.run_process(number);
            if let Err(error) = builder.stack_size(STACK_SIZE).spawn(run) {
                state.processes.remove(&number);
                self.start_failed(state, &format!("the system refuses a thread: {error}"), now);
                continue;
            }
            self.shared.alarm.set(until);
            expected += 1;
            live += 1;
        }
        if let Some(moment) = too_late.filter(|_| !state.queue.is_empty()) {
            self.shared.alarm.set(moment);
        }
    }

    /// Starts the process with that number and stays until it has ended.
    fn run_process(self: &Arc<Self>, number: u64) {
        let unique = self.shared.clock.uuid();
        let start = Start {
            definition: &self.definition,
            working_directory: &self.working_directory,
            launcher: self.shared.settings.launcher.as_deref(),
            unique: &unique,
        };
        let served = Arc::clone(self);
        let end = process::run(
            &start,
            || self.look_at_sources(),
            move |listener: &TcpListener| runtime_api::listen(&served, number, listener),
            |pid, is_whole| self.process_started(number, pid, is_whole),
            |pid| self.process_died(number, pid),
        );
        self.process_ended(number, &end);
    }

    /// A process did not come so far as to ask for an event.
    pub(super) fn start_failed(self: &Arc<Self>, state: &mut State, cause: &str, now: Instant) {
        let reason = format!("function {}: its process {cause}", self.name());
        log::warn!("{reason}");
        state.failures.add(reason.clone(), now);
        if state.live() == 0 {
            state.fail_queue(&FunctionError::NotStarted(reason));
        }
    }

    /// It runs, and can be killed; `is_whole` tells whether all that it needs is there.
    fn process_started(&self, number: u64, pid: Pid, is_whole: bool) {
        let mut state = self.state();
        let is_wanted = is_whole
            && state.processes.get_mut(&number).is_some_and(|process| {
                process.pid = Some(pid);
                process.is_served()
            });
        if !is_wanted {
            kill_with_group(pid);
        }
    }

    /// It is dead, but its number is still its own: what it has started is killed with it.
    fn process_died(&self, number: u64, pid: Pid) {
        let mut state = self.state();
        if let Some(process) = state.processes.get_mut(&number) {
            process.set_dead();
        }
        kill_with_group(pid);
    }

    /// It is no more, or never was; `how` says why.
    fn process_ended(self: &Arc<Self>, number: u64, how: &str) {
        let now = Instant::now();
        let mut state = self.state();
        let phase = state.kill(number);
        let process = state.processes.remove(&number);
        match phase {
            Some(Phase::Starting { .. }) if process.is_some_and(|process| process.freshness != Freshness::Fresh) => {}
            Some(Phase::Starting { .. }) => {
                let hint = match how.starts_with("exited with status 0") {
                    true => NO_CLIENT,
                    false => "",
                };
                self.start_failed(&mut state, &format!("has not asked for an event: {how}{hint}"), now);
            }
            Some(Phase::Busy { job, .. }) => job.end(self.failed(&format!("its process {how}"))),
            Some(Phase::Idle { .. } | Phase::BetweenInvocations { .. }) => {
                log::info!("function {}: between two invocations, its process {how}", self.name());
            }
            Some(Phase::Ending { .. }) | None => {}
        }
        self.start_what_is_needed(&mut state, now);
        drop(state);
        self.gone.notify_all();
    }

    /// Ends what has taken too long.
    pub(super) fn end_overdue(self: &Arc<Self>, now: Instant) {
        let mut state = self.state();
        let is_overdue = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        let numbers: Vec<u64> = state.processes.keys().copied().collect();
        for number in numbers {
            let Some(process) = state
                .processes
                .get(&number)
                .filter(|process| is_overdue(process.deadline()))
            else {
                continue;
            };
            let is_fresh = process.freshness == Freshness::Fresh;
            match state.kill(number) {
                Some(Phase::Busy { job, .. }) => {
                    let seconds = self.timeout().as_secs_f64();
                    job.end(self.failed(&format!("Task timed out after {seconds:.2} seconds")));
                }
                Some(Phase::Starting { .. }) if is_fresh => {
                    let seconds = START_TIMEOUT.as_secs();
                    self.start_failed(
                        &mut state,
                        &format!("has not asked for an event within {seconds} s"),
                        now,
                    );
                }
                Some(Phase::BetweenInvocations { .. }) => {
                    log::warn!(
                        "function {}: killed, since it does not ask for another event",
                        self.name()
                    );
                }
                _ => {}
            }
        }
        self.start_what_is_needed(&mut state, now);
        let deadlines = state.processes.values().filter_map(|process| process.deadline());
        if let Some(next) = deadlines.min() {
            self.shared.alarm.set(next);
        }
    }

    /// Ends processes that have not been needed for long, but one.
    pub(super) fn end_idle(&self) {
        let mut state = self.state();
        // The first of them has waited longest.
        while state.idle.len() > 1
            && let Some(number) = state.idle.first().copied()
            && state.processes.get(&number).is_none_or(|process| match process.phase {
                Phase::Idle { since, .. } => since.elapsed() > IDLE_AGE,
                _ => true,
            })
        {
            state.kill(number);
        }
    }
}
