//! Which loop a connection belongs to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The loop that a connection was dealt to, for as long as it is open. It counts there until this is dropped.
#[derive(Debug, Default)]
pub(super) struct Home {
    number: usize,
    connections: Arc<AtomicUsize>,
}

/// How many connections belong to each loop of a listener.
#[derive(Debug)]
pub(super) struct Homes(Box<[Arc<AtomicUsize>]>);

impl Homes {
    /// So many loops, without connections.
    pub(super) fn new(loops: usize) -> Homes {
        Homes((0..loops).map(|_| Arc::default()).collect())
    }

    /// Deals a connection to the loop that has the fewest.
    pub(super) fn deal(&self) -> Home {
        let counted = self.0.iter().enumerate();
        let fewest = counted.min_by_key(|(_, connections)| connections.load(Ordering::Relaxed));
        let Some((number, connections)) = fewest else {
            return Home::default();
        };
        connections.fetch_add(1, Ordering::Relaxed);
        Home {
            number,
            connections: Arc::clone(connections),
        }
    }
}

impl Home {
    /// The loop.
    pub(super) fn number(&self) -> usize {
        self.number
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What was dealt by nobody counts nowhere.
        let one_less = |count: usize| count.checked_sub(1);
        let _ = self
            .connections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_dealt_to_the_loop_with_the_fewest() {
        let homes = Homes::new(3);
        let mut dealt: Vec<Home> = (0..6).map(|_| homes.deal()).collect();
        let numbers = |dealt: &[Home]| dealt.iter().map(Home::number).collect::<Vec<_>>();
        assert_eq!(numbers(&dealt), [0, 1, 2, 0, 1, 2]);
        dealt.retain(|home| home.number() != 1);
        assert_eq!([homes.deal(), homes.deal()].map(|home| home.number()), [1, 1]);
        drop((Home::default(), dealt));
        let counts: Vec<usize> = homes.0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        assert_eq!(counts, [0, 0, 0]);
    }
}
