//! How many workers the same thing may hold at once: a destination, a function.
//!
//! A worker takes a slot before it waits for a destination. So something that hangs never holds all workers.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many of so many workers one destination may hold: seven eighths. One at least is left to the others, where there
/// are two.
///
/// # Example
/// ```
/// use std::num::NonZeroUsize;
/// use apigateway::platform::concurrency::share;
/// assert_eq!([1, 2, 8, 512].map(|workers| share(NonZeroUsize::new(workers).unwrap()).get()), [1, 1, 7, 448]);
/// ```
pub fn share(workers: NonZeroUsize) -> NonZeroUsize {
    let left = workers.get().div_ceil(8);
    NonZeroUsize::new(workers.get() - left).unwrap_or(NonZeroUsize::MIN)
}

/// A number of slots.
#[derive(Debug)]
pub struct ConcurrencyLimit {
    most: NonZeroUsize,
    held: AtomicUsize,
    streams: AtomicUsize,
}

/// A slot. It is given back when this is dropped, or before.
#[derive(Debug)]
pub struct ConcurrencyPermit {
    slots: Arc<ConcurrencyLimit>,
    is_held: bool,
}

impl ConcurrencyLimit {
    /// So many, all free.
    pub fn new(most: NonZeroUsize) -> Arc<ConcurrencyLimit> {
        Arc::new(ConcurrencyLimit {
            most,
            held: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
        })
    }

    /// Counts one more answer that a worker streams, if there are fewer than so many. It does not wait.
    pub fn begin_stream(self: &Arc<ConcurrencyLimit>, most: NonZeroUsize) -> Option<Streaming> {
        add_one(&self.streams, most).then(|| Streaming(Arc::clone(self)))
    }

    /// How many there are.
    pub fn most(&self) -> NonZeroUsize {
        self.most
    }

    /// How many are taken now.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether one is free now; it may be taken in a moment.
    pub fn has_free(&self) -> bool {
        self.held() < self.most.get()
    }

    /// Takes a slot, if one is free. It does not wait.
    pub fn take(self: &Arc<ConcurrencyLimit>) -> Option<ConcurrencyPermit> {
        self.hold().then(|| ConcurrencyPermit {
            slots: Arc::clone(self),
            is_held: true,
        })
    }

    fn hold(&self) -> bool {
        add_one(&self.held, self.most)
    }
}

/// Whether there was one less than `most` at least.
fn add_one(count: &AtomicUsize, most: NonZeroUsize) -> bool {
    let one_more = |count: usize| (count < most.get()).then_some(count + 1);
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
        .is_ok()
}

/// An answer that a worker streams, until this is dropped.
#[derive(Debug)]
pub struct Streaming(Arc<ConcurrencyLimit>);

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ConcurrencyPermit {
    /// Gives it back for a while in which no worker waits.
    pub fn give_back(&mut self) {
        if std::mem::take(&mut self.is_held) {
            self.slots.held.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Takes it again, if one is free; whether it is held now.
    pub fn take_again(&mut self) -> bool {
        self.is_held = self.is_held || self.slots.hold();
        self.is_held
    }

    /// The same, for who goes on with what it is held for. This one holds nothing any more.
    pub fn handed_on(&mut self) -> ConcurrencyPermit {
        ConcurrencyPermit {
            slots: Arc::clone(&self.slots),
            is_held: std::mem::take(&mut self.is_held),
        }
    }

    /// Whether it has not been given back.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// What it is one of.
    pub fn slots(&self) -> &Arc<ConcurrencyLimit> {
        &self.slots
    }
}

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: usize) -> NonZeroUsize {
        NonZeroUsize::new(number).unwrap()
    }

    #[test]
    fn a_share_is_seven_eighths_and_leaves_one() {
        for (workers, expected) in [
            (1, 1),
            (2, 1),
            (3, 2),
            (7, 6),
            (8, 7),
            (9, 7),
            (15, 13),
            (16, 14),
            (64, 56),
            (700, 612),
            (usize::MAX, usize::MAX - usize::MAX.div_ceil(8)),
        ] {
            assert_eq!(share(number(workers)).get(), expected, "{workers}");
        }
        for workers in 2..1000 {
            let expected = (workers * 7 / 8).min(workers - 1).max(1);
            assert_eq!(share(number(workers)).get(), expected, "{workers}");
        }
    }

    #[test]
    fn as_many_are_held_as_there_are() {
        let slots = ConcurrencyLimit::new(number(2));
        let first = slots.take().unwrap();
        let mut second = slots.take().unwrap();
        assert!(slots.take().is_none());
        drop(first);
        let third = slots.take().unwrap();
        assert!(slots.take().is_none() && !slots.has_free());
        // It counts once, however often it is given back or taken.
        second.give_back();
        second.give_back();
        let fourth = slots.take().unwrap();
        assert!(slots.take().is_none() && !second.take_again());
        drop(third);
        assert!(slots.has_free() && !second.is_held());
        assert!(second.take_again() && second.take_again() && slots.take().is_none());
        drop((second, fourth));
        assert_eq!(slots.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn threads_never_hold_more_than_there_are() {
        let slots = ConcurrencyLimit::new(number(3));
        let held = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let Some(slot) = slots.take() else { continue };
                        assert!(held.fetch_add(1, Ordering::SeqCst) < 3);
                        held.fetch_sub(1, Ordering::SeqCst);
                        drop(slot);
                    }
                });
            }
        });
        assert_eq!(slots.held.load(Ordering::Relaxed), 0);
    }
}
