//! How many connections of a listener are open, and what each of them counts against.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::platform::metrics::FrontMetrics;

/// What a connection counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quota {
    /// The limit of connections.
    Limit,
    /// What is kept for vital requests where the limit is reached.
    Reserve,
    /// What is listened to over the limit: it is being admitted, or it was refused or closed for another one and its
    /// client may still have to read the last answer.
    OverLimit,
}

/// Open connections of a listener, by what they count against.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    limit: AtomicUsize,
    reserve: AtomicUsize,
    over_limit: AtomicUsize,
}

impl Quotas {
    fn counter(&self, quota: Quota) -> &AtomicUsize {
        match quota {
            Quota::Limit => &self.limit,
            Quota::Reserve => &self.reserve,
            Quota::OverLimit => &self.over_limit,
        }
    }

    /// How many count against that.
    pub(super) fn count(&self, quota: Quota) -> usize {
        self.counter(quota).load(Ordering::SeqCst)
    }

    /// How many are open.
    pub(super) fn open(&self) -> usize {
        self.count(Quota::Limit) + self.count(Quota::Reserve) + self.count(Quota::OverLimit)
    }
}

/// Counts a connection for as long as it is open.
#[derive(Debug)]
pub(super) struct Open {
    quota: Quota,
    quotas: Arc<Quotas>,
    metrics: Arc<FrontMetrics>,
}

impl Open {
    /// A new one; it counts over the limit until it is moved.
    pub(super) fn count(quotas: &Arc<Quotas>, metrics: &Arc<FrontMetrics>) -> Open {
        let quota = Quota::OverLimit;
        quotas.counter(quota).fetch_add(1, Ordering::SeqCst);
        if let Some(connections) = &metrics.connections {
            connections.accepted.add_one();
            connections.open.rise();
        }
        Open {
            quota,
            quotas: Arc::clone(quotas),
            metrics: Arc::clone(metrics),
        }
    }

    /// What it counts against.
    pub(super) fn quota(&self) -> Quota {
        self.quota
    }

    /// Counts it against another quota, of which there is so much; tells whether there was some left.
    pub(super) fn move_to(&mut self, quota: Quota, most: usize) -> bool {
        let one_more = |count| (count < most).then_some(count + 1);
        let counter = self.quotas.counter(quota);
        let has_moved = counter
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more)
            .is_ok();
        if has_moved {
            self.quotas.counter(self.quota).fetch_sub(1, Ordering::SeqCst);
            self.quota = quota;
        }
        has_moved
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.quotas.counter(self.quota).fetch_sub(1, Ordering::SeqCst);
        if let Some(connections) = &self.metrics.connections {
            connections.open.fall();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_never_exceeded_and_given_back() {
        let quotas: Arc<Quotas> = Arc::default();
        let open = || Open::count(&quotas, &Arc::default());
        let (mut first, mut second, mut third) = (open(), open(), open());
        assert!(first.move_to(Quota::Limit, 2) && second.move_to(Quota::Limit, 2));
        assert!(!third.move_to(Quota::Limit, 2));
        assert_eq!((quotas.count(Quota::Limit), quotas.count(Quota::OverLimit)), (2, 1));
        assert!(!first.move_to(Quota::OverLimit, 1));
        assert!(first.move_to(Quota::OverLimit, 2));
        assert!(third.move_to(Quota::Limit, 2));
        assert_eq!((quotas.count(Quota::Limit), quotas.count(Quota::OverLimit)), (2, 1));
        drop((first, second));
        assert_eq!((quotas.count(Quota::Limit), quotas.open()), (1, 1));
        drop(third);
        assert_eq!(quotas.open(), 0);
    }
}
