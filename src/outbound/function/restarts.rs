//! How often a function has been restarted for changes of its source files, and what for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::outbound::function::source_files::Change;

/// So many restarts are made as changes come, and then one in so long.
const MOST_AT_ONCE: u32 = 5;
const EVERY: Duration = Duration::from_secs(10);

/// Restarts for the same file are in a row where none is that much later than the one before.
const IN_A_ROW: Duration = Duration::from_secs(30);

/// What a function is restarted for.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    pub(super) path: PathBuf,
    pub(super) is_code: bool,
    /// How many other files have changed.
    pub(super) others: usize,
}

impl Cause {
    pub(super) fn of(changes: &[Change]) -> Option<Cause> {
        let (first, others) = changes.split_first()?;
        Some(Cause {
            path: first.path.clone(),
            is_code: first.is_known_code,
            others: others.len(),
        })
    }
}

/// The restarts of a function so far.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    /// One that is due as soon as there may be one.
    pub(super) pending: Option<Cause>,
    /// When there may be as many at once again as there ever may.
    recovered_at: Option<Instant>,
    /// The file that has caused the last ones, how many that are, and when the last was.
    in_a_row: Option<(PathBuf, u32, Instant)>,
    /// Files that count as the function's own doing, as far as the log has told of them.
    pub(super) own: BTreeSet<PathBuf>,
}

impl Restarts {
    /// When there may be one.
    pub(super) fn next(&self, now: Instant) -> Instant {
        let recovered_at = self.recovered_at.unwrap_or(now);
        recovered_at
            .checked_sub(EVERY * (MOST_AT_ONCE - 1))
            .unwrap_or(now)
            .max(now)
    }

    /// Counts one; how many the same file has caused in a row.
    pub(super) fn count(&mut self, path: &Path, now: Instant) -> u32 {
        self.recovered_at = Some(self.recovered_at.unwrap_or(now).max(now) + EVERY);
        let count = match &self.in_a_row {
            Some((before, count, at)) if before == path && now.saturating_duration_since(*at) < IN_A_ROW => count + 1,
            _ => 1,
        };
        self.in_a_row = Some((path.to_owned(), count, now));
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_bounded_and_those_for_one_file_are_counted() {
        let (mut restarts, began) = (Restarts::default(), Instant::now());
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        for count in 1..=MOST_AT_ONCE {
            assert_eq!(restarts.next(began), began);
            assert_eq!(restarts.count(Path::new("a"), began), count);
        }
        assert_eq!(restarts.next(began), at(10));
        assert_eq!(restarts.count(Path::new("a"), at(10)), MOST_AT_ONCE + 1);
        assert_eq!(restarts.next(at(10)), at(20));
        assert_eq!(restarts.count(Path::new("b"), at(20)), 1, "another file");
        assert_eq!(restarts.next(at(75)), at(75));
        assert_eq!(restarts.count(Path::new("b"), at(75)), 1, "long after");
        for _ in 0..MOST_AT_ONCE - 2 {
            assert_eq!(restarts.next(at(75)), at(75));
            restarts.count(Path::new("b"), at(75));
        }
    }
}
