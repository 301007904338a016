//! Requests that wait for another one's fetch: each holds a worker, and so a slot of the destination that is asked.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::platform::concurrency::{ConcurrencyLimit, ConcurrencyPermit};

/// The requests that wait for one fetch.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    count: usize,
    /// The URL that the fetch asks now; none before it has begun.
    asked: Option<Arc<ConcurrencyLimit>>,
    /// One for each request that waits, as far as there are so many. They are all alike, so none belongs to a certain
    /// one.
    held: Vec<ConcurrencyPermit>,
}

/// As many workers wait for the destination as may: this many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full(pub(super) NonZeroUsize);

impl Waiting {
    /// How many wait.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// One more begins to wait.
    ///
    /// # Errors
    /// There is no slot for it.
    pub(super) fn begin(&mut self) -> Result<(), Full> {
        if let Some(slots) = &self.asked {
            self.held.push(slots.take().ok_or(Full(slots.most()))?);
        }
        self.count += 1;
        Ok(())
    }

    /// Whether all may go on waiting.
    ///
    /// # Errors
    /// There are not enough slots: a request that sees it leaves, until there are.
    pub(super) fn check(&self) -> Result<(), Full> {
        match &self.asked {
            Some(slots) if self.held.len() < self.count => Err(Full(slots.most())),
            _ => Ok(()),
        }
    }

    /// One leaves.
    pub(super) fn end(&mut self) {
        self.count -= 1;
        self.held.truncate(self.count);
    }

    /// The fetch asks this destination from now on, and so that is what all of them wait for.
    pub(super) fn ask(&mut self, slots: &Arc<ConcurrencyLimit>) {
        if self.asked.as_ref().is_some_and(|asked| Arc::ptr_eq(asked, slots)) {
            return;
        }
        self.held = (0..self.count).map_while(|_| slots.take()).collect();
        self.asked = Some(Arc::clone(slots));
    }

    /// The fetch has ended: it waits for no server.
    pub(super) fn stop(&mut self) {
        self.asked = None;
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(most: usize) -> Arc<ConcurrencyLimit> {
        ConcurrencyLimit::new(NonZeroUsize::new(most).unwrap())
    }

    #[test]
    fn each_who_waits_holds_a_slot_of_whom_is_asked() {
        let (first, second) = (slots(3), slots(2));
        let full = |most| Err(Full(NonZeroUsize::new(most).unwrap()));
        let mut waiting = Waiting::default();
        // The fetch has not asked anybody yet.
        waiting.begin().unwrap();
        let fetching = first.take().unwrap();
        waiting.ask(&first);
        assert_eq!(
            (waiting.check(), waiting.begin(), waiting.begin()),
            (Ok(()), Ok(()), full(3))
        );
        waiting.ask(&first);
        assert_eq!((waiting.check(), waiting.count()), (Ok(()), 2));
        waiting.end();
        assert_eq!((waiting.begin(), waiting.begin()), (Ok(()), full(3)));
        // The other destination has a slot for one of the two, besides the fetch itself.
        let going_on = second.take().unwrap();
        waiting.ask(&second);
        drop(fetching);
        assert_eq!(waiting.check(), full(2));
        waiting.end();
        assert_eq!((waiting.check(), waiting.begin()), (Ok(()), full(2)));
        assert!(second.take().is_none());
        let free: Vec<ConcurrencyPermit> = std::iter::from_fn(|| first.take()).collect();
        assert_eq!(free.len(), 3, "those of the first are given back");
        waiting.stop();
        drop(going_on);
        assert!(waiting.check().is_ok() && second.take().is_some());
        waiting.end();
        assert_eq!(waiting.count(), 0);
    }
}
