//! Which handshakes are at a worker, and which wait: a flood of them takes neither the workers nor the queue of requests.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Handshakes at workers for each processor. One may wait for the memory of another core; more would not be done sooner.
const FOR_EACH_PROCESSOR: usize = 2;

/// Handshakes that wait; one more is closed.
const MAX_WAITING: usize = 1024;

/// Handshakes that are at a worker, and those that wait for that.
#[derive(Debug)]
pub(crate) struct HandshakeQueue<T> {
    most: usize,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    at_workers: usize,
    waiting: VecDeque<T>,
}

/// What becomes of a handshake that has a turn to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place<T> {
    /// A worker takes it now.
    Worker(T),
    /// It waits.
    Waits,
    /// There is no room.
    None(T),
}

impl<T> HandshakeQueue<T> {
    /// For as many processors as there are.
    pub(crate) fn new() -> HandshakeQueue<T> {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        HandshakeQueue {
            most: processors.saturating_mul(FOR_EACH_PROCESSOR),
            state: Mutex::new(State {
                at_workers: 0,
                waiting: VecDeque::new(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a worker. Who gets one says so when it is done.
    pub(crate) fn ask(&self, handshake: T) -> Place<T> {
        let mut state = self.state();
        if state.at_workers < self.most {
            state.at_workers += 1;
            return Place::Worker(handshake);
        }
        if state.waiting.len() >= MAX_WAITING {
            return Place::None(handshake);
        }
        state.waiting.push_back(handshake);
        Place::Waits
    }

    /// A turn is done; the next one takes its place at the workers.
    pub(crate) fn done(&self) -> Option<T> {
        let mut state = self.state();
        let next = state.waiting.pop_front();
        if next.is_none() {
            state.at_workers = state.at_workers.saturating_sub(1);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_at_workers_and_some_wait() {
        let queue = HandshakeQueue::new();
        let most = queue.most;
        for number in 0..most {
            assert_eq!(queue.ask(number), Place::Worker(number));
        }
        for number in most..most + MAX_WAITING {
            assert_eq!(queue.ask(number), Place::Waits);
        }
        assert_eq!(queue.ask(7), Place::None(7));
        for number in most..most + MAX_WAITING {
            assert_eq!(queue.done(), Some(number));
        }
        for _ in 0..most {
            assert_eq!(queue.done(), None);
        }
        assert_eq!(queue.ask(0), Place::Worker(0));
    }
}
