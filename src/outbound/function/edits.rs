//! Restarts of a function whose source files have changed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::outbound::function::activity::{Span, falls_into};
use crate::outbound::function::pool::FunctionPool;
use crate::outbound::function::restarts::Cause;
use crate::outbound::function::source_files::{Change, Looks, Snapshot};
use crate::outbound::function::state::{Freshness, Phase, State};
use crate::platform::files::FileId;
use crate::platform::files::canonical;

/// So many restarts for the same file are told of, where none is that much later than the one before. People save code
/// again and again.
const WORTH_A_WARNING: u32 = 3;
const WORTH_A_WARNING_OF_CODE: u32 = 5;

/// Most files that are told of as written by a function itself: a user who has edited one wonders why nothing happens.
const MOST_TOLD: usize = 20;

/// What else happened while the files were looked at.
pub(super) struct Circumstances<'a> {
    /// The gateway's own outputs.
    pub(super) outputs: &'a [FileId],
    /// When which function was at work.
    pub(super) work: &'a [Work],
}

/// When a function was at work, and where.
pub(super) struct Work {
    pub(super) directory: PathBuf,
    pub(super) spans: Vec<Span>,
}

impl FunctionPool {
    /// Looks at the source files, unless nothing depends on them now.
    pub(super) fn look(&self, looks: &mut Looks) -> Option<Snapshot> {
        {
            let mut state = self.state();
            if state.processes.is_empty() && !state.failures.any() {
                state.sources = None;
                state.restarts.pending = None;
                return None;
            }
        }
        Some(self.sources.look(looks))
    }

    /// When it was at work since the moment of the look before.
    pub(super) fn work_since(&self, last_look: Option<SystemTime>) -> Work {
        let mut state = self.state();
        if let Some(moment) = last_look {
            state.activity.forget_before(moment);
        }
        let now = SystemTime::now();
        let going_on = state.processes.values().filter_map(|process| process.at_work_since);
        let spans = state
            .activity
            .spans()
            .chain(going_on.map(|since| (since, now)))
            .collect();
        drop(state);
        Work {
            directory: canonical(&self.working_directory),
            spans,
        }
    }

    /// Takes up a look: ends processes whose source files have changed. Those that are busy have time to answer, and
    /// those that are starting answer one event.
    pub(super) fn take_up(self: &Arc<Self>, seen: Snapshot, circumstances: &Circumstances<'_>) {
        let mut state = self.state();
        let now = Instant::now();
        let changes = match &state.sources {
            Some(before) => before.changes(&seen),
            None => Vec::new(),
        };
        state.sources = Some(seen);
        let (own, changes) = self.sorted(changes, circumstances);
        for change in own {
            let told = &mut state.restarts.own;
            if told.len() < MOST_TOLD && told.insert(change.path.clone()) {
                let (name, path) = (self.name(), self.shown_path(&change.path));
                log::info!("function {name}: {path} has changed while it worked, so it is taken for its own doing");
            }
        }
        if let Some(cause) = Cause::of(&changes) {
            for process in state.processes.values_mut() {
                process.is_outdated = true;
            }
            let next = state.restarts.next(now);
            if state.restarts.pending.is_none() && next > now {
                log::info!(
                    "function {}: {}; it is started anew in {} s, since there were so many restarts before",
                    self.name(),
                    self.shown(&cause),
                    next.saturating_duration_since(now).as_secs() + 1
                );
            }
            state.restarts.pending = Some(cause);
        }
        if state.restarts.next(now) <= now
            && let Some(cause) = state.restarts.pending.take()
        {
            self.restart(&mut state, &cause, now);
        }
    }

    fn restart(self: &Arc<Self>, state: &mut State, cause: &Cause, now: Instant) {
        let (name, shown) = (self.name(), self.shown(cause));
        log::info!("function {name}: {shown}, so it is started anew");
        let count = state.restarts.count(&cause.path, now);
        let worth_a_warning = match cause.is_code {
            true => WORTH_A_WARNING_OF_CODE,
            false => WORTH_A_WARNING,
        };
        if count == worth_a_warning {
            log::warn!(
                "function {name}: {} has caused {count} restarts one after the other: if a program writes it, Watch in \
                 functions/{name}.json can name the files that matter instead",
                self.shown_path(&cause.path)
            );
        }
        state.failures = Default::default();
        for process in state.processes.values_mut().filter(|process| process.is_outdated) {
            process.freshness = match process.phase {
                Phase::Starting { .. } => Freshness::OwesAnEvent,
                _ => Freshness::Stale,
            };
        }
        for number in state.stale_idle() {
            state.kill(number);
        }
        self.start_what_is_needed(state, now);
    }

    /// What is the function's own doing, and what is to restart it. The gateway's outputs are neither.
    fn sorted(&self, changes: Vec<Change>, circumstances: &Circumstances<'_>) -> (Vec<Change>, Vec<Change>) {
        let is_output = |change: &Change| change.ids.iter().flatten().any(|id| circumstances.outputs.contains(id));
        let counting = changes.into_iter().filter(|change| !is_output(change));
        counting.partition(|change| self.is_own_doing(change, circumstances))
    }

    /// Whether a function may have made the change itself, or another one that runs in a directory around the file.
    /// Code that was there before is not what functions write.
    fn is_own_doing(&self, change: &Change, circumstances: &Circumstances<'_>) -> bool {
        let Some((at, precision)) = change.at.filter(|_| !change.is_known_code) else {
            return false;
        };
        let own = canonical(&self.working_directory);
        let is_near = |work: &&Work| work.directory == own || change.path.starts_with(&work.directory);
        let mut work = circumstances.work.iter().filter(is_near);
        work.any(|work| falls_into(&work.spans, at, precision))
    }

    /// Remembers the source files as they are, unless younger ones are remembered.
    pub(super) fn look_at_sources(&self) {
        if self.state().sources.is_some() {
            return;
        }
        let seen = self.sources.look(&mut Looks::default());
        if seen.is_cut() {
            log::warn!(
                "function {}: there are too many source files to look at all of them; Watch may name those that matter",
                self.name()
            );
        }
        self.state().sources.get_or_insert(seen);
    }

    fn shown(&self, cause: &Cause) -> impl fmt::Display {
        let path = self.shown_path(&cause.path);
        match cause.others {
            0 => format!("{path} has changed"),
            1 => format!("{path} and one other file have changed"),
            others => format!("{path} and {others} other files have changed"),
        }
    }

    /// A path as short as it is clear.
    fn shown_path(&self, path: &Path) -> String {
        let directory = canonical(&self.working_directory);
        path.strip_prefix(directory).unwrap_or(path).display().to_string()
    }
}
