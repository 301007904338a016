//! Where each process of a function stands, and which invocations wait. Plain values under one lock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::outbound::function::activity::Activity;
use crate::outbound::function::connection::Connection;
use crate::outbound::function::error::FunctionError;
use crate::outbound::function::invocation::PendingInvocation;
use crate::outbound::function::restarts::Restarts;
use crate::outbound::function::source_files::Snapshot;

/// Most connections of one process at once. Runtime clients have one or two.
const MAX_CONNECTIONS: usize = 16;

/// How soon a process that has answered usually asks for the next event. For so long none is started in its stead.
const SOON: Duration = Duration::from_millis(50);

/// The pause after a process that did not start; it doubles with each that follows, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Everything of a function that changes.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) processes: BTreeMap<u64, Process>,
    next_number: u64,
    /// Who waits for an event; the last was busy last, so it is the warmest.
    pub(super) idle: Vec<u64>,
    /// Invocations that wait for a process.
    pub(super) queue: VecDeque<Arc<PendingInvocation>>,
    pub(super) failures: Failures,
    /// The source files, as the youngest process may have read them.
    pub(super) sources: Option<Snapshot>,
    pub(super) restarts: Restarts,
    /// When its processes were at work, those that are still at it left out.
    pub(super) activity: Activity,
    pub(super) end: Shutdown,
}

/// Whether and how the function comes to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shutdown {
    /// It goes on.
    #[default]
    None,
    /// When what it was asked is answered.
    WhenIdle,
    /// It has ended.
    Immediate,
}

/// Starts that have failed, one after another.
#[derive(Debug, Default)]
pub(super) struct Failures {
    count: u32,
    /// No other start before.
    until: Option<Instant>,
    /// Why the last has failed.
    pub(super) reason: String,
}

/// One process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) phase: Phase,
    /// Where it can be killed; none before it is started, and when it is dead.
    pub(super) pid: Option<Pid>,
    is_dead: bool,
    connections: Vec<Weak<Connection>>,
    /// Its source files have changed since, whether it is restarted for that or not yet.
    pub(super) is_outdated: bool,
    pub(super) freshness: Freshness,
    /// Since when it has been starting, or working on one event after the other.
    pub(super) at_work_since: Option<SystemTime>,
}

/// Whether a process goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Freshness {
    /// It goes on.
    #[default]
    Fresh,
    /// It was still starting when it was to be restarted. What it was started for must not be in vain, or a function whose
    /// files change all the time would never answer.
    OwesAnEvent,
    /// It ends as soon as it is not busy.
    Stale,
}

/// What a process does.
#[derive(Debug)]
pub(super) enum Phase {
    /// It has not asked for an event yet.
    Starting { until: Instant },
    /// It waits for an event.
    Idle {
        since: Instant,
        connection: Arc<Connection>,
    },
    /// It works on an event.
    Busy {
        job: Arc<PendingInvocation>,
        until: Instant,
    },
    /// It has answered that one, or lost its connection, and may ask again.
    BetweenInvocations {
        since: Instant,
        answered: Option<String>,
        until: Instant,
    },
    /// It is killed, or about to end by itself.
    Ending { until: Option<Instant> },
}

impl Failures {
    pub(super) fn add(&mut self, reason: String, now: Instant) {
        let pause = FIRST_PAUSE * 2_u32.saturating_pow(self.count.min(16));
        self.count += 1;
        self.until = now.checked_add(pause.min(LONGEST_PAUSE));
        self.reason = reason;
    }

    /// Until when nothing is to be started.
    pub(super) fn pause(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| now < *until)
    }

    pub(super) fn any(&self) -> bool {
        self.count > 0
    }
}

/// Kills a process and what it has started in its group; itself also where it has gone into another.
pub(super) fn kill_with_group(pid: Pid) {
    let _ = kill_process_group(pid, Signal::KILL);
    let _ = kill_process(pid, Signal::KILL);
}

