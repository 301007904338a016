//! What the runtime of a process asks for and reports.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::outbound::function::connection::Connection;
use crate::outbound::function::invocation::{Outcome, PendingInvocation};
use crate::outbound::function::limits::START_TIMEOUT;
use crate::outbound::function::pool::FunctionPool;
use crate::outbound::function::runtime_api::{Next, RuntimeEvents, Verdict};
use crate::outbound::function::state::{Freshness, Phase, Shutdown, State};

/// How long a process may go on that has reported that it cannot start.
const LAST_BREATH: Duration = Duration::from_secs(1);

impl RuntimeEvents for FunctionPool {
    fn name(&self) -> &str {
        FunctionPool::name(self)
    }

    fn timeout(&self) -> Duration {
        FunctionPool::timeout(self)
    }

    fn deliver(self: &Arc<Self>, number: u64, connection: &Connection, job: &Arc<PendingInvocation>) {
        FunctionPool::deliver(self, number, connection, job);
    }

    fn is_served(&self, number: u64) -> bool {
        self.state()
            .processes
            .get(&number)
            .is_some_and(|process| process.is_served())
    }

    fn admit(&self, number: u64, connection: &Arc<Connection>) -> bool {
        self.state()
            .processes
            .get_mut(&number)
            .is_some_and(|process| process.admit(connection))
    }

    fn next(self: &Arc<Self>, number: u64, connection: &Arc<Connection>) -> Next {
        let now = Instant::now();
        let until = now + self.timeout();
        let mut state = self.state();
        let State {
            processes, queue, end, ..
        } = &mut *state;
        let Some(process) = processes.get_mut(&number) else {
            return Next::Gone;
        };
        match &process.phase {
            Phase::Ending { .. } => return Next::Gone,
            Phase::Busy { job, .. } => {
                job.end(self.failed("its runtime asked for another event without an answer"));
                process.has_answered();
            }
            // It has given up the other connection, or the event would have two connections to answer on.
            Phase::Idle { connection: other, .. } if !Arc::ptr_eq(other, connection) => other.close(),
            Phase::Idle { .. } => return Next::Gone,
            Phase::Starting { .. } | Phase::BetweenInvocations { .. } => {}
        }
        let is_stale = process.freshness == Freshness::Stale;
        if is_stale || (*end != Shutdown::None && queue.is_empty()) {
            state.kill(number);
            self.start_what_is_needed(&mut state, now);
            return Next::Gone;
        }
        let job = queue.pop_front();
        if let Some(job) = &job {
            job.begin(now);
        }
        process.phase = match &job {
            Some(job) => {
                process.at_work_since.get_or_insert_with(SystemTime::now);
                Phase::Busy {
                    job: Arc::clone(job),
                    until,
                }
            }
            None => Phase::Idle {
                since: now,
                connection: Arc::clone(connection),
            },
        };
        state.failures = Default::default();
        state.idle.retain(|idle| *idle != number);
        if job.is_none() {
            state.idle.push(number);
            state.end_work(number);
        }
        drop(state);
        match job {
            Some(job) => {
                self.shared.alarm.set(until);
                Next::Event(job)
            }
            None => Next::Wait,
        }
    }

    fn answer(&self, number: u64, id: &str, outcome: Outcome) -> Verdict {
        let mut state = self.state();
        let Some(process) = state.processes.get_mut(&number) else {
            return Verdict::WrongState;
        };
        match &process.phase {
            Phase::Busy { job, until } if job.id == id => {
                let (job, until) = (Arc::clone(job), *until);
                let answered = Some(job.id.clone());
                process.phase = Phase::BetweenInvocations {
                    since: Instant::now(),
                    answered,
                    until,
                };
                process.has_answered();
                drop(state);
                job.end(outcome);
                Verdict::Accepted
            }
            Phase::BetweenInvocations {
                answered: Some(answered),
                ..
            } if answered == id => Verdict::WrongState,
            _ => Verdict::WrongId,
        }
    }

    fn init_failed(self: &Arc<Self>, number: u64, cause: &str) -> Verdict {
        let now = Instant::now();
        let until = now + LAST_BREATH;
        let mut state = self.state();
        match state.processes.get_mut(&number) {
            Some(process) if matches!(process.phase, Phase::Starting { .. }) => {
                process.phase = Phase::Ending { until: Some(until) };
            }
            _ => return Verdict::WrongState,
        }
        self.start_failed(&mut state, &format!("cannot start: {cause}"), now);
        drop(state);
        self.shared.alarm.set(until);
        Verdict::Accepted
    }

    fn disconnected(&self, number: u64, connection: &Arc<Connection>) {
        let now = Instant::now();
        let until = now + START_TIMEOUT;
        let mut state = self.state();
        let Some(process) = state.processes.get_mut(&number) else {
            return;
        };
        if matches!(&process.phase, Phase::Idle { connection: waiting, .. } if Arc::ptr_eq(waiting, connection)) {
            process.phase = Phase::BetweenInvocations {
                since: now,
                answered: None,
                until,
            };
            state.idle.retain(|idle| *idle != number);
            drop(state);
            self.shared.alarm.set(until);
        }
    }
}
