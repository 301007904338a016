//! When a function was at work, by the clock that stamps files: what changes meanwhile is taken for its own doing.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

/// How much earlier than the write a time stamp may be: file systems stamp with the kernel's tick, 10 ms at most on Linux.
const TICK: Duration = Duration::from_millis(10);

/// Most spans that are kept. They are dropped when the files have been looked at, a few times a second; beyond, the last
/// one is made longer.
const MAX_SPANS: usize = 1024;

/// A time from its beginning to its end.
pub(super) type Span = (SystemTime, SystemTime);

/// The spans in which any process of a function was starting or worked on an event.
#[derive(Debug, Default)]
pub(super) struct Activity {
    spans: VecDeque<Span>,
}

impl Activity {
    /// A span that ends now, so that no other ends later.
    pub(super) fn add(&mut self, since: SystemTime, until: SystemTime) {
        let is_full = self.spans.len() >= MAX_SPANS;
        if let Some((from, to)) = self.spans.back_mut()
            && (is_full || since.checked_sub(TICK).is_none_or(|since| since <= *to))
        {
            *from = since.min(*from);
            *to = until.max(*to);
            return;
        }
        self.spans.push_back((since, until));
    }

    /// Drops what ended before a moment.
    pub(super) fn forget_before(&mut self, moment: SystemTime) {
        self.spans.retain(|(_, until)| *until >= moment);
    }

    pub(super) fn spans(&self) -> impl Iterator<Item = Span> {
        self.spans.iter().copied()
    }
}

/// Whether something that a file system has stamped falls into one of these spans. `precision` is that of the stamp.
pub(super) fn falls_into(spans: &[Span], stamp: SystemTime, precision: Duration) -> bool {
    spans.iter().any(|(since, until)| {
        let is_late_enough = stamp
            .checked_add(precision + TICK)
            .is_none_or(|latest| latest >= *since);
        is_late_enough && stamp <= *until
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn what_is_stamped_while_it_works_falls_into_a_span() {
        let mut activity = Activity::default();
        activity.add(at(1000), at(1100));
        activity.add(at(2000), at(2100));
        let spans: Vec<Span> = activity.spans().collect();
        for (stamp, precision, expected) in [
            (985, 0, false),
            (991, 0, true),
            (1050, 0, true),
            (1100, 0, true),
            (1101, 0, false),
            (1500, 0, false),
            (1500, 1000, true),
            (2050, 0, true),
            (3000, 0, false),
        ] {
            let falls = falls_into(&spans, at(stamp), Duration::from_millis(precision));
            assert_eq!(falls, expected, "{stamp} ±{precision}");
        }
        activity.forget_before(at(1500));
        assert_eq!(activity.spans().collect::<Vec<_>>(), [(at(2000), at(2100))]);
    }

    #[test]
    fn spans_are_joined_and_bounded() {
        let mut activity = Activity::default();
        for millis in 0..100 {
            activity.add(at(millis * 10), at(millis * 10 + 1));
        }
        assert_eq!(activity.spans().collect::<Vec<_>>(), [(at(0), at(991))]);
        for millis in 0..2000 {
            activity.add(at(10_000 + millis * 100), at(10_000 + millis * 100 + 1));
        }
        assert_eq!(activity.spans.len(), MAX_SPANS);
        assert_eq!(activity.spans.back().unwrap().1, at(209_901));
    }
}