impl Process {
    /// When it has taken too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Starting { until } | Phase::Busy { until, .. } | Phase::BetweenInvocations { until, .. } => {
                Some(until)
            }
            Phase::Idle { .. } => None,
            Phase::Ending { until } => until,
        }
    }

    /// Whether there is anything to be served: false before its end is dealt with, so that its listener ends in time.
    pub(super) fn is_served(&self) -> bool {
        !self.is_dead && !matches!(self.phase, Phase::Ending { until: None })
    }

    /// It cannot be killed any more.
    pub(super) fn set_dead(&mut self) {
        self.pid = None;
        self.is_dead = true;
    }

    /// It has answered an event.
    pub(super) fn has_answered(&mut self) {
        if self.freshness == Freshness::OwesAnEvent {
            self.freshness = Freshness::Stale;
        }
    }

    fn counts(&self) -> bool {
        self.freshness != Freshness::Stale && !matches!(self.phase, Phase::Ending { .. })
    }

    /// Whether one more connection is allowed.
    pub(super) fn admit(&mut self, connection: &Arc<Connection>) -> bool {
        self.connections.retain(|connection| connection.strong_count() > 0);
        let is_admitted = self.connections.len() < MAX_CONNECTIONS && self.is_served();
        if is_admitted {
            self.connections.push(Arc::downgrade(connection));
        }
        is_admitted
    }

    /// Kills it with all that it has started in its group; returns what it was doing.
    pub(super) fn kill(&mut self) -> Phase {
        if let Some(pid) = self.pid {
            kill_with_group(pid);
        }
        for connection in self.connections.drain(..).filter_map(|connection| connection.upgrade()) {
            connection.close();
        }
        std::mem::replace(&mut self.phase, Phase::Ending { until: None })
    }
}

impl State {
    /// A place for another process.
    pub(super) fn add(&mut self, until: Instant) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        let process = Process {
            phase: Phase::Starting { until },
            pid: None,
            is_dead: false,
            connections: Vec::new(),
            is_outdated: false,
            freshness: Freshness::Fresh,
            at_work_since: Some(SystemTime::now()),
        };
        self.processes.insert(number, process);
        number
    }

    /// Kills a process; returns what it was doing.
    pub(super) fn kill(&mut self, number: u64) -> Option<Phase> {
        self.idle.retain(|idle| *idle != number);
        self.end_work(number);
        self.processes.get_mut(&number).map(Process::kill)
    }

    /// A process has nothing to do any more.
    pub(super) fn end_work(&mut self, number: u64) {
        let process = self.processes.get_mut(&number);
        if let Some(since) = process.and_then(|process| process.at_work_since.take()) {
            self.activity.add(since, SystemTime::now());
        }
    }

    /// Those that wait for an event although they are stale.
    pub(super) fn stale_idle(&self) -> Vec<u64> {
        let is_stale = |number: &&u64| {
            let process = self.processes.get(number);
            process.is_none_or(|process| process.freshness == Freshness::Stale)
        };
        self.idle.iter().filter(is_stale).copied().collect()
    }

    /// The warmest process that waits for an event is given one; returns its number and connection.
    pub(super) fn occupy(&mut self, job: &Arc<PendingInvocation>, until: Instant) -> Option<(u64, Arc<Connection>)> {
        while let Some(number) = self.idle.pop() {
            if let Some(process) = self.processes.get_mut(&number)
                && let Phase::Idle { connection, .. } = &process.phase
            {
                let connection = Arc::clone(connection);
                process.at_work_since = Some(SystemTime::now());
                process.phase = Phase::Busy {
                    job: Arc::clone(job),
                    until,
                };
                return Some((number, connection));
            }
        }
        None
    }

    /// Processes that will take invocations again, if they do not fail.
    pub(super) fn live(&self) -> usize {
        self.processes.values().filter(|process| process.counts()).count()
    }

    /// Processes that will ask for an event soon, and when it is too late to be soon.
    pub(super) fn expected(&self, now: Instant) -> (usize, Option<Instant>) {
        let mut count = 0;
        let mut too_late: Option<Instant> = None;
        for process in self.processes.values().filter(|process| process.counts()) {
            match process.phase {
                Phase::Starting { .. } => count += 1,
                Phase::BetweenInvocations { since, .. } if now < since + SOON => {
                    count += 1;
                    too_late = Some(too_late.map_or(since + SOON, |moment| moment.min(since + SOON)));
                }
                _ => {}
            }
        }
        (count, too_late)
    }

    /// Gives up on all invocations that wait.
    pub(super) fn fail_queue(&mut self, error: &FunctionError) {
        for job in self.queue.drain(..) {
            job.end(Err(error.clone()));
        }
    }

    /// The bytes of all events that wait.
    pub(super) fn queued_bytes(&self) -> usize {
        self.queue.iter().map(|job| job.event.len()).sum()
    }
}
