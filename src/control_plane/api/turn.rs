//! One write at a time, in the order in which they came; each waits a bounded time.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who writes.
#[derive(Debug, Default)]
pub struct Turns {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The number of the next that comes.
    next: u64,
    /// The numbers of those that write or wait, in their order.
    queue: VecDeque<u64>,
}

/// A turn; it ends when this is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    turns: &'a Turns,
    number: u64,
}

impl Turns {
    /// Waits for a turn, so long at most; none where others took all of that time.
    pub fn wait(&self, patience: Duration) -> Option<Turn<'_>> {
        let until = Instant::now() + patience;
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.queue.push_back(number);
        // From here on the number leaves the queue when this is dropped.
        let turn = Turn { turns: self, number };
        while waiting.queue.front() != Some(&number) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(waiting);
                return None;
            }
            let woken = self.changed.wait_timeout(waiting, left);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(waiting);
        Some(turn)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut waiting = self.turns.lock();
        waiting.queue.retain(|number| *number != self.number);
        drop(waiting);
        self.turns.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_one_by_one_and_a_wait_ends() {
        let turns = Turns::default();
        let first = turns.wait(Duration::ZERO).unwrap();
        assert!(turns.wait(Duration::from_millis(1)).is_none());
        let running = Mutex::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let turn = turns.wait(Duration::from_secs(60)).unwrap();
                    assert!(running.try_lock().is_ok());
                    drop(turn);
                });
            }
            drop(first);
        });
        assert!(turns.wait(Duration::ZERO).is_some());
    }
}
